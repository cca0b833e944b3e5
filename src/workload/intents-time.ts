// Times in the JSON forms of intents and outcomes: ISO 8601 with a zone, down to microseconds.

const ISO = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(Z|[+-]\d{2}:\d{2})$/;

/** @returns microseconds since the epoch; null when the text is not such a time, or a day or hour that does not exist */
export function parseTime(text: string): bigint | null {
  const match = ISO.exec(text);
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  at.setUTCHours(hour, minute, second);
  // The 30th of February and the 25th hour are carried over by Date; they are faults here.
  const isReal = at.getUTCMonth() === month - 1 && at.getUTCDate() === day && at.getUTCHours() === hour;
  if (!isReal || minute > 59 || second > 59) return null;
  const fraction = BigInt((match[7] ?? "").padEnd(6, "0"));
  return BigInt(at.getTime() - offsetMs(match[8] ?? "Z")) * 1000n + fraction;
}

function offsetMs(zone: string): number {
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return (zone.startsWith("-") ? -minutes : minutes) * 60_000;
}

/** @param micros since the epoch
 *  @returns UTC, with three or six decimals where they are needed: `1993-01-05T00:00:00Z` is given back as it came */
export function formatTime(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const whole = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, -5);
  if (rest === 0n) return `${whole}Z`;
  const decimals = rest.toString().padStart(6, "0");
  return `${whole}.${decimals.endsWith("000") ? decimals.slice(0, 3) : decimals}Z`;
}
