// The schemas as the outside relies on them: names and shapes of contract.md, and what the rest of the system assumes.

import avro from "avsc";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BLOCK_DIGEST_BYTES, BLOCK_DIGEST_OFFSET, MessageBuffer } from "../../src/kafka/codec.ts";
import { MESSAGE_KINDS, type MessageKind } from "../../src/kafka/codec-messages.ts";
import { codecWith, IDS, intents, MemoryRegistry, OUTCOME, outcomes, SCHEMAS } from "../unit/codec-fixtures.ts";

type Json = { readonly [key: string]: unknown };
const codec = codecWith(new MemoryRegistry());

/** Every record, map, union and named type within a schema, with its path. */
function* parts(type: unknown, path: string): Generator<{ path: string; type: Json }> {
  if (Array.isArray(type)) for (const branch of type) yield* parts(branch, path);
  if (typeof type !== "object" || type === null || Array.isArray(type)) return;
  const json = type as Json;
  yield { path, type: json };
  yield* parts(json.values, `${path}.*`);
  yield* parts(json.items, `${path}[]`);
  for (const field of (json.fields ?? []) as Json[]) yield* parts(field.type, `${path}.${String(field.name)}`);
}

function fieldsOf(kind: MessageKind): Json[] {
  return (JSON.parse(SCHEMAS[kind]) as { fields: Json[] }).fields;
}

describe.each(MESSAGE_KINDS)("%s", (kind) => {
  const schema = JSON.parse(SCHEMAS[kind]) as Json;
  const all = [...parts(schema, String(schema.name))];

  test("is one self-contained record of the namespace millrace", () => {
    expect(schema).toMatchObject({ type: "record", namespace: "millrace" });
    expect(() => avro.Type.forSchema(schema as unknown as avro.Schema)).not.toThrow();
  });

  test("says of every record and every field what it means", () => {
    for (const { path, type } of all) {
      if (type.name !== undefined) expect(type.doc, path).toEqual(expect.stringMatching(/\w.*\.$/));
      for (const field of (type.fields ?? []) as Json[]) {
        expect(field.doc, `${path}.${String(field.name)}`).toEqual(expect.stringMatching(/\w.*\.$/));
      }
    }
  });

  test("has no array, no enum and no float: they cannot grow, or cannot hold money", () => {
    expect(all.filter(({ type }) => type.type === "array" || type.type === "enum")).toEqual([]);
    expect(SCHEMAS[kind]).not.toMatch(/"(float|double)"/);
  });

  test("has microseconds for every time", () => {
    for (const field of fieldsOf(kind)) {
      if (!/At$|After$/.test(String(field.name))) continue;
      expect(field.type, String(field.name)).toEqual({ type: "long", logicalType: "timestamp-micros" });
    }
  });

  test("gives every field that may be null a default", () => {
    for (const { type } of all) {
      for (const field of (type.fields ?? []) as Json[]) {
        if (Array.isArray(field.type) && field.type.includes("null")) expect(field).toHaveProperty("default");
      }
    }
  });
});

test("an intent has the fields of the JSON line, and asks for three of them", () => {
  const names = fieldsOf("intent").map((field) => field.name);
  expect(names.join(" ")).toBe(
    "type holderId caseId sourceId idempotencyKey account currency floorMinor change from to amount final reference " +
      "metadata occurredAt correlationId causationId traceparent method captureMode tokenRef provider tenant " +
      "settlementCurrency quoteId fxBasis side lockSeconds decision principal reason",
  );
  const required = fieldsOf("intent").filter((field) => !("default" in field));
  expect(required.map((field) => field.name)).toEqual(["type", "holderId", "occurredAt"]);
});

