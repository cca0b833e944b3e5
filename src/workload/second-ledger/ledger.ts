// A lane as the second ledger has it: Maps of cases, accounts and timers, and the counters that the next block begins at.

import { CaseBook } from "./case-book.ts";
import type { SecondPlace } from "./chart.ts";
import type { SecondFlow } from "./flows.ts";

export type SecondAccount = {
  /** > 0 a holder's, < 0 the house's, the lane in the bits from 40 up */
  readonly id: bigint;
  readonly path: string;
  readonly currency: string;
  readonly place: SecondPlace;
  floorMinor: bigint | null;
  status: string;
  debits: bigint;
  credits: bigint;
  readonly openedBlock: bigint;
};

export type SecondTimer = { readonly dueMs: number; readonly uuid: string; readonly name: string };

export type SecondLine = {
  readonly debit: bigint;
  readonly credit: bigint;
  readonly currency: string;
  readonly minor: bigint;
  readonly uuid: string;
  readonly posting: string;
};

/** An outcome with every field of the message, but for its place and the digest of its block. */
export type SecondOutcome = {
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
  readonly amounts: Readonly<
    Record<string, { readonly currency: string; readonly scale: number; readonly minor: string }>
  >;
  readonly lines: number;
  readonly flow: string | null;
  readonly parentId: string | null;
  readonly occurredAt: bigint;
  readonly recordedAt: bigint;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly traceparent: string | null;
};

/** A command with every field of the message, but for its place and the digest of its block. */
export type SecondCommand = {
  readonly commandId: string;
  readonly caseId: string;
  readonly holderId: string;
  readonly call: string;
  readonly op: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly readOnly: boolean;
  readonly notAfter: bigint;
  readonly timeoutMs: number;
  readonly payload: Readonly<Record<string, string>>;
  readonly traceparent: string | null;
};

/** A message to another holder, numbered within its pair of lanes. */
export type SecondMessage = {
  readonly toLane: number;
  readonly sequence: bigint;
  readonly holderId: string;
  readonly caseId: string;
  readonly call: string;
  readonly attempt: number;
  readonly result: string;
  readonly observation: string;
  readonly payload: Readonly<Record<string, string>>;
  readonly occurredAt: bigint;
  readonly from: SecondOrigin;
};

export type SecondOrigin = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly block: bigint;
  readonly holderId: string;
  readonly caseId: string;
  readonly call: string;
  readonly attempt: number;
};

export type LaneLedger = {
  readonly lane: number;
  /** the last block that was believed, not decided anew; 0n: none was, and everything there is is in this ledger */
  takenOverAt: bigint;
  readonly cases: CaseBook;
  /** cases that have had their terminal outcome */
  readonly ended: Set<string>;
  /** a holder's by its path, the house's by path and currency */
  readonly accounts: Map<string, SecondAccount>;
  readonly accountsById: Map<bigint, SecondAccount>;
  /** armed, and neither fired nor cancelled */
  readonly timers: Map<string, SecondTimer>;
  block: bigint;
  nowMs: number;
  outcomesNext: bigint;
  commandsNext: bigint;
  deadLettersNext: bigint;
  accountCount: bigint;
  /** whether every timer that waits is in this ledger */
  areTimersKnown: boolean;
  /** whether a pair of lanes that is not here has never been used */
  arePairsKnown: boolean;
  /** by lane: the next sequence to it, and the last that was taken from it */
  readonly sent: Map<number, bigint>;
  readonly seen: Map<number, bigint>;
  /** where the last timer that fired stood; null: a block that was believed does not tell */
  firedTo: SecondTimer | null;
  /** the latest append time of the inputs taken */
  inputsToMs: number;
  /** of the last blocks, the oldest first: their time, and how many timers they fired */
  readonly recent: { readonly nowMs: number; readonly fired: number }[];
};

export const NO_TIMER: SecondTimer = { dueMs: 0, uuid: "0".repeat(32), name: "" };

export function emptyLedger(flows: readonly SecondFlow[], lane: number): LaneLedger {
  return {
    lane,
    takenOverAt: 0n,
    cases: new CaseBook(flows),
    ended: new Set(),
    accounts: new Map(),
    accountsById: new Map(),
    timers: new Map(),
    block: 0n,
    nowMs: 0,
    outcomesNext: 0n,
    commandsNext: 0n,
    deadLettersNext: 0n,
    accountCount: 0n,
    areTimersKnown: true,
    arePairsKnown: true,
    sent: new Map(),
    seen: new Map(),
    firedTo: NO_TIMER,
    inputsToMs: 0,
    recent: [],
  };
}

export function accountKey(path: string, currency: string, place: SecondPlace): string {
  return place.holderId === null ? `${path} ${currency}` : path;
}

export function addAccount(ledger: LaneLedger, account: SecondAccount): void {
  ledger.accounts.set(accountKey(account.path, account.currency, account.place), account);
  ledger.accountsById.set(account.id, account);
}

export const RECENT_MAX = 100;

/** Notes a block behind all others. */
export function noteBlock(ledger: LaneLedger, block: bigint, fired: number): void {
  ledger.block = block;
  ledger.recent.push({ nowMs: ledger.nowMs, fired });
  if (ledger.recent.length > RECENT_MAX) ledger.recent.shift();
}

export function timerKey({ dueMs, uuid, name }: SecondTimer): string {
  return `${dueMs} ${uuid} ${name}`;
}

/** Timers stand in the order of their due time, then of their case, then of their name. */
export function comesBefore(one: SecondTimer, other: SecondTimer): boolean {
  if (one.dueMs !== other.dueMs) return one.dueMs < other.dueMs;
  if (one.uuid !== other.uuid) return one.uuid < other.uuid;
  return Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)) < 0;
}

/** In the sign in which it grows. */
export function balanceOf({ place, debits, credits }: SecondAccount): bigint {
  return place.side === "debit" ? debits - credits : credits - debits;
}
