// A ledger that begins in the middle: what lies before cannot be decided anew, because its inputs are gone or an operator
// has accepted it. Accounts and timers are taken over as they stand; a case when an input names it.

import { type CaseRow, type LaneStanding, timeMs } from "../../store/audit.ts";
import { placeOf } from "./chart.ts";
import { accountKey, emptyLedger, type LaneLedger, type SecondCase, timerKey } from "./ledger.ts";
import type { SecondRules } from "./rules.ts";
import { at } from "./tree.ts";

/** The lane as it stands. */
export function ledgerAt(rules: SecondRules, { head, balances, timers }: LaneStanding): LaneLedger {
  const ledger: LaneLedger = {
    ...emptyLedger(head.lane),
    takenOverAt: head.block,
    block: head.block,
    nowMs: timeMs(head.nowAt),
    outcomesNext: head.outcomesNext,
    deadLettersNext: head.deadLettersNext,
    accountCount: head.accounts,
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
    ledger.accounts.set(accountKey(path, currency, place), account);
  }
  for (const { dueAt, caseId, name } of timers) {
    const timer = { dueMs: timeMs(dueAt), uuid: caseId.replaceAll("-", ""), name };
    ledger.timers.set(timerKey(timer), timer);
  }
  return ledger;
}

/** Takes a case over as it stood where the ledger began; nothing when it was opened later. */
export function takeOverCase(rules: SecondRules, ledger: LaneLedger, row: CaseRow): void {
  const history = row.history.split("\n").filter((line) => BigInt(line.split("|")[3] ?? "") <= ledger.takenOverAt);
  const flow = rules.flows.find(({ number }) => number === row.flow);
  if (history.length === 0 || flow === undefined || ledger.cases.has(row.caseId)) return;
  const state = history.at(-1)?.split("|")[5] ?? "";
  const isSettled = state === "rejected" || at(flow.spec, "states", state, "kind") === "final";
  const isUnmoved = history.length === row.history.split("\n").length;
  // What it held then is not written down any more, once later blocks have moved it; but at its end nothing moves it.
  const isDataKnown = isUnmoved || isSettled;
  const { c = {}, v = {}, t = {} } = isDataKnown ? ((row.data ?? {}) as Stored) : {};
  const known: SecondCase = {
    uuid: row.caseId,
    kind: row.kind,
    flow,
    holderId: row.holderId,
    occurredAt: row.occurredAtMicros,
    state,
    currencies: new Map(Object.entries(c)),
    values: new Map(Object.entries(v).map(([name, digits]) => [name, BigInt(digits)])),
    timers: new Map(Object.entries(t)),
    history,
    isDataKnown,
  };
  ledger.cases.set(known.uuid, known);
}

type Stored = {
  readonly c?: Record<string, string>;
  readonly v?: Record<string, string>;
  readonly t?: Record<string, number>;
};
