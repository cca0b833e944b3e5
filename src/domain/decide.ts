// The pure core: an event, the books of its block, and the rules in; lines, states, timers and outcomes in the books out.
// No clock, no chance, no await. Every intent gets exactly one outcome that answers it.

import { assert } from "./assert.ts";
import {
  type Books,
  type CaseRecord,
  type IntentInput,
  NO_DATA,
  type Outcome,
  type OutcomeAmount,
  type ReportInput,
  type TimerInput,
} from "./books.ts";
import { Draft, type DraftOutcome } from "./draft.ts";
import type { CompiledAlternative, CompiledFlow, CompiledState } from "./flow/compile.ts";
import { appendEntry, type HistoryEntry, parseHistory } from "./history.ts";
import { formatCaseId } from "./ids.ts";
import { fingerprint, type Intent } from "./intent.ts";
import { fitsLedger } from "./money.ts";
import { firstRefusal, type RefusalCode, refusal } from "./refusals.ts";
import type { Rules } from "./rules.ts";

export type IntentResult = "accepted" | "refused" | "repeated";

/** A timer or report that its case cannot take: a money fact that must not be put aside, so the lane halts. */
export class Undecidable extends Error {
  override name = "Undecidable";
}

/** More choice states in a row than any checked flow has: the checker refuses cycles of them. */
const CHOICES_MAX = 32;

/** Decides one intent and writes its answer into the books. */
export function decideIntent(books: Books, input: IntentInput): IntentResult {
  const { intent, caseId } = input;
  const opens = books.rules.intents.get(intent.type)?.opens ?? null;
  const refuse = (code: RefusalCode, known: CaseRecord | null): IntentResult => {
    answer(books, input, { kind: "refused", code, opens, known, repeatOf: null });
    return "refused";
  };
  if (caseId === null) return refuse("malformed_case_id", null);
  if (opens !== null) {
    const untimely = judgeCaseTime(books.rules, caseId.timeMs, input.appendedAtMs);
    if (untimely !== null) return refuse(untimely, null);
  }
  const found = books.cases.get(caseId.uuid) ?? null;
  const known = found !== null && (opens !== null || found.holderId === intent.holderId) ? found : null;
  const print = fingerprint(intent);
  if (known !== null) {
    const earlier = findKey(known, opens === null ? (intent.idempotencyKey as string) : null);
    if (earlier !== null && earlier.fingerprint === print) {
      answer(books, input, { kind: "repeated", code: null, opens, known, repeatOf: earlier.sequence });
      return "repeated";
    }
    if (earlier !== null || opens !== null) return refuse("idempotency_conflict", known);
  }
  return opens !== null ? openCase(books, input, opens, print) : moveCase(books, input, known, print);
}

/** Fires a timer.
 *  @throws Undecidable when the case does not wait for it, or its posting is refused */
export function decideTimer(books: Books, input: TimerInput): void {
  const { caseId, name, dueMs } = input.timer;
  const known = books.cases.get(caseId) ?? null;
  if (known === null || known.data.timers[name] !== dueMs)
    throw new Undecidable(`no case waits for timer ${name} of ${caseId}`);
  const alternative = stateOf(known).on.get(`timer.${name}`);
  if (alternative === undefined) throw new Undecidable(`state ${known.state} has no answer to timer.${name}`);
  // A fired timer is gone, whether or not its state is left.
  const { [name]: _fired, ...timers } = known.data.timers;
  known.data = { ...known.data, timers };
  books.timersGone.push(input.timer);
  const draft = new Draft(books, known.id, known.holderId, known.data, null);
  const moved = walk(known.flow, known.flow.stateIndex.get(known.state) as number, alternative, draft);
  const code = typeof moved === "string" ? moved : draft.settle();
  if (code !== null) throw new Undecidable(`timer.${name} of case ${known.id} is refused: ${code}`);
  const first = books.outcomesNext;
  enter(books, known, draft, moved as Walked);
  draft.outcomes.forEach((outcome, index) => emit(books, makeOutcome(books, { known, draft, outcome, input, index })));
  remember(known, {
    event: `timer.${name}`,
    source: "t",
    offset: BigInt(dueMs),
    block: books.block,
    sequence: draft.outcomes.length === 0 ? null : first,
    state: known.state,
    fingerprint: "",
    key: "",
  });
}

