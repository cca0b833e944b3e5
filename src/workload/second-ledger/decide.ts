// Decides one input anew: what a case answers to an intent, to a report, to a message or to a timer that fires.

import type { OriginMessage, ReportMessage } from "../../kafka/codec-messages.ts";
import { freshCase, type SecondCase } from "./case-book.ts";
import { readCaseId } from "./case-ids.ts";
import { placeOf } from "./chart.ts";
import { printOf } from "./fingerprint.ts";
import { answersTo, factAnswers, type SecondFlow } from "./flows.ts";
import { Happening, type HappeningOf, type Remembering, type Turn } from "./happening.ts";
import { homeOf } from "./homes.ts";
import { eventOf } from "./intake.ts";
import type { SecondIntent } from "./intent.ts";
import { type Gathered, keepAll, remember } from "./keeping.ts";
import { type LaneLedger, type SecondTimer, timerKey } from "./ledger.ts";
import { symbolToMove } from "./needs.ts";
import { answerOutcome, type Cause, refusedOpening } from "./outcomes.ts";
import { firstOf } from "./refusals.ts";
import { eventOfReport, fieldsOfReport, isRemembered, type ReportGiven } from "./reports.ts";
import type { EventGiven } from "./scope.ts";
import type { Given } from "./trial.ts";
import type { World } from "./world.ts";

export type IntentGiven = {
  readonly kind: "intent";
  readonly offset: bigint;
  readonly appendedAtMs: number;
  readonly intent: SecondIntent;
  /** that it opens a case of; null: it moves one */
  readonly opens: SecondFlow | null;
};

/** An input that no lane may take: it would have halted. */
export class Undecidable extends Error {
  override name = "Undecidable";
}

const LEDGER_LIMIT = 10n ** 38n;

export class Deciding {
  readonly #world: World;
  readonly #ledger: LaneLedger;
  readonly #gathered: Gathered;

  constructor(world: World, ledger: LaneLedger, gathered: Gathered) {
    this.#world = world;
    this.#ledger = ledger;
    this.#gathered = gathered;
  }

  // Intents -------------------------------------------------------------------------------------------------------------

  intent(input: IntentGiven): void {
    const { intent, opens } = input;
    const id = readCaseId(intent.caseId);
    if (id === null) return this.#refuse(input, "malformed_case_id", null);
    if (opens !== null) {
      const { caseFutureMs, caseWindowMs } = this.#world.rules;
      if (id.timeMs > input.appendedAtMs + caseFutureMs) return this.#refuse(input, "case_id_in_future", null);
      if (id.timeMs < input.appendedAtMs - caseWindowMs) return this.#refuse(input, "intent_expired", null);
    }
    const found = this.#ledger.cases.get(id.uuid) ?? null;
    // Only its holder can move a case; to others it is not there. Opening it again is a conflict whoever asks.
    const known = opens === null && found?.holderId !== intent.holderId ? null : found;
    if (known !== null) {
      const earlier = rememberedBy(known, opens === null ? intent.idempotencyKey : null);
      if (earlier?.print === printOf(intent)) return this.#repeat(input, known, earlier.sequence);
      if (earlier !== null || opens !== null) return this.#refuse(input, "idempotency_conflict", known);
    }
    const amounts = this.#judgeAmounts(intent);
    if (opens !== null) return this.#open(input, opens, id, amounts ?? this.#judgeNamed(intent));
    if (known === null) return this.#refuse(input, amounts ?? "case_not_found", null);
    this.#move(input, known, amounts);
  }

  #judgeAmounts({ amount, floorMinor, currency, settlementCurrency }: SecondIntent): string | null {
    const applying = new Set<string>();
    if (amount !== null && amount.minor <= 0n) applying.add("amount_not_positive");
    for (const minor of [amount?.minor ?? 0n, floorMinor ?? 0n]) {
      if (minor >= LEDGER_LIMIT || minor <= -LEDGER_LIMIT) applying.add("amount_too_large");
    }
    for (const code of [amount?.currency ?? null, currency, settlementCurrency]) {
      if (code !== null && !this.#world.rules.scales.has(code)) applying.add("unknown_currency");
    }
    return firstOf(applying);
  }

  /** What is open to flows alone no intent may name. */
  #judgeNamed({ account, from, to }: SecondIntent): string | null {
    const named = [account, from, to].flatMap((path) =>
      path === null ? [] : [placeOf(this.#world.rules.chart, path)],
    );
    return named.some((place) => place?.isReserved === true) ? "account_reserved" : null;
  }

  #open(
    input: IntentGiven,
    flow: SecondFlow,
    id: { readonly uuid: string; readonly kind: string },
    amounts: string | null,
  ): void {
    const { intent } = input;
    const fresh = freshCase(id, flow, intent.holderId, { occurredAt: intent.occurredAt, parent: null });
    this.#ledger.cases.set(fresh);
    this.#conclude(input, fresh, amounts, null);
  }

