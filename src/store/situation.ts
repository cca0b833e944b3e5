// What was read for a block, as deciding takes it, and what else it names that is to be read. All of it is pure: asking the
// database is the part of those who call it.

import { failed } from "../domain/assert.ts";
import type { Account, CaseRecord, Seeking, Sought } from "../domain/books.ts";
import { type Inputs, OwnPaths } from "../domain/concerned.ts";
import type { CompiledFlow } from "../domain/flow/compile/compile.ts";
import { childCaseId, parseCaseId } from "../domain/ids.ts";
import type { Rules } from "../domain/rules.ts";
import type { BalanceRow, CaseRow, Concerned, Situation } from "./blocks.ts";
import { readData, readParent } from "./case-data.ts";

/** The part of a situation that is read by cases and paths. */
export type ReadRows = Pick<Situation, "cases" | "balances" | "sought">;

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

export function accountsOf(rules: Rules, rows: readonly BalanceRow[]): Map<string, Account> {
  const accounts = new Map<string, Account>();
  for (const row of rows) {
    const place = rules.chart.resolve(row.path);
    if (place?.kind !== "holder") failed(`account ${row.path} has left the chart`);
    const { id, path, currency, floorMinor, status, debits, credits } = row;
    const { side, holderId } = place;
    accounts.set(path, {
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
    });
  }
  return accounts;
}

/** What cases name that the inputs did not. */
export function namedByCases(rules: Rules, { timers, reports, intents }: Inputs, cases: readonly CaseRow[]): Sought {
  const caseIds = new Set<string>();
  const own = new OwnPaths();
  // What timers and messages touch is known from their cases' flows only; of all others it is foreseen (`concerned`).
  const byFlow = new Set<string>();
  for (const { timer } of timers) byFlow.add(timer.caseId);
  for (const { report } of reports) if (report.from !== null) byFlow.add(report.caseId.uuid);
  const moved = movedBy(rules, intents);
  for (const row of cases) {
    const flow = rules.flowsByNumber.get(row.flow);
    if (flow === undefined) continue;
    const event = moved.get(row.id);
    if (event !== undefined) addSpawned(caseIds, rules, flow, row, event);
    if (byFlow.has(row.id)) own.add(flow.touches, row.holderId);
    if (row.data === null) continue;
    const parent = readParent(row.data);
    if (parent !== null) caseIds.add(parent.uuid);
    for (const name of flow.quotes) {
      const quote = row.data.w?.[name];
      const id = typeof quote === "string" && quote !== "" ? parseCaseId(quote) : null;
      if (id !== null) caseIds.add(id.uuid);
    }
  }
  return { caseIds, paths: own.paths };
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
function addSpawned(
  caseIds: Set<string>,
  rules: Rules,
  flow: CompiledFlow,
  { id, data }: CaseRow,
  event: string,
): void {
  for (const name of flow.spawns.get(event) ?? []) {
    const kind = rules.spawned.get(name)?.caseKind;
    const number = data?.a?.[`+${name}`] ?? 0;
    if (kind !== undefined) caseIds.add(childCaseId(kind, id, [name, String(number)]).uuid);
  }
}

/** Of what is to be read, what was not asked for yet; null: nothing. */
export function notSought({ sought }: ReadRows, { caseIds, paths }: Sought): Concerned | null {
  const fresh = { caseIds: notIn(sought?.caseIds, caseIds), paths: notIn(sought?.paths, paths) };
  return fresh.caseIds.length + fresh.paths.length === 0 ? null : fresh;
}

function notIn(known: ReadonlySet<string> | undefined, names: ReadonlySet<string>): string[] {
  const fresh: string[] = [];
  for (const name of names) if (known?.has(name) !== true) fresh.push(name);
  return fresh;
}

/** What was sought goes over from the situation that was, and is added to in place: to copy it took a fiftieth of deciding
 *  a block of card payments.
 *  @param more what there is of `fresh` */
export function readAlso<Read extends ReadRows>(
  situation: Read,
  fresh: Concerned,
  more: Pick<Situation, "cases" | "balances">,
): Read {
  const sought: Seeking = situation.sought ?? { caseIds: new Set(), paths: new Set() };
  for (const id of fresh.caseIds) sought.caseIds.add(id);
  for (const path of fresh.paths) sought.paths.add(path);
  return {
    ...situation,
    cases: [...situation.cases, ...more.cases],
    balances: [...situation.balances, ...more.balances],
    sought,
  };
}
