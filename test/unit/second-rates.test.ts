// The rates of the second ledger against those of the core: the same rate, or none, for any rows, version and moment.

import fc from "fast-check";
import { expect, test } from "vitest";
import { lockSecondsOf } from "../../src/domain/fx/fx.ts";
import { type LifeSpan, type RateRow, RateSnapshot } from "../../src/domain/fx/rates.ts";
import { lockOf } from "../../src/workload/second-ledger/exchange.ts";
import { SecondRates } from "../../src/workload/second-ledger/rates.ts";

const codes = ["EUR", "USD", "JPY"] as const;
const spans = fc.array(
  fc.record({
    lasts: fc.integer({ min: 1, max: 30 }),
    quality: fc.constantFrom("fresh" as const, "aging" as const, "stale" as const),
    extraBps: fc.bigInt(0n, 60n),
    lockMaxMs: fc.constantFrom(null, 0, 300_000, 9_999),
  }),
  { maxLength: 4 },
);
const rowsOf = fc.array(
  fc.record({
    feed: fc.constantFrom("a", "b"),
    priority: fc.integer({ min: 1, max: 3 }),
    pivot: fc.constantFrom("EUR", "USD", ""),
    pair: fc.constantFrom(["EUR", "USD"], ["USD", "EUR"], ["EUR", "JPY"], ["USD", "JPY"]),
    mid: fc.integer({ min: 1, max: 999_999 }),
    spans,
  }),
  { maxLength: 12 },
);

test("both find the same rate at every version, whichever way their rows were read", () => {
  fc.assert(
    fc.property(rowsOf, fc.integer({ min: 0, max: 130 }), fc.integer({ min: 0, max: 12 }), (given, nowMs, back) => {
      const rows = given.map((one, index): RateRow => {
        let untilMs = 0;
        const life = one.spans.map(({ lasts, quality, extraBps, lockMaxMs }): LifeSpan => {
          untilMs += lasts;
          return { untilMs, quality, extraBps, lockMaxMs };
        });
        const mid = life.length === 0 ? "" : (one.mid / 1000).toFixed(3);
        const [base = "", quote = ""] = one.pair;
        const common = { feed: one.feed, priority: one.priority, pivot: one.pivot, base, quote };
        const version = BigInt(index + 1);
        return { ...common, version, seq: version, bid: mid, mid, ask: mid, asOfMs: 0, receivedAtMs: 0, life };
      });
      const version = BigInt(Math.max(0, rows.length - back));
      const second = new SecondRates();
      second.add(
        rows.map(({ life, mid, ...row }) => ({
          ...row,
          mid: mid === "" ? null : mid,
          life: life.map(
            ({ untilMs, quality, extraBps, lockMaxMs }) => [untilMs, quality, Number(extraBps), lockMaxMs] as const,
          ),
        })),
        BigInt(rows.length),
      );
      const upTo = rows.filter((row) => row.version <= version);
      const newest = upTo.filter(
        ({ feed, base, quote, version: own }) =>
          !upTo.some((row) => row.feed === feed && row.base === base && row.quote === quote && row.version > own),
      );
      const books = [RateSnapshot.EMPTY.with(version, upTo), RateSnapshot.EMPTY.with(version, newest.toReversed())];
      for (const from of codes) {
        for (const to of codes) {
          const found = second.at(version)(from, to, nowMs);
          for (const book of books) {
            const rate = book.usable(from, to, nowMs);
            const told =
              rate === null
                ? null
                : {
                    n: rate.numerator,
                    d: rate.denominator,
                    buysBase: rate.base === "to",
                    extraBps: rate.extraBps,
                    lockMs: rate.lockMaxMs,
                  };
            expect(lockSecondsOf(rate)).toBe(from === to ? 0n : lockOf(found));
            expect(told).toEqual(from === to ? null : found);
          }
        }
      }
    }),
    { numRuns: 500 },
  );
});