  #move(input: IntentGiven, known: SecondCase, amounts: string | null): void {
    const alternatives = answersTo(known.flow, known.state, eventOf(input.intent));
    this.#conclude(
      input,
      known,
      amounts ?? this.#judgeCurrency(input.intent, known) ?? (alternatives === undefined ? "invalid_state" : null),
      alternatives ?? null,
    );
  }

  #judgeCurrency(intent: SecondIntent, { flow, currencies }: SecondCase): string | null {
    const symbol = symbolToMove(flow, eventOf(intent));
    if (symbol === null || intent.amount === null) return null;
    return currencies.get(symbol) === intent.amount.currency ? null : "currency_mismatch";
  }

  /** Accepted or refused: either way the case remembers it. */
  #conclude(input: IntentGiven, known: SecondCase, refused: string | null, alternatives: Turn["alternatives"]): void {
    const { intent, offset } = input;
    const remembering: Remembering = {
      event: intent.type,
      source: "i",
      offset,
      print: printOf(intent),
      key: intent.idempotencyKey ?? "",
    };
    const of = { holderId: known.holderId, isWish: true, atMicros: intent.occurredAt };
    const happening = new Happening(this.#world, this.#ledger, of);
    const event = { name: eventOf(intent), fields: new Map(), currencies: new Map(), atMs: intent.occurredAt / 1_000n };
    const turn: Turn = { uuid: known.uuid, given: { intent, event }, remembering, alternatives };
    const code = refused ?? happening.run(turn);
    if (code === null) return this.#keep(happening, { stem: this.#stem(input), intent, occurredAt: intent.occurredAt });
    const sequence = this.#ledger.outcomesNext;
    this.#refuse(input, code, known);
    this.#remember(known, remembering, sequence);
  }

  #refuse(input: IntentGiven, code: string, known: SecondCase | null): void {
    this.#answer(input, known, code, null);
  }

  #repeat(input: IntentGiven, known: SecondCase, sequence: bigint): void {
    this.#answer(input, known, null, sequence);
  }

  #answer(input: IntentGiven, known: SecondCase | null, code: string | null, repeatOf: bigint | null): void {
    const outcome = answerOutcome(this.#world.rules, this.#ledger, this.#stem(input), input, { known, code, repeatOf });
    this.#gathered.outcomes.push(outcome);
    this.#ledger.outcomesNext += 1n;
  }

  #stem({ offset }: IntentGiven): string {
    return `i-${this.#ledger.lane}-${offset}`;
  }

  // Timers --------------------------------------------------------------------------------------------------------------

  timer(timer: SecondTimer): void {
    const { uuid, name, dueMs } = timer;
    const known = this.#ledger.cases.get(uuid);
    if (known?.timers.get(name) !== dueMs) throw new Undecidable(`no case waits for timer ${name} of ${uuid}`);
    const event = `timer.${name}`;
    const alternatives = answersTo(known.flow, known.state, event);
    if (alternatives === undefined) throw new Undecidable(`in ${known.state} nothing answers timer ${name}`);
    known.timers = new Map([...known.timers].filter(([other]) => other !== name));
    this.#ledger.timers.delete(timerKey(timer));
    const remembering: Remembering = { event, source: "t", offset: BigInt(dueMs), print: "", key: "" };
    const atMs = BigInt(dueMs);
    const given: Given = { intent: null, event: { name: event, fields: new Map(), currencies: new Map(), atMs } };
    const of = { holderId: known.holderId, isWish: false, atMicros: atMs * 1_000n };
    const done = this.#fact(of, { uuid, given, remembering, alternatives });
    const stem = `t-${this.#ledger.lane}-${uuid}-${name}-${dueMs}`;
    this.#keep(done, { stem, intent: null, occurredAt: atMs * 1_000n });
  }

  // Reports -------------------------------------------------------------------------------------------------------------

  /** @throws Undecidable */
  report(given: ReportGiven): void {
    const { report } = given;
    if (report.from !== null && report.result === "asked") return this.#asked(given, report.from);
    const uuid = readCaseId(report.caseId)?.uuid ?? "";
    const known = this.#ledger.cases.get(uuid);
    if (known === undefined || known.holderId !== report.holderId)
      throw new Undecidable(`no case ${report.caseId} of its holder`);
    const result = eventOfReport(known, report);
    if (typeof result === "string") throw new Undecidable(result);
    if (isRemembered(known, report.observation)) return;
    const event = this.#eventOf(known.flow, result.event, report);
    const remembering = rememberingOf(given, result.event);
    const alternatives = factAnswers(known, result.event);
    const of = { holderId: report.holderId, isWish: false, atMicros: report.occurredAt };
    const done = this.#fact(of, { uuid, given: { intent: null, event }, remembering, alternatives });
    this.#keep(done, { stem: given.stem, intent: null, occurredAt: report.occurredAt });
  }

  /** What cannot be refused. Where it comes to a number that is too large, all that becomes of it is that somebody is told. */
  #fact(of: HappeningOf, turn: Turn): Happening {
    const happening = new Happening(this.#world, this.#ledger, of);
    const code = happening.run(turn);
    if (code === null) return happening;
    if (code !== "amount_too_large")
      throw new Undecidable(`${turn.remembering.event} of ${turn.uuid} is refused: ${code}`);
    const told = new Happening(this.#world, this.#ledger, of);
    told.run({ ...turn, alternatives: [{ do: [{ emit: "ops.attention", code }], to: "stay" }] });
    return told;
  }

  #eventOf(flow: SecondFlow, name: string, report: ReportMessage): EventGiven {
    const fields = fieldsOfReport(flow, name, report);
    if (typeof fields === "string") throw new Undecidable(fields);
    const currencies = new Map([["*", report.payload["currency"] ?? ""]]);
    return { name, fields, currencies, atMs: report.occurredAt / 1_000n };
  }

  /** A message that opens a case, and is answered. */
  #asked(given: ReportGiven, from: OriginMessage): void {
    const { report, stem } = given;
    const flow = this.#world.versionOf(({ startsOnMessage }) => startsOnMessage === report.call);
    const id = readCaseId(report.caseId);
    if (flow === undefined || id === null) throw new Undecidable(`no flow starts on ${report.call}`);
    const found = this.#ledger.cases.get(id.uuid);
    if (found !== undefined) {
      if (!isRemembered(found, report.observation)) this.#reply(report, from, "idempotency_conflict");
      return;
    }
    const event = this.#eventOf(flow, `message.${report.call}`, report);
    const fresh = freshCase(id, flow, report.holderId, { occurredAt: report.occurredAt, parent: null });
    this.#ledger.cases.set(fresh);
    const remembering = rememberingOf(given, event.name);
    const { holderId, occurredAt } = report;
    const happening = new Happening(this.#world, this.#ledger, { holderId, isWish: true, atMicros: occurredAt });
    const code = happening.run({ uuid: id.uuid, given: { intent: null, event }, remembering, alternatives: null });
    const cause = { stem, intent: null, occurredAt: report.occurredAt };
    if (code === null) this.#keep(happening, cause);
    else this.#refuseOpening(fresh, code, cause, remembering);
    this.#reply(report, from, code);
  }

  #refuseOpening(fresh: SecondCase, code: string, cause: Cause, remembering: Remembering): void {
    const sequence = this.#ledger.outcomesNext;
    this.#gathered.outcomes.push(refusedOpening(this.#ledger, cause, fresh, code));
    this.#ledger.outcomesNext += 1n;
    this.#remember(fresh, remembering, sequence);
  }

  #reply(report: ReportMessage, from: OriginMessage, code: string | null): void {
    const { holderId, caseId } = report;
    const { call, attempt } = from;
    const result = code === null ? "accepted" : "refused";
    this.#gathered.messages.push({
      toLane: homeOf(from.holderId, this.#world.rules.lanes),
      holderId: from.holderId,
      caseId: from.caseId,
      call,
      attempt,
      result,
      observation: `${caseId}/${call}/${attempt}/${result}`,
      payload: code === null ? {} : { code },
      occurredAt: BigInt(this.#ledger.nowMs) * 1_000n,
      from: { holderId, caseId, call, attempt },
    });
  }

  #remember(known: SecondCase, remembering: Remembering, sequence: bigint | null): void {
    remember(known, remembering, { block: this.#ledger.block + 1n, sequence, state: known.state });
    this.#gathered.touched.add(known);
  }

  #keep(happening: Happening, of: Cause): void {
    keepAll(this.#world, this.#ledger, this.#gathered, of, happening);
  }
}

function rememberingOf({ source, offset, report }: ReportGiven, event: string): Remembering {
  return { event, source, offset, print: "", key: report.observation };
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
