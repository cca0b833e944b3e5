// Recorded records on their way into another topic, or into the same one again.

import { murmur2 } from "../../domain/holder.ts";
import { parseCaseId } from "../../domain/ids.ts";
import { sizeInBatch } from "../../kafka/batch-write.ts";
import { type Codec, Undecodable } from "../../kafka/codec.ts";
import type { IntentMessage } from "../../kafka/codec-messages.ts";
import type { RawRecord } from "../../kafka/port.ts";
import type { Sendable, SendableSource } from "../load/pump.ts";
import type { Recorded, RecordedMerge } from "./merge.ts";
import { type Renewal, renewIntent } from "./renew.ts";
import { ReplayRefused, type Span } from "./span.ts";

/** What was handed out of one partition. */
export type Replayed = { readonly partition: number; readonly records: number; readonly next: bigint };

export type Target = {
  readonly topic: string;
  /** of the topic that is read, and of the one that is written */
  readonly partitions: { readonly from: number; readonly to: number };
  /** what the target takes in one append */
  readonly batchBytesMax: number;
};

/** Turns recorded records into those to be sent. */
export type Change = {
  change(recorded: readonly Recorded[]): Promise<readonly RawRecord[]>;
  /** Looks at the first records before anything is sent.
   *  @throws ReplayRefused */
  judge?(first: readonly Recorded[]): Promise<void>;
};

/** Key, value and headers as they are; the time is that of sending. */
export const UNCHANGED: Change = {
  change: async (recorded) => recorded.map(({ record }) => plain(record)),
};

/** As `UNCHANGED`, with the time at which the record was appended then. */
export const AT_RECORDED_TIMES: Change = {
  change: async (recorded) => recorded.map(({ record }) => ({ ...plain(record), timeMs: record.appendedAtMs })),
};

function plain({ key, value, headers }: RawRecord): RawRecord {
  return headers === undefined ? { key, value } : { key, value, headers };
}

const BATCH_OVERHEAD_BYTES = 61;
const READ_RECORDS = 1_000;

export class ReplaySource implements SendableSource {
  readonly #merge: RecordedMerge;
  readonly #change: Change;
  readonly #target: Target;
  readonly #chunkRecords: number;
  readonly #counts: Map<number, { records: number; next: bigint }>;
  #waiting: readonly Recorded[] = [];
  #isJudged = false;
  records = 0;
  bytes = 0;

  /** @param chunkRecords how many are handed out at once; what is handed out is sent, also after an interruption */
  constructor(
    parts: { readonly merge: RecordedMerge; readonly spans: readonly Span[]; readonly change: Change },
    target: Target,
    chunkRecords: number,
  ) {
    this.#merge = parts.merge;
    this.#change = parts.change;
    this.#target = target;
    this.#chunkRecords = chunkRecords;
    this.#counts = new Map(parts.spans.map(({ partition, from }) => [partition, { records: 0, next: from }]));
  }

