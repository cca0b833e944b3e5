// What instanet, the instant payment scheme and bank, makes of requests: which turn an operation takes next, and how it
// shows. Pure.

import type { TurnBody } from "./cardco.ts";
import { type Effected, firstPaidId, type Operation, paymentId, recallId, statusOf, type Turn } from "./memory.ts";
import type { Sort, Step } from "./plan.ts";
import { idOf } from "./signatures.ts";

export type InstanetKind = "charges" | "payouts" | "debits" | "returns" | "recalls" | "mandates" | "deposits";

export const SORTS: Readonly<Record<InstanetKind, Sort>> = {
  charges: "collect",
  deposits: "chain",
  payouts: "push",
  debits: "push",
  returns: "push",
  recalls: "push",
  mandates: "mandate",
};

export const INSTANET_KINDS = Object.keys(SORTS) as readonly InstanetKind[];

export function isInstanetKind(kind: string): kind is InstanetKind {
  return Object.hasOwn(SORTS, kind);
}

/** The turn that a step of the plan is.
 *  @param operation null while it begins
 *  @returns         null when it is too late for the step */
export function instanetTurn(
  asked: InstanetAsked,
  step: Step,
  index: number,
  operation: Operation | null,
): TurnBody | null {
  const { kind, minor, code } = asked;
  const status = operation === null ? "" : statusOf(operation);
  const turn = (to: string, rest: Partial<TurnBody> = {}): TurnBody => {
    return { step: index, status: to, minor: "0", code: null, effect: null, ...rest };
  };
  // What was closed, or ended otherwise from outside, stays so; only money that comes all the same is written down.
  if (operation?.turns.at(-1)?.step === null && step.when !== "closed") return null;
  switch (step.does) {
    case "ask":
      return turn("active");
    case "wait":
      return turn("processing");
    case "decline":
      return turn("failed", { code: code ?? step.code ?? "account_blocked" });
    case "undo":
      return undone(operation, code ?? step.code, turn);
    case "drop":
      return turn("returned");
    case "recall":
      if (!isTransfer(operation)) return null;
      return turn(status, { minor, code: code ?? step.code, effect: "recalled" });
    case "pay_half":
      return turn("active", { minor: half(minor), effect: "done" });
    case "pay_more":
      return turn("completed", { minor: String(BigInt(minor) + 1n), effect: "done" });
    case "claim_half":
      if (isTransfer(operation)) return null;
      return turn(status, { minor: half(minor), code: code ?? step.code, effect: "undone" });
    case "claim_rest":
      return turn(status, { minor: String(BigInt(minor) / 2n), code: code ?? step.code, effect: "undone" });
    case "pay":
      return turn(status === "closed" ? "closed" : "completed", { minor, effect: "done" });
    default:
      return turn(SORTS[kind] === "mandate" ? "active" : "completed", { minor, effect: "done" });
  }
}

export type InstanetAsked = {
  readonly kind: InstanetKind;
  readonly minor: string;
  /** of its behaviour */
  readonly code: string | null;
};

/** Of which the payer's bank asks, where it claims of others. */
function isTransfer(operation: Operation | null): boolean {
  return operation?.details?.["as"] === "bank_transfer";
}

type MakeTurn = (to: string, rest?: Partial<TurnBody>) => TurnBody;

/** What came goes back whole; what never came fails; a mandate ends. */
function undone(operation: Operation | null, code: string | null, turn: MakeTurn): TurnBody {
  const done = operation === null ? 0n : paidOf(operation);
  if (done === 0n) return turn("failed", { code });
  const to = operation?.kind === "mandates" ? "closed" : "returned";
  return turn(to, { minor: String(done), code, effect: "undone" });
}

function half(minor: string): string {
  return String((BigInt(minor) + 1n) / 2n);
}

function paidOf(operation: Operation): bigint {
  return operation.turns.filter(({ effect }) => effect === "done").reduce((sum, { minor }) => sum + BigInt(minor), 0n);
}

/** What may still be given back of a payment: it, less what was claimed, what went back and what is on its way there.
 *  @param returns the operations that give back of it */
export function returnableOf({ operation, turn }: Effected, returns: readonly Operation[]): bigint {
  if (statusOf(operation) === "returned") return 0n;
  const standing = returns.filter((one) => ["processing", "completed"].includes(statusOf(one)));
  const claims = operation.turns.filter(isClaim);
  return [...standing, ...claims].reduce((left, { minor }) => left - BigInt(minor), BigInt(turn.minor));
}

