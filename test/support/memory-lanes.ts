// Several lanes of the production core in memory: their tables are Maps, their inputs arrays. A block reads only what it
// asks for, as from the database, and is decided again when that was not enough.

import type { Line, Outcome } from "../../src/domain/books.ts";
import { concerned } from "../../src/domain/concerned.ts";
import type { RateBook } from "../../src/domain/fx/rates.ts";
import type { Head } from "../../src/domain/head.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { NO_PARAMETERS, type ParameterBook } from "../../src/domain/parameters/parameters.ts";
import type { Rules } from "../../src/domain/rules.ts";
import type { Concerned } from "../../src/domain/seeking.ts";
import type { NewIntent, OfBlock, OutcomeMessage } from "../../src/kafka/codec-messages.ts";
import type { InputRecord } from "../../src/kafka/port.ts";
import { type Batch, type Block, type LaneMemory, makeBlock, NotRead } from "../../src/processor/block.ts";
import { NO_PAIRS } from "../../src/processor/crossing.ts";
import { takeIn } from "../../src/processor/intake.ts";
import { readReport } from "../../src/processor/reports.ts";
import type { BalanceRow, CaseRow, Situation } from "../../src/store/blocks.ts";
import { codecWith, MemoryRegistry } from "../unit/codec-fixtures.ts";
import { caseRowOf } from "./case-row.ts";

const LIMITS = { recordBytesMax: 65_536, futureMs: 86_400_000 };
const NOTHING = { next: 0n, last: -1n, lastAtMs: 0, lastHash: Buffer.alloc(0) };
const READS_MAX = 8;
export const codec = codecWith(new MemoryRegistry());

export class MemoryLanes {
  readonly rules: Rules;
  readonly nowMs: number;
  readonly #rates: RateBook;
  readonly #parameters: ParameterBook;
  readonly lanes: MemoryOwner[];
  /** how often a block was decided again with more */
  decidedAgain = 0;

  constructor(rules: Rules, nowMs: number, rates: RateBook, parameters = NO_PARAMETERS) {
    this.rules = rules;
    this.nowMs = nowMs;
    this.#rates = rates;
    this.#parameters = parameters;
    this.lanes = Array.from({ length: rules.lanes }, (_, lane) => new MemoryOwner(lane));
  }

  of(holderId: string): MemoryOwner {
    return this.lanes[homeLane(holderId, this.rules.lanes)] as MemoryOwner;
  }

  publish(intent: NewIntent): void {
    const { intents } = this.of(intent.holderId);
    const key = Buffer.from(intent.holderId);
    const value = codec.encoders.intent.encode(intent);
    intents.push({ offset: BigInt(intents.length), appendedAtMs: this.nowMs, key, value });
  }

  /** A block of a lane: at most so many of its reports and intents. */
  commit(lane: number, reportsMax: number, intentsMax: number): void {
    const owner = this.lanes[lane] as MemoryOwner;
    const batch = owner.batch(this.rules, reportsMax, intentsMax);
    if (batch.reports.length + batch.intents.length === 0) return;
    const block = this.#decide(owner, batch);
    owner.keep(block, codec);
    for (const [at, toLane] of block.messages.crossing.toLanes.entries()) {
      const start = block.messages.crossing.starts[at] as number;
      const value = block.messages.bytes.subarray(start, start + (block.messages.crossing.sizes[at] as number));
      owner.sent.push({
        toLane,
        key: Buffer.from(block.messages.crossing.keys[at] as string),
        value: Buffer.from(value),
      });
    }
  }

  #decide(owner: MemoryOwner, batch: Batch): Block {
    const maker = {
      rules: this.rules,
      rates: () => this.#rates,
      parameters: () => this.#parameters,
      codec,
      intentsTopic: "intents",
      process: 1n,
    };
    const sought = concerned(this.rules, owner.lane, batch);
    const asked: Concerned[] = [];
    for (let reads = 1; ; reads++) {
      asked.push(sought.next());
      try {
        return makeBlock(maker, owner.lane, owner.memory, batch, { ...owner.read(asked, this.nowMs), sought });
      } catch (error) {
        if (!(error instanceof NotRead) || reads === READS_MAX) throw error;
        this.decidedAgain += 1;
        sought.addMissing(error.missing);
      }
    }
  }
}

