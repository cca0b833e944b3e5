// Writes record batches, format 2 (KIP-98), without compression.
import { assert } from "../domain/assert.ts";
import { crc32c } from "./crc32c.ts";
import type { RawRecord } from "./port.ts";

const HEADER_BYTES = 61;
const FRAME_BYTES = 12; // base offset and length stand before what the length counts
const CRC_FROM = 21; // everything behind the checksum itself
const MAGIC = 2;

export type BatchIdentity = {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** of the first record; 0 to 2^31 - 1 */
  readonly firstSequence: number;
};

/** One uncompressed batch. Encoded once and sent again as the same bytes, so that the broker knows a repeat.
 *  @param records at least one */
export function writeRecordBatch(records: readonly RawRecord[], identity: BatchIdentity, nowMs: number): Buffer {
  assert(records.length > 0, "a batch has records");
  let length = HEADER_BYTES;
  const baseTimeMs = records[0]?.timeMs ?? nowMs;
  let maxTimeMs = baseTimeMs;
  const sizes = records.map((record, i) => recordBytes(record, i, (record.timeMs ?? baseTimeMs) - baseTimeMs));
  for (const size of sizes) length += varintBytes(size) + size;
  const batch = Buffer.allocUnsafe(length);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(length - FRAME_BYTES, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(MAGIC, 16);
  batch.writeInt16BE(0, 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(baseTimeMs), 27);
  batch.writeBigInt64BE(identity.producerId, 43);
  batch.writeInt16BE(identity.producerEpoch, 51);
  batch.writeInt32BE(identity.firstSequence, 53);
  batch.writeInt32BE(records.length, 57);
  let at = HEADER_BYTES;
  for (const [i, record] of records.entries()) {
    at = writeVarint(batch, at, sizes[i] ?? 0);
    batch[at++] = 0; // attributes
    const timeMs = record.timeMs ?? baseTimeMs;
    if (timeMs > maxTimeMs) maxTimeMs = timeMs;
    at = writeVarlong(batch, at, timeMs - baseTimeMs);
    at = writeVarint(batch, at, i);
    at = writeBytes(batch, at, record.key);
    at = writeBytes(batch, at, record.value);
    if (record.headers === undefined) batch[at++] = 0;
    else at += record.headers.copy(batch, at);
  }
  batch.writeBigInt64BE(BigInt(maxTimeMs), 35);
  assert(at === length, "the batch has the length that was reckoned");
  batch.writeUInt32BE(crc32c(batch, CRC_FROM), 17);
  return batch;
}

/** Upper bound of what `record` takes in a batch. */
export function sizeInBatch(record: RawRecord): number {
  return recordBytes(record, 0x7fff, record.timeMs === undefined ? 0 : TIME_DELTA_MAX_MS) + 5;
}

export const BATCH_HEADER_BYTES = HEADER_BYTES;

/** Beyond any two times that lie in one batch, in milliseconds; eight bytes as a varlong. */
const TIME_DELTA_MAX_MS = 2 ** 48;

function recordBytes(record: RawRecord, index: number, timeDeltaMs: number): number {
  const headersBytes = record.headers?.length ?? 1; // one byte says that there are none
  const framing = 1 + varlongBytes(timeDeltaMs) + varintBytes(index) + headersBytes;
  return framing + sizedBytes(record.key) + sizedBytes(record.value);
}

function sizedBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length;
}

/** For numbers from 0 to 2^30, which lengths and indexes are. */
function varintBytes(value: number): number {
  if (value < 0x40) return 1;
  if (value < 0x2000) return 2;
  if (value < 0x100000) return 3;
  return value < 0x8000000 ? 4 : 5;
}

function writeVarint(into: Buffer, at: number, value: number): number {
  let rest = (value << 1) ^ (value >> 31);
  let next = at;
  while (rest & ~0x7f) {
    into[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[next++] = rest;
  return next;
}

function varlongBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

/** As `writeVarint`, for up to 52 bits: bit operations end at 32. */
function writeVarlong(into: Buffer, at: number, value: number): number {
  let next = at;
  let rest = zigzag(value);
  for (; rest >= 128; rest = Math.floor(rest / 128)) into[next++] = (rest % 128) | 0x80;
  into[next++] = rest;
  return next;
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function writeBytes(into: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarint(into, at, -1);
  const from = writeVarint(into, at, bytes.length);
  bytes.copy(into, from);
  return from + bytes.length;
}

/** What one Produce request carries for one partition. */
export type ProducePart = { readonly topic: string; readonly partition: number; readonly batch: Buffer };

/** The body of a Produce request (versions 3 to 7).
 *  @param parts at least one, each partition once */
export function writeProduceBody(parts: readonly ProducePart[], timeoutMs: number): Buffer {
  assert(parts.length > 0, "a request carries batches");
  const byTopic = new Map<string, ProducePart[]>();
  for (const part of parts) {
    const known = byTopic.get(part.topic);
    if (known === undefined) byTopic.set(part.topic, [part]);
    else known.push(part);
  }
  const head = Buffer.allocUnsafe(2 + 2 + 4 + 4);
  let at = head.writeInt16BE(-1, 0); // no transactional id: fencing goes by producer id and epoch
  at = head.writeInt16BE(-1, at); // acknowledged by all in-sync replicas
  at = head.writeInt32BE(timeoutMs, at);
  head.writeInt32BE(byTopic.size, at);
  const pieces: Buffer[] = [head];
  for (const [topic, own] of byTopic) {
    pieces.push(topicHead(topic, own.length));
    for (const { partition, batch } of own) pieces.push(partitionHead(partition, batch.length), batch);
  }
  return Buffer.concat(pieces);
}

function topicHead(topic: string, partitions: number): Buffer {
  const name = Buffer.from(topic);
  const head = Buffer.allocUnsafe(2 + name.length + 4);
  let at = head.writeInt16BE(name.length, 0);
  at += name.copy(head, at);
  head.writeInt32BE(partitions, at);
  return head;
}

function partitionHead(partition: number, bytes: number): Buffer {
  const head = Buffer.allocUnsafe(4 + 4);
  head.writeInt32BE(partition, 0);
  head.writeInt32BE(bytes, 4);
  return head;
}
