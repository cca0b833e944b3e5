import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readRecordSet } from "../../src/kafka/batch-read.ts";
import { sizeInBatch, writeRecordBatch } from "../../src/kafka/batch-write.ts";
import { Unreadable } from "../../src/kafka/compression.ts";
import { crc32c } from "../../src/kafka/crc32c.ts";
import type { OutgoingRecord, RawRecord } from "../../src/kafka/port.ts";

// KafkaJS's own decoder is the second opinion on what we write.
const require = createRequire(import.meta.url);
const KafkaJsDecoder = require("kafkajs/src/protocol/decoder") as new (bytes: Buffer) => object;
const kafkaJsDecode = require("kafkajs/src/protocol/recordBatch/v0/decoder") as (decoder: object) => Promise<{
  records: {
    key: Buffer | null;
    value: Buffer;
    offset: string;
    timestamp: string;
    headers?: Record<string, unknown>;
  }[];
}>;

const NOW_MS = 1_700_000_000_123;
const IDENTITY = { producerId: 77n, producerEpoch: 3, firstSequence: 41 };

const CONTROL = 0x20;
const IN_KAFKA_TRANSACTION = 0x10;
const APPEND_TIME = 0x08;

/** As the broker would have stored it. */
function stored(batch: Buffer, baseOffset: bigint, change: (batch: Buffer) => unknown = () => {}): Buffer {
  const copy = Buffer.from(batch);
  copy.writeBigInt64BE(baseOffset, 0);
  change(copy);
  copy.writeUInt32BE(crc32c(copy, 21), 17);
  return copy;
}

const withFlags = (flags: number) => (batch: Buffer) => {
  batch.writeInt16BE(batch.readInt16BE(21) | flags, 21);
};

function batchOf(values: readonly string[], baseOffset: bigint, change?: (batch: Buffer) => unknown): Buffer {
  const records = values.map((value) => ({ key: null, value: Buffer.from(value) }));
  return stored(writeRecordBatch(records, IDENTITY, NOW_MS), baseOffset, change);
}

const COMMIT_MARKER = Buffer.from([0, 0, 0, 1]);
const ABORT_MARKER = Buffer.from([0, 0, 0, 0]);

function marker(kind: Buffer, baseOffset: bigint): Buffer {
  const batch = writeRecordBatch([{ key: kind, value: Buffer.alloc(6) }], IDENTITY, NOW_MS);
  return stored(batch, baseOffset, withFlags(CONTROL | IN_KAFKA_TRANSACTION));
}

const valuesOf = (set: { records: readonly { value: Buffer | null }[] }): string[] =>
  set.records.map(({ value }) => String(value));

/** Headers as they lie in a record, each with its own name as value. */
function headersOf(names: readonly string[]): Buffer {
  const sized = (text: string): Buffer =>
    Buffer.concat([Buffer.from([Buffer.byteLength(text) * 2]), Buffer.from(text)]);
  return Buffer.concat([Buffer.from([names.length * 2]), ...names.flatMap((name) => [sized(name), sized(name)])]);
}

const anyRecord = fc.record({
  key: fc.option(fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))),
  value: fc.uint8Array({ maxLength: 9_000 }).map((bytes) => Buffer.from(bytes)),
});

