// Decides one input anew: what a case answers to an intent or to a timer that fires, by the flow's tree.

import type { SecondCase } from "./case-book.ts";
import { readCaseId, writeCaseId } from "./case-ids.ts";
import { printOf } from "./fingerprint.ts";
import { answerTo, initialState, type SecondFlow, timersOf } from "./flows.ts";
import type { SecondIntent } from "./intent.ts";
import {
  accountKey,
  addAccount,
  type LaneLedger,
  type SecondAccount,
  type SecondLine,
  type SecondOutcome,
  type SecondTimer,
  timerKey,
} from "./ledger.ts";
import { firstOf, reasonOf } from "./refusals.ts";
import type { SecondRules } from "./rules.ts";
import { at, itemsOf, type Tree, textOf, Unreadable } from "./tree.ts";
import { Trial } from "./trial.ts";

/** What a block's inputs make, gathered while they are decided. */
export type Gathered = {
  readonly lines: SecondLine[];
  readonly outcomes: SecondOutcome[];
  /** cases that were opened or moved, or that remember an event more */
  readonly touched: Set<SecondCase>;
};

export type SecondInput =
  | {
      readonly kind: "intent";
      readonly offset: bigint;
      readonly appendedAtMs: number;
      readonly intent: SecondIntent;
      /** that it opens a case of; null: it moves one */
      readonly opens: SecondFlow | null;
    }
  | { readonly kind: "timer"; readonly timer: SecondTimer };

type IntentGiven = Extract<SecondInput, { kind: "intent" }>;

/** An input that no lane may take: it would have halted. */
export class Undecidable extends Error {
  override name = "Undecidable";
}

const LEDGER_LIMIT = 10n ** 38n;
const ALIEN: Bound = { currencies: new Map(), values: new Map() };
type Bound = { readonly currencies: ReadonlyMap<string, string>; readonly values: ReadonlyMap<string, bigint> };

export class Deciding {
  readonly #rules: SecondRules;
  readonly #ledger: LaneLedger;
  readonly #gathered: Gathered;

  constructor(rules: SecondRules, ledger: LaneLedger, gathered: Gathered) {
    this.#rules = rules;
    this.#ledger = ledger;
    this.#gathered = gathered;
  }

  intent(input: IntentGiven): void {
    const { intent, opens } = input;
    const id = readCaseId(intent.caseId);
    if (id === null) return this.#refuse(input, "malformed_case_id", null);
    if (opens !== null) {
      const { caseFutureMs, caseWindowMs } = this.#rules;
      if (id.timeMs > input.appendedAtMs + caseFutureMs) return this.#refuse(input, "case_id_in_future", null);
      if (id.timeMs < input.appendedAtMs - caseWindowMs) return this.#refuse(input, "intent_expired", null);
    }
    const found = this.#ledger.cases.get(id.uuid) ?? null;
    // Only its holder can move a case; to others it is not there. Opening it again is a conflict whoever asks.
    const known = opens === null && found?.holderId !== intent.holderId ? null : found;
    if (known !== null) {
      const earlier = rememberedBy(known, opens === null ? intent.idempotencyKey : null);
      if (earlier?.print === printOf(intent))
        return this.#answer(input, { known, code: null, repeatOf: earlier.sequence });
      if (earlier !== null) return this.#refuse(input, "idempotency_conflict", known);
    }
    const amounts = this.#judgeAmounts(intent);
    if (opens !== null) return this.#open(input, opens, id, amounts);
    if (known === null) return this.#refuse(input, amounts ?? "case_not_found", null);
    this.#move(input, known, amounts);
  }

