// Bytes from outside may be anything. Whatever they are, the answer is an Undecodable, at once, with no word of contents.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type IntentDecoder, Undecodable } from "../../src/kafka/codec.ts";
import type { IntentMessage } from "../../src/kafka/codec-messages.ts";
import { changed, codecWith, IDS, INTENT, intents, MemoryRegistry, OUTCOME, SCHEMAS } from "./codec-fixtures.ts";

const codec = codecWith(new MemoryRegistry());
const decoder = codec.decoders.intent;
const HEADER = Buffer.from([0, 0, 0, 0, IDS.intent]);
const NEWER_ID = 77;

/** Neither TypeError nor RangeError nor anything else may come out. */
function reasonOf(bytes: Buffer, by: IntentDecoder = decoder): string {
  try {
    by.decode(bytes);
    return "decoded";
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    return error.reason;
  }
}

/** An unsigned variable-length integer of Avro, before its zigzag is undone. */
function varint(raw: bigint): Buffer {
  const bytes: number[] = [];
  let rest = raw;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
const count = (value: bigint): Buffer => varint(value >= 0n ? value * 2n : -value * 2n - 1n);

describe("headers", () => {
  test.each([
    ["nothing", Buffer.alloc(0)],
    ["a header that breaks off", Buffer.from([0, 0, 0, 0])],
    ["another first byte", Buffer.concat([Buffer.from([1, 0, 0, 0, IDS.intent]), Buffer.alloc(80)])],
    ["JSON", Buffer.from('{"type":"transfer_create"}')],
    ["schema 0", Buffer.from([0, 0, 0, 0, 0, 1, 2, 3])],
    ["a negative schema id", Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3])],
    ["a header alone", HEADER],
  ])("%s is undecodable and asks for no schema", (_name, bytes) => {
    expect(decoder.needs(bytes)).toBeNull();
    expect(reasonOf(bytes)).toBe("undecodable");
  });
});

test("random bytes behind a good header are undecodable, or a message by accident", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(["undecodable", "decoded"]).toContain(reasonOf(Buffer.concat([HEADER, bytes])));
    }),
    { numRuns: 5_000 },
  );
});

test("random bytes are decoded, if at all, to something that can be written again", () => {
  fc.assert(
    fc.property(intents, fc.nat(), fc.nat(255), (intent, place, byte) => {
      const bytes = codec.encoders.intent.encode(intent);
      bytes[5 + (place % (bytes.length - 5))] = byte;
      let read: IntentMessage;
      try {
        read = decoder.decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(Undecodable);
        return;
      }
      expect(decoder.decode(codec.encoders.intent.encode(read))).toEqual(read);
    }),
    { numRuns: 2_000 },
  );
});

test("a message that breaks off anywhere is undecodable", () => {
  fc.assert(
    fc.property(intents, (intent) => {
      const bytes = codec.encoders.intent.encode(intent);
      for (let length = 0; length < bytes.length; length += 1) {
        expect(reasonOf(bytes.subarray(0, length))).toBe("undecodable");
      }
    }),
    { numRuns: 30 },
  );
});

test("bytes left over are undecodable", () => {
  fc.assert(
    fc.property(intents, fc.uint8Array({ minLength: 1, maxLength: 20 }), (intent, more) => {
      expect(reasonOf(Buffer.concat([codec.encoders.intent.encode(intent), more]))).toBe("undecodable");
    }),
  );
});

test("another message under our own schema id is undecodable", () => {
  const bytes = codec.encoders.outcome.encode(OUTCOME);
  bytes.writeInt32BE(IDS.intent, 1);
  expect(reasonOf(bytes)).toBe("undecodable");
});

test("another message under its own schema id is schema_mismatch", async () => {
  const registry = new MemoryRegistry();
  registry.schemas.set(IDS.outcome, SCHEMAS.outcome);
  const { intent } = codecWith(registry).decoders;
  const bytes = codec.encoders.outcome.encode(OUTCOME);
  await expect(intent.read(bytes)).rejects.toMatchObject({ reason: "schema_mismatch" });
});

test("text that is not UTF-8 is undecodable; U+FFFD itself is not", () => {
  const bytes = codec.encoders.intent.encode({ ...INTENT, reference: "Zürich" });
  const broken = Buffer.from(bytes);
  broken[broken.indexOf(0xbc)] = 0x20;
  expect(reasonOf(broken)).toBe("undecodable");
  const honest = codec.encoders.intent.encode({ ...INTENT, reference: "\uFFFD" });
  expect(decoder.decode(honest).reference).toBe("\uFFFD");
});

