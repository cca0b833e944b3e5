// From bytes to an intent, or to the reason why not.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { QUARANTINE_REASONS, type QuarantineReason } from "../../src/domain/refusals.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import type { InputRecord } from "../../src/kafka/port.ts";
import { type Misfit, takeIn } from "../../src/processor/intake.ts";
import { available, euros } from "../support/intents.ts";
import { inputOf, LANES, NOW_MS, producing, RULES } from "../support/ledger.ts";
import { codecWith, intents, MemoryRegistry, OUTCOME, SCHEMAS } from "./codec-fixtures.ts";

const registry = new MemoryRegistry();
const codec = codecWith(registry);
const LIMITS = { recordBytesMax: 65_536, futureMs: 86_400_000 };
const HOME = homeLane("ann", LANES);

function recordOf(value: Buffer | null, key: string | Buffer | null = "ann"): InputRecord {
  const bytes = typeof key === "string" ? Buffer.from(key) : key;
  return { offset: 7n, appendedAtMs: NOW_MS, key: bytes, value };
}

async function take(value: Buffer | null, key: string | Buffer | null = "ann", lane = HOME) {
  const decoder = codec.decoders.intent;
  const id = value === null ? null : decoder.needs(value);
  if (id !== null) await decoder.learn(id);
  return takeIn(recordOf(value, key), lane, RULES, decoder, LIMITS);
}

function bytesOf(intent: NewIntent): Buffer {
  return codec.encoders.intent.encode(intent);
}

const PAY_IN = producing.payIn("ann", 100);
const GOOD = bytesOf(PAY_IN);

async function misfit(value: Buffer | null, key: string | Buffer | null = "ann", lane = HOME): Promise<Misfit> {
  const taken = await take(value, key, lane);
  expect(taken.kind).toBe("misfit");
  return taken as Misfit;
}

test("a good record becomes the intent that it is", async () => {
  expect(await take(GOOD)).toEqual(inputOf(PAY_IN, 7n));
  const full = producing.accountUpdate("ann", "floor", {
    floorMinor: `-${"9".repeat(38)}`,
    sourceId: "s",
    idempotencyKey: "k",
    reference: "two\nlines",
    metadata: { k: "v", __proto__x: "" },
    correlationId: "a",
    causationId: "b",
    traceparent: "c",
  });
  expect(await take(bytesOf(full))).toEqual(inputOf(full, 7n));
  const payment = {
    ...PAY_IN,
    method: "card",
    captureMode: "manual",
    tokenRef: "tok_1",
    provider: "psp-1",
    tenant: "shop.eu",
    settlementCurrency: "USD",
    quoteId: "fxq_01JD3Z7Q6R8W2V5K9T0M4N1B7C",
    fxBasis: "original",
    side: "sell",
    lockSeconds: 604_800n,
    decision: "release",
    principal: "ops:jane",
    reason: "asked by phone",
  };
  expect(await take(bytesOf(payment))).toEqual(inputOf(payment, 7n));
});

