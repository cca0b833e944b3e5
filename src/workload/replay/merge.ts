// Reads spans of a topic in the order in which their records were appended, over all partitions together. Order within a
// partition is never given up for it: a record whose time lies before its predecessor's waits for the predecessor.

import { openPartitionReader } from "../../kafka/partitions.ts";
import { type InputRecord, type KafkaSettings, KafkaUnreachable, type PartitionReader } from "../../kafka/port.ts";
import type { Span } from "./span.ts";

export type Recorded = { readonly partition: number; readonly record: InputRecord };

/** What may wait here of all partitions together, and of one: above the largest batch that a broker takes by default, so
 *  that one batch does not stop the reading of the next, and less when there are very many. */
const AHEAD_BYTES = 64 << 20;
const PARTITION_AHEAD_BYTES = 2 << 20;
const WAIT_MS = 100;
const SILENT_MAX_MS = 60_000;

class Part {
  readonly partition: number;
  readonly end: bigint;
  /** where reading goes on */
  next: bigint;
  bytes = 0;
  #records: readonly InputRecord[] = [];
  #at = 0;

  constructor({ partition, from, to }: Span) {
    this.partition = partition;
    this.next = from;
    this.end = to;
  }

  get isRead(): boolean {
    return this.next >= this.end;
  }

  get first(): InputRecord | null {
    return this.#records[this.#at] ?? null;
  }

  push(records: readonly InputRecord[], nextOffset: bigint): void {
    const wanted = records.filter((record) => record.offset < this.end);
    this.#records = this.#at < this.#records.length ? [...this.#records.slice(this.#at), ...wanted] : wanted;
    this.#at = 0;
    for (const record of wanted) this.bytes += bytesOf(record);
    this.next = nextOffset;
  }

  take(): InputRecord {
    const record = this.#records[this.#at++] as InputRecord;
    this.bytes -= bytesOf(record);
    return record;
  }
}

export class RecordedMerge {
  readonly #reader: PartitionReader;
  readonly #parts: readonly Part[];
  readonly #topic: string;
  readonly #stop: AbortSignal | null;

  private constructor(reader: PartitionReader, parts: readonly Part[], topic: string, stop: AbortSignal | null) {
    this.#stop = stop;
    this.#reader = reader;
    this.#parts = parts;
    this.#topic = topic;
  }

  /** @param stop ends the wait for a broker that gives nothing; what is handed out then is empty
   *  @throws KafkaUnreachable | KafkaRefused */
  static async open(
    kafka: KafkaSettings,
    topic: string,
    spans: readonly Span[],
    stop: AbortSignal | null,
  ): Promise<RecordedMerge> {
    const parts = spans.filter(({ from, to }) => from < to).map((span) => new Part(span));
    const byNumber = new Map(parts.map((part) => [part.partition, part]));
    const aheadBytes = Math.min(PARTITION_AHEAD_BYTES, AHEAD_BYTES / Math.max(parts.length, 1));
    const starts = parts.map(({ partition, next }) => ({ topic, partition, offset: next }));
    const reader = await openPartitionReader(kafka, starts, {
      headers: "keep",
      wants: (_topic, partition) => {
        const part = byNumber.get(partition);
        return part !== undefined && !part.isRead && part.bytes < aheadBytes;
      },
    });
    return new RecordedMerge(reader, parts, topic, stop);
  }

  /** The next records, at most `max`; null behind the last.
   *  @throws KafkaUnreachable when a partition gives nothing for a minute | KafkaRefused when it cannot be read */
  async next(max: number): Promise<readonly Recorded[] | null> {
    await this.#fill();
    const chunk: Recorded[] = [];
    while (chunk.length < max) {
      // Without the first record of each partition nobody knows whose turn it is.
      if (this.#parts.some((part) => part.first === null && !part.isRead)) break;
      const turn = this.#earliest();
      if (turn === null) break;
      chunk.push({ partition: turn.partition, record: turn.take() });
    }
    return chunk.length === 0 && this.#parts.every((part) => part.isRead) ? null : chunk;
  }

  async #fill(): Promise<void> {
    const since = performance.now();
    for (;;) {
      const missing = this.#parts.filter((part) => part.first === null && !part.isRead);
      if (missing.length === 0 || this.#stop?.aborted === true) return;
      for (const { partition, records, nextOffset } of await this.#reader.next(WAIT_MS)) {
        this.#parts.find((part) => part.partition === partition)?.push(records, nextOffset);
      }
      if (performance.now() - since > SILENT_MAX_MS) throw this.#silent(missing);
    }
  }

  #silent(missing: readonly Part[]): KafkaUnreachable {
    const where = missing.map(({ partition, next }) => `${this.#topic}/${partition} at offset ${next}`).join(", ");
    return new KafkaUnreachable(
      `nothing came for ${SILENT_MAX_MS / 1000} s from ${where}`,
      "See that the brokers run.",
    );
  }

  /** The partition whose next record was appended first; of equal ones the lowest number. */
  #earliest(): Part | null {
    let earliest: Part | null = null;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const part of this.#parts) {
      const { first } = part;
      if (first === null || first.appendedAtMs >= earliestMs) continue;
      earliest = part;
      earliestMs = first.appendedAtMs;
    }
    return earliest;
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

function bytesOf({ key, value }: InputRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + 64;
}
