// What only a deep audit compares within a block: each outcome with the intent that it answers, and with the lines that
// were booked for it.

import { createHash } from "node:crypto";
import { parseCaseId } from "../../domain/ids.ts";
import type { IntentMessage } from "../../kafka/codec-messages.ts";
import type { InputRecord } from "../../kafka/port.ts";
import type { BlockRow, LineRow, QuarantineRow } from "../../store/audit.ts";
import { answerOf, isAnswerAlone, stemOf } from "./answers.ts";
import type { DecodedOutcome } from "./block-rows.ts";
import type { LaneWork } from "./parts.ts";

export type DeepBlock = {
  readonly lane: number;
  readonly row: BlockRow;
  readonly lines: readonly LineRow[];
  readonly records: readonly InputRecord[];
  readonly outcomes: readonly DecodedOutcome[];
  /** whether these are all outcomes of the block */
  readonly isWhole: boolean;
  readonly quarantine: readonly QuarantineRow[];
};

export async function compareDeeply(work: LaneWork, block: DeepBlock): Promise<void> {
  if (block.isWhole) countLines(work, block);
  const records = new Map(block.records.map((record) => [record.offset, record]));
  for (const outcome of block.outcomes) {
    const answer = answerOf(outcome.outcomeId);
    const record = answer?.isFirst ? records.get(answer.offset) : undefined;
    if (record === undefined) continue;
    const wrong = await differenceOf(work, record, outcome);
    work.findings.expect("outcomes_equal_intents", wrong === null, () => {
      return `lane ${block.lane} block ${block.row.block}: outcome ${outcome.sequence} ${wrong}`;
    });
  }
  for (const row of block.quarantine) {
    const record = records.get(row.offset);
    if (record === undefined) continue;
    const value = record.value ?? Buffer.alloc(0);
    // Of a record with a card number no hash is kept; whether it has one, the second ledger says.
    const isHashed = row.reason === "card_number" || createHash("sha256").update(value).digest().equals(row.sha256);
    const isSame = row.size === value.length && isHashed;
    work.findings.expect("outcomes_equal_intents", isSame, () => {
      return `lane ${block.lane} block ${block.row.block}: the quarantine row of offset ${row.offset} is of other bytes`;
    });
  }
}

/** Fields that an outcome gives back as they came. */
const GIVEN_BACK = [
  "holderId",
  "caseId",
  "sourceId",
  "idempotencyKey",
  "occurredAt",
  "correlationId",
  "causationId",
  "traceparent",
] as const;

async function differenceOf(work: LaneWork, record: InputRecord, outcome: DecodedOutcome): Promise<string | null> {
  const intent = await readIntent(work, record);
  if (intent === null) return `answers offset ${record.offset}, which cannot be read`;
  if (outcome.intentType !== intent.type) return `says ${outcome.intentType}, its intent ${intent.type}`;
  for (const field of GIVEN_BACK) {
    if (outcome[field] !== intent[field]) return `says ${field} ${outcome[field]}, its intent ${intent[field]}`;
  }
  const asked = intent.amount;
  const told = outcome.amounts["requested"];
  if (asked === null || told === undefined) return null;
  const isSame = asked.currency === told.currency && BigInt(asked.minor) === BigInt(told.minor);
  return isSame ? null : `says ${told.minor} ${told.currency}, its intent ${asked.minor} ${asked.currency}`;
}

async function readIntent(work: LaneWork, { value }: InputRecord): Promise<IntentMessage | null> {
  if (value === null) return null;
  try {
    return await work.parts.decoders.intent.read(value);
  } catch (error) {
    if (error instanceof Error && error.name === "Undecodable") return null;
    throw error;
  }
}

function countLines({ findings, parts }: LaneWork, { lane, row, lines, outcomes }: DeepBlock): void {
  const counted = new Map<string, number>();
  for (const { caseId } of lines) counted.set(caseId, (counted.get(caseId) ?? 0) + 1);
  let told = "";
  for (const outcome of outcomes) {
    // Every outcome of one event of a case tells all of its lines.
    const event = `${stemOf(outcome.outcomeId)} ${outcome.caseId}`;
    const isSame = event === told;
    told = event;
    if (isSame) continue;
    const id = parseCaseId(outcome.caseId)?.uuid;
    if (id !== undefined) counted.set(id, (counted.get(id) ?? 0) - outcome.lines);
    findings.expect("outcomes_count_lines", !isAnswerAlone(outcome) || outcome.lines === 0, () => {
      return `lane ${lane} block ${row.block}: outcome ${outcome.sequence} tells of ${outcome.lines} lines and of none`;
    });
  }
  // What a report moves need not be told by any outcome.
  const isTold = row.flows.every((flow) => !parts.quietFlows.has(flow));
  for (const [caseId, left] of counted) {
    findings.expect("outcomes_count_lines", left === 0 || (left > 0 && !isTold), () => {
      const what = left > 0 ? "more lines than its outcomes tell" : "fewer lines than its outcomes tell";
      return `lane ${lane} block ${row.block}: case ${caseId} has ${what}, by ${Math.abs(left)}`;
    });
  }
}