  timer(input: Extract<SecondInput, { kind: "timer" }>): void {
    const { uuid, name, dueMs } = input.timer;
    const known = this.#ledger.cases.get(uuid);
    if (known?.timers.get(name) !== dueMs) throw new Undecidable(`no case waits for timer ${name} of ${uuid}`);
    const alternative = answerTo(known.flow, known.state, `timer.${name}`);
    if (alternative === undefined) throw new Undecidable(`in ${known.state} nothing answers timer ${name}`);
    known.timers = new Map([...known.timers].filter(([other]) => other !== name));
    this.#ledger.timers.delete(timerKey(input.timer));
    const trial = new Trial(this.#rules, this.#ledger, known, null);
    const to = walk(known.flow, trial, alternative);
    trial.judgeFunds();
    const code = firstOf(trial.refusals);
    if (code !== null) throw new Undecidable(`timer ${name} of ${uuid} is refused: ${code}`);
    this.#book(known, trial, to);
    const first = this.#ledger.outcomesNext;
    trial.emitted.forEach((_, index) => this.#emit(input, known, trial, index));
    const sequence = trial.emitted.length === 0 ? "" : first;
    this.#remember(known, `timer.${name}|t|${dueMs}|${this.#ledger.block + 1n}|${sequence}|${known.state}||`);
  }

  // Cases ---------------------------------------------------------------------------------------------------------------

  #open(
    input: IntentGiven,
    flow: SecondFlow,
    id: { readonly uuid: string; readonly kind: string },
    amounts: string | null,
  ): void {
    const { intent } = input;
    const fresh: SecondCase = {
      uuid: id.uuid,
      kind: id.kind,
      flow,
      holderId: intent.holderId,
      occurredAt: intent.occurredAt,
      state: "rejected",
      ...ALIEN,
      timers: new Map(),
      history: [],
      isDataKnown: true,
    };
    this.#ledger.cases.set(fresh);
    const trial = new Trial(this.#rules, this.#ledger, fresh, intent);
    if (amounts !== null) return this.#conclude(input, fresh, trial, { to: null, code: amounts });
    trial.bind();
    const to = walk(flow, trial, { to: initialState(flow) });
    this.#conclude(input, fresh, trial, { to, code: firstOf(trial.refusals) });
  }

  #move(input: IntentGiven, known: SecondCase, amounts: string | null): void {
    const trial = new Trial(this.#rules, this.#ledger, known, input.intent);
    const alternative = answerTo(known.flow, known.state, `intent.${input.intent.type}`);
    if (amounts !== null || alternative === undefined) {
      return this.#conclude(input, known, trial, { to: null, code: amounts ?? "invalid_state" });
    }
    const to = walk(known.flow, trial, alternative);
    this.#conclude(input, known, trial, { to, code: firstOf(trial.refusals) });
  }

  /** Accepted or refused: either way the case remembers it. */
  #conclude(
    input: IntentGiven,
    known: SecondCase,
    trial: Trial,
    end: { readonly to: string | null; readonly code: string | null },
  ): void {
    if (end.code === null) trial.judgeFunds();
    const code = end.code ?? firstOf(trial.refusals);
    const sequence = this.#ledger.outcomesNext;
    if (code !== null) {
      this.#refuse(input, code, known);
    } else {
      this.#book(known, trial, end.to);
      if (trial.emitted.length === 0) trial.emitted.push({ type: "intent.accepted", amounts: [] });
      trial.emitted.forEach((_, index) => this.#emit(input, known, trial, index));
    }
    const { type, idempotencyKey } = input.intent;
    const place = `${input.offset}|${this.#ledger.block + 1n}|${sequence}`;
    this.#remember(known, `${type}|i|${place}|${known.state}|${printOf(input.intent)}|${idempotencyKey ?? ""}`);
  }

  #remember(known: SecondCase, line: string): void {
    known.history = [...known.history, line];
    this.#gathered.touched.add(known);
  }

  #judgeAmounts({ amount, floorMinor, currency }: SecondIntent): string | null {
    const applying = new Set<string>();
    if (amount !== null && amount.minor <= 0n) applying.add("amount_not_positive");
    for (const minor of [amount?.minor ?? 0n, floorMinor ?? 0n]) {
      if (minor >= LEDGER_LIMIT || minor <= -LEDGER_LIMIT) applying.add("amount_too_large");
    }
    for (const code of [amount?.currency ?? null, currency]) {
      if (code !== null && !this.#rules.scales.has(code)) applying.add("unknown_currency");
    }
    return firstOf(applying);
  }

  // Effects -------------------------------------------------------------------------------------------------------------

  /** @param to the state that the case comes to rest in; null: it stays where it is */
  #book(known: SecondCase, trial: Trial, to: string | null): void {
    const ledger = this.#ledger;
    for (const account of trial.opened.values()) {
      ledger.accountCount += 1n;
      const number = (BigInt(ledger.lane) << 40n) + ledger.accountCount;
      addAccount(ledger, { ...account, id: account.place.holderId === null ? -number : number });
    }
    for (const { debit, credit, currency, minor, posting } of trial.lines) {
      const one = this.#booked(debit);
      const other = this.#booked(credit);
      one.debits += minor;
      other.credits += minor;
      this.#gathered.lines.push({ debit: one.id, credit: other.id, currency, minor, uuid: known.uuid, posting });
    }
    if (trial.change !== null) {
      const changed = this.#booked(trial.change.account);
      changed.floorMinor = trial.change.floorMinor;
      changed.status = trial.change.status;
    }
    known.currencies = trial.currencies;
    known.values = trial.values;
    if (to !== null) this.#enter(known, to);
  }

