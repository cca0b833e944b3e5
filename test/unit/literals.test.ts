// Array literals and times as the database reads them.
import { describe, expect, test } from "vitest";
import { plainArray, readTimestampMs, timestamp } from "../../src/store/literals.ts";

describe("array literals", () => {
  test("of nothing are empty arrays", () => {
    expect(plainArray([])).toBe("{}");
  });

  test("of integers keep all digits", () => {
    expect(plainArray([1n, -(10n ** 38n), 2 ** 53 - 1])).toBe(`{1,-1${"0".repeat(38)},9007199254740991}`);
  });
});

describe("times", () => {
  test("are read back in milliseconds from what a session in UTC prints", () => {
    expect(readTimestampMs("2026-11-20 10:00:00.123456+00")).toBe(Date.UTC(2026, 10, 20, 10, 0, 0, 123));
    expect(readTimestampMs("1970-01-01 00:00:00+00")).toBe(0);
    expect(readTimestampMs(timestamp(1_732_060_800_123).replace("T", " ").replace("Z", "+00"))).toBe(1_732_060_800_123);
  });
});