describe("writing", () => {
  test("is read back the same, by us and by KafkaJS", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRecord, { minLength: 1, maxLength: 150 }), async (records: OutgoingRecord[]) => {
        const batch = stored(writeRecordBatch(records, IDENTITY, NOW_MS), 1_000n);
        const ours = readRecordSet(batch, 1_000n, []);
        expect(ours.nextOffset).toBe(1_000n + BigInt(records.length));
        expect(ours.records.map(({ key, value }) => ({ key, value }))).toEqual(records);
        const theirs = await kafkaJsDecode(new KafkaJsDecoder(batch));
        expect(theirs.records.map(({ key, value }) => ({ key, value }))).toEqual(records);
        expect(theirs.records.at(-1)?.offset).toBe(String(999 + records.length));
        expect(theirs.records[0]?.timestamp).toBe(String(NOW_MS));
      }),
      { numRuns: 60 },
    );
  });

  test("keeps null values, headers and times, and reads headers only when they are wanted", async () => {
    const record = fc.record({
      key: fc.option(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))),
      value: fc.option(fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))),
      names: fc.array(fc.string({ maxLength: 9 }), { maxLength: 4 }),
      timeMs: fc.integer({ min: 0, max: 2 ** 45 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 40 }), async (made) => {
        const records: RawRecord[] = made.map(({ names, ...rest }) =>
          names.length === 0 ? rest : { ...rest, headers: headersOf(names) },
        );
        const batch = stored(writeRecordBatch(records, IDENTITY, NOW_MS), 0n);
        const kept = readRecordSet(batch, 0n, [], "keep").records;
        expect(kept.map(({ offset: _offset, appendedAtMs, ...rest }) => ({ ...rest, timeMs: appendedAtMs }))).toEqual(
          records,
        );
        expect(readRecordSet(batch, 0n, []).records.every((one) => one.headers === undefined)).toBe(true);
        const theirs = await kafkaJsDecode(new KafkaJsDecoder(batch));
        expect(theirs.records.map(({ headers }) => Object.keys(headers ?? {}).sort())).toEqual(
          made.map(({ names }) => [...new Set(names)].sort()),
        );
        expect(theirs.records.map(({ timestamp }) => timestamp)).toEqual(made.map(({ timeMs }) => String(timeMs)));
        expect(batch.length).toBeLessThanOrEqual(records.reduce((bytes, one) => bytes + sizeInBatch(one), 61));
      }),
      { numRuns: 60 },
    );
  });

  test("never takes more room than was reckoned before", () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 80 }), (records) => {
        const reckoned = records.reduce((bytes, record) => bytes + sizeInBatch(record), 61);
        const { length } = writeRecordBatch(records, IDENTITY, NOW_MS);
        expect(length).toBeLessThanOrEqual(reckoned);
        expect(length).toBeGreaterThan(reckoned - 12 * records.length);
      }),
      { numRuns: 60 },
    );
  });

  test("gives the same bytes for the same batch, so that the broker knows a repeat", () => {
    const records = [{ key: Buffer.from("k"), value: Buffer.from("v") }];
    expect(writeRecordBatch(records, IDENTITY, NOW_MS)).toEqual(writeRecordBatch(records, IDENTITY, NOW_MS));
  });
});

