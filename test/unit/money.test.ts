import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fitsLedger, MINOR_DIGITS_MAX, minorUnits, parseMinor } from "../../src/domain/money.ts";

describe("minor units", () => {
  test("are read exactly, however many digits they have", () => {
    fc.assert(fc.property(fc.bigInt(), (value) => parseMinor(value.toString()) === value));
  });

  test.each(["", "-", "+1", "1.5", "1e3", " 1", "1 ", "0x10", "1_000", "١٢", "1\n", "NaN"])("are not %j", (text) => {
    expect(parseMinor(text)).toBeNull();
  });

  test("are not read beyond a bound, so that hostile text costs nothing", () => {
    expect(parseMinor("9".repeat(1024))).not.toBeNull();
    expect(parseMinor("9".repeat(1025))).toBeNull();
  });

  test("fit the ledger with 38 digits, and not with 39", () => {
    const most = BigInt("9".repeat(MINOR_DIGITS_MAX));
    expect(fitsLedger(minorUnits(most))).toBe(true);
    expect(fitsLedger(minorUnits(-most))).toBe(true);
    expect(fitsLedger(minorUnits(most + 1n))).toBe(false);
    expect(fitsLedger(minorUnits(-most - 1n))).toBe(false);
    fc.assert(
      fc.property(fc.bigInt(), (value) => fitsLedger(value) === value.toString().replace("-", "").length <= 38),
    );
  });
});
