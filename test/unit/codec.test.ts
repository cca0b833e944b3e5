import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCodec, MessageBuffer, NOT_FOUND_MS, Unencodable } from "../../src/kafka/codec.ts";
import type { CommandMessage, DeadLetterMessage, ReportMessage } from "../../src/kafka/codec-messages.ts";
import {
  CHANNEL,
  changed,
  codecWith,
  IDS,
  INTENT,
  int,
  intents,
  long,
  MemoryRegistry,
  names,
  OUTCOME,
  outcomes,
  SCHEMAS,
  text,
} from "./codec-fixtures.ts";

const codec = codecWith(new MemoryRegistry());
const ZERO_DIGEST = Buffer.alloc(8);
const NEWER_ID = 77;

describe("what is written is read back", () => {
  test("every intent", () => {
    fc.assert(
      fc.property(intents, (intent) => {
        expect(codec.decoders.intent.decode(codec.encoders.intent.encode(intent))).toEqual(intent);
      }),
    );
  });

  test("every outcome, with a zero block digest", () => {
    fc.assert(
      fc.property(outcomes, (outcome) => {
        const read = codec.decoders.outcome.decode(codec.encoders.outcome.encode(outcome));
        expect(read).toEqual({ ...outcome, blockDigest: ZERO_DIGEST });
      }),
    );
  });

  test("dead letters, commands and reports", () => {
    const place = { lane: int, sequence: long, block: long };
    const call = { caseId: text, holderId: text, call: text, attempt: int, payload: names };
    const deadLetters: fc.Arbitrary<DeadLetterMessage> = fc.record({
      ...place,
      reason: text,
      detail: text,
      topic: text,
      partition: int,
      offset: long,
      sha256: text,
      size: int,
      value: fc.option(fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))),
      appendedAt: long,
      recordedAt: long,
    });
    const commands: fc.Arbitrary<CommandMessage> = fc.record({
      ...place,
      ...call,
      commandId: text,
      idempotencyKey: text,
      notAfter: long,
      timeoutMs: fc.nat(),
      traceparent: fc.option(text),
      op: text,
      readOnly: fc.boolean(),
    });
    const reports: fc.Arbitrary<ReportMessage> = fc.record({
      ...call,
      result: text,
      observation: text,
      occurredAt: long,
      from: fc.option(
        fc.record({
          lane: int,
          sequence: long,
          block: long,
          holderId: text,
          caseId: text,
          call: text,
          attempt: int,
        }),
      ),
    });
    const { decoders, encoders } = codec;
    const blockDigest = ZERO_DIGEST;
    fc.assert(
      fc.property(deadLetters, commands, reports, (letter, command, report) => {
        expect(decoders.deadLetter.decode(encoders.deadLetter.encode(letter))).toEqual({ ...letter, blockDigest });
        expect(decoders.command.decode(encoders.command.encode(command))).toEqual({ ...command, blockDigest });
        expect(decoders.report.decode(encoders.report.encode(report))).toEqual(report);
      }),
    );
  });

  test("integers beyond 2^53 and amounts of 38 digits, to the last digit", () => {
    const minor = "9".repeat(38);
    const amount = { currency: "ETH@eip155:1", scale: 18, minor };
    for (const occurredAt of [2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), -1n, 0n]) {
      const read = codec.decoders.intent.decode(codec.encoders.intent.encode({ ...INTENT, amount, occurredAt }));
      expect(read.occurredAt).toBe(occurredAt);
      expect(read.amount?.minor).toBe(minor);
    }
  });

  test("a lone surrogate becomes U+FFFD, in short strings and long ones", () => {
    const reference = "\uD800";
    const read = codec.decoders.intent.decode(codec.encoders.intent.encode({ ...INTENT, reference }));
    expect(read.reference).toBe("\uFFFD");
    const longer = codec.encoders.intent.encode({ ...INTENT, reference: `${"x".repeat(100)}\uDFFF` });
    expect(codec.decoders.intent.decode(longer).reference).toBe(`${"x".repeat(100)}\uFFFD`);
  });

  test("what an intent leaves out takes its default", () => {
    const least = { type: "account_open", holderId: "h", occurredAt: 1n };
    const read = codec.decoders.intent.decode(codec.encoders.intent.encode(least));
    expect(read.floorMinor).toBe("0");
    expect(read.caseId).toBeNull();
    expect(Object.keys(read)).toEqual(Object.keys(INTENT));
  });

  test("a floor of null stays null", () => {
    const read = codec.decoders.intent.decode(codec.encoders.intent.encode({ ...INTENT, floorMinor: null }));
    expect(read.floorMinor).toBeNull();
  });
});

