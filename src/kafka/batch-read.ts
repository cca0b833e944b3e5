// Reads record batches, format 2 (KIP-98): a header of 61 bytes, then records with varint lengths. Each batch is copied
// once, so that a record which is kept does not keep the whole answer of a fetch, and records are parts of that copy.
// Our own code, because KafkaJS's takes a key of four zero bytes for an abort marker, stands still on empty batches,
// overflows the stack above 120,000 records, checks no checksum, and is four times slower.
import { decompress, Unreadable } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import type { InputRecord } from "./port.ts";

const HEADER_BYTES = 61;
const FRAME_BYTES = 12; // base offset and length stand before what the length counts
const CRC_FROM = 21; // everything behind the checksum itself
const MAGIC = 2;
const COMPRESSION_MASK = 0x07;
const APPEND_TIME_FLAG = 0x08;
const KAFKA_TRANSACTION_FLAG = 0x10;
const CONTROL_FLAG = 0x20;
const ABORT_MARKER = 0;

export type AbortedKafkaTransaction = { readonly producerId: bigint; readonly firstOffset: bigint };

export type RecordSet = {
  /** visible records at or behind the wanted offset */
  readonly records: InputRecord[];
  /** where reading goes on: behind the last whole batch, markers and empty batches included */
  readonly nextOffset: bigint;
  readonly bytes: number;
};

/** Headers are of use to tools alone: the service never looks at them. */
export type HeaderUse = "drop" | "keep";

type Reading = { records: InputRecord[]; nextOffset: bigint; bytes: number };
type AbortedSoFar = { readonly waiting: AbortedKafkaTransaction[]; readonly now: Set<bigint> };

/** @param set     record batches as fetched; the last one may be cut off
 *  @param wanted  records before it are left out: a batch is always sent whole
 *  @param aborted as the fetch answered, in order of `firstOffset`
 *  @param headers "keep" hands them on as they lie there
 *  @throws Unreadable when the batch at the wanted offset is damaged, of an older format, or compressed in a way not
 *          known here; a later one only ends the set, and is met again at its own offset */
export function readRecordSet(
  set: Buffer,
  wanted: bigint,
  aborted: readonly AbortedKafkaTransaction[],
  headers: HeaderUse = "drop",
): RecordSet {
  const reading: Reading = { records: [], nextOffset: wanted, bytes: 0 };
  const abortedSoFar = { waiting: [...aborted], now: new Set<bigint>() };
  for (let at = 0; at + HEADER_BYTES <= set.length; ) {
    const length = FRAME_BYTES + set.readInt32BE(at + 8);
    if (length >= HEADER_BYTES && at + length > set.length) break;
    try {
      if (length < HEADER_BYTES) throw new Unreadable(`a batch says it is ${length} bytes long`);
      readBatch(set.subarray(at, at + length), { wanted, headers }, abortedSoFar, reading);
    } catch (error) {
      if (error instanceof Unreadable && reading.nextOffset > wanted) break;
      throw error;
    }
    at += length;
  }
  return reading;
}

type Wish = { readonly wanted: bigint; readonly headers: HeaderUse };

function readBatch(batch: Buffer, wish: Wish, aborted: AbortedSoFar, reading: Reading): void {
  checkBatch(batch);
  const { firstOffset, lastOffset, attributes, producerId } = headOf(batch);
  for (let [next] = aborted.waiting; next && next.firstOffset <= lastOffset; [next] = aborted.waiting) {
    aborted.now.add(next.producerId);
    aborted.waiting.shift();
  }
  if (attributes & CONTROL_FLAG) {
    if (markerKind(batch) === ABORT_MARKER) aborted.now.delete(producerId);
  } else if (!(attributes & KAFKA_TRANSACTION_FLAG && aborted.now.has(producerId)) && lastOffset >= wish.wanted) {
    const { records, bytes } = readRecords(batch, firstOffset, wish);
    for (const record of records) reading.records.push(record);
    reading.bytes += bytes;
  }
  if (lastOffset >= reading.nextOffset) reading.nextOffset = lastOffset + 1n;
}

function checkBatch(batch: Buffer): void {
  const magic = batch.readInt8(16);
  if (magic !== MAGIC) throw new Unreadable(`a batch is of message format ${magic}; only 2 (Kafka 0.11) can be read`);
  if (crc32c(batch, CRC_FROM) !== batch.readUInt32BE(17))
    throw new Unreadable("a batch has another checksum than it says");
}

function headOf(batch: Buffer): { firstOffset: bigint; lastOffset: bigint; attributes: number; producerId: bigint } {
  const firstOffset = batch.readBigInt64BE(0);
  return {
    firstOffset,
    lastOffset: firstOffset + BigInt(batch.readInt32BE(23)),
    attributes: batch.readInt16BE(21),
    producerId: batch.readBigInt64BE(43),
  };
}

/** A marker is one record whose key is two int16: version and kind (0 abort, 1 commit). */
function markerKind(batch: Buffer): number {
  const cursor = new Cursor(batch, HEADER_BYTES);
  cursor.varint();
  cursor.skip(1);
  cursor.varlong();
  cursor.varint();
  return cursor.bytes()?.readInt16BE(2) ?? -1;
}

function readRecords(
  batch: Buffer,
  firstOffset: bigint,
  { wanted, headers }: Wish,
): { records: InputRecord[]; bytes: number } {
  const records: InputRecord[] = [];
  const attributes = batch.readInt16BE(21);
  const baseTimeMs = Number(batch.readBigInt64BE(27));
  // With append time the broker stamps the batch, not the records.
  const appendTimeMs = attributes & APPEND_TIME_FLAG ? Number(batch.readBigInt64BE(35)) : null;
  const count = batch.readInt32BE(57);
  const codec = attributes & COMPRESSION_MASK;
  const body = batch.subarray(HEADER_BYTES);
  const kept = codec === 0 ? Buffer.from(body) : decompress(codec, body);
  const cursor = new Cursor(kept, 0);
  try {
    for (let i = 0; i < count; i++) {
      const end = cursor.varint() + cursor.at;
      if (end < cursor.at || end > kept.length) throw new RangeError("record");
      cursor.skip(1);
      const timeDeltaMs = cursor.varlong();
      const offset = firstOffset + BigInt(cursor.varint());
      const key = cursor.bytes();
      const value = cursor.bytes();
      const appendedAtMs = appendTimeMs ?? baseTimeMs + timeDeltaMs;
      // One byte says that there are none.
      if (offset >= wanted && headers === "keep" && cursor.at + 1 < end)
        records.push({ offset, appendedAtMs, key, value, headers: kept.subarray(cursor.at, end) });
      else if (offset >= wanted) records.push({ offset, appendedAtMs, key, value });
      cursor.at = end;
    }
  } catch (error) {
    if (error instanceof RangeError) throw new Unreadable("a record ends behind its batch");
    throw error;
  }
  return { records, bytes: kept.length };
}

class Cursor {
  at: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  skip(length: number): void {
    this.at += length;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw new RangeError("varint");
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw new RangeError("varint");
  }

  /** Up to 53 bits, which time differences in milliseconds stay within. */
  varlong(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw new RangeError("varlong");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    throw new RangeError("varlong");
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const from = this.at;
    this.at += length;
    if (this.at > this.#bytes.length) throw new RangeError("bytes");
    return this.#bytes.subarray(from, this.at);
  }
}