describe("what is not an intent is put aside:", () => {
  test.each<[string, QuarantineReason, () => Parameters<typeof misfit>]>([
    ["no key", "missing_key", () => [GOOD, null]],
    ["an empty key", "missing_key", () => [GOOD, Buffer.alloc(0)]],
    ["no key and no value", "missing_key", () => [null, null]],
    ["a tombstone", "undecodable", () => [null]],
    ["no bytes", "undecodable", () => [Buffer.alloc(0)]],
    ["another first byte", "undecodable", () => [Buffer.concat([Buffer.from([1]), GOOD.subarray(1)])]],
    ["a header alone", "undecodable", () => [GOOD.subarray(0, 5)]],
    ["bytes left over", "undecodable", () => [Buffer.concat([GOOD, Buffer.from([0])])]],
    ["a schema that there is not", "unknown_schema", () => [withSchema(999)]],
    ["a message of another type", "schema_mismatch", () => [withSchema(12, codec.encoders.outcome.encode(OUTCOME))]],
    ["65,537 bytes", "too_large", () => [Buffer.alloc(65_537)]],
    ["another holder's key", "key_mismatch", () => [GOOD, "bob"]],
    ["a key of other bytes", "key_mismatch", () => [GOOD, Buffer.from([0xff, 0xfe])]],
    ["a lane that is not home", "wrong_lane", () => [GOOD, "ann", (HOME + 1) % LANES]],
  ])("%s: %s", async (_what, reason, given) => {
    registry.schemas.set(12, SCHEMAS.outcome);
    const put = await misfit(...given());
    expect(put).toMatchObject({ reason, record: { offset: 7n } });
    expect(put.detail.length).toBeGreaterThan(10);
  });

  test("truncated Avro, wherever it is cut", async () => {
    for (let bytes = 5; bytes < GOOD.length; bytes++) {
      expect((await misfit(GOOD.subarray(0, bytes))).reason).toBe("undecodable");
    }
  });

  test.each(["house", "a b", "a/b", "x".repeat(65), "ä", "a\nb"])("the holder id %j", async (holderId) => {
    const put = await misfit(bytesOf({ ...PAY_IN, holderId }), holderId);
    expect([put.reason, put.detail.slice(0, 9)]).toEqual(["invalid_field", "holderId:"]);
  });

  test.each(["A", "x".repeat(64), "House", "house_", "0-.9_z"])("but not the holder id %j", async (holderId) => {
    const intent = { ...PAY_IN, holderId };
    expect((await take(bytesOf(intent), holderId, homeLane(holderId, LANES))).kind).toBe("intent");
  });

  const LONG = "x".repeat(129);
  test.each<[string, Partial<NewIntent>]>([
    ["type", { type: "transfer_destroy" }],
    ["type", { type: "" }],
    ["from", { from: null }],
    ["to", { to: null }],
    ["amount", { amount: null }],
    ["caseId", { caseId: "" }],
    ["caseId", { caseId: LONG }],
    ["sourceId", { sourceId: "" }],
    ["sourceId", { sourceId: LONG }],
    ["sourceId", { sourceId: "a\u0000b" }],
    ["idempotencyKey", { idempotencyKey: "a\nb" }],
    ["idempotencyKey", { idempotencyKey: LONG }],
    ["from", { from: "a\u007f" }],
    ["to", { to: "x".repeat(257) }],
    ["account", { account: "\t" }],
    ["currency", { currency: "" }],
    ["floorMinor", { floorMinor: "" }],
    ["floorMinor", { floorMinor: "1.5" }],
    ["floorMinor", { floorMinor: "1e3" }],
    ["change", { change: "melt" }],
    ["amount.currency", { amount: { currency: "", scale: 2, minor: "1" } }],
    ["amount.currency", { amount: { currency: "E\u0000R", scale: 2, minor: "1" } }],
    ["amount.scale", { amount: { currency: "EUR", scale: 3, minor: "1" } }],
    ["amount.scale", { amount: { currency: "JPY", scale: 2, minor: "1" } }],
    ["amount.minor", { amount: euros("") }],
    ["amount.minor", { amount: euros("1.0") }],
    ["amount.minor", { amount: euros("+1") }],
    ["amount.minor", { amount: euros(" 1") }],
    ["amount.minor", { amount: euros("--1") }],
    ["amount.minor", { amount: euros("0x10") }],
    ["amount.minor", { amount: euros("١") }], // a digit, but not of ours
    ["amount.minor", { amount: euros("9".repeat(65)) }],
    ["reference", { reference: "x".repeat(1025) }],
    ["reference", { reference: "a\u0000b" }],
    ["metadata", { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, ""])) }],
    ["metadata key", { metadata: { "": "v" } }],
    ["metadata key", { metadata: { "a\u0000": "v" } }],
    ["metadata key", { metadata: { ["k".repeat(65)]: "v" } }],
    ["a value of metadata", { metadata: { k: "\u0000" } }],
    ["a value of metadata", { metadata: { k: "v".repeat(501) } }],
    ["occurredAt", { occurredAt: BigInt(Date.UTC(9999, 11, 31)) * 1000n }],
    ["occurredAt", { occurredAt: BigInt(NOW_MS + 86_400_000) * 1000n + 1n }],
    ["occurredAt", { occurredAt: BigInt(Date.UTC(1900, 0, 1)) * 1000n - 1n }],
    ["occurredAt", { occurredAt: 2n ** 63n - 1n }],
    ["occurredAt", { occurredAt: -(2n ** 63n) }],
    ["correlationId", { correlationId: "\u0001" }],
    ["causationId", { causationId: "x".repeat(257) }],
    ["traceparent", { traceparent: "" }],
    ["method", { method: "Card" }],
    ["method", { method: "c".repeat(33) }],
    ["captureMode", { captureMode: "later" }],
    ["tokenRef", { tokenRef: "x".repeat(129) }],
    ["provider", { provider: "a:b" }],
    ["tenant", { tenant: "" }],
    ["settlementCurrency", { settlementCurrency: "" }],
    ["quoteId", { quoteId: "\n" }],
    ["fxBasis", { fxBasis: "newest" }],
    ["side", { side: "both" }],
    ["lockSeconds", { lockSeconds: 0n }],
    ["lockSeconds", { lockSeconds: 604_801n }],
    ["decision", { decision: "let it go" }],
    ["principal", { principal: "" }],
    ["reason", { reason: "x".repeat(1025) }],
  ])("the field %s", async (field, over) => {
    const put = await misfit(bytesOf({ ...PAY_IN, ...over }));
    expect(put.reason).toBe("invalid_field");
    expect(put.detail.startsWith(`${field}: `)).toBe(true);
  });

  test("the fields that its type needs, by their names", async () => {
    const needed = [
      [producing.accountOpen("ann", { account: null }), "account: account_open must carry it"],
      [producing.accountOpen("ann", { currency: null }), "currency: account_open must carry it"],
      [producing.accountUpdate("ann", "close", { change: null }), "change: account_update must carry it"],
      [producing.holdPlace("ann", 1, { amount: null }), "amount: hold_place must carry it"],
      [
        producing.holdCapture("ann", producing.caseId("hld"), { idempotencyKey: null }),
        "idempotencyKey: hold_capture must name one, unique within its case",
      ],
    ] as const;
    for (const [intent, detail] of needed) expect(await misfit(bytesOf(intent))).toMatchObject({ detail });
  });
});

