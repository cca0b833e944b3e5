// What is believed of a feed, and what is made of the file of the European Central Bank, hostile ones included.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readLocatedCsv } from "../../src/declared/csv.ts";
import { loadFeeds } from "../../src/declared/load-rates.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { parseCurrencies } from "../../src/domain/currencies.ts";
import { RateSnapshot } from "../../src/domain/fx/rates.ts";
import type { Located } from "../../src/domain/located.ts";
import { EcbFileWrong, readEcbFile } from "../../src/rates/ecb.ts";
import { ecbTicks } from "../../src/rates/ecb-ticks.ts";
import { type Judgement, judgeTick, type Tick } from "../../src/rates/judge.ts";
import { ROOT } from "../support/source.ts";

const schemas = join(ROOT, "schemas");
const feeds = loadFeeds(schemas);
const textOf = (...names: readonly string[]): string => readFileSync(join(schemas, ...names), "utf8");
const { currencies } = parseCurrencies(
  readLocatedCsv("iso4217.csv", textOf("currencies", "iso4217.csv")).root as Located,
  readLocatedYaml("crypto.yaml", textOf("currencies", "crypto.yaml")).root as Located,
);
const NOW = Date.parse("2026-11-20T10:00:00Z");

const TICK: Tick = {
  feed: "desk",
  base: "EUR",
  quote: "USD",
  seq: 10n,
  bid: "1.0849",
  mid: "1.0850",
  ask: "1.0851",
  asOfMs: NOW,
  receivedAtMs: NOW,
};
const tick = (over: Partial<Tick>): Tick => ({ ...TICK, ...over });
const at = (mid: string, over: Partial<Tick> = {}): Tick => tick({ bid: mid, mid, ask: mid, ...over });

function book(...ticks: readonly Tick[]): RateSnapshot {
  return ticks.reduce((before, one) => {
    const judged = judge(one, before);
    if (judged.kind !== "believed") throw new Error(`${one.mid} is not believed`);
    return before.with(before.version + 1n, [{ ...judged.row, version: before.version + 1n }]);
  }, RateSnapshot.EMPTY);
}
const judge = (one: Tick, before = RateSnapshot.EMPTY, highestSeq = -1n): Judgement =>
  judgeTick({ feeds, currencies, book: before, highestSeq }, one);
const why = (judged: Judgement): string => (judged.kind === "refused" ? judged.reason : judged.kind);

