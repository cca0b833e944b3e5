// The role `rates`: reads the topic of rates from where it was left and makes versions of what it believes. What fails is
// tried again with the same records: judged twice they make nothing new.

import { setTimeout as sleep } from "node:timers/promises";
import { RateSnapshot } from "../domain/fx/rates.ts";
import { Undecodable } from "../kafka/codec.ts";
import type { RateCodec, RateMessage } from "../kafka/codec-rate.ts";
import type { InputRecord, PartitionReader, TopicAdmin } from "../kafka/port.ts";
import type { ConnectionPool } from "../store/database.ts";
import { rateBookAt, readRatePosition } from "../store/rates.ts";
import type { Tick } from "./judge.ts";
import { type Taken, type TakenTick, type TickRules, takeTicks } from "./take-ticks.ts";

export type TakerEvents = {
  taken(taken: Taken): void;
  /** something is away; tried again after a pause */
  failed(error: unknown): void;
  /** the topic has lost what was not read yet, or was made anew: reading goes on at its beginning */
  positionLost(position: bigint, low: bigint, end: bigint): void;
};

export type TakerParts = {
  readonly topic: string;
  readonly rules: TickRules;
  readonly decoder: RateCodec["decoder"];
  readonly pool: Pick<ConnectionPool, "lend">;
  readonly admin: Pick<TopicAdmin, "bounds">;
  readonly openReader: (offset: bigint) => Promise<PartitionReader>;
  readonly events: TakerEvents;
};

const PARTITION = 0;
const BATCH_TICKS_MAX = 1_000;
const WAIT_MS = 500;
const PAUSE_FIRST_MS = 100;
const PAUSE_MAX_MS = 5_000;

export class RateTaker {
  readonly #parts: TakerParts;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;
  #book = RateSnapshot.EMPTY;

  constructor(parts: TakerParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    for (let pauseMs = PAUSE_FIRST_MS; !this.#isStopping; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
      const began = performance.now();
      try {
        await this.#read();
      } catch (error) {
        this.#parts.events.failed(error);
      }
      if (performance.now() - began > PAUSE_MAX_MS) pauseMs = PAUSE_FIRST_MS; // it went well for a while
      if (!this.#isStopping) await this.#pause(pauseMs);
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  /** From the stored position on, until something fails or the role stops. */
  async #read(): Promise<void> {
    const { pool, openReader } = this.#parts;
    this.#book = await pool.lend((connection) => rateBookAt(connection));
    const reader = await openReader(await this.#startOffset());
    try {
      while (!this.#isStopping) {
        for (const run of await reader.next(WAIT_MS)) await this.#take(run.records, run.nextOffset);
      }
    } finally {
      await reader.close();
    }
  }

  async #startOffset(): Promise<bigint> {
    const { topic, pool, admin, events } = this.#parts;
    const position = await pool.lend((connection) => readRatePosition(connection, topic));
    const { low, end } = await admin.bounds(topic, PARTITION);
    if (position >= low && position <= end) return position;
    if (position !== 0n) events.positionLost(position, low, end);
    return low;
  }

  async #take(records: readonly InputRecord[], nextOffset: bigint): Promise<void> {
    for (let from = 0; from < records.length && !this.#isStopping; from += BATCH_TICKS_MAX) {
      const part = records.slice(from, from + BATCH_TICKS_MAX);
      const isLast = from + BATCH_TICKS_MAX >= records.length;
      const next = isLast ? nextOffset : (part.at(-1) as InputRecord).offset + 1n;
      await this.#takeBatch(part, next);
    }
  }

  async #takeBatch(records: readonly InputRecord[], nextOffset: bigint): Promise<void> {
    const { topic, rules, pool, events } = this.#parts;
    const ticks: TakenTick[] = [];
    for (const record of records) {
      const tick = await this.#decode(record);
      if (tick !== null) ticks.push(tick);
    }
    const batch = { topic, ticks, nextOffset };
    const taken = await pool.lend((connection) => takeTicks(connection, rules, batch, this.#book));
    this.#book = taken.book;
    events.taken(taken);
  }

  /** Null for a tombstone: somebody has deleted a key, and nothing follows from that.
   *  @throws RegistryUnreachable */
  async #decode({ value, offset, appendedAtMs }: InputRecord): Promise<TakenTick | null> {
    if (value === null) return null;
    try {
      const message = await this.#parts.decoder.read(value);
      return { kind: "tick", offset, tick: tickOf(message, appendedAtMs) };
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error;
      return { kind: "undecodable", offset, receivedAtMs: appendedAtMs, detail: error.detail };
    }
  }
}

/** Times beyond what a date can be are held to its bounds: they are refused as too far ahead, or as going back. */
function tickOf(message: RateMessage, receivedAtMs: number): Tick {
  const { feed, base, quote, seq, bid, mid, ask, asOfAt } = message;
  const asOfMs = Math.max(0, Math.min(Number(asOfAt / 1000n), DATE_MAX_MS));
  return { feed, base, quote, seq, bid, mid, ask, asOfMs, receivedAtMs };
}

const DATE_MAX_MS = Date.UTC(9999, 11, 31);