describe("what is only odd goes on to the core:", () => {
  test.each<[string, Partial<NewIntent>]>([
    ["an amount of 64 digits", { amount: euros("9".repeat(64)) }],
    ["an amount below zero", { amount: euros("-1") }],
    ["leading zeros", { amount: euros("0001") }],
    ["a currency that there is not, in any scale", { amount: { currency: "QQQ", scale: -7, minor: "1" } }],
    ["an account that there is not", { to: "no such account" }],
    ["no case id", { caseId: null }],
    ["a case id of another form", { caseId: "x" }],
    [
      "text from right to left",
      { sourceId: "\u202etxet", reference: "\u202e\u2066", metadata: { "\u202e": "\u202e" } },
    ],
    ["fields at their bounds", { sourceId: "x".repeat(128), reference: "x".repeat(1024) }],
    ["metadata at its bounds", { metadata: { ["k".repeat(64)]: "v".repeat(500) } }],
    ["a day ahead", { occurredAt: BigInt(NOW_MS + 86_400_000) * 1000n }],
    ["the year 1900", { occurredAt: BigInt(Date.UTC(1900, 0, 1)) * 1000n }],
  ])("%s", async (_what, over) => {
    const intent = { ...PAY_IN, ...over };
    expect(await take(bytesOf(intent))).toEqual(inputOf(intent, 7n));
  });
});

describe("details for people", () => {
  const SECRET = "4111111111111111";
  test.each<[string, Partial<NewIntent>, string]>([
    ["the holder", { holderId: SECRET }, "ann"],
    ["the type", { type: SECRET }, "ann"],
    ["the change", { change: SECRET }, "ann"],
    ["digits", { amount: euros(`${SECRET}x`) }, "ann"],
    ["metadata", { metadata: { [SECRET]: "\u0000" } }, "ann"],
    ["a long text", { reference: SECRET.repeat(100) }, "ann"],
  ])("quote nothing of %s", async (_what, over, key) => {
    const put = await misfit(bytesOf({ ...PAY_IN, ...over }), key);
    expect(put.detail).not.toContain("4111");
  });
});

test("a schema id that was not found stays unknown, however long its record waited", () => {
  const forgotten = { ...codec.decoders.intent, needs: () => 999, decode: () => expect.fail("nothing to decode by") };
  const taken = takeIn(recordOf(withSchema(999)), HOME, RULES, forgotten, LIMITS);
  expect(taken).toMatchObject({ kind: "misfit", reason: "unknown_schema", detail: "the registry has no schema 999" });
});

test("no message, however odd, does anything but become an intent or a misfit with a known reason", async () => {
  await fc.assert(
    fc.asyncProperty(intents, async (message) => {
      const taken = await take(bytesOf(message), message.holderId === "" ? "ann" : message.holderId);
      if (taken.kind === "misfit") expect(QUARANTINE_REASONS).toContain(taken.reason);
    }),
  );
});

test("no bytes do anything else either", async () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some));
  const known = bytes.map((some) => Buffer.concat([GOOD.subarray(0, 5), some]));
  await fc.assert(
    fc.asyncProperty(fc.oneof(bytes, known), async (value) => {
      const taken = await take(value);
      if (taken.kind === "misfit") expect(QUARANTINE_REASONS).toContain(taken.reason);
    }),
    { numRuns: 500 },
  );
});

function withSchema(id: number, value: Buffer = GOOD): Buffer {
  const bytes = Buffer.from(value);
  bytes.writeInt32BE(id, 1);
  return bytes;
}

test("an account's path is judged by the core, not here", async () => {
  expect((await take(bytesOf({ ...PAY_IN, to: available("bob") }))).kind).toBe("intent");
});

