// The working set of one block: the cases and balances it touches, carried from decision to decision, and everything
// that will be written. Deciding is pure in effect: books are made from what was read, changed only by `decide`, and
// either written as a whole or thrown away.

import { assert } from "./assert.ts";
import type { CompiledFlow } from "./flow/compile.ts";
import type { Intent } from "./intent.ts";
import type { Rules } from "./rules.ts";

export type AccountStatus = "open" | "frozen" | "closed";

/** An account of this lane. For a house account `debits` and `credits` are this block's additions alone: it has no
 *  floor, so nobody needs its balance. */
export type Account = {
  /** > 0 a holder's, < 0 the house's; 0n until its first block accepts it */
  id: bigint;
  readonly path: string;
  readonly currency: string;
  readonly holderId: string | null;
  readonly side: "debit" | "credit";
  floorMinor: bigint | null;
  status: AccountStatus;
  /** as read from the database */
  readonly debits: bigint;
  readonly credits: bigint;
  addedDebits: bigint;
  addedCredits: bigint;
  /** floor or status differ from what was read */
  changed: boolean;
};

export type CaseData = {
  /** bound currency symbols: `{ S: "EUR" }` */
  readonly currencies: Readonly<Record<string, string>>;
  /** typed variables, minor units */
  readonly values: Record<string, bigint>;
  /** armed timers by name, due in milliseconds since the epoch */
  readonly timers: Record<string, number>;
};

export type CaseRecord = {
  /** 32 hex digits */
  readonly id: string;
  /** prefix of the id as its producer wrote it; "" for a plain UUID */
  readonly kind: string;
  readonly flow: CompiledFlow;
  readonly holderId: string;
  state: string;
  data: CaseData;
  history: string;
  readonly occurredAtMicros: bigint;
  readonly isNew: boolean;
  changed: boolean;
};

export type OutcomeAmount = { readonly currency: string; readonly scale: number; readonly minor: string };

/** As it goes out: amounts as digits, times in microseconds since the epoch. */
export type Outcome = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly block: bigint;
  readonly outcomeId: string;
  readonly type: string;
  readonly caseId: string | null;
  readonly sourceId: string | null;
  readonly holderId: string;
  readonly intentType: string | null;
  readonly idempotencyKey: string | null;
  readonly status: string;
  readonly reason: { readonly category: string; readonly code: string } | null;
  readonly repeatOf: { readonly lane: number; readonly sequence: bigint } | null;
  readonly amounts: Readonly<Record<string, OutcomeAmount>>;
  readonly lines: number;
  readonly flow: string | null;
  readonly occurredAt: bigint;
  readonly recordedAt: bigint;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly traceparent: string | null;
  /** the case that opened this one, as its id is written */
  readonly parentId: string | null;
};

export type Line = {
  readonly debit: Account;
  readonly credit: Account;
  readonly currency: string;
  readonly minor: bigint;
  readonly caseId: string;
  readonly posting: string;
};

export type TimerKey = { readonly dueMs: number; readonly caseId: string; readonly name: string };

export type Opening = {
  readonly rules: Rules;
  readonly lane: number;
  readonly block: bigint;
  readonly nowMs: number;
  readonly outcomesNext: bigint;
  /** accounts of the lane so far; the low bits of the next id */
  readonly accounts: bigint;
  readonly cases: Map<string, CaseRecord>;
  readonly holderAccounts: Map<string, Account>;
  /** ids of house accounts that the lane has touched, by `<path> <currency>` */
  readonly house: ReadonlyMap<string, bigint>;
};

/** Account ids carry their lane in the bits from 40 up. */
export const ACCOUNT_LANE_SHIFT = 40n;

export type Books = {
  readonly rules: Rules;
  readonly lane: number;
  readonly block: bigint;
  readonly nowMs: number;
  readonly recordedAt: bigint;
  outcomesNext: bigint;
  accounts: bigint;
  readonly cases: Map<string, CaseRecord>;
  readonly holderAccounts: Map<string, Account>;
  readonly house: ReadonlyMap<string, bigint>;
  readonly houseAccounts: Map<string, Account>;
  readonly lines: Line[];
  readonly outcomes: Outcome[];
  readonly timersArmed: TimerKey[];
  readonly timersGone: TimerKey[];
};

export function openBooks(opening: Opening): Books {
  return {
    ...opening,
    recordedAt: BigInt(opening.nowMs) * 1000n,
    houseAccounts: new Map(),
    lines: [],
    outcomes: [],
    timersArmed: [],
    timersGone: [],
  };
}

export type IntentInput = {
  readonly kind: "intent";
  readonly offset: bigint;
  readonly appendedAtMs: number;
  readonly intent: Intent;
  /** null: malformed */
  readonly caseId: { readonly kind: string; readonly uuid: string; readonly timeMs: number } | null;
};

export type TimerInput = { readonly kind: "timer"; readonly timer: TimerKey };

/** Balance in the account's normal sign, this block's additions included. */
export function naturalBalance(account: Account): bigint {
  const debits = account.debits + account.addedDebits;
  const credits = account.credits + account.addedCredits;
  return account.side === "debit" ? debits - credits : credits - debits;
}

export function isNewAccount(account: Account): boolean {
  return account.id === 0n;
}

/** Gives an accepted account its id; until then a refusal can forget it without leaving a gap. */
export function assignId(books: Books, account: Account): void {
  assert(account.id === 0n, `account ${account.path} has an id already`);
  books.accounts += 1n;
  const id = (BigInt(books.lane) << ACCOUNT_LANE_SHIFT) + books.accounts;
  account.id = account.holderId === null ? -id : id;
}
