// The pure core: an event, the books of its block, and the rules in; lines, states, timers, calls and outcomes in the books
// out. No clock, no chance, no await. Every intent gets exactly one outcome that answers it.

import { assert, failed } from "../assert.ts";
import {
  type Books,
  type CaseData,
  type CaseRecord,
  caseOf,
  type IntentInput,
  NONE,
  type TimerInput,
  type TimerKey,
  withTimers,
} from "../books.ts";
import type { CompiledAlternative, CompiledFlow } from "../flow/compile/compile.ts";
import { NO_FIELDS } from "../flow/compile/events.ts";
import { entryOfKey, firstEntry, type HistoryEntry } from "../history.ts";
import { fingerprint, type Intent } from "../intent.ts";
import { fitsLedger } from "../money.ts";
import type { RefusalCode } from "../refusals.ts";
import { openerOf, type Rules } from "../rules.ts";
import { perform, performFact, remember } from "./deed.ts";
import type { Cause } from "./draft.ts";
import { answer } from "./outcomes.ts";
import { Undecidable } from "./undecidable.ts";
import { stateOf } from "./walk.ts";

export { decideReport } from "./report.ts";
export { Undecidable } from "./undecidable.ts";

export type IntentResult = "accepted" | "refused" | "repeated";

/** Decides one intent and writes its answer into the books. */
export function decideIntent(books: Books, input: IntentInput): IntentResult {
  const { intent, caseId } = input;
  const opens = openerOf(books.rules, intent);
  const refuse = (code: RefusalCode, known: CaseRecord | null): IntentResult => {
    answer(books, input, { kind: "refused", code, opens, known, repeatOf: null });
    return "refused";
  };
  if (caseId === null) return refuse("malformed_case_id", null);
  if (opens !== null) {
    const untimely = judgeCaseTime(books.rules, caseId.timeMs, input.appendedAtMs);
    if (untimely !== null) return refuse(untimely, null);
  }
  const found = caseOf(books, caseId.uuid);
  const known = found !== null && (opens !== null || found.holderId === intent.holderId) ? found : null;
  const print = fingerprint(intent);
  if (known !== null) {
    const earlier = opens === null ? entryOfKey(known.history, intent.idempotencyKey as string) : openingOf(known);
    if (earlier !== null && earlier.fingerprint === print) {
      answer(books, input, { kind: "repeated", code: null, opens, known, repeatOf: earlier.sequence });
      return "repeated";
    }
    if (earlier !== null || opens !== null) return refuse("idempotency_conflict", known);
  }
  return opens !== null ? openCase(books, input, opens, print) : moveCase(books, input, known, print);
}

/** Of a create the case id is the key: the intent that opened the case, if it was one. */
function openingOf(known: CaseRecord): HistoryEntry | null {
  const first = firstEntry(known.history);
  return first !== null && first.source === "i" ? first : null;
}

/** Fires a timer, unless one before it in its block has cancelled it: a case may have several that are due at once.
 *  @throws Undecidable when the case does not wait for it, or its posting is refused */
export function decideTimer(books: Books, input: TimerInput): void {
  const { caseId, name, dueMs } = input.timer;
  const known = caseOf(books, caseId);
  const others = known === null ? null : withoutTimer(known.data.timers, input.timer);
  if (known === null || others === null) {
    if (isGone(books, input.timer)) return;
    throw new Undecidable(`no case waits for timer ${name} of ${caseId}`);
  }
  const event = known.flow.timerEvents.get(name) ?? "";
  const alternatives = stateOf(known).on.get(event);
  if (alternatives === undefined) throw new Undecidable(`state ${known.state} has no answer to timer.${name}`);
  // A fired timer is gone, whether or not its state is left.
  known.data = withTimers(known.data, others);
  books.timersGone.push(input.timer);
  const cause = factOf(BigInt(dueMs) * 1000n);
  const entry = { event, source: "t", offset: BigInt(dueMs), fingerprint: "", key: "" } as const;
  performFact(books, input, { known, cause, alternatives, entry });
}

/** What is armed beside the one that fires; null: that is not. Most cases have armed just the one. */
function withoutTimer(timers: CaseData["timers"], fired: TimerKey): CaseData["timers"] | null {
  let others: Record<string, number> | null = null;
  let isArmed = false;
  for (const name in timers) {
    const dueMs = timers[name] as number;
    if (name === fired.name && dueMs === fired.dueMs) {
      isArmed = true;
    } else {
      others ??= {};
      others[name] = dueMs;
    }
  }
  return isArmed ? (others ?? NONE) : null;
}

/** One that was armed anew is another: it is due after the block's now, and so behind all that are taken with it. */
function isGone({ timersGone }: Books, { dueMs, caseId, name }: TimerKey): boolean {
  return timersGone.some((gone) => gone.caseId === caseId && gone.name === name && gone.dueMs === dueMs);
}

