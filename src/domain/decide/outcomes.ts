// Outcomes: what an event tells the world, and the one answer that an intent gets which was refused or repeated.

import { assert } from "../assert.ts";
import type { Books, CaseRecord, IntentInput, Outcome, OutcomeAmount, ReportInput, TimerInput } from "../books.ts";
import type { CompiledFlow } from "../flow/compile/compile.ts";
import type { Intent } from "../intent.ts";
import { type RefusalCode, refusal } from "../refusals.ts";
import type { Rules } from "../rules.ts";
import type { Draft, DraftOutcome } from "./draft.ts";

export type Input = IntentInput | TimerInput | ReportInput;

/** Names the input and nothing that a second run could choose differently: the same input decided again gets the same
 *  ids, and no two inputs share one. */
export function stemOf(books: Books, input: Input): string {
  if (input.kind === "intent") return `i-${books.lane}-${input.offset}`;
  if (input.kind === "report") return input.id;
  const { caseId, name, dueMs } = input.timer;
  return `t-${books.lane}-${caseId}-${name}-${dueMs}`;
}

export function occurredAtOf(input: Input): bigint {
  if (input.kind === "intent") return input.intent.occurredAtMicros;
  return input.kind === "report" ? input.report.occurredAtMicros : BigInt(input.timer.dueMs) * 1000n;
}

export type Answer = {
  readonly kind: "refused" | "repeated";
  readonly code: RefusalCode | null;
  readonly opens: CompiledFlow | null;
  readonly known: CaseRecord | null;
  readonly repeatOf: bigint | null;
};

/** The one outcome of an intent that was refused or repeated. */
export function answer(books: Books, input: IntentInput, given: Answer): void {
  const { intent } = input;
  const refusedType = given.opens === null ? "intent.rejected" : `${given.opens.name}.rejected`;
  emit(books, {
    lane: books.lane,
    sequence: books.outcomesNext,
    block: books.block,
    outcomeId: stemOf(books, input),
    type: given.kind === "repeated" ? "intent.repeated" : refusedType,
    caseId: intent.caseId,
    sourceId: intent.sourceId,
    holderId: intent.holderId,
    intentType: intent.type,
    idempotencyKey: intent.idempotencyKey,
    status: given.known?.state ?? (given.opens === null ? "none" : "rejected"),
    reason: given.code === null ? null : refusal(given.code),
    repeatOf: given.repeatOf === null ? null : { lane: books.lane, sequence: given.repeatOf },
    amounts: askedAmounts(books.rules, intent),
    lines: 0,
    flow: given.known?.flow.ref ?? given.opens?.ref ?? null,
    occurredAt: intent.occurredAtMicros,
    recordedAt: books.recordedAt,
    correlationId: intent.correlationId,
    causationId: intent.causationId,
    traceparent: intent.traceparent,
    parentId: given.known === null ? null : given.known.data.parent,
  });
}

function askedAmounts(rules: Rules, intent: Intent): Record<string, OutcomeAmount> {
  if (intent.amount === null) return {};
  const { currency, minor, scale } = intent.amount;
  return { requested: { currency, minor: minor.toString(), scale: rules.currencies.scaleOf(currency) ?? scale } };
}

/** The outcomes of one event, in the order of its actions.
 *  @param from how many outcomes the input has caused before
 *  @param isAsked the case is the one that the input names: what the intent says of itself goes along */
export function emitAll(draft: Draft, input: Input, from: number, asked: "asked" | "set off"): void {
  const { outcomes } = draft;
  if (outcomes.length === 0) return;
  const { books } = draft;
  const stem = stemOf(books, input);
  for (let at = 0; at < outcomes.length; at++) {
    const index = from + at;
    const outcomeId = index === 0 ? stem : `${stem}-${index}`;
    emit(books, makeOutcome(draft, outcomes[at] as DraftOutcome, { input, index, outcomeId, asked }));
  }
}

type Told = {
  readonly input: Input;
  readonly index: number;
  readonly outcomeId: string;
  readonly asked: "asked" | "set off";
};

function makeOutcome(draft: Draft, outcome: DraftOutcome, { input, index, outcomeId, asked }: Told): Outcome {
  const { books, known } = draft;
  const intent = input.kind === "intent" ? input.intent : null;
  const own = asked === "asked" ? intent : null;
  return {
    lane: books.lane,
    sequence: books.outcomesNext,
    block: books.block,
    outcomeId,
    type: outcome.type,
    caseId: own === null ? draft.caseId : own.caseId,
    sourceId: own?.sourceId ?? null,
    holderId: known.holderId,
    intentType: index === 0 ? (own?.type ?? null) : null,
    idempotencyKey: own?.idempotencyKey ?? null,
    status: known.state,
    reason: outcome.reason,
    repeatOf: null,
    amounts: outcome.amounts,
    lines: draft.lines,
    flow: known.flow.ref,
    occurredAt: occurredAtOf(input),
    recordedAt: books.recordedAt,
    correlationId: intent?.correlationId ?? null,
    causationId: intent?.causationId ?? null,
    traceparent: intent?.traceparent ?? null,
    parentId: known.data.parent,
  };
}

function emit(books: Books, outcome: Outcome): void {
  assert(outcome.sequence === books.outcomesNext, "outcomes take their sequence in order");
  books.outcomes.push(outcome);
  books.outcomesNext += 1n;
}
