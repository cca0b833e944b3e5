// Rounding: against the General Decimal Arithmetic test vectors where they are at hand, and by its own laws.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quotient, type RoundingMode, roundQuotient, split } from "../../src/domain/fx/rounding.ts";
import { ROOT } from "../support/source.ts";

const MODES: readonly RoundingMode[] = ["floor", "ceiling", "half_even", "half_up"];
const VECTORS = join(ROOT, "..", "shared", "data", "decimal");

describe("a quotient", () => {
  test("is less than one away from the exact one, and on the side that its mode names", () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 30n), 10n ** 30n), fc.bigInt(1n, 10n ** 12n), (numerator, denominator) => {
        for (const mode of MODES) {
          const off = roundQuotient(mode, numerator, denominator) * denominator - numerator;
          if (mode === "floor") expect(off <= 0n && -off < denominator).toBe(true);
          else if (mode === "ceiling") expect(off >= 0n && off < denominator).toBe(true);
          else expect(2n * (off < 0n ? -off : off) <= denominator).toBe(true);
        }
      }),
    );
  });

  test("at a half goes to the even number or away from zero", () => {
    const halves = [-5n, -3n, -1n, 1n, 3n, 5n];
    expect(halves.map((n) => roundQuotient("half_even", n, 2n))).toEqual([-2n, -2n, 0n, 0n, 2n, 2n]);
    expect(halves.map((n) => roundQuotient("half_up", n, 2n))).toEqual([-3n, -2n, -1n, 1n, 2n, 3n]);
  });

  test("has the mode that its policy names", () => {
    const of = (n: bigint): bigint[] =>
      (["fx_credit", "fx_debit", "fx_mid", "fee", "reserve", "euro_legacy", "split", "report"] as const).map((policy) =>
        quotient(policy, n, 2n),
      );
    expect(of(5n)).toEqual([2n, 3n, 2n, 3n, 3n, 3n, 2n, 2n]);
  });

  test("over nothing is a bug", () => {
    expect(() => quotient("fee", 1n, 0n)).toThrow("positive denominator");
  });
});

describe("a split", () => {
  test("loses nothing, gives no part more than one unit above its share, and none to a part without weight", () => {
    const weights = fc.array(fc.bigInt(0n, 1000n), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 20n), weights, (total, given) => {
        fc.pre(given.some((weight) => weight > 0n));
        const sum = given.reduce((one, other) => one + other, 0n);
        const parts = split(total, given);
        expect(parts.reduce((one, other) => one + other, 0n)).toBe(total);
        parts.forEach((part, index) => {
          const over = part * sum - total * (given[index] as bigint);
          expect(over > -sum && over <= sum).toBe(true);
          if (given[index] === 0n) expect(part).toBe(0n);
        });
      }),
    );
  });

  test("hands out what is left from the first part on", () => {
    expect(split(100n, [1n, 1n, 1n])).toEqual([34n, 33n, 33n]);
    expect(split(2n, [0n, 1n, 1n, 1n])).toEqual([0n, 1n, 1n, 0n]);
  });
});

const GDA_MODES: Readonly<Record<string, RoundingMode>> = {
  floor: "floor",
  ceiling: "ceiling",
  half_even: "half_even",
  half_up: "half_up",
};

describe.skipIf(!existsSync(VECTORS))("General Decimal Arithmetic", () => {
  test("products and quotients of the published vectors round as the standard says", () => {
    let compared = 0;
    for (const file of ["rounding", "multiply", "divide"]) {
      for (const one of readVectors(readFileSync(join(VECTORS, `${file}.decTest`), "utf8"))) {
        expect(roundTo(one), one.id).toEqual(one.expected);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(300);
  });
});

type Exact = { readonly numerator: bigint; readonly denominator: bigint };
type Vector = { id: string; mode: RoundingMode; precision: number; exact: Exact; expected: Exact };

/** Vectors with a mode of ours, a finite result, and an operation that has an exact quotient. */
function* readVectors(text: string): Generator<Vector> {
  let mode: RoundingMode | undefined;
  let precision = 9;
  for (const line of text.split("\n")) {
    const setting = /^(rounding|precision):\s+(\S+)/i.exec(line);
    if (setting?.[1]?.toLowerCase() === "rounding") mode = GDA_MODES[setting[2] as string];
    if (setting?.[1]?.toLowerCase() === "precision") precision = Number(setting[2]);
    const match =
      /^(\w+)\s+(multiply|divide|add|subtract)\s+'?([^\s']+)'?\s+'?([^\s']+)'?\s+->\s+'?([^\s']+)'?(.*)$/.exec(line);
    if (match === null || mode === undefined || /clamped|subnormal|underflow|overflow/i.test(match[6] as string))
      continue;
    const [id = "", operation = "", ...texts] = match.slice(1, 6);
    const [left, right, expected] = texts.map(readDecimal);
    if (left === null || right === null || expected === null || !left || !right || !expected) continue;
    const exact = operate(operation, left, right);
    if (exact !== null) yield { id, mode, precision, exact, expected };
  }
}

function readDecimal(text: string): Exact | null {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text);
  if (match === null || Math.abs(Number(match[4] ?? 0)) > 2000) return null;
  const [, sign = "", whole = "", decimals = "", exponent = "0"] = match;
  const shift = Number(exponent) - decimals.length;
  const digits = BigInt(whole + decimals || "0") * (sign === "-" ? -1n : 1n);
  const power = 10n ** BigInt(Math.abs(shift));
  return shift >= 0 ? { numerator: digits * power, denominator: 1n } : { numerator: digits, denominator: power };
}

function operate(operation: string, left: Exact, right: Exact): Exact | null {
  const [a, b, c, d] = [left.numerator, left.denominator, right.numerator, right.denominator];
  if (operation === "multiply") return { numerator: a * c, denominator: b * d };
  if (operation === "add") return { numerator: a * d + c * b, denominator: b * d };
  if (operation === "subtract") return { numerator: a * d - c * b, denominator: b * d };
  if (c === 0n) return null;
  return c > 0n ? { numerator: a * d, denominator: b * c } : { numerator: -a * d, denominator: b * -c };
}

/** Rounds to so many significant digits: the unit is the power of ten that leaves them.
 *  @returns what is expected, when the two are equal as numbers */
function roundTo({ exact, mode, precision, expected }: Vector): Exact {
  const { numerator, denominator } = exact;
  const size = numerator < 0n ? -numerator : numerator;
  let unit = 0;
  const isBelow = (power: number): boolean =>
    power >= 0 ? size < 10n ** BigInt(power) * denominator : size * 10n ** BigInt(-power) < denominator;
  if (size > 0n) {
    let length = size.toString().length - denominator.toString().length;
    while (isBelow(length)) length -= 1;
    while (!isBelow(length + 1)) length += 1;
    unit = length + 1 - precision;
  }
  const power = 10n ** BigInt(Math.abs(unit));
  const units =
    unit >= 0
      ? roundQuotient(mode, numerator, denominator * power)
      : roundQuotient(mode, numerator * power, denominator);
  const found: Exact =
    unit >= 0 ? { numerator: units * power, denominator: 1n } : { numerator: units, denominator: power };
  const isSame = found.numerator * expected.denominator === expected.numerator * found.denominator;
  return isSame ? expected : found;
}
