// How long a rate is good, and at what surcharge: settled once, when it is taken in, and written beside it.

import { type Ages, DAY_MS, type MarketCalendar, type RateFeed } from "./feeds.ts";
import type { LifeSpan, RateQuality } from "./rates.ts";

type Stage = { readonly quality: RateQuality; readonly untilMs: number };

/** The spans of a rate from its own time on. Over days on which the calendar is closed its age stands still and the
 *  surcharge of a closed market comes on top.
 *  @returns spans in order; behind the last one the rate is dead */
export function lifeOf(feed: RateFeed, ages: Ages, asOfMs: number): LifeSpan[] {
  const spans: LifeSpan[] = [];
  let fromMs = asOfMs;
  for (const { quality, untilMs } of stagesOf(feed, ages, asOfMs)) {
    while (fromMs < untilMs) {
      const dayEndMs = startOfDay(fromMs) + DAY_MS;
      const endMs = Math.min(dayEndMs, untilMs);
      add(spans, spanOf(feed, quality, isClosed(feed.calendar, fromMs), endMs));
      fromMs = endMs;
    }
  }
  return spans;
}

export function isClosed({ weekend, holidays }: MarketCalendar, ms: number): boolean {
  const day = new Date(ms);
  return weekend.includes(day.getUTCDay()) || holidays.has(day.toISOString().slice(0, 10));
}

function stagesOf(feed: RateFeed, { freshMs, agingMs, staleMs }: Ages, asOfMs: number): readonly Stage[] {
  const until = (ageMs: number): number =>
    feed.publishedByMs === null
      ? afterOpenTime(feed.calendar, asOfMs, ageMs)
      : afterPublications(feed.calendar, feed.publishedByMs, asOfMs, ageMs / DAY_MS);
  return [
    { quality: "fresh", untilMs: until(freshMs) },
    { quality: "aging", untilMs: until(agingMs) },
    { quality: "stale", untilMs: until(staleMs) },
  ];
}

/** When a market that is open on the calendar's days has been open for so long. */
function afterOpenTime(calendar: MarketCalendar, fromMs: number, ageMs: number): number {
  let leftMs = ageMs;
  let atMs = fromMs;
  for (;;) {
    const dayEndMs = startOfDay(atMs) + DAY_MS;
    if (!isClosed(calendar, atMs)) {
      if (leftMs <= dayEndMs - atMs) return atMs + leftMs;
      leftMs -= dayEndMs - atMs;
    }
    atMs = dayEndMs;
  }
}

/** When the rates of so many later open days should be out. */
function afterPublications(calendar: MarketCalendar, publishedByMs: number, fromMs: number, count: number): number {
  let dayMs = startOfDay(fromMs);
  for (let left = count; left > 0; ) {
    dayMs += DAY_MS;
    if (!isClosed(calendar, dayMs)) left -= 1;
  }
  return dayMs + publishedByMs;
}

function spanOf(feed: RateFeed, quality: RateQuality, closed: boolean, untilMs: number): LifeSpan {
  const extraBps = (quality === "fresh" ? 0n : feed.agingBps) + (closed ? feed.closedMarketBps : 0n);
  const lockMaxMs = quality === "stale" ? 0 : quality === "aging" || closed ? feed.agingLockMaxMs : null;
  return { untilMs, quality, extraBps, lockMaxMs };
}

/** Days of one kind make one span. */
function add(spans: LifeSpan[], span: LifeSpan): void {
  const last = spans.at(-1);
  const isSame =
    last !== undefined &&
    last.quality === span.quality &&
    last.extraBps === span.extraBps &&
    last.lockMaxMs === span.lockMaxMs;
  if (isSame) spans.pop();
  spans.push(span);
}

function startOfDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}