  get replayed(): readonly Replayed[] {
    return [...this.#counts].map(([partition, count]) => ({ partition, ...count }));
  }

  /** @throws ReplayRefused when a record is larger than the target takes */
  async next(): Promise<readonly Sendable[] | null> {
    if (this.#waiting.length === 0) {
      const read = await this.#merge.next(READ_RECORDS);
      if (read === null) return null;
      if (!this.#isJudged && read.length > 0) await this.#change.judge?.(read);
      this.#isJudged ||= read.length > 0;
      this.#waiting = read;
    }
    const recorded = this.#waiting.slice(0, this.#chunkRecords);
    this.#waiting = this.#waiting.slice(recorded.length);
    const changed = await this.#change.change(recorded);
    const sendable = recorded.map((one, at) => this.#sendable(one, changed[at] as RawRecord));
    // Counted only now: of a chunk in which one is refused, none is handed out.
    for (const [at, one] of recorded.entries()) this.#count(one, changed[at] as RawRecord);
    return sendable;
  }

  #sendable({ partition, record: { offset } }: Recorded, record: RawRecord): Sendable {
    const bytes = sizeInBatch(record) + BATCH_OVERHEAD_BYTES;
    if (bytes > this.#target.batchBytesMax) {
      const limit = `${this.#target.topic} takes ${this.#target.batchBytesMax} (max.message.bytes)`;
      throw new ReplayRefused(`the record at ${partition}:${offset} takes ${bytes} bytes, and ${limit}`);
    }
    return { partition: targetPartition(partition, record.key, this.#target.partitions), record };
  }

  #count({ partition, record: { offset } }: Recorded, record: RawRecord): void {
    const count = this.#counts.get(partition);
    if (count !== undefined) {
      count.records += 1;
      count.next = offset + 1n;
    }
    this.records += 1;
    this.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0) + (record.headers?.length ?? 0);
  }
}

/** With as many partitions the same one, also for what lies off its holder's home: it must lie there again. With another
 *  number the key decides as in Kafka's default partitioner; what has no key stays together. */
export function targetPartition(
  partition: number,
  key: Buffer | null,
  { from, to }: { readonly from: number; readonly to: number },
): number {
  if (from === to) return partition;
  return key === null ? partition % to : (murmur2(key) & 0x7fffffff) % to;
}

export type RenewCounts = {
  /** became new payments */
  intents: number;
  /** sent as they are, because they cannot be read as intents */
  unread: number;
  /** new case ids older than the kept window when they were sent: they will be refused `intent_expired` */
  expired: number;
};

export type RenewPlan = {
  readonly codec: Pick<Codec, "decoders" | "encoders">;
  readonly renewal: Renewal;
  readonly caseWindowMs: number;
  /** what becomes of records whose case ids would be too old: the whole replay is refused before anything is sent, or
   *  they are sent and counted, as who named a shift wants it */
  readonly expired: "refuse" | "send";
  readonly topic: string;
};

/** `--as-new`: intents are decoded, renewed and encoded by the latest schema. */
export class Renewing implements Change {
  readonly counts: RenewCounts = { intents: 0, unread: 0, expired: 0 };
  readonly #plan: RenewPlan;

  constructor(plan: RenewPlan) {
    this.#plan = plan;
  }

  async change(recorded: readonly Recorded[]): Promise<readonly RawRecord[]> {
    const changed: RawRecord[] = [];
    for (const { record } of recorded) changed.push(await this.#renew(record));
    return changed;
  }

  /** What is wrong with all of the first records is wrong with the topic. */
  async judge(first: readonly Recorded[]): Promise<void> {
    const { topic, renewal, caseWindowMs, expired } = this.#plan;
    const read = await Promise.all(first.map(({ record }) => this.#read(record)));
    if (read.every((intent) => intent === null)) {
      throw new ReplayRefused(
        `none of the first ${first.length} records of ${topic} can be read as an intent; without --as-new they are replayed as they are`,
      );
    }
    const firstMs = (first[0] as Recorded).record.appendedAtMs + renewal.shiftMs;
    if (expired === "send" || firstMs > Date.now() - caseWindowMs) return;
    throw new ReplayRefused(
      `${topic} was recorded longer ago than cases are kept (${caseWindowMs / 86_400_000} days), and every new payment would be refused as intent_expired; move them to now with --shift now`,
    );
  }

  async #renew(record: RawRecord): Promise<RawRecord> {
    const { codec, renewal, caseWindowMs } = this.#plan;
    const recorded = await this.#read(record);
    if (recorded === null) {
      this.counts.unread += 1;
      return plain(record);
    }
    const intent = renewIntent(recorded, renewal);
    this.counts.intents += 1;
    if (isExpired(intent.caseId, Date.now() - caseWindowMs)) this.counts.expired += 1;
    return plain({ ...record, value: codec.encoders.intent.encode(intent) });
  }

  /** @returns null when it cannot be read as an intent */
  async #read({ value }: RawRecord): Promise<IntentMessage | null> {
    if (value === null) return null;
    try {
      return await this.#plan.codec.decoders.intent.read(value);
    } catch (error) {
      if (error instanceof Undecodable) return null;
      throw error;
    }
  }
}

function isExpired(caseId: string | null, oldestMs: number): boolean {
  const id = parseCaseId(caseId);
  return id !== null && id.timeMs < oldestMs;
}
