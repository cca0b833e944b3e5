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
export function caseId(kind: string, timeMs: number): string {
  return formatCaseId(newCaseId(kind, timeMs, randomBytes(10)));
}

export function euros(minor: bigint | number | string): { currency: string; scale: number; minor: string } {
  return { currency: "EUR", scale: 2, minor: String(minor) };
}

/** A producer whose clock is `nowMs`: of tests of the core, whose time stands still, or of a running service. */
export class Producing {
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  caseId(kind: string): string {
    return caseId(kind, this.#nowMs());
  }

  accountOpen(holderId: string, over: Over = {}): NewIntent {
    const account = available(holderId);
    return { ...this.#common("account_open", "acc", holderId), account, currency: "EUR", ...over };
  }

  accountUpdate(holderId: string, change: string, over: Over = {}): NewIntent {
    return { ...this.#common("account_update", "upd", holderId), account: available(holderId), change, ...over };
  }

  /** From the bank to the holder. */
  payIn(holderId: string, minor: bigint | number, over: Over = {}): NewIntent {
    const way = { from: BANK, to: available(holderId), amount: euros(minor) };
    return { ...this.#common("transfer_create", "trf", holderId), ...way, ...over };
  }

  /** From the holder to the bank. */
  payOut(holderId: string, minor: bigint | number, over: Over = {}): NewIntent {
    return this.payIn(holderId, minor, { from: available(holderId), to: BANK, ...over });
  }

  /** For flows/hold.flow.yaml of the tests, as the two below. */
  holdPlace(holderId: string, minor: bigint | number, over: Over = {}): NewIntent {
    return { ...this.#common("hold_place", "hld", holderId), amount: euros(minor), ...over };
  }

  holdCapture(holderId: string, hold: string, over: Over = {}): NewIntent {
    return { ...this.#common("hold_capture", "hld", holderId), caseId: hold, idempotencyKey: "capture-1", ...over };
  }

  holdRelease(holderId: string, hold: string, over: Over = {}): NewIntent {
    return { ...this.#common("hold_release", "hld", holderId), caseId: hold, idempotencyKey: "release-1", ...over };
  }

  #common(type: string, kind: string, holderId: string) {
    return { type, holderId, caseId: this.caseId(kind), occurredAt: BigInt(this.#nowMs()) * 1000n };
  }
}
