// Rates as a block saw them: of each feed and pair the row with the highest version up to the block's.

import type { RateRow } from "../../store/audit.ts";
import type { SecondRate } from "./exchange.ts";
import { Unreadable } from "./tree.ts";
import type { AskRate } from "./world.ts";

/** A rate that may be too old: then it is known and not usable. */
type Leg = { readonly rate: SecondRate; readonly isStale: boolean };

export class SecondRates {
  /** rows by feed, and by feed and pair, in the order of their versions */
  readonly #byFeed = new Map<string, RateRow[]>();
  readonly #byPair = new Map<string, RateRow[]>();
  /** every row up to this version is here */
  readTo = 0n;

  /** @param rows in the order of their versions */
  add(rows: readonly RateRow[], readTo: bigint): void {
    for (const row of rows) {
      push(this.#byFeed, row.feed, row);
      push(this.#byPair, pairName(row.feed, row.base, row.quote), row);
    }
    this.readTo = readTo;
  }

  /** As they stood at a version. */
  at(version: bigint): AskRate {
    const newest = (rows: readonly RateRow[] | undefined): RateRow | undefined =>
      rows?.findLast((row) => row.version <= version);
    return (from, to, nowMs) => {
      const feeds = [...this.#byFeed.values()].flatMap((rows) => newest(rows) ?? []).sort(inOrder);
      for (const { feed, pivot } of feeds) {
        const rowOf: RowOf = (base, quote) => newest(this.#byPair.get(pairName(feed, base, quote)));
        const found = ofFeed(pivot, rowOf, { from, to, nowMs });
        if (found !== null && !found.isStale) return found.rate;
      }
      return null;
    };
  }
}

type RowOf = (base: string, quote: string) => RateRow | undefined;

function pairName(feed: string, base: string, quote: string): string {
  return `${feed} ${base} ${quote}`;
}

function push(rows: Map<string, RateRow[]>, name: string, row: RateRow): void {
  const known = rows.get(name);
  if (known === undefined) rows.set(name, [row]);
  else known.push(row);
}

function inOrder(one: RateRow, other: RateRow): number {
  return one.priority - other.priority || (one.feed < other.feed ? -1 : 1);
}

/** As quoted, or else the other way round, or else over the feed's pivot: the first that is not dead. */
function ofFeed(
  pivot: string,
  rowOf: RowOf,
  { from, to, nowMs }: { readonly from: string; readonly to: string; readonly nowMs: number },
): Leg | null {
  const leg = (one: string, other: string): Leg | null =>
    legOf(rowOf(one, other), false, nowMs) ?? legOf(rowOf(other, one), true, nowMs);
  const direct = leg(from, to);
  if (direct !== null || pivot === "" || pivot === from || pivot === to) return direct;
  const [first, second] = [leg(from, pivot), leg(pivot, to)];
  if (first === null || second === null) return null;
  const extraBps = first.rate.extraBps > second.rate.extraBps ? first.rate.extraBps : second.rate.extraBps;
  const locks = [first.rate.lockMs, second.rate.lockMs].filter((ms) => ms !== null);
  const lockMs = locks.length === 0 ? null : Math.min(...locks);
  const rate = { n: first.rate.n * second.rate.n, d: first.rate.d * second.rate.d, buysBase: false, extraBps, lockMs };
  return { rate, isStale: first.isStale || second.isStale };
}

function legOf(row: RateRow | undefined, isTurned: boolean, nowMs: number): Leg | null {
  const span = row?.life.find(([untilMs]) => nowMs < untilMs);
  if (row === undefined || row.mid === null || span === undefined) return null;
  const { n, d } = fraction(row.mid);
  const rate = {
    n: isTurned ? d : n,
    d: isTurned ? n : d,
    buysBase: isTurned,
    extraBps: BigInt(span[2]),
    lockMs: span[3],
  };
  return { rate, isStale: span[1] === "stale" };
}

function fraction(text: string): { readonly n: bigint; readonly d: bigint } {
  const [whole = "", decimals = ""] = text.split(".");
  if (!/^\d+$/.test(whole + decimals)) throw new Unreadable(`${text} is no rate`);
  return { n: BigInt(whole + decimals), d: 10n ** BigInt(decimals.length) };
}