describe("a tick", () => {
  test("of a known feed and pair, in order, with its prices in order, is believed with its whole life", () => {
    const judged = judge(TICK);
    expect(judged).toMatchObject({ kind: "believed", row: { mid: "1.0850", pivot: "USD", priority: 1 } });
    expect(judged.kind === "believed" && judged.row.life.length).toBe(3);
  });

  test.each<[string, Partial<Tick>, string]>([
    ["of a feed that nobody declared", { feed: "evil" }, "unknown_feed"],
    ["in a currency that is none here", { quote: "XXX" }, "unknown_currency"],
    ["of a currency in itself", { quote: "EUR" }, "unknown_currency"],
    ["with a price that is no number", { mid: "1,085" }, "malformed_price"],
    ["with a price of zero", { bid: "0" }, "malformed_price"],
    ["with a price in exponents", { ask: "1e9" }, "malformed_price"],
    ["with one of the prices missing", { bid: null }, "malformed_price"],
    ["whose bid is above its mid", { bid: "1.0851" }, "crossed_prices"],
    ["whose ask is below its mid", { ask: "1.0849" }, "crossed_prices"],
    ["from the future", { asOfMs: NOW + 300_001 }, "in_future"],
  ])("%s is put aside", (_name, over, reason) => {
    expect(why(judge(tick(over)))).toBe(reason);
  });

  test("that does not come after the last number of its feed is dropped, whatever it says", () => {
    expect(why(judge(TICK, RateSnapshot.EMPTY, 10n))).toBe("dropped");
    expect(why(judge(tick({ seq: 9n, mid: "1000" }), RateSnapshot.EMPTY, 10n))).toBe("dropped");
    expect(why(judge(TICK, RateSnapshot.EMPTY, 9n))).toBe("believed");
  });

  test("that is older than what is believed of its pair is put aside", () => {
    expect(why(judge(tick({ seq: 11n, asOfMs: NOW - 1 }), book(TICK)))).toBe("goes_back");
  });

  test("that jumps further than its pair may is put aside: 50 basis points for majors, 200 for others", () => {
    const before = book(at("1.0000"), at("4.0000", { quote: "PLN", seq: 11n }));
    const next = { seq: 12n, asOfMs: NOW + 1_000 };
    expect(why(judge(at("1.0050", next), before))).toBe("believed");
    expect(why(judge(at("1.00501", next), before))).toBe("jump");
    expect(why(judge(at("0.9949", next), before))).toBe("jump");
    expect(why(judge(at("4.0800", { ...next, quote: "PLN" }), before))).toBe("believed");
    expect(why(judge(at("4.0801", { ...next, quote: "PLN" }), before))).toBe("jump");
  });

  test("is measured by the other feeds too, as far as they may move themselves", () => {
    const ecb = { feed: "ecb", asOfMs: NOW - 1_000, receivedAtMs: NOW - 1_000 };
    const before = book(at("1.1000", { ...ecb, seq: 1n }), at("157.00", { ...ecb, seq: 2n, quote: "JPY" }));
    expect(why(judge(at("1.0450"), before))).toBe("believed");
    expect(why(judge(at("1.0449"), before))).toBe("jump");
    // Over the other feed's pivot: 157 / 1.1 = 142.727…
    expect(why(judge(at("142.8", { base: "USD", quote: "JPY" }), before))).toBe("believed");
    expect(why(judge(at("14.28", { base: "USD", quote: "JPY" }), before))).toBe("jump");
  });

  test("after a long silence is a new beginning", () => {
    const late = { seq: 12n, asOfMs: NOW + 13 * 3_600_000, receivedAtMs: NOW + 13 * 3_600_000 };
    expect(why(judge(at("2.0000", late), book(at("1.0000"))))).toBe("believed");
  });

  test("without prices withdraws its pair, once, and the next one with a price begins anew", () => {
    const none = { bid: null, mid: null, ask: null };
    const before = book(at("290", { quote: "ISK" }));
    const gone = judge(tick({ ...none, quote: "ISK", seq: 11n }), before);
    expect(gone).toMatchObject({ kind: "believed", row: { mid: "", life: [] } });
    const after = before.with(2n, [{ ...(gone as Extract<Judgement, { kind: "believed" }>).row, version: 2n }]);
    expect(after.usable("EUR", "ISK", NOW)).toBeNull();
    expect(why(judge(tick({ ...none, quote: "ISK", seq: 12n }), after))).toBe("dropped");
    expect(why(judge(tick({ ...none, quote: "ISK", seq: 12n })))).toBe("dropped");
    expect(why(judge(at("125", { quote: "ISK", seq: 13n }), after))).toBe("believed");
  });
});

const EXCERPT = join(ROOT, "test", "unit", "fixtures", "ecb-excerpt.csv");

