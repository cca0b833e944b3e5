// What cardco, the card processor, makes of requests: which turn an operation takes next, and how it shows. Pure.
//
// A payment is what was approved for it: authorizations and increments add to it, captures and voids take from it, and
// refunds take from what was captured. What stays open is counted from the operations each time, so that there is no sum
// beside them that could differ.

import { DECLINES } from "./behaviour.ts";
import { lastTurn, type Operation, statusOf, type Turn } from "./memory.ts";
import type { Does, Step } from "./plan.ts";
import { idOf } from "./signatures.ts";

export const CARDCO_KINDS = ["authorization", "order", "increment", "capture", "void", "refund"] as const;

const ADDS: ReadonlySet<string> = new Set(["authorization", "order", "increment"]);
const STANDING: ReadonlySet<string> = new Set(["approved", "completed", "pending"]);
const WAITING: ReadonlySet<string> = new Set(["action_required", "pending"]);

export type Pool = { readonly open: bigint; readonly captured: bigint; readonly refundable: bigint };

/** What is left of a payment. An operation that is pending has its amount already. */
export function poolOf(operations: readonly Operation[]): Pool {
  const sum = (kind: (operation: Operation) => boolean): bigint =>
    operations.filter((one) => kind(one) && STANDING.has(statusOf(one))).reduce((all, one) => all + minorOf(one), 0n);
  const approved = sum((one) => ADDS.has(one.kind) && statusOf(one) === "approved");
  const captured = sum((one) => one.kind === "capture");
  const isFinal = operations.some((one) => one.isFinal && one.kind === "capture" && STANDING.has(statusOf(one)));
  const open = isFinal ? 0n : approved - captured - sum((one) => one.kind === "void");
  return { open, captured, refundable: captured - sum((one) => one.kind === "refund") };
}

/** Authorizations that wait for their customer or the issuer: a void ends them. */
export function waitingOf(operations: readonly Operation[]): readonly Operation[] {
  return operations.filter((one) => ADDS.has(one.kind) && WAITING.has(statusOf(one)));
}

function minorOf(operation: Operation): bigint {
  return BigInt(lastTurn(operation).minor);
}

/** Why an operation of this kind and amount cannot be, or null. */
export function whyNot(kind: string, minor: bigint, operations: readonly Operation[]): string | null {
  const { open, refundable } = poolOf(operations);
  switch (kind) {
    case "increment":
      return operations.some((one) => ADDS.has(one.kind) && statusOf(one) === "approved") ? null : "not_authorized";
    case "capture":
      return minor > open || minor === 0n ? "amount_exceeds_authorization" : null;
    case "void":
      return minor > open || (minor === 0n && waitingOf(operations).length === 0) ? "nothing_to_void" : null;
    case "refund":
      return minor > refundable || minor === 0n ? "amount_exceeds_captured" : null;
    default:
      return null;
  }
}

/** The turn that a step of the plan is.
 *  @param kin the operations of the payment, without this one when it only begins
 *  @returns   null when it is too late for the step */
export function cardcoTurn(asked: CardcoAsked, step: Step, index: number, kin: readonly Operation[]): TurnBody | null {
  const { kind, minor, code } = asked;
  const turn = (status: string, rest: Partial<TurnBody> = {}): TurnBody => {
    return { step: index, status, minor, code: null, effect: null, ...rest };
  };
  const isFirst = index === 0;
  if (!isFirst && asked.isEnded) return null;
  // Only who asks for an approval is asked for a step, or given half.
  switch (ADDS.has(kind) ? step.does : (ELSEWHERE[step.does] ?? step.does)) {
    case "ask":
      return turn("action_required");
    case "wait":
      return turn("pending");
    case "decline":
      return turn("declined", { code: step.code ?? code ?? "do_not_honor" });
    case "half":
      if (!asked.isPartialTaken) return turn("declined", { code: "insufficient_funds" });
      return turn(doneStatus(kind), { minor: String((BigInt(minor) + 1n) / 2n), effect: "done" });
    case "undo":
      if (asked.isDone && !canBeUndone(kind, BigInt(minor), kin)) return null;
      return turn("failed", { code: code ?? step.code, effect: asked.isDone ? "undone" : null });
    case "dispute":
      return kind === "capture" ? turn("completed", { code: code ?? step.code, effect: "disputed" }) : null;
    default:
      // What was declined has taken nothing, and what it would take may be gone by now.
      if (asked.isDeclined && whyNot(kind, BigInt(minor), kin) !== null) return null;
      return turn(doneStatus(kind), { effect: minor === "0" ? null : "done" });
  }
}

const ELSEWHERE: Readonly<Partial<Record<Does, Does>>> = { ask: "wait", half: "succeed" };

export type CardcoAsked = {
  readonly kind: string;
  readonly minor: string;
  /** of its behaviour */
  readonly code: string | null;
  readonly isPartialTaken: boolean;
  /** something from outside has ended it */
  readonly isEnded: boolean;
  readonly isDeclined: boolean;
  readonly isDone: boolean;
};

/** A turn but for its time. */
export type TurnBody = Omit<Turn, "at">;

function canBeUndone(kind: string, minor: bigint, kin: readonly Operation[]): boolean {
  const { open, refundable } = poolOf(kin);
  if (ADDS.has(kind)) return open >= minor;
  return kind === "capture" ? refundable >= minor : true;
}

function doneStatus(kind: string): string {
  return ADDS.has(kind) ? "approved" : "completed";
}

export type OperationView = Readonly<Record<string, unknown>>;

/** The operation as it was with its turn of this number.
 *  @param base address of the sandbox, for what the customer has to open */
export function cardcoView(operation: Operation, index: number, base: string): OperationView {
  const turn = operation.turns[index] as Turn;
  const { id, key, reference, kind, currency } = operation;
  return {
    id,
    key,
    reference,
    kind,
    status: turn.status,
    amount: { currency, minor: turn.minor },
    reason: turn.code === null ? null : reasonOf(turn.code),
    action: turn.status === "action_required" ? { url: `${base}/sandbox/actions/${id}` } : null,
    occurred_at: new Date(turn.at).toISOString(),
    event_id: eventId(operation, index),
  };
}

function reasonOf(code: string): OperationView {
  const decline = DECLINES.find((one) => one.code === code);
  if (decline === undefined) return { code };
  const advice = decline.adviceCode === null ? {} : { advice_code: decline.adviceCode };
  return { code, network_code: decline.networkCode, ...advice };
}

export function eventId(operation: Operation, index: number): string {
  return idOf("evt", `${operation.id} ${index}`);
}

/** The body of the webhook about a turn. */
export function cardcoEvent(operation: Operation, index: number, base: string): OperationView {
  const turn = operation.turns[index] as Turn;
  return {
    id: eventId(operation, index),
    type: turn.effect === "disputed" ? "dispute.opened" : `${operation.kind}.${turn.status}`,
    created_at: new Date(turn.at).toISOString(),
    operation: cardcoView(operation, index, base),
  };
}
