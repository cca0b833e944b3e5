// Idempotent appends under one producer id: one batch in flight per partition, and a batch whose fate is not known is
// sent again as the same bytes with the same sequence, which the broker drops if it has them (it knows the last five).
// So a lost answer, a restart or a moved leader neither loses nor doubles nor reorders.
import { setTimeout as sleep } from "node:timers/promises";
import { assert } from "../domain/assert.ts";
import { reach } from "../failpoints.ts";
import { BATCH_HEADER_BYTES, sizeInBatch, writeProduceBody, writeRecordBatch } from "./batch-write.ts";
import type { KafkaClient } from "./client.ts";
import { describeKafkaError, isFencing, isTransient } from "./errors.ts";
import { Fenced, type RawRecord, WriterBroken } from "./port.ts";
import { protocolError } from "./wire.ts";

export const BATCH_RECORDS_MAX = 5_000;
/** The brokers' usual `message.max.bytes`. */
export const BATCH_BYTES_MAX = 1_048_588;

const SEQUENCES = 2 ** 31;
const REPEAT_FIRST_MS = 20;
const REPEAT_MAX_MS = 400;
/** How long the leader may wait for its replicas. Below the request's time-out, so that its answer reaches us. */
const REPLICAS_TIMEOUT_MS = 4_000;

export type AppenderIdentity = {
  /** for messages: the lane's writer id, or what it is for */
  readonly name: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** of every partition's first batch: 0, but for tests that begin close to where sequences start again */
  readonly firstSequence: number;
};

export class Appender {
  readonly #client: KafkaClient;
  readonly #identity: AppenderIdentity;
  readonly #deadlineMs: number;
  readonly #batchBytesMax: number;
  readonly #sequences = new Map<string, number>();
  readonly #inFlight = new Set<string>();
  #ended: Error | null = null;

  /** @param batchBytesMax what the topics take, where that is known to be more than usual */
  constructor(
    client: KafkaClient,
    identity: AppenderIdentity,
    deadlineMs: number,
    batchBytesMax: number = BATCH_BYTES_MAX,
  ) {
    this.#client = client;
    this.#identity = identity;
    this.#deadlineMs = deadlineMs;
    this.#batchBytesMax = batchBytesMax;
  }

  /** One batch. Resolves when all in-sync replicas have it.
   *  @param records 1 to 5,000, together at most `batchBytesMax` in the batch
   *  @throws Fenced | WriterBroken; after either every append fails */
  async append(topic: string, partition: number, records: readonly RawRecord[]): Promise<{ baseOffset: bigint }> {
    const where = `${topic}/${partition}`;
    assert(records.length > 0 && records.length <= BATCH_RECORDS_MAX, `a batch of ${records.length} records`);
    assert(bytesInBatch(records) <= this.#batchBytesMax, `a batch of ${bytesInBatch(records)} bytes`);
    assert(!this.#inFlight.has(where), `one batch in flight for ${where}`);
    if (this.#ended !== null) throw this.#ended;
    this.#inFlight.add(where);
    try {
      const firstSequence = this.#sequences.get(where) ?? this.#identity.firstSequence;
      const batch = writeRecordBatch(records, { ...this.#identity, firstSequence }, Date.now());
      const body = writeProduceBody(topic, partition, batch, REPLICAS_TIMEOUT_MS);
      const baseOffset = await this.#untilAppended(topic, partition, body);
      this.#sequences.set(where, (firstSequence + records.length) % SEQUENCES);
      return { baseOffset };
    } finally {
      this.#inFlight.delete(where);
    }
  }

  end(why: Error): void {
    this.#ended ??= why;
  }

  async #untilAppended(topic: string, partition: number, body: Buffer): Promise<bigint> {
    const until = performance.now() + this.#deadlineMs;
    for (let pauseMs = REPEAT_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, REPEAT_MAX_MS)) {
      try {
        return await this.#appendOnce(topic, partition, body);
      } catch (error) {
        if (this.#ended !== null) throw this.#ended;
        const isLate = performance.now() > until;
        if (!isTransient(error) || isLate) throw this.#endWith(error, `${topic}/${partition}`, isLate);
      }
      await sleep(pauseMs);
      await this.#client.refresh().catch(() => {});
      if (this.#ended !== null) throw this.#ended;
    }
  }

  async #appendOnce(topic: string, partition: number, body: Buffer): Promise<bigint> {
    reach("relay.batched");
    const { topics } = await this.#client.produce(this.#client.leaderOrThrow(topic, partition), body);
    const answer = topics[0]?.partitions[0];
    if (topics[0]?.topicName !== topic || answer?.partition !== partition) {
      throw new WriterBroken(`the answer is for ${topics[0]?.topicName}/${answer?.partition}`);
    }
    if (answer.errorCode !== 0) throw namedError(answer.errorCode);
    const baseOffset = BigInt(answer.baseOffset);
    if (baseOffset < 0n) throw new WriterBroken("the broker knows the batch, but not where it is");
    reach("relay.answered");
    return baseOffset;
  }

  #endWith(error: unknown, where: string, isLate: boolean): Error {
    const { name, producerEpoch } = this.#identity;
    const inner = describeKafkaError(error);
    const cause = { cause: error };
    if (isFencing(error)) {
      this.#ended = new Fenced(`${name}: a newer epoch than ${producerEpoch} writes to ${where}`, cause);
    } else if (isLate) {
      const seconds = Math.round(this.#deadlineMs / 1000);
      const why = inner.type ?? inner.message;
      this.#ended = new WriterBroken(`${name}: ${where} not acknowledged within ${seconds} s (${why})`, cause);
    } else {
      this.#ended = new WriterBroken(`${name}: ${where}: ${inner.message} (${inner.type ?? inner.name})`, cause);
    }
    return this.#ended;
  }
}

/** KafkaJS's table ends at 88; the number is kept, so that a newer code can be told from others. */
function namedError(code: number): Error {
  const error = protocolError(code);
  return error.code === code ? error : Object.assign(error, { code });
}

/** What the records take in one batch, header included; at most a few bytes a record too high. */
export function bytesInBatch(records: readonly RawRecord[]): number {
  let bytes = BATCH_HEADER_BYTES;
  for (const record of records) bytes += sizeInBatch(record);
  return bytes;
}