describe("the reference file", () => {
  const days = readEcbFile("ecb.csv", readFileSync(EXCERPT, "utf8"));

  test("is read oldest day first, without a column for the comma at the end of each line", () => {
    expect([days[0]?.day, days.at(-1)?.day]).toEqual(["2022-12-30", "2023-12-29"]);
    expect(new Set(days.map(({ rates }) => rates.length))).toEqual(new Set([41]));
    expect(days.at(-1)?.rates.slice(0, 4)).toEqual([
      { currency: "USD", price: "1.105" },
      { currency: "JPY", price: "156.33" },
      { currency: "BGN", price: "1.9558" },
      { currency: "CYP", price: null },
    ]);
  });

  test("withdraws a currency on the first day without a rate: the last rate of a dead one never lives on", () => {
    const known = new Set(["USD", "HRK"]);
    const { ticks, withdrawn, leftOut } = ecbTicks({
      feed: "ecb",
      days,
      isCurrency: (code) => known.has(code),
      asOfMs: null,
    });
    const kuna = ticks.filter(({ quote }) => quote === "HRK").map(({ mid, asOfAt }) => [mid, asOfAt]);
    const at15 = (day: string): bigint => BigInt(Date.parse(`${day}T15:00:00Z`)) * 1000n;
    expect(kuna).toEqual([
      ["7.5365", at15("2022-12-30")],
      [null, at15("2023-01-02")],
    ]);
    expect([withdrawn, leftOut.includes("CYP")]).toEqual([1, true]);
  });

  test("has numbers that rise from tick to tick, and the same ones when it is published again", () => {
    const publish = () =>
      ecbTicks({ feed: "ecb", days, isCurrency: () => true, asOfMs: null }).ticks.map(({ seq }) => seq);
    const seqs = publish();
    expect(seqs.every((seq, index) => index === 0 || seq > (seqs[index - 1] as bigint))).toBe(true);
    expect(publish()).toEqual(seqs);
  });

  test("may have a column for a crypto asset, by its code", () => {
    const [day] = readEcbFile("own.csv", "Date,ETH,USDC@eip155:1,\n2023-01-02,0.0004,1.086,\n");
    expect(day?.rates).toEqual([
      { currency: "ETH", price: "0.0004" },
      { currency: "USDC@eip155:1", price: "1.086" },
    ]);
  });

  const HEAD = "Date,USD,JPY,\n";
  test.each<[string, string, string]>([
    ["an empty file", "", 'x.csv:1: begins with "", expected a heading: Date,USD,JPY,…'],
    ["another file", "<html>\n<body>\n", 'x.csv:1: begins with "<html>", expected a heading: Date,USD,JPY,…'],
    ["a heading alone", HEAD, "x.csv:1: the file has no day"],
    ["a currency that is none", "Date,usd,\n2023-01-02,1,\n", 'x.csv:1: column "usd" is no currency, or there twice'],
    ["a currency twice", "Date,USD,USD,\n2023-01-02,1,1,\n", 'x.csv:1: column "USD" is no currency, or there twice'],
    ["a row that is too short", `${HEAD}2023-01-02,1.1,\n`, "x.csv:2: has 1 rates, and the heading 2 currencies"],
    ["a row that is too long", `${HEAD}2023-01-02,1.1,2,3,\n`, "x.csv:2: has 3 rates, and the heading 2 currencies"],
    ["a day that is none", `${HEAD}2023-02-30,1.1,2,\n`, 'x.csv:2: "2023-02-30" is no day, expected YYYY-MM-DD'],
    [
      "a price that is none",
      `${HEAD}2023-01-02,1.1,#REF!,\n`,
      'x.csv:2: JPY: found "#REF!", expected a price above zero or N/A',
    ],
    [
      "a negative price",
      `${HEAD}2023-01-02,-1.1,2,\n`,
      'x.csv:2: USD: found "-1.1", expected a price above zero or N/A',
    ],
    [
      "a price of zero",
      `${HEAD}2023-01-02,0.000,2,\n`,
      'x.csv:2: USD: found "0.000", expected a price above zero or N/A',
    ],
    ["an exponent", `${HEAD}2023-01-02,1e5,2,\n`, 'x.csv:2: USD: found "1e5", expected a price above zero or N/A'],
    ["an empty price", `${HEAD}2023-01-02,,2,\n`, 'x.csv:2: USD: found "", expected a price above zero or N/A'],
    [
      "days out of order",
      `${HEAD}2023-01-02,1,2,\n2023-01-03,1,2,\n`,
      "x.csv:3: 2023-01-03 comes after 2023-01-02: days go from the newest to the oldest, each once",
    ],
    [
      "a day twice",
      `${HEAD}2023-01-02,1,2,\n2023-01-02,1,2,\n`,
      "x.csv:3: 2023-01-02 comes after 2023-01-02: days go from the newest to the oldest, each once",
    ],
  ])("%s is refused with its line", (_name, text, message) => {
    expect(() => readEcbFile("x.csv", text)).toThrow(new EcbFileWrong(message));
  });

  test("with a fault in each line tells the first ten", () => {
    const text = HEAD + Array.from({ length: 500 }, () => "x,1,2,").join("\n");
    expect(() => readEcbFile("x.csv", text)).toThrow(/and 490 more$/);
  });
});

