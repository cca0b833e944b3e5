// Conversions: the laws that hold for every amount, rate and scale, and the worked figures of the domain reference. What
// the flows book of them is told by test/simulation/conversions.test.ts.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { convert, cost, cross, lockSecondsOf, parsePrice, type Rate, reverse } from "../../src/domain/fx/fx.ts";
import { feeOf, partDown, partUp, shareOf } from "../../src/domain/shares.ts";

const SCALES = [0, 2, 3, 4, 8, 18] as const;
const EUR = 2;
const USD = 2;
const JPY = 0;
const KWD = 3;

function price(text: string): Rate {
  const exact = parsePrice(text);
  if (exact === null) throw new Error(`${text} is no price`);
  return exact;
}

const minors = fc.bigInt(0n, 10n ** 30n);
const scales = fc.record({ from: fc.constantFrom(...SCALES), to: fc.constantFrom(...SCALES) });
const spreads = fc.bigInt(0n, 4_000n);
const rates = fc.record({
  numerator: fc.bigInt(1n, 10n ** 15n),
  denominator: fc.constantFrom(1n, 100n, 10n ** 6n, 10n ** 12n, 149_25n),
  base: fc.constantFrom("from" as const, "to" as const),
  extraBps: fc.bigInt(0n, 200n),
});

describe("for every amount, rate, scale and direction", () => {
  test("the client's leg and the spread make the leg at mid, and no part is negative", () => {
    fc.assert(
      fc.property(minors, rates, scales, spreads, (minor, rate, at, bps) => {
        const { net, mid, spread } = convert(minor, rate, at, bps);
        expect(net + spread).toBe(mid);
        expect(net >= 0n && spread >= 0n).toBe(true);
        const other = cost(minor, rate, at, bps);
        expect(other.mid + other.spread).toBe(other.cost);
        expect(other.mid).toBe(mid);
        expect(other.spread >= 0n).toBe(true);
      }),
    );
  });

  test("there and back never gains the client anything, whatever the scales", () => {
    fc.assert(
      fc.property(minors, rates, scales, spreads, (minor, rate, at, bps) => {
        const back = { from: at.to, to: at.from };
        const received = convert(minor, rate, at, bps).net;
        expect(convert(received, reverse(rate), back, bps).net <= minor).toBe(true);
        const paid = cost(minor, rate, at, bps).cost;
        expect(cost(paid, reverse(rate), back, bps).cost >= minor).toBe(true);
        // Buying back what was sold costs at least what was received.
        expect(cost(minor, rate, at, bps).cost >= received).toBe(true);
      }),
    );
  });

  test("many small conversions never bring more than one large one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt(0n, 10n ** 6n), { maxLength: 20 }),
        rates,
        scales,
        spreads,
        (parts, rate, at, bps) => {
          const whole = parts.reduce((one, other) => one + other, 0n);
          const sum = parts.reduce((one, part) => one + convert(part, rate, at, bps).net, 0n);
          expect(sum <= convert(whole, rate, at, bps).net).toBe(true);
        },
      ),
    );
  });

  test("a wider spread never favours the client", () => {
    fc.assert(
      fc.property(minors, rates, scales, spreads, (minor, rate, at, bps) => {
        const wider = { ...rate, extraBps: (rate.extraBps ?? 0n) + 1n };
        expect(convert(minor, wider, at, bps).net <= convert(minor, rate, at, bps).net).toBe(true);
        expect(cost(minor, wider, at, bps).cost >= cost(minor, rate, at, bps).cost).toBe(true);
      }),
    );
  });

  test("a cross rate is exact: its leg at mid is that of the unrounded amount in between", () => {
    fc.assert(
      fc.property(minors, rates, rates, scales, (minor, first, second, at) => {
        const { mid } = convert(minor, cross(first, second), at, 0n);
        const exact = minor * first.numerator * second.numerator * 10n ** BigInt(at.to);
        const unit = first.denominator * second.denominator * 10n ** BigInt(at.from);
        const off = mid * unit - exact;
        expect(2n * (off < 0n ? -off : off) <= unit).toBe(true);
      }),
    );
  });
});