  /** The account with its id, when it was opened only now. */
  #booked({ path, currency, place }: SecondAccount): SecondAccount {
    const found = this.#ledger.accounts.get(accountKey(path, currency, place));
    if (found === undefined) throw new Unreadable(`account ${path} ${currency} is not there`);
    return found;
  }

  #enter(known: SecondCase, state: string): void {
    const { timers, nowMs } = this.#ledger;
    for (const [name, dueMs] of known.timers) timers.delete(timerKey({ dueMs, uuid: known.uuid, name }));
    known.state = state;
    known.timers = new Map(timersOf(known.flow, state).map(({ name, afterMs }) => [name, nowMs + afterMs]));
    for (const [name, dueMs] of known.timers) {
      const timer = { dueMs, uuid: known.uuid, name };
      timers.set(timerKey(timer), timer);
    }
  }

  // Outcomes ------------------------------------------------------------------------------------------------------------

  #refuse(input: IntentGiven, code: string, known: SecondCase | null): void {
    this.#answer(input, { known, code, repeatOf: null });
  }

  #answer(
    input: IntentGiven,
    given: { readonly known: SecondCase | null; readonly code: string | null; readonly repeatOf: bigint | null },
  ): void {
    const { intent, opens } = input;
    const { known, code, repeatOf } = given;
    const { amount } = intent;
    const scale = amount === null ? 0 : (this.#rules.scales.get(amount.currency) ?? amount.scale);
    const refused = opens === null ? "intent.rejected" : `${opens.name}.rejected`;
    this.#send({
      ...givenBack(intent),
      outcomeId: `i-${this.#ledger.lane}-${input.offset}`,
      type: code === null ? "intent.repeated" : refused,
      caseId: intent.caseId,
      intentType: intent.type,
      status: known?.state ?? (opens === null ? "none" : "rejected"),
      reason: code === null ? null : reasonOf(code),
      repeatOf: repeatOf === null ? null : { lane: this.#ledger.lane, sequence: repeatOf },
      amounts: amount === null ? {} : { requested: { currency: amount.currency, scale, minor: String(amount.minor) } },
      lines: 0,
      flow: known?.flow.ref ?? opens?.ref ?? null,
    });
  }

  #emit(input: SecondInput, known: SecondCase, trial: Trial, index: number): void {
    const { type, amounts } = trial.emitted[index] as Trial["emitted"][number];
    const intent = input.kind === "intent" ? input.intent : null;
    const timer = input.kind === "timer" ? input.timer : null;
    const name =
      timer === null ? `i-${this.#ledger.lane}-${(input as IntentGiven).offset}` : timerName(this.#ledger.lane, timer);
    this.#send({
      ...(intent === null ? { ...NOBODY, holderId: known.holderId } : givenBack(intent)),
      outcomeId: index === 0 ? name : `${name}-${index}`,
      type,
      caseId: intent === null ? writeCaseId(known.kind, known.uuid) : intent.caseId,
      intentType: index === 0 ? (intent?.type ?? null) : null,
      status: known.state,
      reason: null,
      repeatOf: null,
      amounts: Object.fromEntries(
        amounts.map(({ name: of, minor, currency }) => [
          of,
          { currency, scale: this.#rules.scales.get(currency) ?? -1, minor: String(minor) },
        ]),
      ),
      lines: trial.lines.length,
      flow: known.flow.ref,
      ...(timer === null ? {} : { occurredAt: BigInt(timer.dueMs) * 1_000n }),
    });
  }

  #send(outcome: Omit<SecondOutcome, "recordedAt">): void {
    this.#gathered.outcomes.push({ ...outcome, recordedAt: BigInt(this.#ledger.nowMs) * 1_000n });
    this.#ledger.outcomesNext += 1n;
  }
}

const NOBODY = {
  sourceId: null,
  idempotencyKey: null,
  occurredAt: 0n,
  correlationId: null,
  causationId: null,
  traceparent: null,
};

function givenBack(intent: SecondIntent) {
  const { sourceId, holderId, idempotencyKey, occurredAt, correlationId, causationId, traceparent } = intent;
  return { sourceId, holderId, idempotencyKey, occurredAt, correlationId, causationId, traceparent };
}

function timerName(lane: number, { uuid, name, dueMs }: SecondTimer): string {
  return `t-${lane}-${uuid}-${name}-${dueMs}`;
}

/** What a case remembers under a key; with null under its own id, which is its first event.
 *  `event|source|offset|block|sequence|state|fingerprint|key` */
function rememberedBy(
  known: SecondCase,
  key: string | null,
): { readonly print: string; readonly sequence: bigint } | null {
  for (const [index, line] of known.history.entries()) {
    const [, source, , , sequence, , print = "", ...rest] = line.split("|");
    const isIt = key === null ? index === 0 : index > 0 && source === "i" && rest.join("|") === key;
    if (isIt) return { print, sequence: BigInt(sequence ?? "") };
  }
  return null;
}

const STEPS_MAX = 100;

/** Goes from state to state until one waits, doing what stands on the way.
 *  @returns the state that the case comes to rest in; null: it stays */
function walk(flow: SecondFlow, trial: Trial, from: Tree): string | null {
  let alternative: Tree | undefined = from;
  let rests: string | null = null;
  for (let step = 0; alternative !== undefined; step++) {
    if (step > STEPS_MAX) throw new Unreadable(`${flow.ref} does not come to rest`);
    trial.do(at(alternative, "do"));
    const to = textOf(at(alternative, "to"), "a state");
    if (to === "stay") return rests;
    rests = to;
    trial.do(at(flow.spec, "states", to, "entry"));
    alternative = itemsOf(at(flow.spec, "states", to, "always"))[0];
  }
  return rests;
}
