// Intents as a producer would make them: the fields that matter are given, the rest is filled in. Case ids are new with
// each call unless one is given.
import { randomBytes } from "node:crypto";
import { formatCaseId, newCaseId } from "../../src/domain/ids.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";

export const BANK = "asset:bank:main";

type Over = Partial<NewIntent>;

/** The customer's spendable account. */
export function available(holderId: string): string {
  return `liability:customer:${holderId}:available`;
}

/** A case id as text. */
export function caseId(kind: string, timeMs: number = Date.now()): string {
  return formatCaseId(newCaseId(kind, timeMs, randomBytes(10)));
}

export function euros(minor: bigint | number | string): { currency: string; scale: number; minor: string } {
  return { currency: "EUR", scale: 2, minor: String(minor) };
}

export function accountOpen(holderId: string, over: Over = {}): NewIntent {
  const account = available(holderId);
  return { ...common("account_open", "acc", holderId), account, currency: "EUR", floorMinor: "0", ...over };
}

export function accountUpdate(holderId: string, over: Over = {}): NewIntent {
  return { ...common("account_update", "upd", holderId), account: available(holderId), ...over };
}

/** From the bank to the holder. */
export function payIn(holderId: string, minor: bigint | number, over: Over = {}): NewIntent {
  const way = { from: BANK, to: available(holderId), amount: euros(minor) };
  return { ...common("transfer_create", "trf", holderId), ...way, ...over };
}

/** From the holder to the bank. */
export function payOut(holderId: string, minor: bigint | number, over: Over = {}): NewIntent {
  return payIn(holderId, minor, { from: available(holderId), to: BANK, ...over });
}

/** For flows/hold.flow.yaml of the tests. */
export function holdPlace(holderId: string, minor: bigint | number, over: Over = {}): NewIntent {
  return { ...common("hold_place", "hld", holderId), amount: euros(minor), ...over };
}

/** @param verb `capture` or `release` */
export function holdMove(verb: "capture" | "release", holderId: string, hold: string, over: Over = {}): NewIntent {
  const { type, occurredAt } = common(`hold_${verb}`, "hld", holderId);
  return { type, holderId, occurredAt, caseId: hold, idempotencyKey: `${verb}-1`, ...over };
}

function common(type: string, kind: string, holderId: string) {
  return { type, holderId, caseId: caseId(kind), occurredAt: BigInt(Date.now()) * 1000n };
}