describe("the worked figures", () => {
  const eurUsd = (mid: string): Rate => ({ ...price(mid), base: "from" });

  test("100.00 EUR at 1.0850 and 1 % are 107.41 USD, 108.50 at mid", () => {
    const done = convert(10_000n, eurUsd("1.0850"), { from: EUR, to: USD }, 100n);
    expect(done).toEqual({ net: 10_741n, mid: 10_850n, spread: 109n });
    const fee = feeOf(done.net, 290n, 30n);
    const reserve = shareOf(done.net, 1_000n);
    expect([fee, reserve, done.net - fee - reserve]).toEqual([341n, 1_074n, 9_326n]);
  });

  test("a refund of 40.00 EUR at 1.0900 costs 44.04 USD, by the original rate 42.97 and the rest 64.45", () => {
    expect(cost(4_000n, eurUsd("1.0900"), { from: EUR, to: USD }, 100n)).toEqual({
      cost: 4_404n,
      mid: 4_360n,
      spread: 44n,
    });
    expect(partUp(10_741n, 4_000n, 10_000n)).toBe(4_297n);
    expect(partUp(10_741n, 6_000n, 10_000n) as bigint).toBe(6_445n);
    expect((partUp(10_741n, 10_000n, 10_000n) as bigint) - 4_297n).toBe(6_444n);
  });

  test("10,000 JPY at 149.25 and 1.5 % are 66.01 USD, 67.00 at mid: divided by the ask, not inverted", () => {
    const yen = reverse({ ...price("149.25"), base: "from" });
    expect(convert(10_000n, yen, { from: JPY, to: USD }, 150n)).toEqual({ net: 6_601n, mid: 6_700n, spread: 99n });
    expect(convert(10_000_000n, yen, { from: JPY, to: USD }, 0n).mid).toBe(6_700_168n);
    const inverted = { ...price("0.006700"), base: "from" as const };
    expect(convert(10_000_000n, inverted, { from: JPY, to: USD }, 0n).mid).toBe(6_700_000n);
  });

  test("67.35 USD are 9901 JPY, 10052 at mid, with a fee of 356", () => {
    const done = convert(6_735n, { ...price("149.25"), base: "from" }, { from: USD, to: JPY }, 150n);
    expect(done).toEqual({ net: 9_901n, mid: 10_052n, spread: 151n });
    expect(feeOf(done.net, 360n, 0n)).toBe(356n);
  });

  test("250.00 EUR at 0.33425 and 1.2 % are 82.559 KWD, 83.562 at mid, with a fee of 2.370", () => {
    const done = convert(25_000n, { ...price("0.33425"), base: "from" }, { from: EUR, to: KWD }, 120n);
    expect(done).toEqual({ net: 82_559n, mid: 83_562n, spread: 1_003n });
    expect(feeOf(done.net, 275n, 100n)).toBe(2_370n);
  });

  test("1,000,000 JPY over the dollar are 2,027.417 KWD, 2,058.291 at mid, and 100 JPY lose nothing on the way", () => {
    const first = reverse({ ...price("149.25"), base: "from" });
    const second: Rate = { ...price("0.30720"), base: "from" };
    const at = { from: JPY, to: KWD };
    expect(convert(1_000_000n, cross(first, second), at, 150n)).toEqual({
      net: 2_027_417n,
      mid: 2_058_291n,
      spread: 30_874n,
    });
    expect(convert(1_000_000n, first, { from: JPY, to: USD }, 0n).mid).toBe(670_017n);
    // In millionths of a dinar the cent in between would show: 0.205829, not 0.205824.
    expect(convert(100n, cross(first, second), { from: JPY, to: 6 }, 0n).mid).toBe(205_829n);
  });

  test("what must be received is rounded up on the payer's side, for either side of the pair", () => {
    // The client sells base and must receive a quote amount: q / (m (1-s)).
    const dollars = reverse({ ...price("1.0850"), base: "from" });
    expect(cost(10_741n, dollars, { from: USD, to: EUR }, 100n)).toEqual({ cost: 10_000n, mid: 9_900n, spread: 100n });
    // The client buys base and must receive a base amount: a · m (1+s).
    expect(cost(10_000n, { ...price("1.0850"), base: "from" }, { from: EUR, to: USD }, 100n)).toEqual({
      cost: 10_959n,
      mid: 10_850n,
      spread: 109n,
    });
  });
});

test("a spread that no price can bear takes nearly all, a negative one nothing; neither is a failure", () => {
  const rate = price("1.0850");
  const at = { from: EUR, to: USD };
  for (const base of ["from", "to"] as const) {
    const { net, mid } = convert(10_000n, { ...rate, base, extraBps: 100n }, at, 100_000n);
    expect(net >= 0n && net <= mid).toBe(true);
    expect(cost(10_000n, { ...rate, base }, at, 10_000n).cost > 10_850n).toBe(true);
    expect(convert(10_000n, { ...rate, base }, at, -50n)).toEqual({ net: 10_850n, mid: 10_850n, spread: 0n });
  }
});

describe("fees and shares", () => {
  test("never take more than there is, nor less than nothing", () => {
    const any = fc.bigInt(-(10n ** 6n), 10n ** 6n);
    fc.assert(
      fc.property(minors, any, any, (x, bps, fixed) => {
        for (const taken of [feeOf(x, bps, fixed), shareOf(x, bps)]) expect(taken >= 0n && taken <= x).toBe(true);
      }),
    );
  });

  test("a part of nothing is no number", () => {
    expect([partUp(1n, 1n, 0n), partDown(1n, 1n, 0n)]).toEqual([null, null]);
    expect([partUp(10n, 1n, 3n), partDown(10n, 1n, 3n)]).toEqual([4n, 3n]);
  });
});

test("a rate is locked for whole seconds, as long as the shorter of two legs allows, and never beyond a week", () => {
  const rate = price("1.0850");
  expect(lockSecondsOf(null)).toBe(0n);
  expect(lockSecondsOf(rate)).toBe(604_800n);
  expect(lockSecondsOf({ ...rate, lockMaxMs: 0 })).toBe(0n);
  expect(lockSecondsOf({ ...rate, lockMaxMs: 300_999 })).toBe(300n);
  expect(lockSecondsOf(cross({ ...rate, lockMaxMs: 300_000 }, rate))).toBe(300n);
  expect(lockSecondsOf(reverse({ ...rate, lockMaxMs: 300_000 }))).toBe(300n);
});

test("a price is digits with a point, above zero, and no more of them than the database keeps", () => {
  expect(parsePrice("1.0850")).toEqual({ numerator: 10_850n, denominator: 10_000n });
  expect(parsePrice("17079")).toEqual({ numerator: 17_079n, denominator: 1n });
  for (const text of ["", "0", "0.000", "-1", "1e3", "1,5", "N/A", ".5", "1.", "1.0000000000001", "1234567890123"]) {
    expect(parsePrice(text), text).toBeNull();
  }
});
