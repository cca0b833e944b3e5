// The JSON line of an outcome: fields in the order of the contract, amounts as digits, times in UTC.

import { assert } from "../domain/assert.ts";
import type { OfBlock, OutcomeMessage } from "../kafka/codec-messages.ts";
import { formatTime } from "./intents-time.ts";

/** One line, without its end. `flow` and `blockDigest` (hex) come last: they are additions. */
export function outcomeLine(outcome: OfBlock<OutcomeMessage>): string {
  const { repeatOf } = outcome;
  return JSON.stringify({
    outcomeId: outcome.outcomeId,
    lane: outcome.lane,
    sequence: exact(outcome.sequence),
    block: exact(outcome.block),
    type: outcome.type,
    caseId: outcome.caseId,
    sourceId: outcome.sourceId,
    holderId: outcome.holderId,
    intentType: outcome.intentType,
    idempotencyKey: outcome.idempotencyKey,
    status: outcome.status,
    reason: outcome.reason === null ? null : { category: outcome.reason.category, code: outcome.reason.code },
    repeatOf: repeatOf === null ? null : { lane: repeatOf.lane, sequence: exact(repeatOf.sequence) },
    amounts: amountsOf(outcome.amounts),
    lines: outcome.lines,
    occurredAt: formatTime(outcome.occurredAt),
    recordedAt: formatTime(outcome.recordedAt),
    correlationId: outcome.correlationId,
    causationId: outcome.causationId,
    traceparent: outcome.traceparent,
    flow: outcome.flow,
    parentId: outcome.parentId,
    blockDigest: outcome.blockDigest.toString("hex"),
  });
}

function amountsOf(
  amounts: OutcomeMessage["amounts"],
): Record<string, { currency: string; minor: string; scale: number }> {
  const entries = Object.entries(amounts);
  return Object.fromEntries(entries.map(([name, { currency, minor, scale }]) => [name, { currency, minor, scale }]));
}

/** Positions are JSON numbers: a lane counts for centuries before 2^53. */
function exact(position: bigint): number {
  assert(position <= BigInt(Number.MAX_SAFE_INTEGER), `position ${position} is beyond what a JSON number holds`);
  return Number(position);
}
