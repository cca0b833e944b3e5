// What was read for a block, as deciding takes it, and what else it names that is to be read. All of it is pure: asking the
// database is the part of those who call it.

import { failed } from "../domain/assert.ts";
import type { Account, CaseRecord, ReadAccount } from "../domain/books.ts";
import type { Inputs } from "../domain/concerned.ts";
import type { CompiledFlow } from "../domain/flow/compile/compile.ts";
import { childCaseId, parseCaseId } from "../domain/ids.ts";
import type { Rules } from "../domain/rules.ts";
import type { Seeking } from "../domain/seeking.ts";
import type { BalanceRow, CaseRow, Situation } from "./blocks.ts";
import { readData, readParent } from "./case-data.ts";

/** The part of a situation that is read by cases and paths. */
export type Rows = Pick<Situation, "cases" | "balances">;

export function casesOf(rules: Rules, rows: readonly CaseRow[]): Map<string, CaseRecord> {
  const cases = new Map<string, CaseRecord>();
  for (const row of rows) {
    const flow = rules.flowsByNumber.get(row.flow);
    if (flow === undefined)
      failed(`flow ${row.flow} of case ${row.id} is not known to this process; restart it with the newer release`);
    const { id, kind, holderId, state, history, occurredAtMicros } = row;
    const data = readData(row.data, flow.variables);
    cases.set(id, { id, kind, flow, holderId, state, data, history, occurredAtMicros, isNew: false, changed: false });
  }
  return cases;
}

/** Finds accounts among the rows, and makes each of its row when it is asked for: most are read because an event might need
 *  them. */
export function accountsIn(rules: Rules, rows: readonly BalanceRow[]): ReadAccount {
  const byPath = new Map<string, BalanceRow>();
  for (const row of rows) byPath.set(row.path, row);
  return (path) => {
    const row = byPath.get(path);
    return row === undefined ? null : accountOf(rules, row);
  };
}

function accountOf({ chart }: Rules, row: BalanceRow): Account {
  const { id, path, currency, floorMinor, status, debits, credits } = row;
  const place = chart.resolve(path);
  if (place?.kind !== "holder") failed(`account ${path} has left the chart`);
  const { side, holderId } = place;
  return {
    id,
    path,
    currency,
    holderId,
    side,
    floorMinor,
    status,
    debits,
    credits,
    addedDebits: 0n,
    addedCredits: 0n,
    changed: false,
  };
}

/** Seeks what cases name that the inputs did not. */
export function seekNamed(
  seeking: Seeking,
  rules: Rules,
  { timers, reports, intents }: Inputs,
  cases: readonly CaseRow[],
): void {
  // What timers and messages touch is known from their cases' flows only; of all others it is foreseen (`concerned`).
  const byFlow = new Set<string>();
  for (const { timer } of timers) byFlow.add(timer.caseId);
  for (const { report } of reports) if (report.from !== null) byFlow.add(report.caseId.uuid);
  const moved = movedBy(rules, intents);
  for (const row of cases) {
    const flow = rules.flowsByNumber.get(row.flow);
    if (flow === undefined) continue;
    const event = moved.get(row.id);
    if (event !== undefined) addSpawned(seeking, rules, flow, row, event);
    if (byFlow.has(row.id)) seeking.addOwn(flow.touches, row.holderId);
    if (row.data === null) continue;
    const parent = readParent(row.data);
    if (parent !== null) seeking.addCase(parent.uuid);
    for (const name of flow.quotes) {
      const quote = row.data.w?.[name];
      const id = typeof quote === "string" && quote !== "" ? parseCaseId(quote) : null;
      if (id !== null) seeking.addCase(id.uuid);
    }
  }
}

/** By case, the last event of an intent that may open further cases. */
function movedBy(rules: Rules, intents: Inputs["intents"]): Map<string, string> {
  const moved = new Map<string, string>();
  for (const input of intents) {
    if (input.kind === "misfit" || input.caseId === null) continue;
    const event = rules.intents.get(input.intent.type)?.event ?? null;
    if (event !== null && rules.spawning.has(event)) moved.set(input.caseId.uuid, event);
  }
  return moved;
}

/** The next child of each flow: its id follows from its parent's and its number (`freeChildId`). */
function addSpawned(seeking: Seeking, rules: Rules, flow: CompiledFlow, { id, data }: CaseRow, event: string): void {
  for (const name of flow.spawns.get(event) ?? []) {
    const kind = rules.spawned.get(name)?.caseKind;
    const number = data?.a?.[`+${name}`] ?? 0;
    if (kind !== undefined) seeking.addCase(childCaseId(kind, id, [name, String(number)]).uuid);
  }
}

/** @param more what there is of what was sought further */
export function readAlso<Read extends Rows>(situation: Read, more: Rows): Read {
  return {
    ...situation,
    cases: [...situation.cases, ...more.cases],
    balances: [...situation.balances, ...more.balances],
  };
}
