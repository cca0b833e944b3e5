// The answer to a fetch, version 11, read without copying: record sets are parts of the payload until they are decoded.
import type { AbortedKafkaTransaction } from "./batch-read.ts";

export type FetchedPartition = {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** end of the log as far as it is replicated; records of open Kafka transactions are before it */
  readonly highWatermark: bigint;
  readonly aborted: readonly AbortedKafkaTransaction[];
  readonly recordSet: Buffer;
};

export type FetchAnswer = {
  /** KafkaJS waits this long before the next request (broker quotas) */
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
};

/** @throws RangeError when the payload is cut off */
export function readFetchAnswer(payload: Buffer): FetchAnswer {
  const reader = new Reader(payload);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // fetch session, which we do not use
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let left = reader.int32(); left > 0; left--) partitions.push(readPartition(reader, topic));
  }
  return { clientSideThrottleTime, errorCode, partitions };
}

function readPartition(reader: Reader, topic: string): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  reader.int64(); // last stable offset
  reader.int64(); // log start
  const aborted: AbortedKafkaTransaction[] = [];
  for (let left = reader.int32(); left > 0; left--) {
    aborted.push({ producerId: reader.int64(), firstOffset: reader.int64() });
  }
  aborted.sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  reader.int32(); // preferred replica
  return { topic, partition, errorCode, highWatermark, aborted, recordSet: reader.bytes() };
}

class Reader {
  #at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  int64(): bigint {
    this.#at += 8;
    return this.#bytes.readBigInt64BE(this.#at - 8);
  }

  string(): string {
    const length = this.int16();
    this.#at += length;
    return this.#bytes.toString("utf8", this.#at - length, this.#at);
  }

  bytes(): Buffer {
    const length = Math.max(this.int32(), 0);
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError("the answer is cut off");
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
