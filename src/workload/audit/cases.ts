// The cases of a lane against its outcomes, and the timers that they wait for.

import { homeLane } from "../../domain/holder.ts";
import { attentionPages, type CaseRow, casePages, timerPages } from "../../store/audit.ts";
import { readMessages } from "../../store/outbox.ts";
import { contradictionIn, readHistory } from "./case-history.ts";
import { compareCasesDeeply } from "./deep-cases.ts";
import type { OutcomeTable } from "./outcome-table.ts";
import type { LaneWork } from "./parts.ts";
import type { SecondAudit } from "./second.ts";
import { readStamped } from "./sources.ts";
import { tableStream } from "./stream.ts";

const CASES_A_PAGE = 2_000;
const TIMERS_A_PAGE = 2_000;
const ATTENTION_A_PAGE = 2_000;

/** Blocks that are audited; what cases remember of others is not looked at. */
export type BlockSpan = { readonly first: bigint; readonly last: bigint };

export type CaseSources = {
  readonly table: OutcomeTable;
  readonly span: BlockSpan;
  readonly second: SecondAudit | null;
  /** whether cases of that time have a partition of their own */
  readonly hasPartition: (timeMs: number) => boolean;
};

export async function auditCases(work: LaneWork, lane: number, sources: CaseSources): Promise<void> {
  const { table, span, second, hasPartition } = sources;
  const { parts } = work;
  const cases = tableStream(casePages(parts.rows, lane, CASES_A_PAGE));
  for (let page = await cases.takePage(); page !== null; page = await cases.takePage()) {
    for (const row of page) {
      auditCase(work, lane, row, table, span);
      second?.case(row);
    }
    if (parts.depth === "deep") await compareCasesDeeply(work, lane, page, span);
  }
  second?.endCases(hasPartition);
  await tellForgotten(work, lane, table);
  await auditTimers(work, lane);
  await auditAttention(work, lane);
}

function auditCase(work: LaneWork, lane: number, row: CaseRow, table: OutcomeTable, span: BlockSpan): void {
  const { parts, findings, tally } = work;
  const place = `lane ${lane} case ${row.caseId}`;
  tally.cases += 1n;
  const isHome = homeLane(row.holderId, work.lanes) === lane;
  findings.expect("rows_in_their_lane", isHome, () => `${place} is of ${row.holderId}, at home in another lane`);
  findings.expect("timers_consistent", row.missingTimers.length === 0, () => {
    return `${place} waits for ${row.missingTimers.join(", ")}, and the timer table has no such row`;
  });
  const waits = waitsForPerson(work, row);
  findings.expect("attention_consistent", waits === row.isListed, () => {
    return `${place} in state ${row.state} waits for ${waits ? "a" : "no"} person, and is ${waits ? "not " : ""}listed`;
  });
  findings.checked("case_history_consistent");
  for (const wrong of judgeHistory(row, table, span)) {
    findings.problem("case_history_consistent", `${place}: ${wrong}`);
  }
  if (!parts.flows.has(row.flow)) {
    findings.problem("case_history_consistent", `${place} lives by flow ${row.flow}, which is not registered`);
  }
}

function waitsForPerson({ parts }: LaneWork, { flow, state }: Pick<CaseRow, "flow" | "state">): boolean {
  return parts.humanStates.get(flow)?.has(state) === true;
}

function judgeHistory(row: CaseRow, table: OutcomeTable, span: BlockSpan): string[] {
  const events = readHistory(row.history);
  if (typeof events === "string") return [events];
  const contradiction = contradictionIn(events);
  const wrong = contradiction === null ? [] : [contradiction];
  for (const { event, block, sequence } of events) {
    if (sequence === null || block < span.first || block > span.last) continue;
    const found = table.remembered(sequence, row.caseId, block);
    if (found !== null) wrong.push(`outcome ${sequence}, which it remembers for ${event} in block ${block}, ${found}`);
  }
  const last = events.at(-1)?.state;
  if (last !== row.state) wrong.push(`it is in state ${row.state}, and its last event left it in ${last}`);
  return wrong;
}

const FORGOTTEN_TOLD = 20;

/** Outcomes that no case remembers. */
async function tellForgotten(work: LaneWork, lane: number, table: OutcomeTable): Promise<void> {
  let told = 0;
  for (const sequence of table.forgotten()) {
    const place = `lane ${lane}: outcome ${sequence}`;
    const which = told < FORGOTTEN_TOLD ? await caseOf(work, lane, BigInt(sequence)) : "";
    work.findings.problem("case_history_consistent", `${place} is remembered by no case${which}`);
    told += 1;
  }
}

async function caseOf(work: LaneWork, lane: number, sequence: bigint): Promise<string> {
  const span = { from: sequence, until: sequence + 1n, limit: 1 };
  const [row] = await readMessages(work.parts.rows, lane, "outcomes", span);
  const message = row === undefined ? null : await readStamped(work, "outcomes", row.value);
  return message !== null && "caseId" in message ? `; it is of ${String(message.caseId)}` : "";
}

async function auditTimers({ parts, findings }: LaneWork, lane: number): Promise<void> {
  const timers = tableStream(timerPages(parts.rows, lane, TIMERS_A_PAGE));
  for (let row = await timers.peek(); row !== null; row = await timers.peek()) {
    timers.advance();
    const { name, caseId, dueAt } = row;
    const wrong = !row.hasCase
      ? "its case does not exist"
      : !row.isArmed
        ? "its case does not wait for it"
        : row.isPassed
          ? "the lane is past it, so it would never fire"
          : null;
    findings.expect("timers_consistent", wrong === null, () => {
      return `lane ${lane}: timer ${name} of case ${caseId}, due ${dueAt}: ${wrong}`;
    });
  }
}

/** What is listed of cases that are there was looked at with them. */
async function auditAttention({ parts, findings }: LaneWork, lane: number): Promise<void> {
  const listed = tableStream(attentionPages(parts.rows, lane, ATTENTION_A_PAGE));
  for (let row = await listed.peek(); row !== null; row = await listed.peek()) {
    listed.advance();
    const { caseId, hasCase } = row;
    findings.expect("attention_consistent", hasCase, () => `lane ${lane}: case ${caseId} is listed and not there`);
  }
}
