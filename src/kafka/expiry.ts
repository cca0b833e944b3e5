// When inputs leave their log: what retention leaves of the time to mend a halted lane.

import type { TopicAdmin } from "./port.ts";

export type LogPosition = {
  readonly topic: string;
  readonly partition: number;
  /** the first record that was not taken yet */
  readonly next: bigint;
};

/** Markers leave holes: how many offsets are looked at for a record. */
const HOLES_MAX = 5n;
const GONE_MS = 0;

/** @returns null when the log keeps its records for ever */
export async function readRetentionMs(admin: TopicAdmin, topic: string): Promise<number | null> {
  const ms = Number((await admin.topicSettings(topic)).get("retention.ms") ?? -1);
  return Number.isFinite(ms) && ms >= 0 ? ms : null;
}

/** The moment from which the broker may drop the first record that was not taken. It drops whole segments, so often it
 *  is later; never earlier, unless a size is set for the log.
 *  @returns milliseconds since the epoch; 0 when it has left already; null when nothing waits, or nothing is ever dropped */
export async function readExpiryMs(
  admin: TopicAdmin,
  { topic, partition, next }: LogPosition,
  retentionMs: number | null,
): Promise<number | null> {
  if (retentionMs === null) return null;
  const { low, end } = await admin.bounds(topic, partition);
  if (next < low) return GONE_MS;
  for (let offset = next; offset < end && offset < next + HOLES_MAX; offset++) {
    const record = await admin.recordAt(topic, partition, offset);
    if (record !== null) return record.appendedAtMs + retentionMs;
  }
  return null;
}

/** The earliest of several logs. */
export async function readFirstExpiryMs(admin: TopicAdmin, positions: readonly LogPosition[]): Promise<number | null> {
  let first: number | null = null;
  for (const position of positions) {
    const atMs = await readExpiryMs(admin, position, await readRetentionMs(admin, position.topic));
    if (atMs !== null) first = Math.min(first ?? atMs, atMs);
  }
  return first;
}

const HOUR_MS = 3_600_000;

/** Hours from now, rounded down to tenths, so that nobody is told more than there is; never below 0. */
export function hoursUntil(atMs: number, nowMs: number): number {
  return Math.max(0, Math.floor(((atMs - nowMs) / HOUR_MS) * 10) / 10);
}