describe("lengths and counts that lie", () => {
  const EMPTY_MAP = { ...INTENT, metadata: {} };
  // metadata is followed by eight bytes of occurredAt and sixteen nulls; its own end is the zero before them.
  const whole = codec.encoders.intent.encode(EMPTY_MAP);
  const metadataAt = whole.length - 8 - 16 - 1;
  const withMetadata = (...parts: Buffer[]): Buffer =>
    Buffer.concat([whole.subarray(0, metadataAt), ...parts, whole.subarray(metadataAt + 1)]);
  const entry = Buffer.from([2, 0x6b, 2, 0x76]); // "k", "v"

  test("the probe itself is right", () => {
    expect(decoder.decode(withMetadata(count(1n), entry, count(0n))).metadata).toEqual({ k: "v" });
    expect(decoder.decode(withMetadata(count(-1n), count(4n), entry, count(0n))).metadata).toEqual({ k: "v" });
    const twoBlocks = withMetadata(count(1n), entry, count(1n), entry, count(0n));
    expect(decoder.decode(twoBlocks).metadata).toEqual({ k: "v" });
  });

  test.each([
    ["a map of 2^50 entries", count(2n ** 50n)],
    ["a map of 2^63 - 1 entries", count(2n ** 63n - 1n)],
    ["a map of -2^63 entries", count(-(2n ** 63n))],
    ["a count of eleven bytes", Buffer.alloc(11, 0xff)],
    ["a key of 2^40 bytes", Buffer.concat([count(1n), count(2n ** 40n)])],
    ["a key of -1 bytes", Buffer.concat([count(1n), count(-1n)])],
  ])("%s is undecodable, at once", (_name, bytes) => {
    const started = performance.now();
    expect(reasonOf(withMetadata(bytes))).toBe("undecodable");
    expect(performance.now() - started).toBeLessThan(100);
  });

  test("a map key may be __proto__, and is kept", () => {
    const key = Buffer.from("__proto__");
    const bytes = withMetadata(count(1n), count(BigInt(key.length)), key, Buffer.from([2, 0x76]), count(0n));
    const { metadata } = decoder.decode(bytes);
    expect(Object.entries(metadata ?? {})).toEqual([["__proto__", "v"]]);
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
  });

  // A newer writer's map or array is skipped by an older reader, and blocks with a size are skipped by that size.
  const newer = changed("intent", (schema) => {
    schema.fields.push({ name: "tags", type: { type: "array", items: "string" }, default: [] });
    schema.fields.push({ name: "more", type: { type: "map", values: "string" }, default: {} });
  });
  const registry = new MemoryRegistry();
  registry.schemas.set(NEWER_ID, newer);
  const older = codecWith(registry).decoders.intent;
  const skipped = (...parts: Buffer[]): Buffer => {
    const bytes = Buffer.concat([codec.encoders.intent.encode(INTENT), ...parts]);
    bytes.writeInt32BE(NEWER_ID, 1);
    return bytes;
  };

  test.each([
    ["an array of 2^50 items", skipped(count(2n ** 50n))],
    ["an array block of -2 bytes, back to its own start", skipped(count(-1n), count(-2n))],
    ["an array block of 2^50 bytes", skipped(count(-1n), count(2n ** 50n))],
    ["a map block of -3 bytes", skipped(count(0n), count(-1n), count(-3n))],
    ["a map of 2^50 entries", skipped(count(0n), count(2n ** 50n))],
  ])("%s in a field that is skipped is undecodable, at once", async (_name, bytes) => {
    await older.learn(NEWER_ID);
    const started = performance.now();
    expect(reasonOf(bytes, older)).toBe("undecodable");
    expect(performance.now() - started).toBeLessThan(100);
  });

  test("honest blocks with a size are skipped", async () => {
    await older.learn(NEWER_ID);
    const tag = Buffer.from([2, 0x74]);
    expect(older.decode(skipped(count(-1n), count(2n), tag, count(0n), count(0n)))).toEqual(INTENT);
  });

  test("a schema that nests in itself cannot exhaust the stack", async () => {
    const endless = changed("intent", (schema) => {
      const nest = { type: "record", name: "Nest", fields: [{ name: "inner", type: ["null", "Nest"] }] };
      schema.fields.push({ name: "nest", type: nest, default: { inner: null } });
    });
    const nests = new MemoryRegistry();
    nests.schemas.set(NEWER_ID, endless);
    const { intent } = codecWith(nests).decoders;
    expect(await intent.learn(NEWER_ID)).toBe("known");
    expect(reasonOf(skipped(Buffer.alloc(1_000_000, 2)), intent)).toBe("undecodable");
  });
});

test("the detail never quotes the message", () => {
  const card = "4111111111111111";
  const bytes = codec.encoders.intent.encode({ ...INTENT, reference: card, metadata: { card } });
  for (let length = 5; length < bytes.length; length += 1) {
    expect(() => decoder.decode(bytes.subarray(0, length))).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(card.slice(0, 6)) }),
    );
  }
});

test("hostile bytes leave nothing behind: the next message decodes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      reasonOf(Buffer.concat([HEADER, bytes]));
      expect(decoder.decode(codec.encoders.intent.encode(INTENT))).toEqual(INTENT);
    }),
  );
});
