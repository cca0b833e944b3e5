// Sends records to the partitions of one topic: in order per partition, one batch in flight for each. With a rate the
// loop is open: every record has its time, whether earlier ones are acknowledged or not, until the window is full.

import { setTimeout as sleep, setImmediate as yieldToAnswers } from "node:timers/promises";
import type { OutgoingRecord, Producer, RawRecord } from "../../kafka/port.ts";

export type Outbound = Sendable & { readonly record: OutgoingRecord };

export type Asked = { readonly caseId?: string | null; readonly idempotencyKey?: string | null };

/** Told of what the pump does. Times are milliseconds since the epoch; without a rate a record is due when it is taken. */
export interface PumpWatch {
  /** before it is sent */
  taken(sendable: Sendable, dueMs: number): void;
  /** handed to the producer together, with the time at which each was due */
  sent(duesMs: readonly number[], nowMs: number): void;
  acknowledged(duesMs: readonly number[], nowMs: number): void;
}

/** Hands out records in chunks; null at the end. Records of one holder come in their order. */
export interface Source {
  next(): Promise<readonly Outbound[] | null>;
}

/** What the pump sends: any record, from any source of them. */
export type Sendable = {
  readonly partition: number;
  readonly record: RawRecord;
  /** by what the answer will be known; left out of what nobody will answer */
  readonly asked?: Asked;
};
export type SendableSource = { next(): Promise<readonly Sendable[] | null> };

export type PumpOptions = {
  readonly topic: string;
  readonly partitions: number;
  /** records a second; null is as fast as acknowledgements come */
  readonly rate: number | null;
  /** the time of the first record, milliseconds since the epoch; record `n` is due `n / rate` seconds later */
  readonly startAtMs: number;
  /** stops taking from the source; what is queued is still sent */
  readonly stop: AbortSignal | null;
  readonly progress: (acknowledged: number, waiting: number) => void;
  /** of one send, for a topic that takes less than usual; one record is sent however large it is */
  readonly batchBytes?: number;
  readonly watch?: PumpWatch;
};

export type Pumped = {
  readonly acknowledged: number;
  readonly seconds: number;
  /** the longest time that a record was taken after it was due; 0 without a rate */
  readonly lateMsMax: number;
};

/** Records gather this long before they are sent, as producers do by default since Kafka 4.0 (linger.ms). */
const LINGER_MS = 5;
const WINDOW_RECORDS = 100_000;
const WINDOW_BYTES = 64 << 20;
const BATCH_RECORDS = 2_000;
const BATCH_BYTES = 900_000;
/** More than the framing of a record takes. */
const RECORD_OVERHEAD_BYTES = 32;
/** Taken between two sends without a rate: who took all that there is room for would send the first when the last is made. */
const TURN_RECORDS = 2_000;
/** Without a rate small batches would only cost requests, so a partition waits for this many while there are more. */
const FULL_ENOUGH_RECORDS = 500;

/** @throws what the producer throws; what was queued behind is not sent then */
export function pump(producer: Producer, source: SendableSource, options: PumpOptions): Promise<Pumped> {
  return new Pump(producer, source, options).run();
}

class Lane {
  readonly records: RawRecord[] = [];
  /** when each of them is due; empty when nobody watches */
  readonly duesMs: number[] = [];
  isSending = false;
}

class Pump {
  readonly #producer: Producer;
  readonly #source: SendableSource;
  readonly #options: PumpOptions;
  readonly #lanes: readonly Lane[];
  #chunk: readonly Sendable[] = [];
  #chunkAt = 0;
  #isDrained = false;
  #taken = 0;
  #acknowledged = 0;
  #waitingBytes = 0;
  #sending = 0;
  #lateMsMax = 0;
  #failure: Error | null = null;
  #wake: () => void = () => {};

  constructor(producer: Producer, source: SendableSource, options: PumpOptions) {
    this.#producer = producer;
    this.#source = source;
    this.#options = options;
    this.#lanes = Array.from({ length: options.partitions }, () => new Lane());
  }

