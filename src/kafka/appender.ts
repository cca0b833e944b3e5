// Idempotent appends under one producer id: one batch in flight per partition, and a batch whose fate is not known is
// sent again as the same bytes with the same sequence, which the broker drops if it has them (it knows the last five).
// So a lost answer, a restart or a moved leader neither loses nor doubles nor reorders.
import { setTimeout as sleep } from "node:timers/promises";
import { assert } from "../domain/assert.ts";
import { reach } from "../failpoints.ts";
import {
  BATCH_HEADER_BYTES,
  type ProducePart,
  sizeInBatch,
  writeProduceBody,
  writeRecordBatch,
} from "./batch-write.ts";
import type { KafkaClient } from "./client.ts";
import { describeKafkaError, isFencing, isTransient } from "./errors.ts";
import { Fenced, type RawRecord, WriterBroken } from "./port.ts";
import { protocolError } from "./wire.ts";
import type { ProduceAnswer, ProducedPartition } from "./wire-types.ts";

export const BATCH_RECORDS_MAX = 5_000;
/** The brokers' usual `message.max.bytes`. */
export const BATCH_BYTES_MAX = 1_048_588;

const SEQUENCES = 2 ** 31;
const REPEAT_FIRST_MS = 20;
const REPEAT_MAX_MS = 400;
/** How long the leader may wait for its replicas. Below the request's time-out, so that its answer reaches us. */
export const REPLICAS_TIMEOUT_MS = 4_000;

export type AppenderIdentity = {
  /** for messages: the lane's writer id, or what it is for */
  readonly name: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** of every partition's first batch: 0, but for tests that begin close to where sequences start again */
  readonly firstSequence: number;
};

/** Sends one batch once. Its leader's answer for it, whatever it says; rejects when none came. */
export type SendBatch = (part: ProducePart) => Promise<ProducedPartition>;

/** Each batch in a request of its own, at once. */
export function sendAlone(client: KafkaClient): SendBatch {
  return async (part) => {
    const body = writeProduceBody([part], REPLICAS_TIMEOUT_MS);
    return answerFor(part, await client.produce(client.leaderOrThrow(part.topic, part.partition), body));
  };
}

/** @throws WriterBroken when the answer says nothing about this partition */
export function answerFor({ topic, partition }: ProducePart, { topics }: ProduceAnswer): ProducedPartition {
  for (const { topicName, partitions } of topics) {
    const found = topicName === topic ? partitions.find((one) => one.partition === partition) : undefined;
    if (found !== undefined) return found;
  }
  const told = topics.flatMap(({ topicName, partitions }) => partitions.map((one) => `${topicName}/${one.partition}`));
  throw new WriterBroken(`the answer is for ${told.join(", ") || "nothing"}, not for ${topic}/${partition}`);
}

export type AppenderOptions = {
  /** what the topics take, where that is known to be more than usual */
  readonly batchBytesMax?: number;
  /** how a batch gets to its leader: `sendAlone` when left out */
  readonly send?: SendBatch;
};

export class Appender {
  readonly #client: KafkaClient;
  readonly #send: SendBatch;
  readonly #identity: AppenderIdentity;
  readonly #deadlineMs: number;
  readonly #batchBytesMax: number;
  readonly #sequences = new Map<string, number>();
  readonly #inFlight = new Set<string>();
  #ended: Error | null = null;

  constructor(client: KafkaClient, identity: AppenderIdentity, deadlineMs: number, options: AppenderOptions = {}) {
    this.#client = client;
    this.#send = options.send ?? sendAlone(client);
    this.#identity = identity;
    this.#deadlineMs = deadlineMs;
    this.#batchBytesMax = options.batchBytesMax ?? BATCH_BYTES_MAX;
  }

  /** One batch. Resolves when all in-sync replicas have it.
   *  @param records 1 to 5,000, together at most `batchBytesMax` in the batch
   *  @throws Fenced | WriterBroken; after either every append fails */
  async append(topic: string, partition: number, records: readonly RawRecord[]): Promise<{ baseOffset: bigint }> {
    const where = `${topic}/${partition}`;
    assert(records.length > 0 && records.length <= BATCH_RECORDS_MAX, `a batch of ${records.length} records`);
    const bytes = bytesInBatch(records);
    assert(bytes <= this.#batchBytesMax, `a batch of ${bytes} bytes`);
    assert(!this.#inFlight.has(where), `one batch in flight for ${where}`);
    if (this.#ended !== null) throw this.#ended;
    this.#inFlight.add(where);
    try {
      const firstSequence = this.#sequences.get(where) ?? this.#identity.firstSequence;
      const batch = writeRecordBatch(records, { ...this.#identity, firstSequence }, Date.now());
      const baseOffset = await this.#untilAppended({ topic, partition, batch });
      this.#sequences.set(where, (firstSequence + records.length) % SEQUENCES);
      return { baseOffset };
    } finally {
      this.#inFlight.delete(where);
    }
  }

  end(why: Error): void {
    this.#ended ??= why;
  }

  async #untilAppended(part: ProducePart): Promise<bigint> {
    const until = performance.now() + this.#deadlineMs;
    for (let pauseMs = REPEAT_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, REPEAT_MAX_MS)) {
      try {
        return await this.#appendOnce(part);
      } catch (error) {
        if (this.#ended !== null) throw this.#ended;
        const isLate = performance.now() > until;
        if (!isTransient(error) || isLate) throw this.#endWith(error, `${part.topic}/${part.partition}`, isLate);
      }
      await sleep(pauseMs);
      await this.#client.refresh().catch(() => {});
      if (this.#ended !== null) throw this.#ended;
    }
  }

  async #appendOnce(part: ProducePart): Promise<bigint> {
    reach("relay.batched");
    const answer = await this.#send(part);
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