/** Takes what a gateway or another lane reports.
 *  @throws Undecidable when it names no case, call or result that is known, or its case cannot take it */
export function decideReport(_books: Books, input: ReportInput): void {
  throw new Undecidable(`report ${input.id} answers no call of any case`);
}

// Identity and amounts ----------------------------------------------------------------------------------------------------

/** Judged by the record's own append time, not the block's `now`, so that the answer does not hang on block bounds. */
function judgeCaseTime(rules: Rules, caseMs: number, appendedAtMs: number): RefusalCode | null {
  if (caseMs > appendedAtMs + rules.caseFutureMs) return "case_id_in_future";
  return caseMs < appendedAtMs - rules.caseWindowMs ? "intent_expired" : null;
}

/** The entry that consumed a key; for a create the case's first entry, whose key is the case id. */
function findKey(known: CaseRecord, key: string | null): HistoryEntry | null {
  const entries = parseHistory(known.history);
  if (key === null) return entries[0] ?? null;
  return entries.slice(1).find((entry) => entry.source === "i" && entry.key === key) ?? null;
}

function judgeAmount(rules: Rules, intent: Intent): RefusalCode | null {
  const { amount, floorMinor } = intent;
  if (amount !== null && amount.minor <= 0n) return "amount_not_positive";
  if (amount !== null && !fitsLedger(amount.minor)) return "amount_too_large";
  if (floorMinor !== null && !fitsLedger(floorMinor)) return "amount_too_large";
  for (const currency of [amount?.currency ?? null, intent.currency]) {
    if (currency !== null && rules.currencies.scaleOf(currency) === null) return "unknown_currency";
  }
  return null;
}

// Cases -------------------------------------------------------------------------------------------------------------------

function openCase(books: Books, input: IntentInput, flow: CompiledFlow, print: string): IntentResult {
  const { intent, caseId } = input;
  assert(caseId !== null, "a malformed case id is refused before");
  const fresh: CaseRecord = {
    id: caseId.uuid,
    kind: caseId.kind,
    flow,
    holderId: intent.holderId,
    state: "rejected",
    data: NO_DATA,
    history: "",
    occurredAtMicros: intent.occurredAtMicros,
    isNew: true,
    changed: true,
  };
  books.cases.set(fresh.id, fresh);
  const draft = new Draft(books, fresh.id, fresh.holderId, fresh.data, intent);
  const code = judgeAmount(books.rules, intent) ?? run(books, fresh, draft, null);
  return conclude(books, input, { known: fresh, draft, code, print, opens: flow });
}

function moveCase(books: Books, input: IntentInput, known: CaseRecord | null, print: string): IntentResult {
  const { intent } = input;
  const draft = known === null ? null : new Draft(books, known.id, known.holderId, known.data, intent);
  const amountCode = judgeAmount(books.rules, intent);
  if (known === null || draft === null) {
    answer(books, input, {
      kind: "refused",
      code: amountCode ?? "case_not_found",
      opens: null,
      known: null,
      repeatOf: null,
    });
    return "refused";
  }
  const alternative = stateOf(known).on.get(`intent.${intent.type}`);
  const code = amountCode ?? (alternative === undefined ? "invalid_state" : run(books, known, draft, alternative));
  return conclude(books, input, { known, draft, code, print, opens: null });
}

type Conclusion = {
  readonly known: CaseRecord;
  readonly draft: Draft;
  readonly code: RefusalCode | null;
  readonly print: string;
  readonly opens: CompiledFlow | null;
};

