// Whatever is sent to the intents topic ends as one outcome or as one quarantine row with one dead letter, and the lane
// goes on. Each record is followed by a good intent of the same holder, which must settle.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import type { QuarantineReason, RefusalCode } from "../../src/domain/refusals.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import type { OutgoingRecord } from "../../src/kafka/port.ts";
import { auditService, problemsOf } from "../support/audit.ts";
import { available, BANK, caseId, euros, Producing } from "../support/intents.ts";
import { strangersKafka } from "../support/kafka.ts";
import { startTestService, type TestOutcome, type TestService } from "../support/service.ts";

const LANES = 4;
const HOLDER = "ann";
const HOME = homeLane(HOLDER, LANES);
const DAY_MS = 86_400_000;
const make = new Producing();

let system: TestService;
/** good intents so far, each of which pays in one cent */
let good = 0;

beforeAll(async () => {
  system = await startTestService({ prefix: "bad-input", lanes: LANES });
});
afterAll(() => system?.stop());

function bytesOf(intent: NewIntent): Buffer {
  return system.codec.encoders.intent.encode(intent);
}

function recordOf(value: Buffer | null, key: string | Buffer | null = HOLDER): OutgoingRecord {
  return { key: typeof key === "string" ? Buffer.from(key) : key, value } as OutgoingRecord;
}

/** Sends a good intent behind, and waits until it has settled. */
async function settleGood(): Promise<readonly TestOutcome[]> {
  good += 1;
  const sourceId = `good-${good}`;
  await system.publish([make.payIn(HOLDER, 1, { sourceId })]);
  const outcomes = await system.readOutcomes({ until: (read) => read.some((one) => one.sourceId === sourceId) });
  expect(outcomes.find((one) => one.sourceId === sourceId)?.type).toBe("transfer.completed");
  return outcomes;
}

async function expectAside(reason: QuarantineReason, offset: bigint, lane = HOME) {
  const rows = await system.query("select * from quarantine where lane = $1 and record_offset = $2", [lane, offset]);
  expect(rows).toEqual([expect.objectContaining({ reason, topic: system.topics.intents })]);
  const isIts = (one: { partition: number; offset: bigint }) => one.partition === lane && one.offset === offset;
  const letters = (await system.readDeadLetters((read) => read.some(isIts))).filter(isIts);
  expect(letters).toEqual([expect.objectContaining({ reason, lane, topic: system.topics.intents })]);
  const [row, letter] = [rows[0], letters[0]];
  const hash = row?.["sha256"] as Buffer;
  expect(letter).toMatchObject({ detail: row?.["detail"], size: row?.["size"], sha256: hash.toString("hex") });
  return { row, letter };
}

