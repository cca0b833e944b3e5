// Whether a tick of a feed is believed. Pure: the settings, what was believed before, and the tick.

import type { Currencies } from "../domain/currencies.ts";
import { isMajorPair, type RateFeed, type RateFeeds } from "../domain/fx/feeds.ts";
import { BPS, parsePrice, type Rate } from "../domain/fx/fx.ts";
import { lifeOf } from "../domain/fx/rate-life.ts";
import type { RateRow, RateSnapshot } from "../domain/fx/rates.ts";

/** A message of the topic of rates, decoded. Prices that are null all three withdraw the pair. */
export type Tick = {
  readonly feed: string;
  readonly base: string;
  readonly quote: string;
  readonly seq: bigint;
  readonly bid: string | null;
  readonly mid: string | null;
  readonly ask: string | null;
  readonly asOfMs: number;
  /** the broker's append time */
  readonly receivedAtMs: number;
};

/** Why a tick was put aside. */
export const REFUSED_TICK = [
  "undecodable",
  "unknown_feed",
  "unknown_currency",
  "malformed_price",
  "crossed_prices",
  "in_future",
  "goes_back",
  "jump",
] as const;
export type RefusedTick = (typeof REFUSED_TICK)[number];

export type Judgement =
  | { readonly kind: "believed"; readonly row: Omit<RateRow, "version"> }
  /** read before, out of order, or withdrawing what is not there */
  | { readonly kind: "dropped" }
  | { readonly kind: "refused"; readonly reason: RefusedTick; readonly detail: string };

export type Judging = {
  readonly feeds: RateFeeds;
  readonly currencies: Currencies;
  /** what was believed before this tick */
  readonly book: RateSnapshot;
  /** the highest number of the tick's feed so far: of ticks that were believed, and of jumps */
  readonly highestSeq: bigint;
};

/** Clocks of a feed and of the broker may differ by so much. */
const AHEAD_MAX_MS = 300_000;

export function judgeTick(judging: Judging, tick: Tick): Judgement {
  const { feeds, book, highestSeq } = judging;
  const feed = feeds.feeds.get(tick.feed);
  if (feed === undefined) return refused("unknown_feed", `no feed ${shown(tick.feed)} in schemas/rates/feeds.yaml`);
  if (tick.seq <= highestSeq) return { kind: "dropped" };
  const faulty = judgeWords(judging, tick) ?? judgePrices(tick) ?? judgeTime(book, tick);
  if (faulty !== null) return faulty;
  const row = rowOf(feeds, feed, tick);
  if (tick.mid === null) {
    const known = book.row(tick.feed, tick.base, tick.quote);
    return known === null || known.mid === "" ? { kind: "dropped" } : { kind: "believed", row };
  }
  return judgeJump(judging, feed, tick, tick.mid) ?? { kind: "believed", row };
}

/** The row that a tick becomes when it is believed, with its whole life. */
export function rowOf(feeds: RateFeeds, feed: RateFeed, tick: Tick): Omit<RateRow, "version"> {
  const ages = isMajorPair(feeds, tick.base, tick.quote) ? feed.ages.majors : feed.ages.others;
  return {
    feed: tick.feed,
    priority: feed.priority,
    pivot: feed.pivot,
    base: tick.base,
    quote: tick.quote,
    bid: tick.bid ?? "",
    mid: tick.mid ?? "",
    ask: tick.ask ?? "",
    seq: tick.seq,
    asOfMs: tick.asOfMs,
    receivedAtMs: tick.receivedAtMs,
    life: tick.mid === null ? [] : lifeOf(feed, ages, tick.asOfMs),
  };
}

function judgeWords({ currencies }: Judging, { base, quote }: Tick): Judgement | null {
  for (const code of [base, quote]) {
    if (currencies.scaleOf(code) === null) return refused("unknown_currency", `${shown(code)} is no currency here`);
  }
  return base === quote ? refused("unknown_currency", `a pair has two currencies, not ${base} twice`) : null;
}