/** Answers the intent and lets the case remember it: accepted or refused, its key is consumed. */
function conclude(books: Books, input: IntentInput, done: Conclusion): IntentResult {
  const { known, draft, code, opens } = done;
  const sequence = books.outcomesNext;
  if (code !== null) {
    draft.discard();
    answer(books, input, { kind: "refused", code, opens, known, repeatOf: null });
  } else {
    // The first outcome answers the intent; a flow that emits nothing has accepted it all the same.
    if (draft.outcomes.length === 0) draft.emit("intent.accepted", []);
    draft.outcomes.forEach((outcome, index) =>
      emit(books, makeOutcome(books, { known, draft, outcome, input, index })),
    );
  }
  remember(known, {
    event: input.intent.type,
    source: "i",
    offset: input.offset,
    block: books.block,
    sequence,
    state: known.state,
    fingerprint: done.print,
    key: input.intent.idempotencyKey ?? "",
  });
  return code === null ? "accepted" : "refused";
}

function remember(known: CaseRecord, entry: HistoryEntry): void {
  known.history = appendEntry(known.history, entry);
  known.changed = true;
}

// States ------------------------------------------------------------------------------------------------------------------

type Walked = { readonly to: number; readonly left: boolean };

/** Runs an alternative, or for a new case (`null`) its binding and entry into the initial state, and settles the draft. */
function run(
  books: Books,
  known: CaseRecord,
  draft: Draft,
  alternative: CompiledAlternative | null,
): RefusalCode | null {
  const { flow } = known;
  if (alternative === null) flow.bind(draft);
  const begin: CompiledAlternative = alternative ?? { steps: [], to: flow.initial };
  const moved = walk(flow, flow.stateIndex.get(known.state) ?? flow.initial, begin, draft);
  const code = typeof moved === "string" ? moved : draft.settle();
  if (code !== null) return code;
  enter(books, known, draft, moved as Walked);
  return null;
}

/** Takes an alternative and every choice state behind it, gathering their steps in the draft.
 *  @returns the refusal that takes precedence over all others on the way, if there is any */
function walk(flow: CompiledFlow, from: number, alternative: CompiledAlternative, draft: Draft): Walked | RefusalCode {
  let at = from;
  let left = false;
  let refused: RefusalCode | null = null;
  let next: CompiledAlternative | null = alternative;
  for (let choices = 0; next !== null; choices++) {
    assert(choices <= CHOICES_MAX, `${flow.ref} does not come to rest`);
    for (const step of next.steps) refused = firstRefusal(refused, step(draft));
    if (next.to === "stay") break;
    at = next.to;
    left = true;
    const state = flow.states[at] as CompiledState;
    for (const step of state.entry) refused = firstRefusal(refused, step(draft));
    next = state.always;
  }
  return refused ?? { to: at, left };
}

/** Moves the case: timers of the state it leaves are cancelled, those of the state it rests in are armed. */
function enter(books: Books, known: CaseRecord, draft: Draft, moved: Walked): void {
  known.changed = true;
  if (!moved.left) {
    known.data = draft.data(known.data.timers);
    return;
  }
  const state = known.flow.states[moved.to] as CompiledState;
  for (const name in known.data.timers) {
    books.timersGone.push({ dueMs: known.data.timers[name] as number, caseId: known.id, name });
  }
  let timers = NO_TIMERS;
  if (state.timers.length > 0) {
    timers = {};
    for (const { name, afterMs } of state.timers) {
      timers[name] = books.nowMs + afterMs;
      books.timersArmed.push({ dueMs: books.nowMs + afterMs, caseId: known.id, name });
    }
  }
  known.state = state.name;
  known.data = draft.data(timers);
}

function stateOf(known: CaseRecord): CompiledState {
  const index = known.flow.stateIndex.get(known.state);
  // A refused create rests in `rejected`, which no flow declares and no event leaves.
  return index === undefined ? REJECTED : (known.flow.states[index] as CompiledState);
}

