// Array parameters in Postgres' binary form; test/integration/arrays.test.ts asks a database.
import { describe, expect, test } from "vitest";
import { int2Array, int4Array, int8Array, numericArray, textArray, uuidArray } from "../../src/store/arrays.ts";

const hex = (bytes: Buffer): string => bytes.toString("hex");

describe("array parameters", () => {
  test("of nothing have no dimension", () => {
    expect(hex(textArray([]))).toBe("00000000 00000000 00000019".replaceAll(" ", ""));
  });

  test("name their element type, their count, and say whether nulls are among them", () => {
    expect(hex(textArray(["é", null]))).toBe(
      "00000001 00000001 00000019 00000002 00000001 00000002 c3a9 ffffffff".replaceAll(" ", ""),
    );
    expect(hex(int8Array([-1n]))).toBe(
      "00000001 00000000 00000014 00000001 00000001 00000008 ffffffffffffffff".replaceAll(" ", ""),
    );
  });

  test("each have bytes of their own", () => {
    const first = int8Array([1n]);
    const before = hex(first);
    int8Array([2n]);
    expect(hex(first)).toBe(before);
  });

  test("of integers hold no other number than they were given", () => {
    for (const value of [32_768, -32_769, 0.5, Number.NaN]) expect(() => int2Array([value])).toThrow("two bytes");
    for (const value of [2 ** 31, -(2 ** 31) - 1, 0.5, Number.NaN])
      expect(() => int4Array([value])).toThrow("four bytes");
  });

  test("of uuids are their digits in pairs", () => {
    const uuid = "0123456789abcdef00ff10fe20ed30dc";
    expect(hex(uuidArray([uuid])).slice(48)).toBe(uuid);
    expect(() => uuidArray(["0123"])).toThrow("32 digits");
  });

  test("of numerics have digits to the base of 10,000 behind their count, weight, sign and scale", () => {
    const digits = (value: bigint): string => hex(numericArray([value])).slice(48);
    expect(digits(0n)).toBe("0000 0000 0000 0000".replaceAll(" ", ""));
    expect(digits(-10_000n)).toBe("0002 0001 4000 0000 0001 0000".replaceAll(" ", ""));
    expect(digits(123_456n)).toBe("0002 0001 0000 0000 000c 0d80".replaceAll(" ", ""));
  });
});
