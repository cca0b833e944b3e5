// The book of rates: what is usable when, over which way, and how long a rate lives.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadFeeds } from "../../src/declared/load-rates.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { parseFeeds, type RateFeed } from "../../src/domain/fx/feeds.ts";
import { convert } from "../../src/domain/fx/fx.ts";
import { lifeOf } from "../../src/domain/fx/rate-life.ts";
import { type LifeSpan, NO_RATES, type RateRow, RateSnapshot, spanAt } from "../../src/domain/fx/rates.ts";
import { printFault } from "../../src/domain/located.ts";
import { ROOT } from "../support/source.ts";

const FEEDS = loadFeeds(join(ROOT, "schemas"));
const desk = FEEDS.feeds.get("desk") as RateFeed;
const ecb = FEEDS.feeds.get("ecb") as RateFeed;

const NOW = Date.parse("2026-11-20T10:00:00Z");
const FOR_EVER: LifeSpan = { untilMs: NOW + 3_600_000, quality: "fresh", extraBps: 0n, lockMaxMs: null };

let seq = 0n;
function row(pair: string, mid: string, over: Partial<RateRow> = {}): RateRow {
  const [base = "", quote = ""] = pair.split("/");
  seq += 1n;
  const common = { version: seq, feed: "ecb", priority: 9, pivot: "EUR", base, quote, seq };
  return { ...common, bid: mid, mid, ask: mid, asOfMs: NOW, receivedAtMs: NOW, life: [FOR_EVER], ...over };
}

const snapshot = (...rows: readonly RateRow[]): RateSnapshot =>
  RateSnapshot.EMPTY.with(rows.at(-1)?.version ?? 0n, rows);

