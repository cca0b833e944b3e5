// One lane's blocks with card payments of all ages, made in memory. The same payments are published six times, each so long
// before those that are wanted that its timers of some age fall due among them. So a block holds what a lane has to do that
// has run for years: payments authorized, confirmed, captured, converted, given back, canceled, lapsed and closed.

import { type Books, isNewAccount, type ReportInput, type TimerKey } from "../../domain/books.ts";
import type { Inputs } from "../../domain/concerned.ts";
import { type RateBook, type RateRow, RateSnapshot } from "../../domain/fx/rates.ts";
import { parseCaseId } from "../../domain/ids.ts";
import type { Rules } from "../../domain/rules.ts";
import type { Codec } from "../../kafka/codec.ts";
import type { BalanceRow, CaseRow } from "../../store/blocks.ts";
import { type StoredData, writeData } from "../../store/case-data.ts";
import type { Rows } from "../../store/situation.ts";
import { Cards } from "../generate/cards.ts";
import type { Source } from "../load/pump.ts";
import { CardAnswers } from "./card-answers.ts";
import { decideBlock, LANE, type LaneBlock } from "./decide-block.ts";
import { intentOf } from "./naive-consumer.ts";

/** A block as it was decided, to be decided again. */
export type LivedBlock = LaneBlock & {
  /** what each reading found, in order */
  readonly read: readonly Rows[];
  readonly events: { readonly intents: number; readonly reports: number; readonly timers: number };
  readonly outcomes: number;
  readonly commands: number;
  readonly lines: number;
};

export const BLOCK_EVENTS = 1_000;
const BLOCK_EVERY_MS = 3_000;
/** Payments follow each other so fast, in their own time, that what follows upon one comes some five blocks later. */
const INTENTS_A_SECOND = 1_000;
const MERCHANTS = 1_000;
const DAY_MS = 86_400_000;
/** Of a payment captured, of a refund, of a payment that failed, of an authorization that nobody used, and of a refund that
 *  the provider is asked about once more. */
const DAYS_BEFORE = [540, 90, 30, 7, 3, 0];
/** The first blocks of a run have no answers to take yet, in the last ones no payment begins. */
const BLOCKS_BEFORE = 6;
const BLOCKS_AFTER = 6;

type LivesParts = { readonly rules: Rules; readonly codec: Codec };

/** @param blocks how many are wanted
 *  @param nowMs  when those take place, milliseconds since the epoch
 *  @returns blocks of `BLOCK_EVENTS` events each, in order */
export async function livedBlocks(parts: LivesParts, blocks: number, nowMs: number): Promise<LivedBlock[]> {
  const lives = new Lives(parts);
  let lived: LivedBlock[] = [];
  for (const days of DAYS_BEFORE) {
    const fromMs = nowMs - days * DAY_MS;
    lives.untilQuiet(fromMs);
    lived = await lives.publish(BLOCKS_BEFORE + blocks + BLOCKS_AFTER, fromMs);
  }
  // Copied they lie together in memory, as rows and inputs do that have just been read.
  return structuredClone(lived.slice(BLOCKS_BEFORE, BLOCKS_BEFORE + blocks));
}

class Lives {
  readonly #parts: LivesParts;
  readonly #answers = new CardAnswers();
  readonly #cases = new Map<string, CaseRow>();
  readonly #balances = new Map<string, BalanceRow>();
  readonly #house = new Map<string, bigint>();
  readonly #timers = new Map<string, { readonly timer: TimerKey; readonly net: number }>();
  /** by how many blocks from now they are taken */
  readonly #reports: ReportInput[][] = [];
  #head: LaneBlock["head"] = { block: 1n, outcomesNext: 0n, commandsNext: 0n, accounts: 0n };
  #offset = 0n;
  #nowMs = 0;

  constructor(parts: LivesParts) {
    this.#parts = parts;
  }

