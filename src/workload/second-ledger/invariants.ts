// What the second ledger looks for, by name.

export const SECOND_INVARIANTS = {
  outcomes_decided_anew: "each outcome is the one that deciding its input anew gives, field by field",
  lines_decided_anew: "each block books the lines that deciding its inputs anew gives, in their order",
  accounts_decided_anew: "each account has the balance, floor, status, currency and opening that its inputs make",
  cases_decided_anew: "each case is in the state, with the data and the history, that its inputs lead to",
  quarantine_decided_anew:
    "what is put aside could not be understood, for the reason that is given, and nothing else is",
  commands_decided_anew: "each command is one that deciding the inputs anew gives: one for each call",
  messages_decided_anew:
    "each message to another holder is one that deciding the inputs anew gives, numbered in its pair of lanes",
  draining_accounts_empty: "accounts that a flow declares as draining hold nothing of a case that rests or has ended",
  flow_invariants_hold: "what a flow declares as an invariant is true of each of its cases behind every event",
  cases_end_once: "a case has one terminal outcome at most, and it is the one that it remembers",
  reports_decided_anew: "each report that a block took is one that its case waits for",
  time_decided_anew: "each block's time is the latest of its inputs, or of the clock when timers fire alone",
  timers_decided_anew: "timers are armed and cancelled as the flows say, and fire in their order",
  timers_not_early: "no timer fires before it is due",
  timers_overtake_nothing: "no timer is decided before an input that was in time for it",
  timers_not_forgotten: "no timer that is due is passed over",
} as const;

export type SecondInvariant = keyof typeof SECOND_INVARIANTS;

/** One thing that is not as it would be, decided anew; `text` names the place within the lane. */
export type Difference = { readonly invariant: SecondInvariant; readonly text: string };