describe("a value that does not fit its schema", () => {
  test("is refused by the names of its fields, and the buffer stays as it was", () => {
    const target = new MessageBuffer();
    codec.encoders.outcome.encodeInto(target, OUTCOME);
    const before = Buffer.from(target.bytes());
    const wrong = { ...OUTCOME, sequence: 2n ** 63n, lines: 2 ** 31, amounts: { fee: { currency: "EUR" } } };
    const write = () => codec.encoders.outcome.encodeInto(target, wrong as never);
    expect(write).toThrow(Unencodable);
    expect(write).toThrow("sequence, amounts.fee.scale, amounts.fee.minor, lines");
    expect(target.count).toBe(1);
    expect(target.bytes()).toEqual(before);
  });

  test("a number where a bigint belongs is refused", () => {
    expect(() => codec.encoders.intent.encode({ ...INTENT, occurredAt: 5 as never })).toThrow("occurredAt");
  });
});

describe("many messages in one buffer", () => {
  test("each is what it would be alone, at the offsets that are given, however often the buffer grows", () => {
    fc.assert(
      fc.property(fc.array(outcomes, { maxLength: 20 }), (messages) => {
        const target = new MessageBuffer(64);
        for (const message of messages) codec.encoders.outcome.encodeInto(target, message);
        expect(target.count).toBe(messages.length);
        messages.forEach((message, index) => {
          const alone = codec.encoders.outcome.encode(message);
          expect(target.message(index).equals(alone)).toBe(true);
          expect(target.bytes().subarray(target.start(index), target.end(index)).equals(alone)).toBe(true);
        });
        expect(target.ends.at(-1) ?? 0).toBe(target.length);
      }),
      { numRuns: 30 },
    );
  });

  test("stamps the digest into every message and changes nothing else", () => {
    const target = new MessageBuffer();
    for (let i = 0; i < 5; i += 1) codec.encoders.outcome.encodeInto(target, { ...OUTCOME, sequence: BigInt(i) });
    const blockDigest = Buffer.from("0123456789abcdef", "hex");
    target.stampDigest(Buffer.concat([blockDigest, Buffer.alloc(24, 0xff)]));
    for (let i = 0; i < 5; i += 1) {
      const read = codec.decoders.outcome.decode(target.message(i));
      expect(read).toEqual({ ...OUTCOME, sequence: BigInt(i), blockDigest });
    }
  });

  test("a cleared buffer begins anew", () => {
    const target = new MessageBuffer();
    codec.encoders.outcome.encodeInto(target, OUTCOME);
    target.clear();
    expect([target.count, target.length]).toEqual([0, 0]);
    codec.encoders.outcome.encodeInto(target, OUTCOME);
    expect(target.message(0)).toEqual(codec.encoders.outcome.encode(OUTCOME));
  });
});