describe("is put aside with its reason:", () => {
  const payIn = (over: Partial<NewIntent> = {}) => make.payIn(HOLDER, 5, over);
  const withoutKey = (name: "from" | "to" | "amount") => payIn({ [name]: null });
  const wide = (name: string) => ({ [name]: "x".repeat(60_000) });
  test.each<[string, QuarantineReason, () => OutgoingRecord]>([
    ["random bytes", "undecodable", () => recordOf(Buffer.concat([Buffer.from([9]), randomBytes(200)]))],
    ["random bytes that name a schema", "unknown_schema", () => recordOf(withSchema(2_000_000_000, randomBytes(200)))],
    ["random bytes behind our schema id", "undecodable", () => recordOf(withSchema(null, Buffer.alloc(200, 0xff)))],
    ["no bytes", "undecodable", () => recordOf(Buffer.alloc(0))],
    ["an unknown schema id", "unknown_schema", () => recordOf(withSchema(1_999_999_999))],
    ["an outcome, which is valid Avro of another type", "schema_mismatch", () => recordOf(outcomeBytes())],
    ["truncated Avro", "undecodable", () => recordOf(bytesOf(payIn()).subarray(0, -3))],
    ["Avro with bytes left over", "undecodable", () => recordOf(Buffer.concat([bytesOf(payIn()), randomBytes(9)]))],
    ["a string that is no UTF-8", "undecodable", () => recordOf(notUtf8())],
    ["a missing key", "missing_key", () => recordOf(bytesOf(payIn()), null)],
    ["an empty key", "missing_key", () => recordOf(bytesOf(payIn()), "")],
    ["a key that is not the holder", "key_mismatch", () => recordOf(bytesOf(payIn()), "bob")],
    ["a binary key", "key_mismatch", () => recordOf(bytesOf(payIn()), randomBytes(40))],
    ["a tombstone", "undecodable", () => recordOf(null)],
    ["a tombstone without a key", "missing_key", () => recordOf(null, null)],
    ["a million bytes of metadata", "too_large", () => recordOf(bytesOf(payIn({ metadata: { k: "v".repeat(1e6) } })))],
    ["64 kB strings", "too_large", () => recordOf(bytesOf(payIn({ sourceId: "x".repeat(65_536) })))],
    ["a reference of 60,000 characters", "invalid_field", () => recordOf(bytesOf(payIn(wide("reference"))))],
    ["a case id of 60,000 characters", "invalid_field", () => recordOf(bytesOf(payIn(wide("caseId"))))],
    ["an account of 60,000 characters", "invalid_field", () => recordOf(bytesOf(payIn(wide("to"))))],
    ["NUL in the source id", "invalid_field", () => recordOf(bytesOf(payIn({ sourceId: "a\0b" })))],
    ["NUL in the reference", "invalid_field", () => recordOf(bytesOf(payIn({ reference: "\0" })))],
    ["NUL in metadata", "invalid_field", () => recordOf(bytesOf(payIn({ metadata: { "\0": "" } })))],
    ["NUL in an account", "invalid_field", () => recordOf(bytesOf(payIn({ to: `${available(HOLDER)}\0` })))],
    ["a line feed in a name", "invalid_field", () => recordOf(bytesOf(payIn({ sourceId: "a\nb" })))],
    ["occurredAt in year 9999", "invalid_field", () => recordOf(bytesOf(payIn({ occurredAt: micros(9999) })))],
    ["occurredAt at the end of time", "invalid_field", () => recordOf(bytesOf(payIn({ occurredAt: 2n ** 63n - 1n })))],
    ["occurredAt before 1900", "invalid_field", () => recordOf(bytesOf(payIn({ occurredAt: micros(1899) })))],
    ["an unknown intent type", "invalid_field", () => recordOf(bytesOf(payIn({ type: "transfer_destroy" })))],
    ["a transfer from nowhere", "invalid_field", () => recordOf(bytesOf(withoutKey("from")))],
    ["a transfer to nowhere", "invalid_field", () => recordOf(bytesOf(withoutKey("to")))],
    ["a transfer of nothing", "invalid_field", () => recordOf(bytesOf(withoutKey("amount")))],
    ["an amount that is no number", "invalid_field", () => recordOf(bytesOf(payIn({ amount: euros("1e3") })))],
    ["an amount of 65 digits", "invalid_field", () => recordOf(bytesOf(payIn({ amount: euros("9".repeat(65)) })))],
    [
      "an amount in another scale",
      "invalid_field",
      () => recordOf(bytesOf(payIn({ amount: { ...euros(1), scale: 3 } }))),
    ],
  ])("%s: %s", async (_what, reason, given) => {
    const record = given();
    const offset = await system.send(HOME, [record]);
    const before = await settleGood();
    await expectAside(reason, offset);
    expect(before.filter((one) => one.sourceId === null)).toEqual([]);
  });

  test("the reserved holder `house`: invalid_field", async () => {
    const lane = homeLane("house", LANES);
    const intent = make.payIn("house", 5, { to: "revenue:processing_fee" });
    const offset = await system.send(lane, [recordOf(bytesOf(intent), "house")]);
    await system.readDeadLetters((read) => read.some((one) => one.partition === lane && one.offset === offset));
    await expectAside("invalid_field", offset, lane);
  });

  test("a wrong partition: wrong_lane, with the setting to mend", async () => {
    const lane = (HOME + 1) % LANES;
    const offset = await system.send(lane, [recordOf(bytesOf(payIn()))]);
    await system.readDeadLetters((read) => read.some((one) => one.partition === lane && one.offset === offset));
    const { row } = await expectAside("wrong_lane", offset, lane);
    expect(row?.["detail"]).toContain("murmur2_random");
  });

  test("three million bytes, more than brokers take by default: too_large, kept up to 16 kB", async () => {
    const producer = strangersKafka().producer();
    await producer.connect();
    const [sent] = await producer.send({
      topic: system.topics.intents,
      messages: [{ partition: HOME, key: HOLDER, value: Buffer.alloc(3_000_000, 1) }],
    });
    await producer.disconnect();
    await settleGood();
    const { row, letter } = await expectAside("too_large", BigInt(sent?.baseOffset ?? -1));
    const kept = row?.["value"] as Buffer;
    expect([row?.["size"], kept.length, letter?.value?.length]).toEqual([3_000_000, 16_384, 16_384]);
  });

  test("a dead letter has the key of its record, and none when that had none", async () => {
    const consumer = strangersKafka().consumer({ groupId: `bad-input-${Date.now()}` });
    const keys: (string | undefined)[] = [];
    await consumer.connect();
    await consumer.subscribe({ topic: system.topics.deadLetters, fromBeginning: true });
    const count = (await system.query("select from quarantine where reason in ('missing_key', 'key_mismatch')")).length;
    const done = new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({ message }) => {
          const { reason } = await system.codec.decoders.deadLetter.read(message.value as Buffer);
          if (reason !== "missing_key" && reason !== "key_mismatch") return;
          keys.push(message.key?.toString());
          if (keys.length === count) resolve();
        },
      });
    });
    await done;
    await consumer.disconnect();
    expect(keys.filter((key) => key === undefined).length).toBe(3); // two without a key, one with an empty one
    expect(keys).toContain("bob");
  });
});

