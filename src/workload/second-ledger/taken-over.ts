// What cannot be decided anew is believed: blocks whose inputs are gone, and what an operator has accepted. Accounts are
// taken over with what the lines say, floors and statuses as they stand today; a case is when an input names it. The ledger
// says up to which block it did so, and who it knows too little of.

import { type CaseRow, type LaneStanding, readLanePairs, timeMs } from "../../store/audit.ts";
import { isSettled, readData, type SecondCase, type StoredData } from "./case-book.ts";
import { placeOf } from "./chart.ts";
import { addAccount, emptyLedger, type LaneLedger, noteBlock, type SecondTimer, timerKey } from "./ledger.ts";
import type { SecondRules } from "./rules.ts";

/** The lane as it stands. */
export function ledgerAt(rules: SecondRules, { head, balances, timers }: LaneStanding): LaneLedger {
  const ledger: LaneLedger = {
    ...emptyLedger(rules.flows, head.lane),
    takenOverAt: head.block,
    block: head.block,
    nowMs: timeMs(head.nowAt),
    outcomesNext: head.outcomesNext,
    commandsNext: head.commandsNext,
    deadLettersNext: head.deadLettersNext,
    accountCount: head.accounts,
    sent: readLanePairs(head.sent),
    seen: readLanePairs(head.seen),
    firedTo: {
      dueMs: timeMs(head.timerDueAt),
      uuid: head.timerCaseId.replaceAll("-", ""),
      name: head.timerName,
    },
  };
  for (const row of balances) {
    const place = placeOf(rules.chart, row.path);
    if (place === null) continue; // of no chart of today: told by whoever compares
    const { account: id, path, currency, floorMinor, status, debits, credits, openedBlock } = row;
    const account = { id, path, currency, place, floorMinor, status, debits, credits, openedBlock };
    addAccount(ledger, account);
  }
  for (const { dueAt, caseId, name } of timers) {
    const timer = { dueMs: timeMs(dueAt), uuid: caseId.replaceAll("-", ""), name };
    ledger.timers.set(timerKey(timer), timer);
  }
  return ledger;
}

export type LineSum = { readonly account: bigint; readonly debits: bigint; readonly credits: bigint };

/** The lane before a block, made from where it stands.
 *  @param block the first that is left
 *  @param sums  what the lines from that block on add up to, by account */
export function ledgerBefore(
  rules: SecondRules,
  standing: LaneStanding,
  block: {
    readonly block: bigint;
    readonly nowMs: number;
    readonly outcomesFrom: bigint;
    readonly commandsFrom: bigint;
    readonly deadLettersFrom: bigint;
  },
  sums: readonly LineSum[],
): LaneLedger {
  const since = new Map(sums.map((sum) => [sum.account, sum]));
  const balances = standing.balances
    .filter(({ openedBlock }) => openedBlock < block.block)
    .map((row) => {
      const { debits, credits } = since.get(row.account) ?? { debits: 0n, credits: 0n };
      return { ...row, debits: row.debits - debits, credits: row.credits - credits };
    });
  const ledger = ledgerAt(rules, { ...standing, balances, timers: [] });
  const before = block.block - 1n;
  return {
    ...ledger,
    takenOverAt: before,
    block: before,
    nowMs: block.nowMs,
    outcomesNext: block.outcomesFrom,
    commandsNext: block.commandsFrom,
    deadLettersNext: block.deadLettersFrom,
    areTimersKnown: false,
    arePairsKnown: false,
    sent: new Map(),
    seen: new Map(),
    accountCount: BigInt(balances.length),
    firedTo: null,
  };
}

export type BelievedBlock = {
  readonly block: bigint;
  readonly nowMs: number;
  readonly timers: number;
  readonly outcomesNext: bigint;
  readonly commandsNext: bigint;
  readonly deadLettersNext: bigint;
  /** by lane, as far as it moved them */
  readonly sent: ReadonlyMap<number, bigint>;
  readonly seen: ReadonlyMap<number, bigint>;
  readonly lines: readonly {
    readonly debit: bigint;
    readonly credit: bigint;
    readonly amount: bigint;
    readonly caseId: string;
  }[];
  /** cases that its outcomes name; null when not all of those are there any more */
  readonly cases: ReadonlySet<string> | null;
  readonly lastTimer: SecondTimer | null;
};

