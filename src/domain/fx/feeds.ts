// The feeds of rates as declared in schemas/rates/feeds.yaml: how long a rate of each is good, and what is believed of it.

import { parseDurationMs } from "../flow/duration.ts";
import type { Fault, Located } from "../located.ts";
import { type Fields, Reading } from "../reading.ts";

/** Days on which no market is open. `weekend` counts from Sunday, 0. */
export type MarketCalendar = { readonly weekend: readonly number[]; readonly holidays: ReadonlySet<string> };

/** How long a rate is fresh, aging and stale, counted from its own time. */
export type Ages = { readonly freshMs: number; readonly agingMs: number; readonly staleMs: number };

/** One thing for pairs of two major currencies, another for the rest. */
export type ByPair<Thing> = { readonly majors: Thing; readonly others: Thing };

export type RateFeed = {
  readonly name: string;
  readonly priority: number;
  readonly pivot: string;
  readonly calendar: MarketCalendar;
  /** for a feed that speaks once every open day: until when, in ms of the day (UTC); null: it speaks all day */
  readonly publishedByMs: number | null;
  readonly closedMarketBps: bigint;
  /** of a daily feed in whole days: so many publications may have been missed */
  readonly ages: ByPair<Ages>;
  readonly agingBps: bigint;
  readonly agingLockMaxMs: number;
  readonly jumpBps: ByPair<bigint>;
  readonly forgetAfterMs: number;
};

export type RateFeeds = { readonly majors: ReadonlySet<string>; readonly feeds: ReadonlyMap<string, RateFeed> };

export const DAY_MS = 86_400_000;
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] as const;
const NAME = /^[a-z][a-z0-9_-]{0,29}$/;
const CURRENCY = /^[A-Z][A-Za-z0-9@:-]{1,60}$/;
const BPS_MAX = 5_000;
const AGE_DAYS_MAX = 31;

export function isMajorPair({ majors }: RateFeeds, base: string, quote: string): boolean {
  return majors.has(base) && majors.has(quote);
}

/** @param holidays the days of each calendar file by its name without the ending */
export function parseFeeds(
  root: Located,
  holidays: ReadonlyMap<string, ReadonlySet<string>>,
): { feeds: RateFeeds; faults: readonly Fault[] } {
  const reading = new Reading();
  const file = reading.fields(root, "the file", { required: ["apiVersion", "kind", "majors", "calendars", "feeds"] });
  reading.word(file?.get("apiVersion"), "apiVersion", ["rates/v1"]);
  reading.word(file?.get("kind"), "kind", ["RateFeeds"]);
  const majors = (reading.items(file?.get("majors"), "majors") ?? []).flatMap(
    (node) => reading.textLike(node, "a currency", CURRENCY, "a currency's code") ?? [],
  );
  const calendars = readCalendars(reading, file?.get("calendars"), holidays);
  const feeds = new Map<string, RateFeed>();
  const node = file?.get("feeds");
  for (const { key, keyPlace, value } of (node && reading.entries(node, "feeds")) ?? []) {
    if (!NAME.test(key)) reading.fault(keyPlace, `a feed is named by small letters, digits, _ and -, not ${key}`);
    const feed = readFeed(reading, key, value, calendars);
    if (feed !== null) feeds.set(key, feed);
  }
  return { feeds: { majors: new Set(majors), feeds }, faults: reading.faults };
}

function readCalendars(
  reading: Reading,
  node: Located | undefined,
  holidays: ReadonlyMap<string, ReadonlySet<string>>,
): Map<string, MarketCalendar> {
  const found = new Map<string, MarketCalendar>();
  for (const { key, value } of (node && reading.entries(node, "calendars")) ?? []) {
    const row = reading.fields(value, `calendar ${key}`, { required: ["weekend"], optional: ["holidays"] });
    const days = (reading.items(row?.get("weekend"), "weekend") ?? []).flatMap(
      (day) => reading.word(day, "a day of the weekend", WEEKDAYS) ?? [],
    );
    const name = reading.text(row?.get("holidays"), "holidays");
    const file = name === null ? new Set<string>() : holidays.get(name);
    if (file === undefined) reading.fault(value.place, `there is no schemas/calendars/${name}.json`);
    if (new Set(days).size === WEEKDAYS.length) reading.fault(value.place, `calendar ${key} is never open`);
    else found.set(key, { weekend: days.map((day) => WEEKDAYS.indexOf(day)), holidays: file ?? new Set() });
  }
  return found;
}

