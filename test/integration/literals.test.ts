// What src/store/literals.ts writes is what a database reads.
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  byteaArray,
  documentList,
  plainArray,
  readTimestampMs,
  textArray,
  timestampMicros,
} from "../../src/store/literals.ts";
import { freshDatabase } from "../support/stack.ts";

let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client({ connectionString: await freshDatabase(), options: "-c TimeZone=UTC -c DateStyle=ISO" });
  await client.connect();
});
afterAll(() => client.end());

async function readBack(literal: string, type: string): Promise<unknown[]> {
  const { rows } = await client.query(`select to_json($1::${type}[]) as read`, [literal]);
  return rows[0].read;
}

test("texts of any characters, nulls among them", async () => {
  const awkward = fc.string({ unit: fc.constantFrom(...Array.from("\\\"',{} nuNlL\n\t\u202eéЖ日😀")), maxLength: 6 });
  const text = fc.oneof(awkward, fc.string({ unit: "grapheme" }), fc.constantFrom("null", "NULL", ""));
  const texts = fc.array(fc.option(text.filter((one) => !one.includes("\0"))), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(texts, async (values) => {
      expect(await readBack(textArray(values), "text")).toEqual(values);
    }),
    { numRuns: 300 },
  );
});

test("integers of 38 digits, bytes, and times to the microsecond", async () => {
  const limit = 10n ** 38n - 1n;
  const { rows } = await client.query(
    `select $1::numeric[]::text[] as numbers, $2::bytea[] as bytes, $3::timestamptz[]::text[] as times`,
    [
      plainArray([limit, -limit, 0n]),
      byteaArray([Buffer.from([0, 92, 34, 255]), Buffer.alloc(0), null]),
      plainArray([`"${timestampMicros(-1001n)}"`, `"${timestampMicros(1_732_060_800_123_456n)}"`]),
    ],
  );
  expect(rows[0].numbers).toEqual([`${limit}`, `-${limit}`, "0"]);
  expect(rows[0].bytes).toEqual([Buffer.from([0, 92, 34, 255]), Buffer.alloc(0), null]);
  expect(rows[0].times).toEqual(["1969-12-31 23:59:59.998999+00", "2024-11-20 00:00:00.123456+00"]);
  expect(readTimestampMs(rows[0].times[1])).toBe(1_732_060_800_123);
});

test("JSON documents with any characters in their texts, and null for none", async () => {
  const text = fc.string({ unit: fc.constantFrom(...Array.from("\\\"',{}\u001f\n\t nul日😀")), maxLength: 8 });
  const document = fc.option(fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), text, { maxKeys: 3 }));
  await fc.assert(
    fc.asyncProperty(fc.array(document, { maxLength: 4 }), async (values) => {
      const list = documentList(values.map((value) => (value === null ? null : JSON.stringify(value))));
      const { rows } = await client.query("select to_json(string_to_array($1, E'\\x1f', 'null')::jsonb[]) as read", [
        list,
      ]);
      expect(rows[0].read).toEqual(values.map((value) => (value === null ? null : { ...value })));
    }),
    { numRuns: 200 },
  );
});