/** By holder, the last block that changed floor or status of one of its accounts: what they were before is not written
 *  down, what they are since is what they are today. */
export type Changes = ReadonlyMap<string, bigint>;

/** Takes a whole block for what it says. */
export function believeBlock(
  rules: SecondRules,
  ledger: LaneLedger,
  { balances }: LaneStanding,
  block: BelievedBlock,
  changes: Changes,
): void {
  for (const row of balances) if (row.openedBlock === block.block) openAsToday(rules, ledger, row);
  if (changes.size > 0) for (const row of balances) setAsToday(ledger, row, changes);
  for (const { debit, credit, amount } of block.lines) {
    const [one, other] = [ledger.accountsById.get(debit), ledger.accountsById.get(credit)];
    if (one !== undefined) one.debits += amount;
    if (other !== undefined) other.credits += amount;
  }
  const moved = new Set([...(block.cases ?? ledger.cases.uuids()), ...block.lines.map(({ caseId }) => caseId)]);
  for (const uuid of moved) ledger.cases.delete(uuid);
  for (const [key, { uuid }] of ledger.timers) {
    if (moved.has(uuid) || block.cases === null) ledger.timers.delete(key);
  }
  ledger.takenOverAt = block.block;
  ledger.nowMs = Math.max(ledger.nowMs, block.nowMs);
  ledger.outcomesNext = block.outcomesNext;
  ledger.commandsNext = block.commandsNext;
  ledger.deadLettersNext = block.deadLettersNext;
  for (const [lane, next] of block.sent) ledger.sent.set(lane, next);
  for (const [lane, last] of block.seen) ledger.seen.set(lane, last);
  // Whichever case it moved may have armed timers of which nothing is told.
  ledger.areTimersKnown = false;
  ledger.firedTo = block.timers === 0 ? ledger.firedTo : block.lastTimer;
  noteBlock(ledger, block.block, block.timers);
}

type Balance = LaneStanding["balances"][number];

function openAsToday(rules: SecondRules, ledger: LaneLedger, row: Balance): void {
  const place = placeOf(rules.chart, row.path);
  ledger.accountCount += 1n;
  if (place === null) return;
  const { account: id, path, currency, floorMinor, status, openedBlock } = row;
  addAccount(ledger, { id, path, currency, place, floorMinor, status, debits: 0n, credits: 0n, openedBlock });
}

function setAsToday(ledger: LaneLedger, row: Balance, changes: Changes): void {
  const account = ledger.accountsById.get(row.account);
  if (account === undefined || !changes.has(account.place.holderId ?? "")) return;
  account.floorMinor = row.floorMinor;
  account.status = row.status;
}

/** Takes a case over as it stood at the last block that was believed; nothing when it was opened later. */
export function takeOverCase(rules: SecondRules, ledger: LaneLedger, row: CaseRow): void {
  const history = row.history.split("\n").filter((line) => BigInt(line.split("|")[3] ?? "") <= ledger.takenOverAt);
  const flow = rules.flows.find(({ number }) => number === row.flow);
  if (history.length === 0 || flow === undefined || ledger.cases.has(row.caseId)) return;
  const state = history.at(-1)?.split("|")[5] ?? "";
  const isUnmoved = history.length === row.history.split("\n").length;
  // What it held then is not written down any more, once later blocks have moved it; but at its end nothing moves it.
  const isDataKnown = isUnmoved || isSettled({ flow, state });
  const known: SecondCase = {
    uuid: row.caseId,
    kind: row.kind,
    flow,
    holderId: row.holderId,
    occurredAt: row.occurredAtMicros,
    state,
    ...readData(isDataKnown ? ((row.data ?? {}) as StoredData) : {}),
    history,
    isDataKnown,
    held: null,
  };
  ledger.cases.set(known);
  if (known.ended !== null) ledger.ended.add(known.uuid);
  for (const [name, dueMs] of known.timers) {
    const timer = { dueMs, uuid: known.uuid, name };
    ledger.timers.set(timerKey(timer), timer);
  }
}
