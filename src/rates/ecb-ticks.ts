// Days of the reference file as messages of the topic of rates.

import type { RateMessage } from "../kafka/codec-rate.ts";
import type { EcbDay } from "./ecb.ts";

export type EcbPublishing = {
  readonly feed: string;
  /** oldest first; of the days before them only what goes out of use matters */
  readonly days: readonly EcbDay[];
  readonly isCurrency: (code: string) => boolean;
  /** when the prices are said to have held; null: at 15:00 UTC of their day, when the bank has published them */
  readonly asOfMs: number | null;
};

export type EcbTicks = {
  readonly ticks: readonly RateMessage[];
  readonly withdrawn: number;
  /** columns that are no currency here, most of them dead */
  readonly leftOut: readonly string[];
};

const BASE = "EUR";
const PUBLISHED_MS = 15 * 3_600_000;
/** A day's ticks are numbered behind its time, so that publishing a day again makes the same numbers, and a later one
 *  higher ones. */
const COLUMNS_MAX = 1_000n;

/** A price for each currency that has one. A currency without one is withdrawn on the first day of that, and on the first
 *  day of all: whatever was known of it must not price anything any more. */
export function ecbTicks({ feed, days, isCurrency, asOfMs }: EcbPublishing): EcbTicks {
  const ticks: RateMessage[] = [];
  const leftOut = new Set<string>();
  const priced = new Map<string, boolean>();
  let withdrawn = 0;
  for (const { day, rates } of days) {
    const atMs = asOfMs ?? Date.parse(`${day}T00:00:00Z`) + PUBLISHED_MS;
    rates.forEach(({ currency, price }, column) => {
      if (!isCurrency(currency)) {
        leftOut.add(currency);
        return;
      }
      if (price === null && priced.get(currency) === false) return;
      priced.set(currency, price !== null);
      if (price === null) withdrawn += 1;
      const seq = BigInt(atMs) * COLUMNS_MAX + BigInt(column);
      const asOfAt = BigInt(atMs) * 1_000n;
      ticks.push({ feed, base: BASE, quote: currency, seq, bid: price, mid: price, ask: price, asOfAt });
    });
  }
  return { ticks, withdrawn, leftOut: [...leftOut] };
}