describe("an optional field is added", () => {
  const newerIntent = changed("intent", (schema) => schema.fields.splice(7, 0, CHANNEL));
  const newer = { schemas: { intent: newerIntent }, ids: { ...IDS, intent: NEWER_ID } };

  test("an old reader reads what a new writer wrote, without the field", async () => {
    const writer = codecWith(new MemoryRegistry(), newer.schemas, newer.ids);
    const registry = new MemoryRegistry();
    registry.schemas.set(NEWER_ID, newerIntent);
    const reader = codecWith(registry).decoders.intent;
    await fc.assert(
      fc.asyncProperty(intents, fc.option(text), async (intent, channel) => {
        const value = writer.encoders.intent.encode({ ...intent, channel } as never);
        expect(await reader.read(value)).toEqual(intent);
      }),
    );
    expect(registry.asked).toEqual([NEWER_ID]);
  });

  test("a new reader reads what an old writer wrote, with the default", async () => {
    const registry = new MemoryRegistry();
    registry.schemas.set(IDS.intent, SCHEMAS.intent);
    const reader = codecWith(registry, newer.schemas, newer.ids).decoders.intent;
    await fc.assert(
      fc.asyncProperty(intents, async (intent) => {
        expect(await reader.read(codec.encoders.intent.encode(intent))).toEqual({ ...intent, channel: null });
      }),
    );
  });

  test("also a number with a default of its own", async () => {
    const counted = changed("intent", (schema) => {
      schema.fields.push({ name: "count", type: "long", default: -5 });
      schema.fields.push({ name: "rate", type: "double", default: 0.5 });
    });
    const registry = new MemoryRegistry();
    registry.schemas.set(IDS.intent, SCHEMAS.intent);
    registry.schemas.set(NEWER_ID, counted);
    const counting = codecWith(registry, { intent: counted }, { ...IDS, intent: NEWER_ID });
    const value = codec.encoders.intent.encode(INTENT);
    expect(await counting.decoders.intent.read(value)).toEqual({ ...INTENT, count: -5n, rate: 0.5 });
    const counts = counting.encoders.intent.encode({ ...INTENT, count: 2n ** 60n, rate: 1.25 } as never);
    expect(counting.decoders.intent.decode(counts)).toMatchObject({ count: 2n ** 60n, rate: 1.25 });
    expect(await codecWith(registry).decoders.intent.read(counts)).toEqual(INTENT);
    const left = counting.encoders.intent.encode(INTENT);
    expect(counting.decoders.intent.decode(left)).toMatchObject({ count: -5n, rate: 0.5 });
  });

  test("an outcome's digest stays where it is, and a field inside an amount may be added too", async () => {
    const newerOutcome = changed("outcome", (schema) => {
      schema.fields.push(CHANNEL);
      const amounts = schema.fields.find((field) => field.name === "amounts") as { type: unknown };
      (amounts.type as { values: { fields: unknown[] } }).values.fields.push(CHANNEL);
    });
    const writer = codecWith(new MemoryRegistry(), { outcome: newerOutcome }, { ...IDS, outcome: NEWER_ID });
    const target = new MessageBuffer();
    writer.encoders.outcome.encodeInto(target, OUTCOME);
    target.stampDigest(Buffer.from("8899aabbccddeeff", "hex"));
    const registry = new MemoryRegistry();
    registry.schemas.set(NEWER_ID, newerOutcome);
    const read = await codecWith(registry).decoders.outcome.read(target.message(0));
    expect(read).toEqual({ ...OUTCOME, blockDigest: Buffer.from("8899aabbccddeeff", "hex") });
  });
});