function judgePrices({ bid, mid, ask }: Tick): Judgement | null {
  if (bid === null && mid === null && ask === null) return null;
  const prices = [bid, mid, ask].map((text) => (text === null ? null : parsePrice(text)));
  const [low, middle, high] = prices;
  if (low == null || middle == null || high == null) {
    const texts = [bid, mid, ask].map((text) => (text === null ? "none" : shown(text))).join(", ");
    return refused("malformed_price", `bid, mid and ask are digits with a point, above zero; found ${texts}`);
  }
  if (compare(low, middle) <= 0 && compare(middle, high) <= 0) return null;
  return refused("crossed_prices", `bid ${bid}, mid ${mid} and ask ${ask} are not in that order`);
}

function judgeTime(book: RateSnapshot, { feed, base, quote, asOfMs, receivedAtMs }: Tick): Judgement | null {
  if (asOfMs > receivedAtMs + AHEAD_MAX_MS) {
    return refused("in_future", `says ${iso(asOfMs)}, and it was received at ${iso(receivedAtMs)}`);
  }
  const known = book.row(feed, base, quote);
  if (known === null || known.asOfMs <= asOfMs) return null;
  return refused("goes_back", `says ${iso(asOfMs)}, and the last one ${iso(known.asOfMs)}`);
}

/** Against the last one believed, unless it is too old to be a measure, and against the other feeds' middle. */
function judgeJump({ feeds, book }: Judging, feed: RateFeed, tick: Tick, text: string): Judgement | null {
  const mid = parsePrice(text) as Price;
  const { base, quote, asOfMs, receivedAtMs } = tick;
  const limitOf = (one: RateFeed): bigint => one.jumpBps[isMajorPair(feeds, base, quote) ? "majors" : "others"];
  const last = book.row(feed.name, base, quote);
  const before = last === null ? null : parsePrice(last.mid);
  if (last !== null && before !== null && asOfMs - last.asOfMs <= feed.forgetAfterMs) {
    const bps = distanceBps(mid, before);
    if (bps > limitOf(feed)) return refused("jump", `${bps} basis points from the last one, ${last.mid}`);
  }
  const others = othersOf(feeds, book, feed.name).flatMap(({ feed: other, book: own }) => {
    const rate = own.usable(base, quote, receivedAtMs);
    return rate === null ? [] : [{ rate, limit: limitOf(other) }];
  });
  const middle = medianOf(others.map(({ rate }) => rate));
  if (middle === null) return null;
  // A feed that may move further by itself is no sharper measure of others than of itself.
  const limit = others.reduce((most, one) => (one.limit > most ? one.limit : most), limitOf(feed));
  const bps = distanceBps(mid, middle);
  return bps > limit ? refused("jump", `${bps} basis points from the middle of ${others.length} other feed(s)`) : null;
}

function othersOf(feeds: RateFeeds, book: RateSnapshot, name: string) {
  return [...feeds.feeds.values()]
    .filter((one) => one.name !== name)
    .map((feed) => ({ feed, book: book.only(feed.name) }));
}

type Price = Pick<Rate, "numerator" | "denominator">;

function compare(one: Price, other: Price): number {
  const difference = one.numerator * other.denominator - other.numerator * one.denominator;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** How far apart, in basis points of `from`, rounded up: a limit is not passed by a fraction. */
function distanceBps(price: Price, from: Price): bigint {
  const left = price.numerator * from.denominator;
  const right = from.numerator * price.denominator;
  const difference = left > right ? left - right : right - left;
  return (difference * BPS + right - 1n) / right;
}

/** Of an even number the lower of the two in the middle. */
function medianOf(prices: readonly Price[]): Price | null {
  return [...prices].sort(compare)[Math.floor((prices.length - 1) / 2)] ?? null;
}

function refused(reason: RefusedTick, detail: string): Judgement {
  return { kind: "refused", reason, detail };
}

const iso = (ms: number): string => new Date(ms).toISOString();

/** Text of the outside, short and in quotes. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