export type TxView = Readonly<Record<string, unknown>>;

/** The operation as it was with its turn of this number.
 *  @param base address of the sandbox, for what the payer has to open */
export function instanetView(operation: Operation, index: number, base: string): TxView {
  const turn = operation.turns[index] as Turn;
  return {
    txid: txidOf(operation),
    kind: operation.kind,
    status: turn.status,
    amount: { currency: operation.currency, minor: operation.minor },
    payments: operation.turns.slice(0, index + 1).flatMap((one, at) => paymentOf(operation, one, at) ?? []),
    ...recallsOf(operation, index),
    claims: operation.turns
      .slice(0, index + 1)
      .flatMap((one, at) => (isClaim(one) ? [claimOf(operation, one, at)] : [])),
    reason: turn.code === null || turn.effect === "recalled" || isClaim(turn) ? null : { code: turn.code },
    details: offeredDetails(operation, base),
    updated_at: new Date(turn.at).toISOString(),
    version: index + 1,
  };
}

function txidOf({ key, kind }: Operation): string {
  return key.slice(kind.length + 1);
}

function paymentOf(operation: Operation, turn: Turn, index: number): TxView | null {
  if (turn.effect !== "done" || operation.kind === "mandates") return null;
  return {
    id: paymentId(operation, index),
    amount: { currency: operation.currency, minor: turn.minor },
    occurred_at: new Date(turn.at).toISOString(),
  };
}

/** What the payer's bank asks for. */
function recallsOf(operation: Operation, index: number): TxView {
  const recalls = operation.turns.slice(0, index + 1).flatMap(({ effect, minor, code, at }, turn) => {
    if (effect !== "recalled") return [];
    const amount = { currency: operation.currency, minor };
    const asked = { id: recallId(operation, turn), payment: firstPaidId(operation), amount, reason: { code } };
    return [{ ...asked, occurred_at: new Date(at).toISOString() }];
  });
  return recalls.length === 0 ? {} : { recalls };
}

/** Money goes back and what it was paid for stands: by a return it would not. */
export function isClaim({ effect, status }: Pick<Turn, "effect" | "status">): boolean {
  return effect === "undone" && status === "completed";
}

function claimOf(operation: Operation, turn: Turn, index: number): TxView {
  return {
    id: idOf("clm", `${operation.id} ${index}`),
    payment: firstPaidId(operation),
    amount: { currency: operation.currency, minor: turn.minor },
    reason: { code: turn.code },
    occurred_at: new Date(turn.at).toISOString(),
  };
}

/** What the payer needs: a code to pay, an address to pay to, a page to sign at. */
function offeredDetails(operation: Operation, base: string): TxView {
  switch (operation.kind) {
    case "charges":
      return { ...asOf(operation), code: idOf("pay", operation.id), url: `${base}/sandbox/actions/${operation.id}` };
    case "deposits":
      return { address: idOf("addr", operation.id) };
    case "mandates":
      return { url: `${base}/sandbox/actions/${operation.id}` };
    default:
      return {};
  }
}

function asOf({ details }: Operation): TxView {
  return details?.["as"] === undefined ? {} : { as: details["as"] };
}

export function notificationId(operation: Operation, index: number): string {
  return idOf("ntf", `${operation.id} ${index}`);
}

/** The body of the callback about a turn. */
export function instanetEvent(operation: Operation, index: number): TxView {
  const turn = operation.turns[index] as Turn;
  const payment = paymentOf(operation, turn, index);
  return {
    notification_id: notificationId(operation, index),
    kind: operation.kind,
    txid: txidOf(operation),
    status: turn.status,
    version: index + 1,
    occurred_at: new Date(turn.at).toISOString(),
    ...(payment === null ? {} : { payment }),
  };
}

/** Whether a close ends it: it still waits for its payer, or is a mandate in force. What is seen on a chain comes. */
export function isClosable({ kind, turns }: Operation): boolean {
  const status = turns.at(-1)?.status;
  return status === "active"
    ? SORTS[kind as InstanetKind] !== "push"
    : status === "processing" && CLOSED_EARLY.has(kind);
}

const CLOSED_EARLY: ReadonlySet<string> = new Set(["charges", "mandates"]);