function factOf(occurredAtMicros: bigint): Cause {
  return { intent: null, event: NO_FIELDS, currencies: null, occurredAtMicros, attempt: 0, isWish: false };
}

// Identity and amounts ----------------------------------------------------------------------------------------------------

/** Judged by the record's own append time, not the block's `now`, so that the answer does not hang on block bounds. */
function judgeCaseTime(rules: Rules, caseMs: number, appendedAtMs: number): RefusalCode | null {
  if (caseMs > appendedAtMs + rules.caseFutureMs) return "case_id_in_future";
  return caseMs < appendedAtMs - rules.caseWindowMs ? "intent_expired" : null;
}

function judgeAmount(rules: Rules, intent: Intent): RefusalCode | null {
  const { amount, floorMinor } = intent;
  if (amount !== null && amount.minor <= 0n) return "amount_not_positive";
  if (amount !== null && !fitsLedger(amount.minor)) return "amount_too_large";
  if (floorMinor !== null && !fitsLedger(floorMinor)) return "amount_too_large";
  for (const currency of [amount?.currency ?? null, intent.currency, intent.settlementCurrency]) {
    if (currency !== null && rules.currencies.scaleOf(currency) === null) return "unknown_currency";
  }
  return null;
}

/** What flows set aside on an account that is open to them alone, no intent can ask for, nor for a change of the account:
 *  a timer or a report must find it there. */
function judgeNamed({ chart }: Rules, { account, from, to }: Intent): RefusalCode | null {
  for (const path of [account, from, to]) if (path !== null && chart.isReserved(path)) return "account_reserved";
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
    data: flow.noData,
    history: "",
    occurredAtMicros: intent.occurredAtMicros,
    isNew: true,
    changed: true,
  };
  books.cases.set(fresh.id, fresh);
  const code =
    judgeAmount(books.rules, intent) ?? judgeNamed(books.rules, intent) ?? attempt(books, input, fresh, null, print);
  return conclude(books, input, { known: fresh, code, print, opens: flow });
}

function moveCase(books: Books, input: IntentInput, known: CaseRecord | null, print: string): IntentResult {
  const { intent } = input;
  const amountCode = judgeAmount(books.rules, intent);
  if (known === null) {
    const code = amountCode ?? "case_not_found";
    answer(books, input, { kind: "refused", code, opens: null, known: null, repeatOf: null });
    return "refused";
  }
  const event = eventOf(books.rules, intent);
  const alternatives = stateOf(known).on.get(event);
  const code =
    amountCode ??
    judgeCurrency(known, intent, event) ??
    (alternatives === undefined ? "invalid_state" : attempt(books, input, known, alternatives, print));
  return conclude(books, input, { known, code, print, opens: null });
}

/** The flow counts what a later intent asks as money of the currency that its case began in. */
function judgeCurrency({ flow, data }: CaseRecord, { amount }: Intent, event: string): RefusalCode | null {
  const symbol = flow.amountSymbols.get(event);
  if (symbol === undefined || amount === null) return null;
  return data.currencies[symbol] === amount.currency ? null : "currency_mismatch";
}

/** An operator's decision is the event `ops.<decision>`, any other intent `intent.<type>`. */
function eventOf(rules: Rules, intent: Intent): string {
  const kind = rules.intents.get(intent.type);
  if (kind === undefined) failed(`intent ${intent.type} is taken by no flow, which intake should have seen`);
  return kind.event ?? `ops.${intent.decision}`;
}

function attempt(
  books: Books,
  input: IntentInput,
  known: CaseRecord,
  alternatives: readonly CompiledAlternative[] | null,
  print: string,
): RefusalCode | null {
  const { intent } = input;
  const { occurredAtMicros } = intent;
  const cause = { intent, event: NO_FIELDS, currencies: null, occurredAtMicros, attempt: 0, isWish: true };
  return perform(books, input, { known, cause, alternatives, entry: entryOf(input, print) });
}

function entryOf({ intent, offset }: IntentInput, print: string) {
  return { event: intent.type, source: "i", offset, fingerprint: print, key: intent.idempotencyKey ?? "" } as const;
}

type Conclusion = {
  readonly known: CaseRecord;
  readonly code: RefusalCode | null;
  readonly print: string;
  readonly opens: CompiledFlow | null;
};

/** Answers an intent that is refused, and lets the case remember it: accepted or refused, its key is consumed. */
function conclude(books: Books, input: IntentInput, { known, code, print, opens }: Conclusion): IntentResult {
  if (code === null) return "accepted";
  const sequence = books.outcomesNext;
  answer(books, input, { kind: "refused", code, opens, known, repeatOf: null });
  remember(books, known, entryOf(input, print), sequence);
  return "refused";
}