const NO_TIMERS: Record<string, number> = {};
const REJECTED: CompiledState = { name: "rejected", isFinal: true, timers: [], entry: [], on: new Map(), always: null };

// Outcomes ----------------------------------------------------------------------------------------------------------------

type Answer = {
  readonly kind: "refused" | "repeated";
  readonly code: RefusalCode | null;
  readonly opens: CompiledFlow | null;
  readonly known: CaseRecord | null;
  readonly repeatOf: bigint | null;
};

/** The one outcome of an intent that was refused or repeated. */
function answer(books: Books, input: IntentInput, given: Answer): void {
  const { intent } = input;
  const refusedType = given.opens === null ? "intent.rejected" : `${given.opens.name}.rejected`;
  emit(books, {
    lane: books.lane,
    sequence: books.outcomesNext,
    block: books.block,
    outcomeId: outcomeId(books, input, 0),
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
    parentId: null,
  });
}

function askedAmounts(rules: Rules, intent: Intent): Record<string, OutcomeAmount> {
  if (intent.amount === null) return {};
  const { currency, minor, scale } = intent.amount;
  return { requested: { currency, minor: minor.toString(), scale: rules.currencies.scaleOf(currency) ?? scale } };
}

type Emission = {
  readonly known: CaseRecord;
  readonly draft: Draft;
  readonly outcome: DraftOutcome;
  readonly input: IntentInput | TimerInput;
  /** counts the outcomes of one input from 0; the first answers the intent */
  readonly index: number;
};

function makeOutcome(books: Books, { known, draft, outcome, input, index }: Emission): Outcome {
  const amounts: Record<string, OutcomeAmount> = {};
  for (const { name, minor, currency } of outcome.amounts) {
    const scale = books.rules.currencies.scaleOf(currency);
    assert(scale !== null, `currency ${currency} of an accepted event is known`);
    amounts[name] = { currency, minor: minor.toString(), scale };
  }
  const intent = input.kind === "intent" ? input.intent : null;
  return {
    lane: books.lane,
    sequence: books.outcomesNext,
    block: books.block,
    outcomeId: outcomeId(books, input, index),
    type: outcome.type,
    caseId: intent === null ? formatCaseId({ kind: known.kind, uuid: known.id, timeMs: 0 }) : intent.caseId,
    sourceId: intent?.sourceId ?? null,
    holderId: known.holderId,
    intentType: index === 0 ? (intent?.type ?? null) : null,
    idempotencyKey: intent?.idempotencyKey ?? null,
    status: known.state,
    reason: null,
    repeatOf: null,
    amounts,
    lines: draft.lines,
    flow: known.flow.ref,
    occurredAt: input.kind === "intent" ? input.intent.occurredAtMicros : BigInt(input.timer.dueMs) * 1000n,
    recordedAt: books.recordedAt,
    correlationId: intent?.correlationId ?? null,
    causationId: intent?.causationId ?? null,
    traceparent: intent?.traceparent ?? null,
    parentId: known.data.parent === null ? null : formatCaseId({ ...known.data.parent, timeMs: 0 }),
  };
}

/** Names the input and nothing that a second run could choose differently: the same input decided again gets the same
 *  ids, and no two inputs share one. */
function outcomeId(books: Books, input: IntentInput | TimerInput, index: number): string {
  const suffix = index === 0 ? "" : `-${index}`;
  if (input.kind === "intent") return `i-${books.lane}-${input.offset}${suffix}`;
  const { caseId, name, dueMs } = input.timer;
  return `t-${books.lane}-${caseId}-${name}-${dueMs}${suffix}`;
}

function emit(books: Books, outcome: Outcome): void {
  assert(outcome.sequence === books.outcomesNext, "outcomes take their sequence in order");
  books.outcomes.push(outcome);
  books.outcomesNext += 1n;
}
