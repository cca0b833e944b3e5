// Every intent record of a block against what answers it: one outcome, or one quarantine row.

import { parseCaseId } from "../../domain/ids.ts";
import type { InputRecord } from "../../kafka/port.ts";
import type { BlockRow, QuarantineRow } from "../../store/audit.ts";
import type { DecodedOutcome } from "./block-rows.ts";
import type { Findings } from "./findings.ts";
import type { TakenRecords } from "./inputs.ts";
import type { Memory } from "./outcome-table.ts";

/** `i-<lane>-<offset>`, with `-<n>` for the further outcomes of the same intent */
const OF_INTENT = /^i-(\d{1,10})-(\d{1,19})(-\d+)?$/;

export type IntentAnswer = { readonly lane: number; readonly offset: bigint; readonly isFirst: boolean };

/** Which intent an outcome comes from; null when none (a timer). */
export function answerOf(outcomeId: string): IntentAnswer | null {
  const match = OF_INTENT.exec(outcomeId);
  if (match === null) return null;
  return { lane: Number(match[1]), offset: BigInt(match[2] as string), isFirst: match[3] === undefined };
}

/** `t-<lane>-<case>-<timer>-<due>`, and of a report or message `r-<lane>-<offset>` or `m-<lane>-<sequence>`, each with `-<n>`
 *  for the further outcomes of the same input */
const FURTHER = /^(?:[irm]-\d+-\d+|t-\d+-[0-9a-f]{32}-\w+-\d+)-\d+$/;

/** Whether it is the first outcome of its input, which the case that the input names remembers. Further ones may be of other
 *  cases: of children, of a parent, of a quote. */
export function isFirstOfInput(outcomeId: string): boolean {
  return !FURTHER.test(outcomeId);
}

/** Names the input: the first of its outcomes has this id. */
export function stemOf(outcomeId: string): string {
  return isFirstOfInput(outcomeId) ? outcomeId : outcomeId.replace(/-\d+$/, "");
}

/** Whether it only says no, or that it was said before: then nothing was done. */
export function isAnswerAlone({ type, repeatOf, reason }: DecodedOutcome): boolean {
  return repeatOf !== null || (reason !== null && type.endsWith(".rejected"));
}

export type Answers = {
  readonly outcomes: readonly DecodedOutcome[];
  /** whether these are all outcomes of the block: some may be gone from outbox and topic */
  readonly isWhole: boolean;
  readonly quarantine: readonly QuarantineRow[];
};

/** @param taken the block's records of the intents topic, as far as they are still there */
export function compareAnswers(
  findings: Findings,
  lane: number,
  row: BlockRow,
  taken: TakenRecords,
  { outcomes, isWhole, quarantine }: Answers,
): void {
  const place = `lane ${lane} block ${row.block}`;
  const answered = new Map<bigint, string>();
  const answer = (offset: bigint, by: string): void => {
    const earlier = answered.get(offset);
    if (earlier !== undefined) {
      findings.problem("every_input_once", `${place}: the intent at offset ${offset} has ${earlier} and ${by}`);
    } else if (offset < row.intentsFrom || offset >= row.intentsNext) {
      const span = `which took ${row.intentsFrom} to ${row.intentsNext - 1n}`;
      findings.problem("every_input_once", `${place}: ${by} answers offset ${offset} and is not of its block, ${span}`);
    }
    answered.set(offset, by);
  };
  for (const { outcomeId, sequence } of outcomes) {
    const intent = answerOf(outcomeId);
    if (intent?.isFirst) answer(intent.offset, `outcome ${sequence}`);
    if (intent === null || intent.lane === lane) continue;
    findings.problem("rows_in_their_lane", `${place}: outcome ${sequence} answers an intent of lane ${intent.lane}`);
  }
  for (const { offset } of quarantine) answer(offset, "a quarantine row");
  tellUntaken(findings, lane, taken.skipped);
  if (taken.knownFrom === null || !isWhole) return;
  for (const { offset } of taken.records) {
    findings.expect("every_input_once", answered.delete(offset), () => {
      return `${place}: nothing answers the intent at offset ${offset}`;
    });
  }
  for (const [offset, by] of answered) {
    if (offset < taken.knownFrom) continue;
    findings.problem("every_input_once", `${place}: ${by} answers offset ${offset}, and there is no such record`);
  }
}

export function tellUntaken(findings: Findings, lane: number, records: readonly InputRecord[]): void {
  for (const { offset } of records) {
    findings.problem("every_input_once", `lane ${lane}: no block took the intent at offset ${offset}`);
  }
}

/** Refusals that are given before a case is looked at or when there is none: no case remembers those. */
const NOT_REMEMBERED = new Set([
  "malformed_case_id",
  "case_id_in_future",
  "intent_expired",
  "idempotency_conflict",
  "case_not_found",
]);

/** The case that an outcome is of, and whether that case must remember the event.
 *  @param hasPartition whether the cases of a day are kept under that day's name */
export function memoryOf(
  outcome: DecodedOutcome,
  hasPartition: (dayMs: number) => boolean,
): { readonly caseId: string | null; readonly memory: Memory } {
  const id = parseCaseId(outcome.caseId);
  if (id === null) return { caseId: null, memory: "none" };
  const { reason, intentType } = outcome;
  const isRefused = reason !== null && intentType !== null && isAnswerAlone(outcome);
  const isAlien = isRefused && (NOT_REMEMBERED.has(reason.code) || outcome.status === "none");
  if (isAlien || outcome.repeatOf !== null) return { caseId: id.uuid, memory: "none" };
  if (!isFirstOfInput(outcome.outcomeId)) return { caseId: id.uuid, memory: "may" };
  // A case of a day without a partition of its own may have left with its time.
  return { caseId: id.uuid, memory: hasPartition(id.timeMs) ? "must" : "may" };
}