const WHOLE = join(ROOT, "..", "shared", "data", "fx", "ecb-reference-rates-1999-2023.csv");
const first = <Thing>(one: Thing, index: number, all: readonly Thing[]): boolean => all.indexOf(one) === index;

describe.skipIf(!existsSync(WHOLE))("the whole reference file, 1999 to 2023", () => {
  const columns = new Set(["USD", "JPY", "CHF", "ISK", "RUB", "TRY"]);
  const isCurrency = (code: string): boolean => columns.has(code) && currencies.scaleOf(code) !== null;
  const at18 = (day: string): number => Date.parse(`${day}T18:00:00Z`);

  /** Takes the file in, day by day, as the role does, and looks at the book on some evenings. */
  function takeIn(evenings: readonly string[]) {
    const days = readEcbFile("ecb.csv", readFileSync(WHOLE, "utf8"));
    const { ticks } = ecbTicks({ feed: "ecb", days, isCurrency, asOfMs: null });
    const seen = new Map<string, RateSnapshot>();
    const aside: string[] = [];
    let known = RateSnapshot.EMPTY;
    let highestSeq = -1n;
    for (const { asOfAt, ...message } of ticks) {
      const asOfMs = Number(asOfAt / 1000n);
      for (const day of evenings) if (!seen.has(day) && asOfMs > at18(day)) seen.set(day, known);
      const judged = judge({ ...message, asOfMs, receivedAtMs: asOfMs }, known, highestSeq);
      highestSeq = message.seq;
      if (judged.kind === "refused") aside.push(`${new Date(asOfMs).toISOString().slice(0, 10)} ${message.quote}`);
      if (judged.kind === "believed") known = known.with(1n, [{ ...judged.row, version: 1n }]);
    }
    for (const day of evenings) if (!seen.has(day)) seen.set(day, known);
    return { aside, usable: (day: string, to: string) => seen.get(day)?.usable("EUR", to, at18(day)) != null };
  }

  test("prices by nothing that is dead or missing, and puts aside only the days on which the market itself broke", () => {
    const { usable, aside } = takeIn([
      "2008-12-09",
      "2008-12-12",
      "2012-06-01",
      "2018-02-05",
      "2022-02-28",
      "2022-03-03",
      "2023-12-29",
    ]);
    // The hole of the Icelandic crown, 2008 to 2018, and the end of the rouble's rate in March 2022.
    expect(["2008-12-09", "2008-12-12", "2012-06-01", "2018-02-05"].map((day) => usable(day, "ISK"))).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(["2022-02-28", "2022-03-03", "2023-12-29"].map((day) => usable(day, "RUB"))).toEqual([true, false, false]);
    expect(["USD", "JPY", "CHF", "ISK", "TRY"].map((to) => usable("2023-12-29", to))).toEqual([
      true,
      true,
      true,
      true,
      true,
    ]);
    expect(
      aside
        .join(" ")
        .replaceAll(/(\d{4})-\d\d-\d\d (\w{3})/g, "$1 $2")
        .split(/(?<=[A-Z]) /)
        .filter(first),
    ).toEqual([
      "2000 JPY", // the central banks buy euros together
      "2008 ISK",
      "2008 JPY",
      "2011 CHF", // the floor of 1.20
      "2014 RUB",
      "2015 CHF", // and its end
      "2016 JPY", // the British leave
      "2018 TRY",
      "2021 TRY",
      "2022 RUB",
    ]);
    expect(aside.length).toBe(30);
  });
});
