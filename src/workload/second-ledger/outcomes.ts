// Outcomes field by field: the one that answers an intent which was refused or repeated, and those that flows emit.

import type { SecondCase } from "./case-book.ts";
import { writeCaseId } from "./case-ids.ts";
import type { SecondFlow } from "./flows.ts";
import type { Told } from "./happening.ts";
import type { SecondIntent } from "./intent.ts";
import type { LaneLedger, SecondOutcome } from "./ledger.ts";
import { reasonOf, saidReason } from "./refusals.ts";
import type { SecondRules } from "./rules.ts";

/** What an input gives to the outcomes that it causes. */
export type Cause = {
  /** names the input: `i-3-17` */
  readonly stem: string;
  readonly intent: SecondIntent | null;
  /** microseconds since the epoch */
  readonly occurredAt: bigint;
};

export type Answered = {
  readonly known: SecondCase | null;
  /** null: it is repeated */
  readonly code: string | null;
  readonly repeatOf: bigint | null;
};

export function answerOutcome(
  { scales }: SecondRules,
  { lane, nowMs }: LaneLedger,
  stem: string,
  { intent, opens }: { readonly intent: SecondIntent; readonly opens: SecondFlow | null },
  { known, code, repeatOf }: Answered,
): SecondOutcome {
  const { amount } = intent;
  const scale = amount === null ? 0 : (scales.get(amount.currency) ?? amount.scale);
  const refused = opens === null ? "intent.rejected" : `${opens.name}.rejected`;
  return {
    ...givenBack(intent),
    outcomeId: stem,
    type: code === null ? "intent.repeated" : refused,
    caseId: intent.caseId,
    intentType: intent.type,
    status: known?.state ?? (opens === null ? "none" : "rejected"),
    reason: code === null ? null : reasonOf(code),
    repeatOf: repeatOf === null ? null : { lane, sequence: repeatOf },
    amounts: amount === null ? {} : { requested: { currency: amount.currency, scale, minor: String(amount.minor) } },
    lines: 0,
    flow: known?.flow.ref ?? opens?.ref ?? null,
    parentId: known?.parent ?? null,
    recordedAt: BigInt(nowMs) * 1_000n,
  };
}

/** @param index counts the outcomes of one input from 0; the first answers an intent */
export function emittedOutcome(
  { scales }: SecondRules,
  { nowMs }: LaneLedger,
  { stem, intent, occurredAt }: Cause,
  { one, turn, type, code, amounts, lines }: Told,
  index: number,
): SecondOutcome {
  // What the intent says of itself goes along with the case that it names, which has the first turn.
  const own = turn === 0 ? intent : null;
  const said = amounts.map(({ name, minor, currency }) => {
    return [name, { currency, scale: scales.get(currency) ?? -1, minor: String(minor) }];
  });
  return {
    outcomeId: index === 0 ? stem : `${stem}-${index}`,
    type,
    caseId: own === null ? writeCaseId(one.kind, one.uuid) : own.caseId,
    sourceId: own?.sourceId ?? null,
    holderId: one.holderId,
    intentType: index === 0 ? (own?.type ?? null) : null,
    idempotencyKey: own?.idempotencyKey ?? null,
    status: one.state,
    reason: code === null ? null : saidReason(code),
    repeatOf: null,
    amounts: Object.fromEntries(said),
    lines,
    flow: one.flow.ref,
    parentId: one.parent,
    occurredAt,
    recordedAt: BigInt(nowMs) * 1_000n,
    correlationId: intent?.correlationId ?? null,
    causationId: intent?.causationId ?? null,
    traceparent: intent?.traceparent ?? null,
  };
}

function givenBack(intent: SecondIntent) {
  const { sourceId, holderId, idempotencyKey, occurredAt, correlationId, causationId, traceparent } = intent;
  return { sourceId, holderId, idempotencyKey, occurredAt, correlationId, causationId, traceparent };
}

/** Of a case that another holder's message was to open. */
export function refusedOpening(
  { nowMs }: LaneLedger,
  { stem, occurredAt }: Cause,
  one: SecondCase,
  code: string,
): SecondOutcome {
  return {
    outcomeId: stem,
    type: `${one.flow.name}.rejected`,
    caseId: writeCaseId(one.kind, one.uuid),
    sourceId: null,
    holderId: one.holderId,
    intentType: null,
    idempotencyKey: null,
    status: one.state,
    reason: reasonOf(code),
    repeatOf: null,
    amounts: {},
    lines: 0,
    flow: one.flow.ref,
    parentId: one.parent,
    occurredAt,
    recordedAt: BigInt(nowMs) * 1_000n,
    correlationId: null,
    causationId: null,
    traceparent: null,
  };
}
