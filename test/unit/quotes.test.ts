// Quotes: who may use one, and what its pieces are worth.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { variablesOf } from "../../src/domain/books.ts";
import { convertByQuote, type Quote, type QuoteCase, type QuoteUse, quoteFor } from "../../src/domain/fx/quotes.ts";

const GOOD: Readonly<Record<string, bigint | string | undefined>> = {
  gives: 10_000n,
  taken: 0n,
  receives: 10_741n,
  spread: 109n,
  by: "",
};
const variables = variablesOf(Object.keys(GOOD), new Set(["by"]));
const CASE: QuoteCase = {
  holderId: "m-1",
  state: "active",
  flow: { family: "quote" },
  data: { currencies: { G: "EUR", R: "USD" }, variables, values: Object.values(GOOD), stored: null },
};
const USE: QuoteUse = { holderId: "m-1", by: "aa", minor: 10_000n, from: "EUR", to: "USD" };

const quoted = (values: Record<string, bigint | string | undefined>): QuoteCase => ({
  ...CASE,
  data: { ...CASE.data, values: Object.values({ ...GOOD, ...values }) },
});

describe("a quote is used", () => {
  test("by its own holder, for its own pair, up to what is left of it", () => {
    expect(quoteFor(CASE, USE)).toMatchObject({ gives: 10_000n, receives: 10_741n });
    expect(quoteFor(CASE, { ...USE, minor: 10_001n })).toBe("quote_mismatch");
    expect(quoteFor(quoted({ taken: 1n, by: "aa" }), USE)).toBe("quote_mismatch");
    expect(quoteFor(CASE, { ...USE, holderId: "m-2" })).toBe("quote_mismatch");
    expect(quoteFor(CASE, { ...USE, from: "USD", to: "EUR" })).toBe("quote_mismatch");
    expect(quoteFor({ ...CASE, flow: { family: "payment" } }, USE)).toBe("quote_mismatch");
    expect(quoteFor(null, USE)).toBe("quote_mismatch");
  });

  test("only when it keeps all that is read of it, and is a quote of something", () => {
    expect(quoteFor(quoted({ gives: undefined }), USE)).toBe("quote_mismatch");
    expect(quoteFor(quoted({ spread: -1n }), USE)).toBe("quote_mismatch");
    expect(quoteFor(quoted({ receives: "much" }), USE)).toBe("quote_mismatch");
    expect(quoteFor(quoted({ gives: 0n }), { ...USE, minor: 0n })).toBe("quote_mismatch");
  });

  test("by one payment alone", () => {
    expect(quoteFor(quoted({ taken: 4_000n, by: "aa" }), { ...USE, minor: 6_000n })).toMatchObject({ taken: 4_000n });
    expect(quoteFor(quoted({ taken: 4_000n, by: "aa" }), { ...USE, by: "bb", minor: 1n })).toBe("quote_mismatch");
  });

  test("while it is active, and not once its timer has fired or nothing is left", () => {
    for (const state of ["expired", "consumed", "canceled", "indicative"]) {
      expect(quoteFor({ ...CASE, state }, USE), state).toBe("quote_expired");
    }
  });
});

describe("the pieces of a quote", () => {
  test("sum to exactly what was quoted, however they are cut, and none is negative", () => {
    const cuts = fc.array(fc.bigInt(0n, 10n ** 6n), { minLength: 1, maxLength: 12 });
    const whole = fc.bigInt(0n, 10n ** 20n);
    fc.assert(
      fc.property(cuts, whole, whole, (pieces, receives, spread) => {
        const gives = pieces.reduce((one, other) => one + other, 0n);
        fc.pre(gives > 0n);
        let quote: Quote = { from: "A", to: "B", gives, taken: 0n, receives, spread, by: "" };
        const sums = { net: 0n, mid: 0n, spread: 0n };
        for (const piece of pieces) {
          const part = convertByQuote(quote, piece);
          expect(part.net >= 0n && part.spread >= 0n && part.mid === part.net + part.spread).toBe(true);
          sums.net += part.net;
          sums.mid += part.mid;
          sums.spread += part.spread;
          quote = { ...quote, taken: quote.taken + piece };
          expect(sums.net * gives <= receives * quote.taken).toBe(true);
        }
        expect(sums).toEqual({ net: receives, mid: receives + spread, spread });
      }),
    );
  });

  test("of 100.00 EUR quoted at 107.41 USD: 40.00 are 42.96, and the other 60.00 the rest", () => {
    const quote = quoteFor(CASE, USE) as Quote;
    expect(convertByQuote(quote, 4_000n)).toEqual({ net: 4_296n, spread: 43n, mid: 4_339n });
    expect(convertByQuote({ ...quote, taken: 4_000n }, 6_000n)).toEqual({ net: 6_445n, spread: 66n, mid: 6_511n });
  });
});
