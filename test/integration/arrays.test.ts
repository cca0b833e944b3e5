// What src/store/arrays.ts writes is what a database reads.
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  byteaArray,
  int2Array,
  int4Array,
  int8Array,
  jsonArray,
  numericArray,
  textArray,
  timestampArray,
  uuidArray,
} from "../../src/store/arrays.ts";
import { freshDatabase } from "../support/stack.ts";

let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client({ connectionString: await freshDatabase(), options: "-c TimeZone=UTC -c DateStyle=ISO" });
  await client.connect();
});
afterAll(() => client.end());

async function readBack(array: Buffer, type: string): Promise<unknown[]> {
  const { rows } = await client.query(`select to_json($1::${type}[]) as read`, [array]);
  return rows[0].read;
}

async function readTexts(array: Buffer, type: string): Promise<unknown[]> {
  const { rows } = await client.query(`select $1::${type}[]::text[] as read`, [array]);
  return rows[0].read;
}

/** Each list of the kind is read back as `told` says. */
async function assertRead<Value>(
  value: fc.Arbitrary<Value>,
  array: (values: Value[]) => Buffer,
  type: string,
  told: (value: Value) => unknown,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(value, { maxLength: 6 }), async (values) => {
      expect(await readTexts(array(values), type)).toEqual(values.map(told));
    }),
    { numRuns: 200 },
  );
}

test("texts of any characters and any length, nulls among them", async () => {
  const awkward = fc.string({ unit: fc.constantFrom(...Array.from("\\\"',{} nuNlL\n\t\u202eéЖ日😀")), maxLength: 6 });
  const long = fc
    .tuple(fc.string({ unit: "binary-ascii", minLength: 90, maxLength: 110 }), awkward)
    .map((two) => two.join(""));
  const text = fc.oneof(awkward, long, fc.string({ unit: "grapheme" }), fc.constantFrom("null", "NULL", ""));
  const some = fc.option(text.filter((one) => !one.includes("\0")));
  await assertRead(some, textArray, "text", (one) => one);
});

test("more than the buffer holds that all arrays are written in", async () => {
  const texts = Array.from({ length: 40_000 }, (_one, index) => `text ${index} `.repeat(8));
  expect(await readTexts(textArray(texts), "text")).toEqual(texts);
});

test("integers of two, four and eight bytes up to their ends", async () => {
  const ends = (bits: number) => [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, -1];
  expect(await readBack(int2Array(ends(16)), "smallint")).toEqual(ends(16));
  expect(await readBack(int4Array(ends(32)), "int")).toEqual(ends(32));
  await assertRead(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), int8Array, "bigint", String);
});

test("whole numbers of up to 56 digits as numeric, and none", async () => {
  const limit = 10n ** 56n - 1n;
  const powers = fc
    .tuple(fc.integer({ min: 0, max: 55 }), fc.bigInt(-2n, 2n))
    .map(([power, more]) => 10n ** BigInt(power) + more);
  const number = fc.option(fc.oneof(fc.bigInt(-limit, limit), fc.bigInt(-20_000n, 20_000n), powers));
  await assertRead(number, numericArray, "numeric", (one) => (one === null ? null : String(one)));
});

test("times to the microsecond", async () => {
  const times = [-1001n, 0n, 1_732_060_800_123_456n, 253_402_300_799_999_999n];
  expect(await readTexts(timestampArray(times), "timestamptz")).toEqual([
    "1969-12-31 23:59:59.998999+00",
    "1970-01-01 00:00:00+00",
    "2024-11-20 00:00:00.123456+00",
    "9999-12-31 23:59:59.999999+00",
  ]);
});

test("uuids and bytes", async () => {
  const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString("hex"));
  const dashed = (one: string): string => one.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  await assertRead(uuid, uuidArray, "uuid", dashed);
  const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some)));
  await assertRead(bytes, byteaArray, "bytea", (one) => (one === null ? null : `\\x${one.toString("hex")}`));
});

test("JSON documents with any characters in their texts, and null for none", async () => {
  const text = fc.string({ unit: fc.constantFrom(...Array.from("\\\"',{}\u001f\n\t nul日😀")), maxLength: 8 });
  const document = fc.option(fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), text, { maxKeys: 3 }));
  await fc.assert(
    fc.asyncProperty(fc.array(document, { maxLength: 4 }), async (values) => {
      const array = jsonArray(values.map((value) => (value === null ? null : JSON.stringify(value))));
      expect(await readBack(array, "json")).toEqual(values.map((value) => (value === null ? null : { ...value })));
    }),
    { numRuns: 200 },
  );
});