describe("is answered with one outcome:", () => {
  test.each<[string, RefusalCode, Partial<NewIntent>]>([
    ["an amount of 39 digits", "amount_too_large", { amount: euros(`1${"0".repeat(38)}`) }],
    ["an amount of 64 digits", "amount_too_large", { amount: euros("9".repeat(64)) }],
    ["minus one", "amount_not_positive", { amount: euros(-1) }],
    ["zero", "amount_not_positive", { amount: euros("000") }],
    ["an unknown currency", "unknown_currency", { amount: { currency: "QQQ", scale: 2, minor: "1" } }],
    ["gold, which has no minor unit", "unknown_currency", { amount: { currency: "XAU", scale: 0, minor: "1" } }],
    [
      "a currency in a hostile scale",
      "unknown_currency",
      { amount: { currency: "\u202e", scale: -(2 ** 31), minor: "1" } },
    ],
    ["a case id of next year", "case_id_in_future", { caseId: caseId("trf", Date.now() + 366 * DAY_MS) }],
    ["a case id of 1970", "intent_expired", { caseId: caseId("trf", 0) }],
    ["a case id at the end of time", "case_id_in_future", { caseId: "trf_7ZZZZZZZZZZZZZZZZZZZZZZZZZ" }],
    ["a case id of another form", "malformed_case_id", { caseId: "'; drop table lane; --" }],
    ["no case id", "malformed_case_id", { caseId: null }],
    ["an account that there is not", "unknown_account", { to: "liability:customer:*:available" }],
    ["an account in quotes and braces", "unknown_account", { to: '{"a,b",\\null}' }],
    ["an account from right to left", "unknown_account", { to: "\u202eelbaliava:nna" }],
    ["the same account", "same_account", { from: BANK, to: BANK }],
    ["somebody else's account", "not_home", { from: available("bob"), to: BANK }],
  ])("%s: %s", async (what, code, over) => {
    await system.publish([make.payIn(HOLDER, 5, { sourceId: what, ...over })]);
    const outcomes = await settleGood();
    const its = outcomes.filter((one) => one.sourceId === what);
    expect(its).toEqual([
      expect.objectContaining({ type: "transfer.rejected", reason: expect.objectContaining({ code }) }),
    ]);
  });

  const ODD = "\u202e\u2066‏שלום \\ \" ' {} , null %s ${x} 😀 ﷽";
  test.each<[string, Partial<NewIntent>]>([
    ["text from right to left and with every quote", { sourceId: ODD, correlationId: ODD, reference: ODD }],
    ["names at their bounds", { sourceId: "😀".repeat(64), causationId: "x".repeat(256) }],
    [
      "metadata with odd names",
      {
        metadata: Object.fromEntries([
          ["__proto__", "a"],
          ["constructor", "b"],
          [ODD, ODD],
        ]),
      },
    ],
    ["a reference of lines", { reference: "a\nb\r\n\tc|d" }],
    ["occurredAt in 1900", { occurredAt: micros(1900) }],
    ["the word null", { sourceId: "null", reference: "NULL" }],
  ])("%s: accepted, and given back as it came", async (what, over) => {
    const intent = make.payIn(HOLDER, 5, { sourceId: what, ...over });
    await system.publish([intent]);
    const outcomes = await settleGood();
    const its = outcomes.filter((one) => one.caseId === intent.caseId);
    const { sourceId, correlationId = null, causationId = null, occurredAt } = intent;
    expect(its).toEqual([
      expect.objectContaining({ type: "transfer.completed", sourceId, correlationId, causationId, occurredAt }),
    ]);
    await system.publish([intent]);
    const again = (await settleGood()).filter((one) => one.caseId === intent.caseId);
    expect(again.map(({ type }) => type)).toEqual(["transfer.completed", "intent.repeated"]);
  });
});

