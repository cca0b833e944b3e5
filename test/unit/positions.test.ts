// Positions: the worked example to its end, and the identity for any deals.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Deal, identityOf, PositionBook, type Valuation } from "../../src/domain/fx/positions.ts";
import { roundQuotient } from "../../src/domain/fx/rounding.ts";

const deal = (legs: Record<string, bigint>): Deal => ({ legs: new Map(Object.entries(legs)), ratesVersion: 1n });
const at =
  (rates: Record<string, bigint>): Valuation =>
  (minor, currency) =>
    rates[currency] === undefined ? null : roundQuotient("half_even", minor * rates[currency], 10_000n);

describe("the worked example: 100.00 EUR for dollars, covered and swept", () => {
  const book = new PositionBook("USD");
  const then = at({ EUR: 10_850n });
  const euro = () => book.report(at({ EUR: 10_800n })).rows.find(({ currency }) => currency === "EUR");

  test("right after the conversion the position is worth what it cost", () => {
    book.add(deal({ EUR: 10_000n, USD: -10_850n }), then);
    expect(book.report(then).rows.map(({ unrealised }) => unrealised)).toEqual([0n, 0n]);
    expect(euro()).toMatchObject({ position: 10_000n, cost: 10_850n, value: 10_800n, unrealised: -50n });
  });

  test("the cover of 98.80 EUR at 107.10 USD realises a loss of 0.10 against the average cost", () => {
    book.add(deal({ EUR: -9_880n, USD: 10_710n }), then);
    expect(euro()).toMatchObject({ position: 120n, cost: 130n, realised: -10n });
  });

  test("the sweep of the provider's cost empties the position, and booking the result out of it ends at nothing", () => {
    book.add(deal({ EUR: -120n, USD: 130n }), then);
    book.add(deal({ USD: 10n }), then);
    const { rows, swept } = book.report(then);
    expect(rows.map(({ position }) => position)).toEqual([0n, 0n]);
    expect([swept, identityOf(rows, swept)]).toEqual([10n, { worth: 0n, result: 0n }]);
  });
});

test("a position that is sold through zero begins anew with what is left over", () => {
  const book = new PositionBook("USD");
  book.add(deal({ EUR: 100n, USD: -110n }), at({}));
  book.add(deal({ EUR: -300n, USD: 360n }), at({}));
  expect(book.report(at({ EUR: 11_000n })).rows[1]).toEqual({
    currency: "EUR",
    position: -200n,
    cost: -240n,
    realised: 10n, // 100 sold at 1.20 that cost 1.10
    value: -220n,
    unrealised: 20n,
  });
});

test("a refund against a short position realises what buying back cost less than selling brought", () => {
  const book = new PositionBook("USD");
  book.add(deal({ EUR: -4_000n, USD: 4_360n }), at({}));
  book.add(deal({ EUR: 4_000n, USD: -4_320n }), at({}));
  expect(book.report(at({})).rows[1]).toMatchObject({ position: 0n, cost: 0n, realised: 40n, value: 0n });
});

test("a deal between two others without any rate of its time is told, not guessed", () => {
  const book = new PositionBook("USD");
  book.add(deal({ JPY: 1_000n, KWD: -2n }), at({}));
  expect(book.unvalued.length).toBe(1);
  expect(identityOf(...(Object.values(book.report(at({}))) as Parameters<typeof identityOf>))).toBeNull();
});

test("what positions are worth is always the result that was not swept, and positions are the sums of their legs", () => {
  const codes = fc.constantFrom("EUR", "JPY", "KWD", "USD");
  const amount = fc.bigInt(-(10n ** 12n), 10n ** 12n);
  const deals = fc.array(
    fc.record({ one: codes, other: codes, gives: amount, takes: amount, rate: fc.bigInt(1n, 10n ** 6n) }),
    { maxLength: 40 },
  );
  const rates = fc.record({
    EUR: fc.bigInt(1n, 10n ** 6n),
    JPY: fc.bigInt(1n, 10n ** 6n),
    KWD: fc.bigInt(1n, 10n ** 6n),
  });
  fc.assert(
    fc.property(deals, rates, (given, now) => {
      const book = new PositionBook("USD");
      const sums = new Map<string, bigint>();
      for (const { one, other, gives, takes, rate } of given) {
        const legs: Record<string, bigint> = { [one]: gives };
        legs[other] = (legs[other] ?? 0n) + takes;
        for (const [code, minor] of Object.entries(legs)) sums.set(code, (sums.get(code) ?? 0n) + minor);
        book.add(deal(legs), at({ EUR: rate, JPY: rate + 7n, KWD: rate * 2n }));
      }
      const { rows, swept } = book.report(at(now));
      for (const { currency, position } of rows) expect(position).toBe(sums.get(currency) ?? 0n);
      const identity = identityOf(rows, swept);
      expect(identity?.worth).toBe(identity?.result);
    }),
  );
});