describe("a snapshot of rates", () => {
  test("gives a pair as quoted, the other way round, and over the pivot, all exact", () => {
    const book = snapshot(row("EUR/USD", "1.1050"), row("EUR/JPY", "156.33"));
    expect(book.usable("EUR", "USD", NOW)).toMatchObject({ numerator: 11_050n, denominator: 10_000n, base: "from" });
    expect(book.usable("USD", "EUR", NOW)).toMatchObject({ numerator: 10_000n, denominator: 11_050n, base: "to" });
    const over = book.usable("USD", "JPY", NOW);
    expect(over).toMatchObject({ numerator: 10_000n * 15_633n, denominator: 11_050n * 100n, base: "from" });
    // 1,000,000.00 USD: 1000000 / 1.105 · 156.33 = 141475113.12…
    expect(convert(100_000_000n, over as NonNullable<typeof over>, { from: 2, to: 0 }, 0n).mid).toBe(141_475_113n);
  });

  test("gives nothing for a pair that it does not have, for a currency with itself, and when it is empty", () => {
    const book = snapshot(row("EUR/USD", "1.1050"));
    for (const [from, to] of [
      ["USD", "GBP"],
      ["GBP", "EUR"],
      ["EUR", "EUR"],
      ["GBP", "JPY"],
    ] as const) {
      expect(book.usable(from, to, NOW), `${from} ${to}`).toBeNull();
    }
    expect(NO_RATES.usable("EUR", "USD", NOW)).toBeNull();
  });

  test("does not change when newer rates come; the newer one has them, and the version", () => {
    const before = snapshot(row("EUR/USD", "1.1"));
    const after = before.with(99n, [row("EUR/USD", "1.2")]);
    expect(before.usable("EUR", "USD", NOW)?.numerator).toBe(11n);
    expect([after.usable("EUR", "USD", NOW)?.numerator, after.version]).toEqual([12n, 99n]);
  });

  test("takes the feed that comes first of those that have the pair usable", () => {
    const fast = { feed: "desk", priority: 1, pivot: "USD" };
    const short = [{ ...FOR_EVER, untilMs: NOW + 10 }];
    const book = snapshot(row("EUR/USD", "1.1"), row("EUR/USD", "1.2", { ...fast, life: short }));
    expect(book.usable("EUR", "USD", NOW)?.numerator).toBe(12n);
    expect(book.usable("EUR", "USD", NOW + 10)?.numerator).toBe(11n);
  });

  test("never prices by a rate that is dead or withdrawn, nor by one that is stale, which it only shows", () => {
    const stale: LifeSpan = { untilMs: NOW + 7_200_000, quality: "stale", extraBps: 20n, lockMaxMs: 0 };
    const book = snapshot(row("EUR/HRK", "7.5345", { life: [FOR_EVER, stale] }));
    expect(book.usable("EUR", "HRK", FOR_EVER.untilMs - 1)).not.toBeNull();
    expect(book.usable("EUR", "HRK", FOR_EVER.untilMs)).toBeNull();
    expect(book.find("EUR", "HRK", FOR_EVER.untilMs)?.quality).toBe("stale");
    expect(book.find("EUR", "HRK", stale.untilMs)).toBeNull();
    const gone = book.with(1_000n, [row("EUR/HRK", "", { life: [] })]);
    expect(gone.find("EUR", "HRK", NOW)).toBeNull();
  });

  test("puts the larger surcharge and the shorter lock of two legs on a cross rate", () => {
    const aging: LifeSpan = { ...FOR_EVER, quality: "aging", extraBps: 20n, lockMaxMs: 300_000 };
    const book = snapshot(row("EUR/USD", "1.1"), row("EUR/JPY", "156", { life: [aging] }));
    const found = book.find("USD", "JPY", NOW);
    expect([found?.rate.extraBps, found?.quality, found?.rate.lockMaxMs]).toEqual([20n, "aging", 300_000]);
  });

  test("is the same whether its rows come one by one or all at once", () => {
    const pairs = fc.constantFrom("EUR/USD", "EUR/JPY", "EUR/GBP");
    const rows = fc.array(fc.tuple(pairs, fc.integer({ min: 1, max: 99_999 })), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(rows, (given) => {
        const all = given.map(([pair, mid]) => row(pair, String(mid)));
        const version = all.at(-1)?.version as bigint;
        const stepwise = all.reduce((book, one) => book.with(one.version, [one]), RateSnapshot.EMPTY);
        const atOnce = RateSnapshot.EMPTY.with(version, all);
        for (const [from, to] of [
          ["EUR", "USD"],
          ["JPY", "GBP"],
          ["GBP", "USD"],
        ] as const) {
          expect(stepwise.usable(from, to, NOW)).toEqual(atOnce.usable(from, to, NOW));
        }
      }),
    );
  });
});

