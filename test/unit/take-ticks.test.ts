// A batch of ticks with one in it that nobody can believe: the rest goes on.

import { expect, test } from "vitest";
import { loadFeeds } from "../../src/declared/load-rates.ts";
import { RateSnapshot } from "../../src/domain/fx/rates.ts";
import type { Tick } from "../../src/rates/judge.ts";
import { judgeAll, type TakenTick } from "../../src/rates/take-ticks.ts";
import { highestSeq } from "../../src/store/sql/rates.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { DECLARED } from "../support/ledger.ts";

const rules = { feeds: loadFeeds(SHIPPED_SCHEMAS), currencies: DECLARED.currencies };
const NOW = Date.parse("2026-11-20T10:00:00Z");
const SEQ_MAX = 2n ** 63n - 1n;
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

/** @returns what becomes of the ticks, and of which feeds the database was asked */
async function judge(...ticks: readonly Partial<Tick>[]) {
  const asked: string[] = [];
  const writer = { highestSeq: async (feed: string) => (asked.push(feed), -1n) };
  const taken = ticks.map((tick, index): TakenTick => {
    return { kind: "tick", offset: BigInt(index), tick: { ...TICK, ...tick } };
  });
  const { rows, refused, dropped } = await judgeAll(writer, rules, taken, RateSnapshot.EMPTY);
  return { believed: rows.map(({ seq }) => seq), refused, dropped, asked };
}

test.each(["feed", "base", "quote", "bid", "mid", "ask"] as const)("a NUL in %s reaches no column", async (field) => {
  const { refused, believed, asked } = await judge({ [field]: "a\u0000b" }, { seq: 11n });
  expect(refused).toEqual([expect.objectContaining({ [field]: "a\\0b" })]);
  expect([...asked, ...refused.flatMap(Object.values)].filter((value) => String(value).includes("\u0000"))).toEqual([]);
  expect(believed).toEqual([11n]);
});

test.each(["feed", "base", "quote"] as const)("a long %s fits the key of its row", async (field) => {
  const { refused } = await judge({ [field]: "€".repeat(100_000) });
  expect(Buffer.byteLength(refused[0]?.[field] ?? "")).toBeLessThanOrEqual(600);
});

test("a NUL in why a record could not be read reaches no column", async () => {
  const writer = { highestSeq: async () => -1n };
  const record = { kind: "undecodable", offset: 7n, receivedAtMs: NOW, detail: "found \u0000" } as const;
  const { refused } = await judgeAll(writer, rules, [record], RateSnapshot.EMPTY);
  expect(refused).toEqual([
    expect.objectContaining({ reason: "undecodable", detail: "found \\0", offset: 7n, asOfMs: NOW, feed: "" }),
  ]);
});

test("the number of a tick that cannot be believed keeps no later one out, and that of a jump does", async () => {
  expect(await judge({ quote: "XXX", seq: SEQ_MAX }, { seq: 11n })).toMatchObject({ believed: [11n], dropped: 0 });
  const jumped = await judge({}, { bid: "9", mid: "9", ask: "9", seq: SEQ_MAX }, { seq: 11n });
  expect(jumped).toMatchObject({ believed: [10n], refused: [{ reason: "jump" }], dropped: 1 });
});

test("so does the number that the database remembers", () => {
  expect(highestSeq.text).toContain("from rate_refused where feed = $1 and reason = 'jump'");
});
