// Array literals and times as the database reads them; test/integration/literals.test.ts asks a database.
import { describe, expect, test } from "vitest";
import {
  byteaArray,
  documentList,
  plainArray,
  readTimestampMs,
  textArray,
  timestamp,
  timestampMicros,
} from "../../src/store/literals.ts";

describe("array literals", () => {
  test("of nothing are empty arrays", () => {
    expect([plainArray([]), textArray([]), byteaArray([])]).toEqual(["{}", "{}", "{}"]);
  });

  test("of integers keep all digits", () => {
    expect(plainArray([1n, -(10n ** 38n), 2 ** 53 - 1])).toBe(`{1,-1${"0".repeat(38)},9007199254740991}`);
  });

  test.each([
    ["cust_1-x.y:z@q+w|e/r", "cust_1-x.y:z@q+w|e/r"],
    ["", '""'],
    ["null", '"null"'],
    ["NULL", '"NULL"'],
    ["a b", '"a b"'],
    ["a,b", '"a,b"'],
    ["{}", '"{}"'],
    ['say "x"', '"say \\"x\\""'],
    ["back\\slash", '"back\\\\slash"'],
    ["line\nfeed\ttab", '"line\nfeed\ttab"'],
    ["čísla", '"čísla"'],
    [null, "null"],
  ])("of the text %j are %s", (text, literal) => {
    expect(textArray([text])).toBe(`{${literal}}`);
    expect(textArray([text, "b", text])).toBe(`{${literal},b,${literal}}`);
  });

  test("of documents have a control character between them and a word for none", () => {
    expect(documentList([])).toBe("");
    expect(documentList(['{"a":"\\u001f"}', null, "{}"])).toBe('{"a":"\\u001f"}\u001fnull\u001f{}');
  });

  test("of bytes are hex behind an escaped backslash", () => {
    expect(byteaArray([Buffer.from([0, 255]), Buffer.alloc(0), null])).toBe('{"\\\\x00ff","\\\\x",null}');
  });
});

describe("times", () => {
  test.each([
    [0n, "1970-01-01T00:00:00.000000Z"],
    [1n, "1970-01-01T00:00:00.000001Z"],
    [1_732_060_800_123_456n, "2024-11-20T00:00:00.123456Z"],
    [-1n, "1969-12-31T23:59:59.999999Z"],
    [-1000n, "1969-12-31T23:59:59.999000Z"],
    [-1001n, "1969-12-31T23:59:59.998999Z"],
    [BigInt(Date.UTC(1900, 0, 1)) * 1000n, "1900-01-01T00:00:00.000000Z"],
    [253_402_300_799_999_999n, "9999-12-31T23:59:59.999999Z"],
  ])("%i microseconds are %s", (micros, text) => {
    expect(timestampMicros(micros)).toBe(text);
  });

  test("are read back in milliseconds from what a session in UTC prints", () => {
    expect(readTimestampMs("2026-11-20 10:00:00.123456+00")).toBe(Date.UTC(2026, 10, 20, 10, 0, 0, 123));
    expect(readTimestampMs("1970-01-01 00:00:00+00")).toBe(0);
    expect(readTimestampMs(timestamp(1_732_060_800_123).replace("T", " ").replace("Z", "+00"))).toBe(1_732_060_800_123);
  });
});
