// Rates as a block sees them: an immutable snapshot under a version number. What a rate may be used for, until when and at
// what surcharge was settled when it was taken in and is written beside it, so that a block can be decided again years
// later from the rows alone, whatever the feeds' settings have become.

import { cross, parsePrice, type Rate, reverse } from "./fx.ts";

export type { Rate } from "./fx.ts";

/** What the core asks. */
export interface RateBook {
  /** 0n: no rate was ever taken in */
  readonly version: bigint;
  /** The rate by which `from` may be turned into `to` at that moment, or null: none is there, or none is good enough. */
  usable(from: string, to: string, nowMs: number): Rate | null;
}

export const NO_RATES: RateBook = { version: 0n, usable: () => null };

/** fresh: as any; aging: at a surcharge; stale: for eyes only. What comes after the last span is dead. */
export type RateQuality = "fresh" | "aging" | "stale";

/** A stretch of a rate's life; it begins where the one before it ended. */
export type LifeSpan = {
  readonly untilMs: number;
  readonly quality: RateQuality;
  /** on top of any spread: the rate ages, or the market is closed */
  readonly extraBps: bigint;
  /** the longest that a quote may be locked at it; 0: not at all; null: as long as one likes */
  readonly lockMaxMs: number | null;
};

/** One rate of a feed, as it is kept: never changed, only followed by one with a higher version. */
export type RateRow = {
  readonly version: bigint;
  readonly feed: string;
  /** of several feeds that have a usable rate the lowest number wins */
  readonly priority: number;
  /** over which the feed's own rates make cross rates; "" for none */
  readonly pivot: string;
  /** units of `quote` per unit of `base` */
  readonly base: string;
  readonly quote: string;
  /** as received; empty when the feed has withdrawn the pair */
  readonly bid: string;
  readonly mid: string;
  readonly ask: string;
  /** rises with every tick of a feed */
  readonly seq: bigint;
  readonly asOfMs: number;
  readonly receivedAtMs: number;
  /** empty when withdrawn: such a rate never prices anything */
  readonly life: readonly LifeSpan[];
};

/** What was found for a pair, with where it comes from. */
export type FoundRate = {
  readonly rate: Rate;
  readonly quality: RateQuality;
  readonly feed: string;
  /** one, or the two legs of a cross rate */
  readonly rows: readonly RateRow[];
};

type Leg = { readonly rate: Rate; readonly span: LifeSpan; readonly row: RateRow };

/** A row with its price as it computes; null when withdrawn. */
type Held = { readonly row: RateRow; readonly price: Pick<Rate, "numerator" | "denominator"> | null };

type FeedBook = {
  readonly feed: string;
  /** of its newest row, which says priority and pivot */
  readonly version: bigint;
  readonly priority: number;
  readonly pivot: string;
  /** by `base quote` */
  readonly rows: ReadonlyMap<string, Held>;
};

export class RateSnapshot implements RateBook {
  readonly version: bigint;
  readonly #feeds: readonly FeedBook[];
  /** What was found last for a pair. A block asks for the same pairs at one moment again and again, and finding takes
   *  several times as long as converting. */
  readonly #asked = new Map<string, { readonly nowMs: number; readonly rate: Rate | null }>();

  private constructor(version: bigint, feeds: readonly FeedBook[]) {
    this.version = version;
    this.#feeds = feeds;
  }

  static readonly EMPTY = new RateSnapshot(0n, []);