describe("reading", () => {
  test("leaves out what lies before the wanted offset", () => {
    const set = Buffer.concat([batchOf(["a", "b", "c"], 10n), batchOf(["d"], 13n)]);
    expect(valuesOf(readRecordSet(set, 12n, []))).toEqual(["c", "d"]);
    expect(readRecordSet(set, 12n, []).records[0]?.offset).toBe(12n);
  });

  test("stops before a batch that is cut off, and goes on there next time", () => {
    const set = Buffer.concat([batchOf(["a"], 5n), batchOf(["b", "c"], 6n)]);
    for (const cut of [1, 30, 61, 70]) {
      const { records, nextOffset } = readRecordSet(set.subarray(0, set.length - cut), 5n, []);
      expect(records).toHaveLength(1);
      expect(nextOffset).toBe(6n);
    }
  });

  test("gives the append time of the broker for every record when the topic says so", () => {
    const appendTime = (batch: Buffer): void => {
      withFlags(APPEND_TIME)(batch);
      batch.writeBigInt64BE(1_800_000_000_000n, 35);
    };
    const { records } = readRecordSet(batchOf(["a", "b"], 0n, appendTime), 0n, []);
    expect(records.map(({ appendedAtMs }) => appendedAtMs)).toEqual([1_800_000_000_000, 1_800_000_000_000]);
    expect(readRecordSet(batchOf(["a"], 0n), 0n, []).records[0]?.appendedAtMs).toBe(NOW_MS);
  });

  test("goes on behind markers without handing them out", () => {
    const set = Buffer.concat([batchOf(["a"], 0n), marker(COMMIT_MARKER, 1n), marker(ABORT_MARKER, 2n)]);
    const read = readRecordSet(set, 0n, []);
    expect(valuesOf(read)).toEqual(["a"]);
    expect(read.nextOffset).toBe(3n);
    expect(readRecordSet(set, 1n, [])).toMatchObject({ records: [], nextOffset: 3n });
  });

  test("hides aborted records, and only those of the aborted producer and time", () => {
    const set = Buffer.concat([
      batchOf(["before"], 0n, withFlags(IN_KAFKA_TRANSACTION)),
      batchOf(["aborted"], 1n, withFlags(IN_KAFKA_TRANSACTION)),
      batchOf(["other"], 2n, (batch) => {
        withFlags(IN_KAFKA_TRANSACTION)(batch);
        batch.writeBigInt64BE(99n, 43);
      }),
      batchOf(["plain"], 3n),
      marker(ABORT_MARKER, 4n),
      batchOf(["after"], 5n, withFlags(IN_KAFKA_TRANSACTION)),
    ]);
    const read = readRecordSet(set, 0n, [{ producerId: 77n, firstOffset: 1n }]);
    expect(valuesOf(read)).toEqual(["before", "other", "plain", "after"]);
    expect(read.nextOffset).toBe(6n);
  });

  test("does not take a key of four zero bytes for a marker", () => {
    const batch = writeRecordBatch([{ key: ABORT_MARKER, value: Buffer.from("v") }], IDENTITY, NOW_MS);
    const aborted = batchOf(["aborted"], 1n, withFlags(IN_KAFKA_TRANSACTION));
    const set = Buffer.concat([stored(batch, 0n), aborted, marker(ABORT_MARKER, 2n)]);
    expect(valuesOf(readRecordSet(set, 0n, [{ producerId: 77n, firstOffset: 0n }]))).toEqual(["v"]);
  });

  test("goes on behind a batch that compaction has emptied", () => {
    const emptied = batchOf(["a", "b", "c"], 7n, (batch) => batch.writeInt32BE(0, 57));
    expect(readRecordSet(emptied, 7n, [])).toMatchObject({ records: [], nextOffset: 10n });
  });

  test("reads batches of two hundred thousand records", () => {
    const records = Array.from({ length: 200_000 }, () => ({ key: null, value: Buffer.from("x") }));
    expect(readRecordSet(writeRecordBatch(records, IDENTITY, NOW_MS), 0n, []).records).toHaveLength(200_000);
  });

  test("passes over record headers", () => {
    // Length 12; attributes, time and offset 0; key and value of one byte; one header "h" of one byte.
    const body = Buffer.from([24, 0, 0, 0, 2, 0x6b, 2, 0x76, 2, 2, 0x68, 2, 0x31]);
    const plain = batchOf(["x"], 4n);
    const batch = Buffer.concat([plain.subarray(0, 61), body]);
    batch.writeInt32BE(batch.length - 12, 8);
    const { records } = readRecordSet(stored(batch, 4n), 4n, []);
    expect(records).toMatchObject([{ offset: 4n, key: Buffer.from("k"), value: Buffer.from("v") }]);
  });

  test("keeps no part of the fetched answer alive", () => {
    const set = batchOf(["a", "b"], 0n);
    const { records } = readRecordSet(set, 0n, []);
    set.fill(0);
    expect(valuesOf({ records })).toEqual(["a", "b"]);
  });

  test("reads gzip", () => {
    const plain = batchOf(["a", "b"], 0n);
    const packed = Buffer.concat([plain.subarray(0, 61), gzipSync(plain.subarray(61))]);
    packed.writeInt32BE(packed.length - 12, 8);
    packed.writeInt16BE(1, 21);
    expect(valuesOf(readRecordSet(stored(packed, 0n), 0n, []))).toEqual(["a", "b"]);
  });

  test.each<[string, (batch: Buffer) => unknown, RegExp]>([
    ["an old message format", (batch) => batch.writeInt8(1, 16), /message format 1/],
    ["a codec that does not exist", (batch) => batch.writeInt16BE(7, 21), /codec 7/],
    ["gzip that is none", (batch) => batch.writeInt16BE(1, 21), /gzip is damaged/],
    ["snappy that is none", (batch) => batch.writeInt16BE(2, 21), /snappy is damaged/],
    ["lz4 that is none", (batch) => batch.writeInt16BE(3, 21), /lz4 is damaged/],
    ["more records than it holds", (batch) => batch.writeInt32BE(9, 57), /ends behind its batch/],
  ])("says what is wrong with a batch that has %s", (_name, damage, sentence) => {
    const batch = batchOf(["some value"], 0n, damage);
    expect(() => readRecordSet(batch, 0n, [])).toThrow(sentence);
  });

  test("says what is wrong with a batch that was damaged on its way", () => {
    const flipped = batchOf(["some value"], 0n);
    flipped.writeUInt8(flipped.readUInt8(70) ^ 1, 70);
    expect(() => readRecordSet(flipped, 0n, [])).toThrow(/checksum/);
    const short = batchOf(["some value"], 0n);
    short.writeInt32BE(3, 8);
    expect(() => readRecordSet(short, 0n, [])).toThrow(/15 bytes long/);
  });

  test("reads up to a damaged batch, and meets it at its own offset", () => {
    const damaged = batchOf(["b", "c"], 1n);
    damaged.writeUInt8(damaged.readUInt8(70) ^ 1, 70);
    const set = Buffer.concat([batchOf(["a"], 0n), damaged, batchOf(["d"], 3n)]);
    expect(readRecordSet(set, 0n, [])).toMatchObject({ records: [{ offset: 0n }], nextOffset: 1n });
    expect(() => readRecordSet(set.subarray(batchOf(["a"], 0n).length), 1n, [])).toThrow(/checksum/);
  });

  test("never hangs or throws anything but Unreadable, whatever the bytes", () => {
    const batch = batchOf(["some", "values", "of a batch"], 0n);
    fc.assert(
      fc.property(fc.nat(batch.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(batch);
        changed.writeUInt8(changed.readUInt8(at) ^ mask, at);
        if (at > 20) changed.writeUInt32BE(crc32c(changed, 21), 17);
        try {
          readRecordSet(changed, 0n, []);
        } catch (error) {
          expect(error).toBeInstanceOf(Unreadable);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
