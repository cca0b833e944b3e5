// Reading at a given place: bounds, one record, and the last visible record of a partition.
import { setTimeout as sleep } from "node:timers/promises";
import { type RecordSet, readRecordSet } from "./batch-read.ts";
import type { KafkaClient } from "./client.ts";
import { type InputRecord, KafkaUnreachable, type PartitionBounds, type Tail } from "./port.ts";
import { protocolError } from "./wire.ts";

const READ_COMMITTED = 1;
const EARLIEST = -2;
const LATEST = -1;
const FETCH_WAIT_MS = 100;
const FETCH_BYTES = 1 << 20;
const EMPTY_ANSWERS_MAX = 50;
/** Tails are mostly the very last offset, or the one before a marker. */
const FIRST_WINDOW = 2n;
const WINDOW_GROWTH = 4n;

/** `low` is the first offset that is kept, `end` the one behind the last that is visible to committed readers. */
export async function readBounds(client: KafkaClient, topic: string, partition: number): Promise<PartitionBounds> {
  const nodeId = client.leaderOrThrow(topic, partition);
  const ask = (timestamp: number): Promise<bigint> =>
    client.call(nodeId, async (broker) => {
      const topics = [{ topic, partitions: [{ partition, timestamp }] }];
      const { responses } = await broker.listOffsets({ isolationLevel: READ_COMMITTED, topics });
      return BigInt(responses[0]?.partitions[0]?.offset ?? "-1");
    });
  const [low, end] = await Promise.all([ask(EARLIEST), ask(LATEST)]);
  return { low, end };
}

/** Where the first record of this time or a later one lies; null when there is none. */
export async function readOffsetAt(
  client: KafkaClient,
  topic: string,
  partition: number,
  timeMs: number,
): Promise<bigint | null> {
  const topics = [{ topic, partitions: [{ partition, timestamp: timeMs }] }];
  const nodeId = client.leaderOrThrow(topic, partition);
  const { responses } = await client.call(nodeId, (broker) =>
    broker.listOffsets({ isolationLevel: READ_COMMITTED, topics }),
  );
  const offset = BigInt(responses[0]?.partitions[0]?.offset ?? "-1");
  return offset < 0n ? null : offset;
}

/** What is visible from `offset` on, as one fetch brings it.
 *  @throws the protocol's error, OFFSET_OUT_OF_RANGE among them | Unreadable */
async function readFrom(client: KafkaClient, topic: string, partition: number, offset: bigint): Promise<RecordSet> {
  const wish = { partition, fetchOffset: offset.toString(), maxBytes: FETCH_BYTES };
  const answer = await client.fetch(client.leaderOrThrow(topic, partition), {
    maxWaitTime: FETCH_WAIT_MS,
    minBytes: 1,
    maxBytes: FETCH_BYTES,
    isolationLevel: READ_COMMITTED,
    topics: [{ topic, partitions: [wish] }],
  });
  const part = answer.partitions[0];
  if (part === undefined) throw new KafkaUnreachable(`${topic}/${partition} is missing in the answer`, "Try again.");
  if (part.errorCode !== 0) throw protocolError(part.errorCode);
  return readRecordSet(part.recordSet, offset, part.aborted);
}

/** As `readFrom`, but waits until there is something: for offsets known to be before the end. */
async function readExisting(client: KafkaClient, topic: string, partition: number, offset: bigint): Promise<RecordSet> {
  for (let asked = 0; asked < EMPTY_ANSWERS_MAX; asked++) {
    const set = await readFrom(client, topic, partition, offset);
    if (set.nextOffset > offset) return set;
    // A new leader may not know yet how far the log is committed.
    await sleep(1);
  }
  throw new KafkaUnreachable(
    `${topic}/${partition} does not hand out offset ${offset}, which is before its end`,
    "See whether the partition's leader is healthy.",
  );
}

/** The last visible record. The windows grow backwards, over markers and aborted records; what was deleted is not read.
 *  For a partition's own writer this must come after the fence: before it, somebody may still append. */
export async function readTail(client: KafkaClient, topic: string, partition: number): Promise<Tail> {
  const { low, end } = await readBounds(client, topic, partition);
  let high = end;
  for (let window = FIRST_WINDOW; high > low; window *= WINDOW_GROWTH) {
    const from = high - window > low ? high - window : low;
    const record = await lastVisible(client, topic, partition, from, high);
    if (record !== null) return { low, end, record };
    high = from;
  }
  return { low, end, record: null };
}

async function lastVisible(
  client: KafkaClient,
  topic: string,
  partition: number,
  from: bigint,
  to: bigint,
): Promise<InputRecord | null> {
  let found: InputRecord | null = null;
  for (let at = from; at < to; ) {
    const { records, nextOffset } = await readExisting(client, topic, partition, at);
    found = records.findLast((record) => record.offset < to) ?? found;
    at = nextOffset;
  }
  return found;
}

/** The first visible record that is left. */
export async function readFirst(client: KafkaClient, topic: string, partition: number): Promise<InputRecord | null> {
  const { low, end } = await readBounds(client, topic, partition);
  for (let at = low; at < end; ) {
    const { records, nextOffset } = await readExisting(client, topic, partition, at);
    if (records[0] !== undefined) return records[0];
    at = nextOffset;
  }
  return null;
}

/** null when the offset holds no visible record: not there, a marker, or aborted. */
export async function readRecordAt(
  client: KafkaClient,
  topic: string,
  partition: number,
  offset: bigint,
): Promise<InputRecord | null> {
  const { low, end } = await readBounds(client, topic, partition);
  if (offset < low || offset >= end) return null;
  const { records } = await readExisting(client, topic, partition, offset);
  const [first] = records;
  return first?.offset === offset ? first : null;
}