describe("the life of a rate", () => {
  const at = (feed: RateFeed, asOf: string, moment: string): string => {
    const span = spanAt(lifeOf(feed, feed.ages.majors, Date.parse(asOf)), Date.parse(moment));
    return span === null ? "dead" : `${span.quality} +${span.extraBps}`;
  };

  test("of a feed that speaks all day goes by seconds while the market is open", () => {
    const asOf = "2026-11-20T10:00:00Z";
    expect(at(desk, asOf, "2026-11-20T10:00:09.999Z")).toBe("fresh +0");
    expect(at(desk, asOf, "2026-11-20T10:00:10Z")).toBe("aging +20");
    expect(at(desk, asOf, "2026-11-20T10:01:00Z")).toBe("stale +20");
    expect(at(desk, asOf, "2026-11-20T10:05:00Z")).toBe("dead");
  });

  test("stands still over a weekend, at the surcharge of a closed market", () => {
    const friday = "2026-11-20T23:59:55Z";
    expect(at(desk, friday, "2026-11-20T23:59:59Z")).toBe("fresh +0");
    expect(at(desk, friday, "2026-11-21T12:00:00Z")).toBe("fresh +30");
    expect(at(desk, friday, "2026-11-22T23:59:59Z")).toBe("fresh +30");
    expect(at(desk, friday, "2026-11-23T00:00:04Z")).toBe("fresh +0");
    expect(at(desk, friday, "2026-11-23T00:00:05Z")).toBe("aging +20");
    expect(at(desk, friday, "2026-11-23T00:04:55Z")).toBe("dead");
  });

  test("of a daily feed ends when later publications were missed, and its holidays are no such days", () => {
    // Friday before Christmas 2023: the 25th and 26th are TARGET closing days, so the next rate is due on the 27th.
    const friday = "2023-12-22T15:00:00Z";
    expect(at(ecb, friday, "2023-12-22T23:00:00Z")).toBe("fresh +0");
    expect(at(ecb, friday, "2023-12-24T12:00:00Z")).toBe("fresh +30");
    expect(at(ecb, friday, "2023-12-26T12:00:00Z")).toBe("fresh +30");
    expect(at(ecb, friday, "2023-12-27T16:59:00Z")).toBe("fresh +0");
    expect(at(ecb, friday, "2023-12-27T17:00:00Z")).toBe("aging +20");
    expect(at(ecb, friday, "2023-12-28T17:00:00Z")).toBe("stale +20");
    expect(at(ecb, friday, "2023-12-29T17:00:00Z")).toBe("dead");
  });

  test("is one unbroken row of spans that only gets worse", () => {
    const moments = fc.integer({ min: Date.parse("1999-01-01"), max: Date.parse("2049-01-01") });
    fc.assert(
      fc.property(moments, fc.constantFrom(desk, ecb), fc.constantFrom("majors", "others"), (asOf, feed, pair) => {
        const life = lifeOf(feed, feed.ages[pair as "majors" | "others"], asOf);
        const qualities = life.map(({ quality }) => ["fresh", "aging", "stale"].indexOf(quality));
        expect(qualities).toEqual(qualities.toSorted());
        expect(life.map(({ untilMs }) => untilMs)).toEqual(
          life.map(({ untilMs }) => untilMs).toSorted((a, b) => a - b),
        );
        expect((life[0]?.untilMs ?? 0) > asOf).toBe(true);
        expect(life.length).toBeLessThan(30);
      }),
    );
  });
});

describe("schemas/rates/feeds.yaml", () => {
  test("is refused with the place of every fault", () => {
    const text = readFileSync(join(ROOT, "schemas", "rates", "feeds.yaml"), "utf8")
      .replace("pivot: USD", "pivot: 7")
      .replace("fresh: PT10S", "fresh: PT10M")
      .replace('published_by: "17:00"', 'published_by: "25:00"')
      .replace("holidays: XECB", "holidays: XMARS")
      .replace("priority: 9", "priority: first");
    const { root } = readLocatedYaml("feeds.yaml", text);
    const { faults } = parseFeeds(root as NonNullable<typeof root>, new Map());
    expect(faults.map(printFault).map((line) => line.replace(/^feeds.yaml:\d+:\d+: /, ""))).toEqual([
      "there is no schemas/calendars/XMARS.json",
      "pivot must be text, found the number 7 (quote it if text is meant)",
      "majors of ages must not fall from fresh to stale",
      'priority must be a whole number from 0 to 1000, found the text "first"',
      'published_by must be HH:MM, UTC, found "25:00"',
    ]);
    for (const fault of faults) expect(printFault(fault)).toMatch(/^feeds.yaml:\d+:\d+: /);
  });
});

const ECB_FILE = join(ROOT, "..", "shared", "data", "fx", "ecb-reference-rates-1999-2023.csv");
test.skipIf(!existsSync(ECB_FILE))(
  "the calendar of the reference rates is closed on exactly the days without a rate",
  () => {
    const days = readFileSync(ECB_FILE, "utf8")
      .split("\n")
      .slice(1)
      .filter(Boolean)
      .map((line) => line.slice(0, 10));
    const published = new Set(days);
    const open: string[] = [];
    for (let ms = Date.parse(days.at(-1) as string); ms <= Date.parse(days[0] as string); ms += 86_400_000) {
      const day = new Date(ms).toISOString().slice(0, 10);
      const isWeekend = ecb.calendar.weekend.includes(new Date(ms).getUTCDay());
      if (!isWeekend && !ecb.calendar.holidays.has(day)) open.push(day);
    }
    expect(open.filter((day) => !published.has(day))).toEqual([]);
    expect(days.filter((day) => !open.includes(day))).toEqual([]);
  },
);