test("a flood of bad records in one block does not hold up what is good between them", async () => {
  const before = good;
  const records = Array.from({ length: 300 }, (_, index) =>
    index % 3 === 0
      ? recordOf(bytesOf(make.payIn(HOLDER, 1, { sourceId: `good-${++good}` })))
      : recordOf(index % 3 === 1 ? Buffer.concat([Buffer.from([1]), randomBytes(50)]) : withSchema(1_000_000 + index)),
  );
  const first = await system.send(HOME, records);
  const outcomes = await settleGood();
  expect(outcomes.filter(({ sourceId }) => Number(sourceId?.slice(5)) > before)).toHaveLength(101);
  const rows = await system.query("select reason, count(*)::int from quarantine where record_offset >= $1 group by 1", [
    first,
  ]);
  expect(new Map(rows.map(({ reason, count }) => [reason, count]))).toEqual(
    new Map([
      ["undecodable", 100],
      ["unknown_schema", 100],
    ]),
  );
});

test("in the end all is well: no lane halted, the holder has what was paid in, and the audit passes", async () => {
  expect(await system.query("select from halt")).toEqual([]);
  const [row] = await system.query("select credits - debits as balance from balance where path = $1", [
    available(HOLDER),
  ]);
  expect(row?.["balance"]).toBe(String(good + 5 * 6));
  const ready = await fetch(`http://127.0.0.1:${system.instances[0]?.httpPort}/readyz`);
  expect(ready.status).toBe(200);
  expect(problemsOf(await auditService(system, { depth: "deep", waitMs: 10_000 }))).toEqual({});
});

/** @param id null: our own schema's */
function withSchema(id: number | null, behind?: Buffer): Buffer {
  const own = bytesOf(make.payIn(HOLDER, 5));
  const value = Buffer.concat([own.subarray(0, 5), behind ?? own.subarray(5)]);
  if (id !== null) value.writeInt32BE(id, 1);
  return value;
}

function notUtf8(): Buffer {
  const value = bytesOf(make.payIn(HOLDER, 5, { sourceId: "~~~~" }));
  value.set([0xff, 0xc0, 0x80, 0xed], value.indexOf("~~~~"));
  return value;
}

function outcomeBytes(): Buffer {
  return system.codec.encoders.outcome.encode({
    lane: HOME,
    sequence: 0n,
    block: 1n,
    outcomeId: "x",
    type: "transfer.completed",
    caseId: null,
    sourceId: null,
    holderId: HOLDER,
    intentType: null,
    idempotencyKey: null,
    status: "completed",
    reason: null,
    repeatOf: null,
    amounts: {},
    lines: 0,
    flow: null,
    occurredAt: 0n,
    recordedAt: 0n,
    correlationId: null,
    causationId: null,
    traceparent: null,
    parentId: null,
  });
}

function micros(year: number): bigint {
  return BigInt(Date.UTC(year, 5, 1)) * 1000n;
}