describe("a card number", () => {
  const CARD = "4242424242424242";
  const SPACED = "4242 4242-4242.4242";

  test.each(textFields())("in %s puts the record aside, whatever stands around it", async (field) => {
    for (const number of [CARD, SPACED, `ref ${CARD}x`]) {
      const put = await misfit(bytesOf({ ...PAY_IN, [field]: number }));
      expect(put).toMatchObject({ reason: "card_number", detail: expect.stringContaining(field) });
      expect(put.detail).not.toContain("4242");
    }
  });

  test.each([
    [{ metadata: { note: SPACED } }],
    [{ metadata: { [CARD]: "a" } }],
    [{ metadata: { "CVC-2": "123" } }],
    [{ amount: { currency: CARD, scale: 2, minor: "1" } }],
  ])("in %o puts it aside too", async (changes) => {
    expect(await misfit(bytesOf({ ...PAY_IN, ...changes }))).toMatchObject({ reason: "card_number" });
  });

  test("in bytes that nobody can read, or in the key, puts the record aside", async () => {
    const json = Buffer.from(`{"pan":"${SPACED}"}`);
    expect(await misfit(json)).toMatchObject({ reason: "card_number" });
    expect(await misfit(GOOD, CARD)).toMatchObject({ reason: "card_number" });
    expect(await misfit(null, CARD)).toMatchObject({ reason: "card_number" });
    expect(await misfit(Buffer.concat([Buffer.alloc(65_537), json]))).toMatchObject({ reason: "card_number" });
    expect(await misfit(Buffer.from(CARD, "utf16le"))).toMatchObject({ reason: "card_number" });
    expect(await misfit(json, null)).toMatchObject({ reason: "card_number" });
  });

  test("is not what an amount, a case id or a trace context may hold", async () => {
    const amount = { currency: "EUR", scale: 2, minor: CARD };
    expect((await take(bytesOf({ ...PAY_IN, amount }))).kind).toBe("intent");
    expect((await take(bytesOf({ ...PAY_IN, floorMinor: CARD }))).kind).toBe("intent");
    const caseId = "trf_01424242424242424242ABCDEF";
    const traceparent = `00-${CARD}${CARD}-${CARD}-01`;
    expect((await take(bytesOf({ ...PAY_IN, caseId, traceparent }))).kind).toBe("intent");
    // Put aside for something else its amount is still none.
    expect(await misfit(bytesOf({ ...PAY_IN, amount, change: "sideways" }))).toMatchObject({ reason: "invalid_field" });
    // Nor does a short one hide what is encoded beside it.
    const encoded = Buffer.from(CARD).toString("base64");
    const zero = bytesOf({ ...PAY_IN, floorMinor: "0", amount: { ...amount, minor: `${encoded}x` } });
    expect(await misfit(zero)).toMatchObject({ reason: "card_number" });
    const both = bytesOf({ ...PAY_IN, amount, change: "sideways", reference: CARD });
    expect(await misfit(both)).toMatchObject({ reason: "card_number" });
  });

  test.each([CARD, "2424242424242", "4242424242424"])("is not hidden by an amount of %s", async (minor) => {
    const amount = { currency: "EUR", scale: 2, minor };
    const bytes = bytesOf({ ...PAY_IN, amount, floorMinor: minor });
    expect(await misfit(bytes, null)).toMatchObject({ reason: "missing_key" });
    const named = bytesOf({ ...PAY_IN, amount, reference: CARD });
    expect(await misfit(named, null)).toMatchObject({ reason: "card_number" });
    const large = bytesOf({ ...PAY_IN, amount, metadata: { note: "x".repeat(65_536), number: CARD } });
    expect(await misfit(large)).toMatchObject({ reason: "card_number" });
    // Nor in a field that the writer's schema has and ours has not.
    const { fields, ...rest } = JSON.parse(SCHEMAS.intent) as { fields: unknown[] };
    registry.schemas.set(13, JSON.stringify({ ...rest, fields: [...fields, { name: "pan", type: "string" }] }));
    const written = Buffer.concat([withSchema(13, bytes), Buffer.from([2 * CARD.length]), Buffer.from(CARD)]);
    expect(await misfit(written, null)).toMatchObject({ reason: "card_number" });
  });
});

/** Every text of the schema but those that are amounts, so that a new field is looked through from its first day. */
function textFields(): string[] {
  const { fields } = JSON.parse(SCHEMAS.intent) as { fields: { name: string; type: unknown }[] };
  const isText = (type: unknown): boolean =>
    type === "string" || (Array.isArray(type) && type.some(isText)) || isStringRecord(type);
  return fields.filter(({ name, type }) => isText(type) && name !== "floorMinor").map(({ name }) => name);
}

function isStringRecord(type: unknown): boolean {
  return typeof type === "object" && type !== null && "type" in type && type.type === "string";
}