  /** A new snapshot with these rows on top. Of two for one pair the later one stands.
   *  @param version at least that of any row */
  with(version: bigint, rows: readonly RateRow[]): RateSnapshot {
    const feeds = new Map(this.#feeds.map((one) => [one.feed, one]));
    for (const row of rows) {
      const known = feeds.get(row.feed);
      const rows = new Map(known?.rows).set(pairOf(row.base, row.quote), { row, price: parsePrice(row.mid) });
      const { feed, version, priority, pivot } = known !== undefined && known.version > row.version ? known : row;
      feeds.set(feed, { feed, version, priority, pivot, rows });
    }
    return new RateSnapshot(version, [...feeds.values()].sort(byPriority));
  }

  usable(from: string, to: string, nowMs: number): Rate | null {
    const pair = pairOf(from, to);
    const asked = this.#asked.get(pair);
    if (asked?.nowMs === nowMs) return asked.rate;
    const found = this.find(from, to, nowMs);
    const rate = found === null || found.quality === "stale" ? null : found.rate;
    this.#asked.set(pair, { nowMs, rate });
    return rate;
  }

  /** As `usable`, with its origin, and stale rates too where there is no better one. */
  find(from: string, to: string, nowMs: number): FoundRate | null {
    let stale: FoundRate | null = null;
    for (const feed of this.#feeds) {
      const found = findIn(feed, from, to, nowMs);
      if (found !== null && found.quality !== "stale") return found;
      stale ??= found;
    }
    return stale;
  }

  /** Every row, feeds by priority. */
  rows(): readonly RateRow[] {
    return this.#feeds.flatMap((feed) => [...feed.rows.values()].map(({ row }) => row));
  }

  /** What one feed says, and nothing else. */
  only(feed: string): RateSnapshot {
    return new RateSnapshot(
      this.version,
      this.#feeds.filter((one) => one.feed === feed),
    );
  }

  row(feed: string, base: string, quote: string): RateRow | null {
    return this.#feeds.find((one) => one.feed === feed)?.rows.get(pairOf(base, quote))?.row ?? null;
  }
}

export function pairOf(base: string, quote: string): string {
  return `${base} ${quote}`;
}

/** The span of a moment; null: dead, or withdrawn. A moment before the rate itself counts as its first: clocks differ. */
export function spanAt(life: readonly LifeSpan[], nowMs: number): LifeSpan | null {
  return life.find((span) => nowMs < span.untilMs) ?? null;
}

/** Feeds of one priority go by their names, so that every process has the same order. */
function byPriority(one: FeedBook, other: FeedBook): number {
  return one.priority - other.priority || (one.feed < other.feed ? -1 : 1);
}

function findIn(feed: FeedBook, from: string, to: string, nowMs: number): FoundRate | null {
  if (from === to) return null;
  const direct = legOf(feed, from, to, nowMs);
  if (direct !== null) return toFound(feed, direct.rate, [direct]);
  if (feed.pivot === "" || from === feed.pivot || to === feed.pivot) return null;
  const first = legOf(feed, from, feed.pivot, nowMs);
  const second = legOf(feed, feed.pivot, to, nowMs);
  if (first === null || second === null) return null;
  return toFound(feed, cross(first.rate, second.rate), [first, second]);
}

const QUALITIES: readonly RateQuality[] = ["fresh", "aging", "stale"];

/** A cross rate is as good as the worse of its legs. */
function toFound(feed: FeedBook, rate: Rate, legs: readonly Leg[]): FoundRate {
  const quality = QUALITIES[Math.max(...legs.map(({ span }) => QUALITIES.indexOf(span.quality)))] as RateQuality;
  return { rate, quality, feed: feed.feed, rows: legs.map(({ row }) => row) };
}

/** The feed's own quotation, read forward or backward. */
function legOf(feed: FeedBook, from: string, to: string, nowMs: number): Leg | null {
  return legBy(feed.rows.get(pairOf(from, to)), nowMs) ?? reversed(legBy(feed.rows.get(pairOf(to, from)), nowMs));
}

function legBy(held: Held | undefined, nowMs: number): Leg | null {
  if (held === undefined || held.price === null) return null;
  const { row, price } = held;
  const span = spanAt(row.life, nowMs);
  if (span === null) return null;
  const { numerator, denominator } = price;
  const { extraBps, lockMaxMs } = span;
  return { row, span, rate: { numerator, denominator, base: "from", extraBps, lockMaxMs } };
}

function reversed(leg: Leg | null): Leg | null {
  return leg === null ? null : { row: leg.row, span: leg.span, rate: reverse(leg.rate) };
}