  async run(): Promise<Pumped> {
    const startedMs = performance.now();
    while (!this.#isDone()) {
      await this.#take();
      this.#flushAll();
      await this.#pause();
      this.#options.progress(this.#acknowledged, this.#taken - this.#acknowledged);
      if (this.#failure !== null) break;
    }
    while (this.#sending > 0) await this.#moved();
    if (this.#failure !== null) throw this.#failure;
    const seconds = (performance.now() - startedMs) / 1000;
    return { acknowledged: this.#acknowledged, seconds, lateMsMax: Math.round(this.#lateMsMax) };
  }

  #isDone(): boolean {
    return this.#isDrained && this.#acknowledged === this.#taken;
  }

  async #take(): Promise<void> {
    const due = this.#options.rate === null ? this.#taken + TURN_RECORDS : this.#due(this.#options.rate);
    while (this.#taken < due && this.#hasRoom()) {
      if (this.#chunkAt === this.#chunk.length && !(await this.#nextChunk())) return;
      this.#takeOne(this.#chunk[this.#chunkAt++] as Sendable);
    }
    const { rate, startAtMs } = this.#options;
    if (rate === null || this.#isDrained) return;
    this.#lateMsMax = Math.max(this.#lateMsMax, wallMs() - startAtMs - (this.#taken / rate) * 1000);
  }

  #takeOne(sendable: Sendable): void {
    const { watch, rate, startAtMs } = this.#options;
    const { partition, record } = sendable;
    const lane = this.#lanes[partition] as Lane;
    lane.records.push(record);
    if (watch !== undefined) {
      const dueMs = rate === null ? wallMs() : startAtMs + (this.#taken / rate) * 1000;
      lane.duesMs.push(dueMs);
      watch.taken(sendable, dueMs);
    }
    this.#waitingBytes += bytesOf(record);
    this.#taken += 1;
  }

  async #nextChunk(): Promise<boolean> {
    const chunk = this.#isDrained || this.#options.stop?.aborted === true ? null : await this.#source.next();
    this.#chunkAt = 0;
    this.#chunk = chunk ?? [];
    this.#isDrained ||= chunk === null;
    return this.#chunk.length > 0 || (!this.#isDrained && this.#nextChunk());
  }

  #due(rate: number): number {
    return Math.floor(((wallMs() - this.#options.startAtMs) / 1000) * rate) + 1;
  }

  #hasRoom(): boolean {
    return this.#taken - this.#acknowledged < WINDOW_RECORDS && this.#waitingBytes < WINDOW_BYTES;
  }

  #flushAll(): void {
    for (const [partition, lane] of this.#lanes.entries()) this.#flush(partition, lane);
  }

  #flush(partition: number, lane: Lane): void {
    if (lane.isSending || lane.records.length === 0 || this.#failure !== null) return;
    const isWorthWaiting = this.#options.rate === null && !this.#isDrained && this.#hasRoom();
    if (isWorthWaiting && lane.records.length < FULL_ENOUGH_RECORDS) return;
    const batch = lane.records.splice(0, batchSize(lane.records, this.#options.batchBytes ?? BATCH_BYTES));
    const duesMs = lane.duesMs.splice(0, batch.length);
    lane.isSending = true;
    this.#sending += 1;
    this.#options.watch?.sent(duesMs, wallMs());
    this.#producer.send(this.#options.topic, partition, batch).then(
      () => {
        this.#options.watch?.acknowledged(duesMs, wallMs());
        this.#sent(partition, lane, batch);
      },
      (error: unknown) => this.#failed(error),
    );
  }

  #sent(partition: number, lane: Lane, batch: readonly RawRecord[]): void {
    lane.isSending = false;
    this.#sending -= 1;
    this.#acknowledged += batch.length;
    for (const record of batch) this.#waitingBytes -= bytesOf(record);
    if (this.#options.rate === null) this.#flush(partition, lane);
    this.#wake();
  }

  #failed(error: unknown): void {
    this.#sending -= 1;
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#wake();
  }

  /** With a rate until the next tick; without, while there is room, only to hear of what was acknowledged. */
  #pause(): Promise<void> {
    if (this.#options.rate !== null && !this.#isDrained) return sleep(LINGER_MS);
    if (!this.#isDrained && this.#hasRoom()) return yieldToAnswers();
    return this.#sending === 0 ? Promise.resolve() : this.#moved();
  }

  #moved(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Wall clock with microseconds: `Date.now()` is too coarse for latencies. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

function bytesOf({ key, value, headers }: RawRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + (headers?.length ?? 0) + RECORD_OVERHEAD_BYTES;
}

/** How many of the first records make one batch; at least one. */
function batchSize(records: readonly RawRecord[], bytesMax: number): number {
  let bytes = 0;
  const most = Math.min(records.length, BATCH_RECORDS);
  for (let count = 0; count < most; count++) {
    bytes += bytesOf(records[count] as RawRecord);
    if (bytes > bytesMax && count > 0) return count;
  }
  return most;
}
