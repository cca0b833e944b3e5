// What comes of an operation by its fate, step by step. Pure: when a step is due follows from when the operation began,
// so a restart goes on where it was.

import type { Fate } from "./behaviour.ts";

/** How operations of one sort go: at cardco all alike; at instanet money that is collected from a payer, the same over a
 *  chain, where it is seen before it is final, money that is sent, and mandates. */
export type Sort = "card" | "collect" | "chain" | "push" | "mandate";

export type Does =
  | "succeed"
  | "half"
  | "decline"
  /** demands a step of the customer */
  | "ask"
  /** stays open */
  | "wait"
  /** what succeeded fails after all */
  | "undo"
  /** what was seen on the chain is not there any more */
  | "drop"
  | "dispute"
  /** collect: the payer pays */
  | "pay"
  | "pay_half"
  | "pay_more"
  /** collect: the payer's bank asks for what was paid */
  | "recall"
  /** collect: what was paid is claimed back */
  | "claim_half"
  | "claim_rest";

export type Step = {
  readonly does: Does;
  /** counted from the beginning; `closed`: late after the operation was closed or expired */
  readonly when: "now" | "soon" | "twice_soon" | "late" | "closed";
  readonly code: string | null;
};

const now = (does: Does, code: string | null = null): Step => ({ does, when: "now", code });
const soon = (does: Does, code: string | null = null): Step => ({ does, when: "soon", code });
const late = (does: Does, code: string | null = null): Step => ({ does, when: "late", code });

type Plans = Readonly<Record<Fate, readonly Step[]>>;

/** A `refused` request begins nothing, so its plan is never walked. */
const REFUSED: readonly Step[] = [now("decline")];

const CARD: Plans = {
  done: [now("succeed")],
  declined: [now("decline")],
  partial: [now("half")],
  overpaid: [now("succeed")],
  paid_twice: [now("succeed")],
  paid_late: [now("succeed")],
  action_done: [now("ask"), late("succeed")],
  action_abandoned: [now("ask"), late("decline", "authentication_abandoned")],
  action_waits: [now("ask")],
  pending_done: [now("wait"), late("succeed")],
  pending_failed: [now("wait"), late("undo", "processing_error")],
  pending_waits: [now("wait")],
  done_failed: [now("succeed"), late("undo", "processing_error")],
  declined_done: [now("decline"), late("succeed")],
  disputed: [now("succeed"), late("dispute", "fraudulent")],
  recalled: [now("succeed")],
  claimed: [now("succeed")],
  refused: REFUSED,
};

const COLLECT: Plans = {
  done: [now("ask"), soon("pay")],
  declined: [now("decline")],
  partial: [now("ask"), soon("pay_half")],
  overpaid: [now("ask"), soon("pay_more")],
  paid_twice: [now("ask"), soon("pay"), late("pay")],
  paid_late: [now("ask"), { does: "pay", when: "closed", code: null }],
  action_done: [now("ask"), late("pay")],
  action_abandoned: [now("ask"), late("decline", "abandoned_or_lost")],
  action_waits: [now("ask")],
  pending_done: [now("wait"), late("pay")],
  pending_failed: [now("wait"), late("undo", "rejected_by_bank")],
  pending_waits: [now("wait")],
  done_failed: [now("ask"), soon("pay"), late("undo", "refund_by_debtor")],
  declined_done: [now("decline"), late("pay")],
  disputed: [now("ask"), soon("pay"), late("undo", "unauthorised")],
  recalled: [now("ask"), soon("pay"), late("recall", "recall_fraud")],
  claimed: [now("ask"), soon("pay"), late("claim_half", "recall_fraud"), late("claim_rest", "recall_fraud")],
  refused: REFUSED,
};

const SEEN: readonly Step[] = [now("ask"), soon("wait")];
const then = (does: Does): Step => ({ does, when: "twice_soon", code: null });

const CHAIN: Plans = {
  ...COLLECT,
  done: [...SEEN, then("pay")],
  partial: [...SEEN, then("pay_half")],
  overpaid: [...SEEN, then("pay_more")],
  paid_twice: [...SEEN, then("pay"), late("pay")],
  pending_done: [...SEEN, late("pay")],
  pending_failed: [...SEEN, late("drop")],
  pending_waits: SEEN,
  done_failed: [...SEEN, then("pay"), late("undo")],
  disputed: [...SEEN, then("pay")],
  recalled: [...SEEN, then("pay")],
  claimed: [...SEEN, then("pay")],
};

const PUSH: Plans = {
  done: [now("wait"), soon("succeed")],
  declined: [now("decline")],
  partial: [now("wait"), soon("succeed")],
  overpaid: [now("wait"), soon("succeed")],
  paid_twice: [now("wait"), soon("succeed")],
  paid_late: [now("wait"), soon("succeed")],
  action_done: [now("wait"), late("succeed")],
  action_abandoned: [now("wait"), late("decline", "abandoned_or_lost")],
  action_waits: [now("wait")],
  pending_done: [now("wait"), late("succeed")],
  pending_failed: [now("wait"), late("undo", "rejected_by_bank")],
  pending_waits: [now("wait")],
  done_failed: [now("wait"), soon("succeed"), late("undo", "payer_account_closed")],
  declined_done: [now("decline"), late("succeed")],
  disputed: [now("wait"), soon("succeed"), late("undo", "unauthorised")],
  recalled: [now("wait"), soon("succeed")],
  claimed: [now("wait"), soon("succeed")],
  refused: REFUSED,
};

/** A mandate is signed, which is a step of the customer. */
const MANDATE: Plans = {
  ...PUSH,
  done_failed: [now("wait"), soon("succeed"), late("undo", "mandate_revoked")],
  disputed: [now("wait"), soon("succeed"), late("undo", "mandate_revoked")],
};

const PLANS: Readonly<Record<Sort, Plans>> = {
  card: CARD,
  collect: COLLECT,
  chain: CHAIN,
  push: PUSH,
  mandate: MANDATE,
};

/** The steps that an operation takes unless something from outside comes between. */
export function planOf(sort: Sort, fate: Fate): readonly Step[] {
  return PLANS[sort][fate];
}