  /** Full blocks of a run of payments that begins then. */
  async publish(blocks: number, fromMs: number): Promise<LivedBlock[]> {
    const plan = { count: blocks * BLOCK_EVENTS, seed: 1, holders: MERCHANTS, zipf: 0, rate: INTENTS_A_SECOND };
    const parts = { encoder: this.#parts.codec.encoders.intent, lanes: 1 };
    const source = new Waiting(new Cards({ ...plan, runAtMs: fromMs }, parts));
    const lived: LivedBlock[] = [];
    for (let at = 0; at < blocks; at++) {
      this.#nowMs = fromMs + at * BLOCK_EVERY_MS;
      const timers = this.#due();
      const reports = this.#reports.shift() ?? [];
      const values = await source.take(BLOCK_EVENTS - timers.length - reports.length);
      lived.push(this.#decide({ timers, reports, intents: values.map((value) => this.#inputOf(value)) }));
    }
    return lived;
  }

  /** What is due before that time, and what it leads to. */
  untilQuiet(untilMs: number): void {
    for (;;) {
      const next = Math.min(...[...this.#timers.values()].map(({ timer }) => timer.dueMs));
      const reports = this.#reports.shift();
      if (reports === undefined && next >= untilMs) return;
      this.#nowMs = reports === undefined ? Math.max(this.#nowMs, next) : this.#nowMs + BLOCK_EVERY_MS;
      this.#decide({ timers: this.#due(), reports: reports ?? [], intents: [] });
    }
  }

  #due(): Inputs["timers"] {
    const due = [...this.#timers.values()].map(({ timer }) => timer).filter(({ dueMs }) => dueMs <= this.#nowMs);
    due.sort((one, other) => one.dueMs - other.dueMs || (one.caseId < other.caseId ? -1 : 1));
    return due.slice(0, BLOCK_EVENTS).map((timer) => ({ kind: "timer", timer }));
  }

  #inputOf(value: Buffer): Inputs["intents"][number] {
    const intent = intentOf(this.#parts.codec.decoders.intent.decode(value));
    const caseId = parseCaseId(intent.caseId);
    return { kind: "intent", offset: this.#offset++, appendedAtMs: this.#nowMs, intent, caseId };
  }

  #decide(inputs: Inputs): LivedBlock {
    const block = { inputs, nowMs: this.#nowMs, head: this.#head, house: new Map(this.#house) };
    const read: Rows[] = [];
    const books = decideBlock(this.#parts.rules, RATES, block, ({ caseIds, paths }) => {
      const rows = { cases: there(this.#cases, caseIds), balances: there(this.#balances, paths) };
      read.push(rows);
      return rows;
    });
    this.#keep(books);
    this.#answer(books);
    const { timers, reports, intents } = inputs;
    return {
      ...block,
      read,
      events: { timers: timers.length, reports: reports.length, intents: intents.length },
      outcomes: books.outcomes.length,
      commands: books.commands.length,
      lines: books.lines.length,
    };
  }

  /** As the database would. */
  #keep(books: Books): void {
    const { block, outcomesNext, commandsNext, accounts } = books;
    this.#head = { block: block + 1n, outcomesNext, commandsNext, accounts };
    for (const { flow, data, isNew: _isNew, changed, ...row } of books.cases.values()) {
      if (!changed) continue;
      const text = writeData(data);
      const stored = text === null ? null : (JSON.parse(text) as StoredData);
      this.#cases.set(row.id, { ...row, flow: flow.number, history: flat(row.history), data: stored });
    }
    for (const account of books.holderAccounts.values()) {
      const { id, path, currency, floorMinor, status } = account;
      const debits = account.debits + account.addedDebits;
      const credits = account.credits + account.addedCredits;
      if (!isNewAccount(account)) this.#balances.set(path, { id, path, currency, floorMinor, status, debits, credits });
    }
    for (const [name, account] of books.houseAccounts) if (!isNewAccount(account)) this.#house.set(name, account.id);
    for (const timer of books.timersArmed) this.#count(timer, 1);
    for (const timer of books.timersGone) this.#count(timer, -1);
  }

  #count(timer: TimerKey, more: number): void {
    const key = `${timer.dueMs} ${timer.caseId} ${timer.name}`;
    const net = (this.#timers.get(key)?.net ?? 0) + more;
    if (net === 0) this.#timers.delete(key);
    else this.#timers.set(key, { timer, net });
  }

  #answer({ commands }: Books): void {
    for (const command of commands) {
      for (const [at, report] of this.#answers.of(command, this.#nowMs).entries()) {
        const offset = this.#offset++;
        this.#reports[at] ??= [];
        this.#reports[at]?.push({ kind: "report", id: `r-${LANE}-${offset}`, source: "r", offset, report });
      }
    }
  }
}

/** The values of a source, taken by number. */
class Waiting {
  readonly #source: Source;
  #values: Buffer[] = [];

  constructor(source: Source) {
    this.#source = source;
  }

  async take(count: number): Promise<readonly Buffer[]> {
    while (this.#values.length < count) {
      const more = await this.#source.next();
      if (more === null) throw new Error("the payments are used up");
      this.#values.push(...more.map(({ record }) => record.value));
    }
    return this.#values.splice(0, count);
  }
}

function there<Row>(rows: ReadonlyMap<string, Row>, names: readonly string[]): Row[] {
  return names.flatMap((name) => rows.get(name) ?? []);
}

/** In one piece, as a text is that was read. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}

const ALWAYS_MS = Number.MAX_SAFE_INTEGER;

/** As the central bank publishes them; cross rates go over the euro. */
function euroRates(): RateBook {
  const prices = { USD: "1.0850", GBP: "0.8412", JPY: "161.94" };
  const rows = Object.entries(prices).map(([quote, price], at): RateRow => {
    const life = [{ untilMs: ALWAYS_MS, quality: "fresh", extraBps: 0n, lockMaxMs: null }] as const;
    const place = { feed: "ecb", priority: 1, pivot: "EUR", base: "EUR", quote };
    return {
      version: BigInt(at + 1),
      ...place,
      bid: price,
      mid: price,
      ask: price,
      seq: 1n,
      asOfMs: 0,
      receivedAtMs: 0,
      life,
    };
  });
  return RateSnapshot.EMPTY.with(BigInt(rows.length), rows);
}

/** What all blocks convert by. */
export const RATES: RateBook = euroRates();
