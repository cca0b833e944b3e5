// ISO 8601 durations of fixed length: weeks, days, hours, minutes, seconds. Years and months are refused, because their
// length hangs on the day that they are counted from.

const WEEKS = /^P([0-9]{1,4})W$/;
const DAYS_AND_TIME = /^P(?:([0-9]{1,4})D)?(?:T(?:([0-9]{1,5})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,8})S)?)?$/;

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The end of the year 9999 in milliseconds since the epoch: no timer is due later, and no command executed. Databases and
 *  messages know moments behind it, but not much later. */
export const LATEST_MS = 253_402_300_799_999;

/** What is computed of times and durations as a moment, none later than LATEST_MS. */
export function momentOf(ms: bigint): number {
  return Math.min(Number(ms), LATEST_MS);
}

/** `PT15M` is 900,000.
 *  @returns milliseconds, above zero; null when the text is no such duration */
export function parseDurationMs(text: string): number | null {
  const weeks = WEEKS.exec(text)?.[1];
  const parts = DAYS_AND_TIME.exec(text);
  if (weeks === undefined && (parts === null || text.endsWith("T"))) return null;
  const [days, hours, minutes, seconds] = (parts ?? []).slice(1).map((digits) => Number(digits ?? 0));
  const ms =
    Number(weeks ?? 0) * 7 * DAY_MS +
    (days ?? 0) * DAY_MS +
    (hours ?? 0) * HOUR_MS +
    (minutes ?? 0) * MINUTE_MS +
    (seconds ?? 0) * SECOND_MS;
  return ms > 0 ? ms : null;
}
