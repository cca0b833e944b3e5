// Opens what a lane's audit reads: its tables, and its partition of each topic from where that still begins.

import { openPartitionReader } from "../../kafka/partitions.ts";
import type { InputRecord, PartitionReader } from "../../kafka/port.ts";
import { readOutputsAnew } from "../../store/audit.ts";
import type { OutgoingTopic } from "../../store/blocks.ts";
import { readMarks, readMessages } from "../../store/outbox.ts";
import type { LaneWork } from "./parts.ts";
import { emptyStream, partitionStream, type Stream } from "./stream.ts";
import type { Published } from "./topic-match.ts";

export const OUTGOING_TOPICS: readonly OutgoingTopic[] = ["outcomes", "commands", "deadLetters"];

/** One answer of a broker brings this much: partitions are read one after another, so each may fill it. */
const FETCH = { maxBytes: 1 << 20, partitionMaxBytes: 1 << 20, aheadMaxBytes: 2 << 20 };

export type OpenPartition = {
  readonly records: Stream<InputRecord>;
  /** offset at which the stream begins */
  readonly from: bigint;
  /** first offset that the partition still has */
  readonly low: bigint;
};

/** Opens partitions of one lane, and closes what it opened. */
export class Sources {
  readonly #work: LaneWork;
  readonly #lane: number;
  readonly #readers: PartitionReader[] = [];

  constructor(work: LaneWork, lane: number) {
    this.#work = work;
    this.#lane = lane;
  }

  /** Records with `from <= offset < until`, as far as they are there. */
  async partition(topic: string, from: bigint, until: bigint | null): Promise<OpenPartition> {
    const { admin, kafka } = this.#work.parts;
    const { low, end } = await admin.bounds(topic, this.#lane);
    const first = from > low ? from : low;
    const stop = until !== null && until < end ? until : end;
    if (first >= stop) return { records: emptyStream(), from: first, low };
    const reader = await openPartitionReader(kafka, [{ topic, partition: this.#lane, offset: first }], FETCH);
    this.#readers.push(reader);
    return { records: partitionStream(reader, first, stop, `${topic}/${this.#lane}`), from: first, low };
  }

  /** @param from the offset of the last message that was compared before, or 0n */
  async published(topic: OutgoingTopic, from: bigint): Promise<Published> {
    const { parts } = this.#work;
    // The mark comes before the end of the log is asked for: what it says is published is then within that end.
    const marks = await readMarks(parts.snapshots, this.#lane);
    const { end } = await parts.admin.bounds(parts.topics[topic], this.#lane);
    const { records, low } = await this.partition(parts.topics[topic], from > end ? 0n : from, null);
    // What was published into the topic of before is gone with it, as if it had expired.
    const isAnew = low === 0n && (await readOutputsAnew(parts.snapshots, this.#lane));
    return {
      records,
      low: isAnew ? 1n : low,
      marked: marks.get(topic)?.sequence ?? -1n,
      sequenceOf: (value) => sequenceOf(this.#work, topic, value),
      committed: async (sequence) => {
        const span = { from: sequence, until: sequence + 1n, limit: 1 };
        return (await readMessages(parts.rows, this.#lane, topic, span))[0]?.value ?? null;
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()));
  }
}

/** What every message of a block says of its place. */
export type Stamped = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly block: bigint;
  readonly blockDigest: Buffer;
};

/** @returns null when the bytes are none of that topic's messages */
export async function readStamped(work: LaneWork, topic: OutgoingTopic, value: Buffer): Promise<Stamped | null> {
  const { outcome, command, deadLetter } = work.parts.decoders;
  const decoder = topic === "outcomes" ? outcome : topic === "commands" ? command : deadLetter;
  try {
    return await decoder.read(value);
  } catch (error) {
    if (error instanceof Error && error.name === "Undecodable") return null;
    throw error;
  }
}

async function sequenceOf(work: LaneWork, topic: OutgoingTopic, value: Buffer | null): Promise<bigint | null> {
  return value === null ? null : ((await readStamped(work, topic, value))?.sequence ?? null);
}
