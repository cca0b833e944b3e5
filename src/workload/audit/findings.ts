// What an audit looks for, and what it found. An invariant that was never looked at is not `ok`: it says how much of it
// was checked.

import { SECOND_INVARIANTS, type SecondInvariant } from "../second-ledger/invariants.ts";

/** Every invariant by name, with what it says, in the order of the report. */
export const INVARIANTS = {
  blocks_without_gaps: "each lane's blocks are numbered from 1 to its head, none missing",
  block_numbers_unique: "no two blocks of a lane have one number",
  head_equals_last_block: "a lane's head says what its last block says",
  time_never_goes_back: "neither the blocks' time nor their owner's epoch goes back",
  digest_chain: "each block names its predecessor's digest, and its own follows from its rows",
  inputs_contiguous: "each block begins where its predecessor ended, in every topic that it reads or writes",
  every_input_once: "each intent is answered by one outcome or put aside in one quarantine row",
  lines_in_blocks: "each line, message and quarantine row belongs to a block that counts it",
  rows_in_their_lane: "each row lies in the lane of its holder, and nobody else's account is in it",
  balances_equal_lines: "each balance is the sum of its lines, and each account of a line has a balance",
  currencies_sum_to_zero: "debits equal credits in every currency, of balances and of lines",
  floors_held: "no holder's account is below its floor, except by a posting declared forced",
  outcome_topic_equals_outbox: "the topics hold what the blocks say, in order, each once",
  dead_letters_equal_quarantine: "each quarantine row has its dead letter, with the same contents",
  sequences_unique_content: "one sequence of a lane and topic never stands for two contents",
  case_history_consistent: "each case remembers the events that its blocks and outcomes tell of",
  timers_consistent: "the timers that cases wait for are those that will fire",
  attention_consistent: "the cases that wait for a person are those that `case list --waiting` finds",
  lane_messages_once:
    "each message between lanes is numbered in its pair, sent once and taken once, in order and as it was sent",
  transit_equals_messages: "what lies on clearing:transit is what messages on their way between lanes carry",
  outcomes_equal_intents: "each outcome repeats what its intent said, field by field",
  outcomes_count_lines: "each outcome counts the lines that were booked for its case in its block",
  cases_equal_outcomes: "each event that a case remembers is what its outcome told, field by field",
  ...SECOND_INVARIANTS,
  effects_asked_for: "each effect at a provider was asked for by a command, in its amount and currency",
  effects_once: "a provider did once what it was asked for under one key, and no more came back",
  bookings_equal_effects:
    "what a payment has booked at banks and providers is what they did for it, and its payer's bank is answered",
} as const;

export type Invariant = keyof typeof INVARIANTS;

/** Looked at only by a deep audit. */
export const DEEP_INVARIANTS: ReadonlySet<Invariant> = new Set([
  "outcomes_equal_intents",
  "outcomes_count_lines",
  "cases_equal_outcomes",
  ...(Object.keys(SECOND_INVARIANTS) as SecondInvariant[]),
]);

/** Looked at only where the record of the providers is given. */
export const SIDES_INVARIANTS: ReadonlySet<Invariant> = new Set([
  "effects_asked_for",
  "effects_once",
  "bookings_equal_effects",
]);

const INVARIANT_NAMES = Object.keys(INVARIANTS) as readonly Invariant[];

export type Finding = {
  readonly invariant: Invariant;
  readonly ok: boolean;
  /** how many things were compared */
  readonly checked: number;
  /** sentences that name the place; at most PROBLEMS_MAX */
  readonly problems: readonly string[];
  /** how many there are in all */
  readonly problemCount: number;
};

/** One damage may show at a million places; the first few tell where to look. */
export const PROBLEMS_MAX = 20;

type Entry = { checked: number; problemCount: number; readonly problems: string[] };

export class Findings {
  readonly #entries = new Map<Invariant, Entry>(
    INVARIANT_NAMES.map((name) => [name, { checked: 0, problemCount: 0, problems: [] }]),
  );

  checked(invariant: Invariant, count = 1): void {
    this.#entry(invariant).checked += count;
  }

  problem(invariant: Invariant, text: string): void {
    const entry = this.#entry(invariant);
    entry.problemCount += 1;
    if (entry.problems.length < PROBLEMS_MAX) entry.problems.push(text);
  }

  /** Counts one comparison, and notes a problem when it does not hold. */
  expect(invariant: Invariant, holds: boolean, text: () => string): void {
    this.checked(invariant);
    if (!holds) this.problem(invariant, text());
  }

  /** @param wanted those that were looked at */
  list(wanted: (invariant: Invariant) => boolean): Finding[] {
    return INVARIANT_NAMES.filter(wanted).map((invariant) => {
      const entry = this.#entry(invariant);
      return { invariant, ok: entry.problemCount === 0, ...entry };
    });
  }

  #entry(invariant: Invariant): Entry {
    return this.#entries.get(invariant) as Entry;
  }
}