export type SentMessage = { readonly toLane: number; readonly key: Buffer; readonly value: Buffer };

export class MemoryOwner {
  readonly lane: number;
  readonly intents: InputRecord[] = [];
  readonly reports: InputRecord[] = [];
  /** in the outbox, in the order of blocks */
  readonly sent: SentMessage[] = [];
  readonly outcomes: Outcome[] = [];
  readonly lines: Line[] = [];
  readonly cases = new Map<string, CaseRow>();
  readonly balances = new Map<bigint, BalanceRow>();
  memory: LaneMemory;

  constructor(lane: number) {
    this.lane = lane;
    const head: Head = {
      epoch: 1n,
      block: 0n,
      digest: Buffer.alloc(32),
      nowMs: 0,
      intents: NOTHING,
      reports: NOTHING,
      timer: { dueMs: 0, caseId: "0".repeat(32), name: "" },
      outcomesNext: 0n,
      commandsNext: 0n,
      deadLettersNext: 0n,
      accounts: 0n,
    };
    this.memory = { head, house: new Map(), pairs: NO_PAIRS };
  }

  arrive({ key, value }: SentMessage, appendedAtMs: number): void {
    this.reports.push({ offset: BigInt(this.reports.length), appendedAtMs, key, value });
  }

  batch(rules: Rules, reportsMax: number, intentsMax: number): Batch {
    const { head } = this.memory;
    const some = (log: readonly InputRecord[], from: bigint, max: number) =>
      log.slice(Number(from), Number(from) + max);
    const reports = some(this.reports, head.reports.next, reportsMax);
    const intents = some(this.intents, head.intents.next, intentsMax);
    return {
      timers: [],
      reports: reports.map((one) => readReport(one, this.lane, rules.lanes, codec.decoders.report)),
      reportsNext: head.reports.next + BigInt(reports.length),
      reportsLast: reports.at(-1) ?? null,
      messages: [],
      intents: intents.map((one) => takeIn(one, this.lane, rules, codec.decoders.intent, LIMITS)),
      intentsNext: head.intents.next + BigInt(intents.length),
      intentsLast: intents.at(-1) ?? null,
      nowMs: Math.max(...[...reports, ...intents].map(({ appendedAtMs }) => appendedAtMs)),
      accepted: null,
    };
  }

  read(asked: readonly Concerned[], clockMs: number): Situation {
    const paths = new Set(asked.flatMap((one) => one.paths));
    const { epoch, block, digest } = this.memory.head;
    return {
      lane: { epoch, block, digest, clockMs },
      cases: asked.flatMap(({ caseIds }) => caseIds.flatMap((id) => this.cases.get(id) ?? [])),
      balances: [...this.balances.values()].filter(({ id, path }) => id > 0n && paths.has(path)),
    };
  }

  keep(block: Block, { decoders }: typeof codec): void {
    const { rows, messages } = block;
    for (const { path, currency, id } of block.newHouse) this.memory.house.set(`${path} ${currency}`, id);
    this.memory = { head: rows.after, house: this.memory.house, pairs: block.pairs };
    for (const one of rows.cases) if (one.changed || one.isNew) this.cases.set(one.id, caseRowOf(one));
    for (const one of rows.accounts) {
      const before = this.balances.get(one.id);
      const { id, path, currency, floorMinor, status } = one;
      const debits = (before?.debits ?? 0n) + one.addedDebits;
      const credits = (before?.credits ?? 0n) + one.addedCredits;
      this.balances.set(id, { id, path, currency, floorMinor, status, debits, credits });
    }
    this.lines.push(...rows.lines);
    for (const [at, start] of messages.starts.entries()) {
      if (messages.topics[at] !== "outcomes") continue;
      const value = Buffer.from(messages.bytes.subarray(start, start + (messages.sizes[at] as number)));
      const { blockDigest: _digest, ...outcome } = decoders.outcome.decode(value) as OfBlock<OutcomeMessage>;
      this.outcomes.push(outcome);
    }
  }
}