const FEED_KEYS = ["priority", "pivot", "calendar", "closed_market_bps", "ages", "aging", "jump_bps", "forget_after"];

function readFeed(
  reading: Reading,
  name: string,
  node: Located,
  calendars: ReadonlyMap<string, MarketCalendar>,
): RateFeed | null {
  const row = reading.fields(node, `feed ${name}`, { required: FEED_KEYS, optional: ["published_by"] });
  if (row === null) return null;
  const isDaily = row.has("published_by");
  const priority = reading.integer(row.get("priority"), "priority", 0, 1_000);
  const pivot = reading.textLike(row.get("pivot"), "pivot", CURRENCY, "a currency's code");
  const calendar = reading.word(row.get("calendar"), "calendar", [...calendars.keys()]);
  const publishedBy = reading.textLike(
    row.get("published_by"),
    "published_by",
    /^([01]\d|2[0-3]):[0-5]\d$/,
    "HH:MM, UTC",
  );
  const closedMarketBps = reading.integer(row.get("closed_market_bps"), "closed_market_bps", 0, BPS_MAX);
  const ages = readByPair(reading, row.get("ages"), "ages", (value, what) => readAges(reading, value, what, isDaily));
  const aging = fieldsOf(reading, row, "aging", ["extra_bps", "lock_max"]);
  const agingBps = reading.integer(aging?.get("extra_bps"), "extra_bps", 0, BPS_MAX);
  const agingLockMaxMs = readDuration(reading, aging?.get("lock_max"), "lock_max");
  const jumpBps = readByPair(reading, row.get("jump_bps"), "jump_bps", (value, what) =>
    reading.integer(value, what, 1, 100_000),
  );
  const forgetAfterMs = readDuration(reading, row.get("forget_after"), "forget_after");
  if (priority === null || pivot === null || calendar === null || closedMarketBps === null) return null;
  if (ages === null || agingBps === null || agingLockMaxMs === null || jumpBps === null || forgetAfterMs === null)
    return null;
  return {
    name,
    priority,
    pivot,
    calendar: calendars.get(calendar) as MarketCalendar,
    publishedByMs: publishedBy === null ? null : minutesOf(publishedBy) * 60_000,
    closedMarketBps: BigInt(closedMarketBps),
    ages,
    agingBps: BigInt(agingBps),
    agingLockMaxMs,
    jumpBps: { majors: BigInt(jumpBps.majors), others: BigInt(jumpBps.others) },
    forgetAfterMs,
  };
}

function minutesOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

function fieldsOf(reading: Reading, row: Fields, key: string, required: readonly string[]): Fields | null {
  const node = row.get(key);
  return node === undefined ? null : reading.fields(node, key, { required });
}

function readByPair<Thing>(
  reading: Reading,
  node: Located | undefined,
  what: string,
  read: (value: Located, what: string) => Thing | null,
): ByPair<Thing> | null {
  const row = node === undefined ? null : reading.fields(node, what, { required: ["majors", "others"] });
  const [majors, others] = ["majors", "others"].map((key) => {
    const value = row?.get(key);
    return value === undefined ? null : read(value, `${key} of ${what}`);
  });
  return majors == null || others == null ? null : { majors, others };
}

function readAges(reading: Reading, node: Located, what: string, isDaily: boolean): Ages | null {
  const row = reading.fields(node, what, { required: ["fresh", "aging", "stale"] });
  const [fresh, aging, stale] = ["fresh", "aging", "stale"].map((key) => readDuration(reading, row?.get(key), key));
  if (fresh == null || aging == null || stale == null) return null;
  if (fresh > aging || aging > stale) return reading.fault(node.place, `${what} must not fall from fresh to stale`);
  if (stale > AGE_DAYS_MAX * DAY_MS) return reading.fault(node.place, `${what} end within ${AGE_DAYS_MAX} days`);
  if (isDaily && [fresh, aging, stale].some((ms) => ms % DAY_MS !== 0)) {
    return reading.fault(node.place, `${what} are whole days, because the feed speaks once a day`);
  }
  return { freshMs: fresh, agingMs: aging, staleMs: stale };
}

function readDuration(reading: Reading, node: Located | undefined, what: string): number | null {
  const text = reading.text(node, what);
  if (text === null || node === undefined) return null;
  return parseDurationMs(text) ?? reading.fault(node.place, `${what} must be a duration such as PT10S, found ${text}`);
}