test("an outcome has the fields of the JSON line, behind the block's digest", () => {
  const [digest, ...names] = fieldsOf("outcome").map((field) => field.name);
  expect(digest).toBe("blockDigest");
  expect(names.filter((name) => name !== "flow").join(" ")).toBe(
    "lane sequence block outcomeId type caseId sourceId holderId intentType idempotencyKey status reason repeatOf " +
      "amounts lines occurredAt recordedAt correlationId causationId traceparent parentId",
  );
});

test("money is one shape wherever it occurs", () => {
  const shapes = MESSAGE_KINDS.flatMap((kind) => [...parts(JSON.parse(SCHEMAS[kind]), kind)])
    .filter(({ type }) => type.name === "Money")
    .map(({ type }) => (type.fields as Json[]).map((field) => [field.name, field.type]));
  expect(shapes.length).toBe(2);
  for (const shape of shapes)
    expect(shape).toEqual([
      ["currency", "string"],
      ["scale", "int"],
      ["minor", "string"],
    ]);
});

describe.each(["outcome", "deadLetter", "command"] as const)("the digest of a block's %s", (kind) => {
  test("lies at bytes 5 to 12, and is zero when written", () => {
    expect([BLOCK_DIGEST_OFFSET, BLOCK_DIGEST_BYTES]).toEqual([5, 8]);
    expect(fieldsOf(kind)[0]).toMatchObject({
      name: "blockDigest",
      type: { type: "fixed", size: 8, name: "BlockDigest" },
    });
  });
});

test("a stamped digest is what a reader finds", () => {
  fc.assert(
    fc.property(outcomes, fc.uint8Array({ minLength: 8, maxLength: 8 }), (outcome, bytes) => {
      const blockDigest = Buffer.from(bytes);
      const target = new MessageBuffer();
      codec.encoders.outcome.encodeInto(target, outcome);
      expect(target.message(0).subarray(5, 13)).toEqual(Buffer.alloc(8));
      target.stampDigest(blockDigest);
      expect(codec.decoders.outcome.decode(target.message(0))).toEqual({ ...outcome, blockDigest });
    }),
  );
});

describe("any Avro library reads and writes the same bytes", () => {
  // The library with its own longs, unions and bytes. It writes longs by doubling them, exact up to 2^52.
  const plain = (kind: MessageKind): avro.Type =>
    avro.Type.forSchema(JSON.parse(SCHEMAS[kind]) as avro.Schema, { wrapUnions: "never" });
  const exact = fc.integer({ min: -(2 ** 51), max: 2 ** 51 });
  const header = (kind: MessageKind): Buffer => Buffer.from([0, 0, 0, 0, IDS[kind]]);

  test("intents, in both directions", () => {
    const type = plain("intent");
    fc.assert(
      fc.property(intents, exact, (intent, micros) => {
        fc.pre(!Object.keys(intent.metadata ?? {}).includes("__proto__"));
        const longs = { occurredAt: micros, lockSeconds: intent.lockSeconds === null ? null : micros };
        const bigints = {
          occurredAt: BigInt(micros),
          lockSeconds: intent.lockSeconds === null ? null : BigInt(micros),
        };
        const foreign = Buffer.concat([header("intent"), type.toBuffer({ ...intent, ...longs })]);
        const ours = codec.encoders.intent.encode({ ...intent, ...bigints });
        expect(ours.equals(foreign)).toBe(true);
        expect(codec.decoders.intent.decode(foreign)).toEqual({ ...intent, ...bigints });
      }),
    );
  });

  test("outcomes", () => {
    const bytes = codec.encoders.outcome.encode(OUTCOME);
    expect(bytes.subarray(0, 5)).toEqual(header("outcome"));
    const read: unknown = plain("outcome").fromBuffer(bytes.subarray(5));
    const numbers = {
      sequence: 123_456,
      block: 4_242,
      occurredAt: 1_732_060_800_123_456,
      recordedAt: 1_732_060_800_999_456,
    };
    expect(read).toEqual({ ...OUTCOME, ...numbers, blockDigest: Buffer.alloc(8) });
  });
});