describe("schema ids", () => {
  const value = Buffer.from(codec.encoders.intent.encode(INTENT));
  value.writeInt32BE(NEWER_ID, 1);

  test("our own needs no registry", () => {
    expect(codec.decoders.intent.needs(codec.encoders.intent.encode(INTENT))).toBeNull();
  });

  test("an unknown one is asked for once, however many wait for it", async () => {
    const registry = new MemoryRegistry();
    registry.schemas.set(NEWER_ID, SCHEMAS.intent);
    const { intent } = codecWith(registry).decoders;
    expect(intent.needs(value)).toBe(NEWER_ID);
    const learned = await Promise.all([intent.learn(NEWER_ID), intent.learn(NEWER_ID), intent.learn(NEWER_ID)]);
    expect(learned).toEqual(["known", "known", "known"]);
    expect(await intent.learn(NEWER_ID)).toBe("known");
    expect(registry.asked).toEqual([NEWER_ID]);
    expect(intent.needs(value)).toBeNull();
    expect(intent.decode(value)).toEqual(INTENT);
  });

  test("one that the registry does not have is unknown_schema, and is asked for again after a while", async () => {
    let nowMs = 1_000_000;
    const registry = new MemoryRegistry();
    const { intent } = createCodec({ schemas: SCHEMAS, ids: IDS, registry, clock: () => nowMs }).decoders;
    expect(await intent.learn(NEWER_ID)).toBe("not_found");
    expect(intent.needs(value)).toBeNull();
    expect(() => intent.decode(value)).toThrow(expect.objectContaining({ reason: "unknown_schema" }));
    nowMs += NOT_FOUND_MS;
    expect(intent.needs(value)).toBe(NEWER_ID);
    expect(() => intent.decode(value)).toThrow(expect.objectContaining({ reason: "unknown_schema" }));
    registry.schemas.set(NEWER_ID, SCHEMAS.intent);
    expect(await intent.learn(NEWER_ID)).toBe("known");
    expect(intent.decode(value)).toEqual(INTENT);
  });

  test("while the registry cannot be reached nothing is decided and nothing remembered", async () => {
    const registry = new MemoryRegistry();
    registry.schemas.set(NEWER_ID, new Error("unreachable"));
    const { intent } = codecWith(registry).decoders;
    await expect(intent.learn(NEWER_ID)).rejects.toThrow("unreachable");
    expect(intent.needs(value)).toBe(NEWER_ID);
    registry.schemas.set(NEWER_ID, SCHEMAS.intent);
    expect(await intent.learn(NEWER_ID)).toBe("known");
  });

  const mismatches: Record<string, string> = {
    "another record": SCHEMAS.report,
    "a record of another name": changed("intent", (schema) => (schema.name = "Wish")),
    "a record of another namespace": changed("intent", (schema) => (schema.namespace = "elsewhere")),
    "a field of another type": changed("intent", (schema) => (schema.fields[1] = { name: "holderId", type: "int" })),
    "a required field less": changed("intent", (schema) => schema.fields.splice(1, 1)),
    "a map where a record is expected": JSON.stringify({ type: "map", values: "string" }),
    "another unit of time": changed("intent", (schema) => {
      const occurredAt = schema.fields.find((field) => field.name === "occurredAt");
      if (occurredAt) occurredAt.type = { type: "long", logicalType: "timestamp-millis" };
    }),
    "an array of nothing": changed("intent", (schema) => {
      schema.fields.push({ name: "nothing", type: { type: "array", items: "null" } });
    }),
    "text that is not JSON": "{",
    "a schema that is not Avro": '{"type":"object"}',
  };
  test.each(Object.entries(mismatches))("%s is schema_mismatch", async (_name, schema) => {
    const registry = new MemoryRegistry();
    registry.schemas.set(NEWER_ID, schema);
    const { intent } = codecWith(registry).decoders;
    expect(await intent.learn(NEWER_ID)).toBe("incompatible");
    expect(await intent.learn(NEWER_ID)).toBe("incompatible");
    expect(intent.needs(value)).toBeNull();
    expect(() => intent.decode(value)).toThrow(expect.objectContaining({ reason: "schema_mismatch" }));
    expect(registry.asked).toEqual([NEWER_ID]);
  });

  test("a schema of another language or with references is schema_mismatch", async () => {
    const registry = new MemoryRegistry();
    registry.schemas.set(1, { schema: "syntax = 'proto3';", schemaType: "PROTOBUF", referenceCount: 0 });
    registry.schemas.set(2, { schema: SCHEMAS.intent, schemaType: "AVRO", referenceCount: 1 });
    const { intent } = codecWith(registry).decoders;
    expect([await intent.learn(1), await intent.learn(2)]).toEqual(["incompatible", "incompatible"]);
  });

  test("a time without its logical type is read: some libraries drop it", async () => {
    const registry = new MemoryRegistry();
    const bare = changed("intent", (schema) => {
      const occurredAt = schema.fields.find((field) => field.name === "occurredAt");
      if (occurredAt) occurredAt.type = "long";
    });
    registry.schemas.set(NEWER_ID, bare);
    expect(await codecWith(registry).decoders.intent.read(value)).toEqual(INTENT);
  });
});
