// What only a deep audit compares of cases: each event that a case remembers with the outcome that told it.

import { parseCaseId } from "../../domain/ids.ts";
import type { CaseRow } from "../../store/audit.ts";
import { readOutcomesAt } from "../../store/audit.ts";
import { answerOf, stemOf } from "./answers.ts";
import type { DecodedOutcome } from "./block-rows.ts";
import { type RememberedEvent, readHistory } from "./case-history.ts";
import type { LaneWork } from "./parts.ts";
import { readStamped } from "./sources.ts";

/** @param span events of other blocks are not looked at */
export async function compareCasesDeeply(
  work: LaneWork,
  lane: number,
  cases: readonly CaseRow[],
  span: { readonly first: bigint; readonly last: bigint },
): Promise<void> {
  const remembered = cases.flatMap((row) => eventsOf(row).map((event) => ({ row, event })));
  const told = remembered.filter(
    ({ event }) => event.sequence !== null && event.block >= span.first && event.block <= span.last,
  );
  if (told.length === 0) return;
  const sequences = told.map(({ event }) => event.sequence as bigint);
  const values = await readOutcomesAt(work.parts.rows, lane, sequences);
  for (const { row, event } of told) {
    const value = values.get(event.sequence as bigint);
    if (value === undefined) continue; // gone with its partition; the rest was compared by the block
    const message = await readStamped(work, "outcomes", value);
    const wrong = message === null ? "which cannot be read" : differenceOf(work, row, event, message as DecodedOutcome);
    work.findings.expect("cases_equal_outcomes", wrong === null, () => {
      return `lane ${lane} case ${row.caseId}: it remembers ${event.event} with outcome ${event.sequence}, ${wrong}`;
    });
  }
}

/** A history that cannot be read is told elsewhere. */
function eventsOf(row: CaseRow): readonly (RememberedEvent & { readonly isFirst: boolean })[] {
  const events = readHistory(row.history);
  return typeof events === "string" ? [] : events.map((event, index) => ({ ...event, isFirst: index === 0 }));
}

function differenceOf(
  work: LaneWork,
  row: CaseRow,
  event: RememberedEvent & { readonly isFirst: boolean },
  outcome: DecodedOutcome,
): string | null {
  const id = parseCaseId(outcome.caseId);
  const answer = answerOf(outcome.outcomeId);
  const flow = work.parts.flows.get(row.flow) ?? null;
  const said = (what: string, theirs: unknown, ours: unknown): string => `which says ${what} ${theirs}, not ${ours}`;
  // Its 16 bytes identify a case; the kind before them is the creator's.
  const isKind = !event.isFirst || id?.kind === row.kind;
  if (id?.uuid !== row.caseId || !isKind) return said("case", outcome.caseId, `${row.kind} ${row.caseId}`);
  if (outcome.holderId !== row.holderId) return said("holder", outcome.holderId, row.holderId);
  if (outcome.flow !== flow) return said("flow", outcome.flow, flow);
  if (outcome.status !== event.state) return said("status", outcome.status, event.state);
  if (event.isFirst && outcome.occurredAt !== row.occurredAtMicros) {
    return said("time", outcome.occurredAt, row.occurredAtMicros);
  }
  if (event.source === "r" || event.source === "m") {
    const stem = `${event.source}-${outcome.lane}-${event.offset}`;
    return stemOf(outcome.outcomeId) === stem ? null : said("id", outcome.outcomeId, stem);
  }
  if (event.source !== "i") return null;
  if (answer?.offset !== event.offset) return said("offset", answer?.offset ?? null, event.offset);
  if (outcome.intentType !== event.event) return said("intent", outcome.intentType, event.event);
  const key = outcome.idempotencyKey ?? "";
  return key === event.key ? null : said("key", JSON.stringify(key), JSON.stringify(event.key));
}
