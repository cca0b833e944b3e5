// Reads any partitions for tools, audits and benchmarks, over the same fetch loop as lanes.
import { assert } from "../domain/assert.ts";
import type { RecordSet } from "./batch-read.ts";
import { connectClient } from "./client.ts";
import { FETCH_DEFAULTS, type Feed, FetchLoops, type FetchOptions } from "./fetch-loops.ts";
import { KafkaRefused, type KafkaSettings, type PartitionReader, type PartitionRun } from "./port.ts";
import { Waker } from "./waker.ts";

export type PartitionStart = { readonly topic: string; readonly partition: number; readonly offset: bigint };

export type PartitionReaderOptions = Partial<FetchOptions> & {
  /** reading pauses while more than this waits to be taken */
  readonly aheadMaxBytes?: number;
  /** false leaves a partition out of the next fetch; asked before each. For a reader that has enough of one partition
   *  and waits for another. */
  readonly wants?: (topic: string, partition: number) => boolean;
};

const AHEAD_MAX_BYTES = 16 << 20;

/** @throws KafkaUnreachable within 10 s | KafkaRefused when a topic does not exist */
export async function openPartitionReader(
  settings: KafkaSettings,
  starts: readonly PartitionStart[],
  { aheadMaxBytes = AHEAD_MAX_BYTES, wants = () => true, ...fetch }: PartitionReaderOptions = {},
): Promise<PartitionReader> {
  const client = await connectClient(settings, { topics: [...new Set(starts.map(({ topic }) => topic))] });
  return new QueueReader(new FetchLoops(client, { ...FETCH_DEFAULTS, ...fetch }), starts, { aheadMaxBytes, wants });
}

type Ahead = Required<Pick<PartitionReaderOptions, "aheadMaxBytes" | "wants">>;

class QueueReader implements PartitionReader {
  readonly #loops: FetchLoops;
  readonly #ahead: Ahead;
  readonly #waker = new Waker();
  #queue: PartitionRun[] = [];
  #queuedBytes = 0;
  #failure: Error | null = null;

  constructor(loops: FetchLoops, starts: readonly PartitionStart[], ahead: Ahead) {
    this.#loops = loops;
    this.#ahead = ahead;
    for (const start of starts) {
      assert(loops.add(this.#feed(start)) === undefined, `${start.topic}/${start.partition} is named once`);
    }
  }

  async next(waitMs: number): Promise<readonly PartitionRun[]> {
    if (this.#queue.length === 0 && this.#failure === null) await this.#waker.wait(waitMs);
    if (this.#queue.length === 0 && this.#failure !== null) throw this.#failure;
    const runs = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (runs.length > 0) this.#loops.wake();
    return runs;
  }

  close(): Promise<void> {
    this.#waker.wake();
    return this.#loops.stop();
  }

  #feed({ topic, partition, offset }: PartitionStart): Feed {
    const fail = (what: string, code: string): void => {
      this.#failure ??= new KafkaRefused(`${topic}/${partition} ${what}`, code);
      this.#waker.wake();
    };
    return {
      topic,
      partition,
      next: offset,
      hasRoom: () => this.#queuedBytes < this.#ahead.aheadMaxBytes && this.#ahead.wants(topic, partition),
      received: ({ records, nextOffset, bytes }: RecordSet) => {
        this.#queue.push({ topic, partition, records, nextOffset });
        this.#queuedBytes += bytes;
        this.#waker.wake();
      },
      caughtUp: () => {},
      outOfRange(): void {
        fail(`has no offset ${this.next}`, "OFFSET_OUT_OF_RANGE");
      },
      unreadable(reason): void {
        fail(`cannot be read at offset ${this.next}: ${reason}`, "CORRUPT_MESSAGE");
      },
    };
  }
}
