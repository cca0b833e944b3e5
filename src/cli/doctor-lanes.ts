// What `doctor` asks of lanes and their logs together: what waits, since when, and how long it may go on waiting.

import { type Config, topicNames } from "../config/config.ts";
import { hoursUntil, readRetentionMs } from "../kafka/expiry.ts";
import type { TopicAdmin } from "../kafka/port.ts";
import type { LaneShown } from "../store/reads-lanes.ts";
import type { Doctor } from "./doctor-report.ts";
import { type LaneLog, readLogsWith } from "./lane-logs.ts";

export const WAITING_MAX_MS = 300_000;
const EXPIRY_MIN_HOURS = 48;

export async function checkBacklog(
  doctor: Doctor,
  config: Config,
  admin: TopicAdmin,
  lanes: readonly LaneShown[],
): Promise<void> {
  const logs = await readLogsWith(admin, config, lanes);
  const retentionMs = await readRetentionMs(admin, topicNames(config).intents);
  const nowMs = Date.now();
  const waiting = lanes.map((lane) => laneWaiting(lane, logs.get(lane.lane), retentionMs, nowMs));
  const records = waiting.reduce((sum, one) => sum + one.records, 0n);
  const late = waiting.filter(({ waitedMs }) => waitedMs > WAITING_MAX_MS).map(({ lane }) => lane);
  await doctor.judge(
    "lag",
    `${records} inputs wait`,
    late.length === 0
      ? null
      : {
          found: `${records} inputs wait, in lanes ${late.join(", ")} for more than ${WAITING_MAX_MS / 60_000} minutes`,
          remedy: `see: millrace lane show ${late[0]}; lanes that nobody owns need an instance: millrace run`,
        },
  );
  const soon = waiting.filter(({ hoursLeft }) => hoursLeft !== null && hoursLeft < EXPIRY_MIN_HOURS);
  const told = soon.map(({ lane, hoursLeft }) => `lane ${lane} in ${hoursLeft} hours`).join(", ");
  await doctor.judge(
    "expiry",
    "no input that waits leaves its log within two days",
    soon.length === 0
      ? null
      : {
          found: `inputs that wait leave their log: ${told}`,
          remedy: "raise retention.ms of the input topics, then see: millrace lane list",
        },
  );
}

export type Waiting = {
  readonly lane: number;
  readonly records: bigint;
  /** 0 when nothing does */
  readonly waitedMs: number;
  readonly hoursLeft: number | null;
};

/** @returns how much of a lane waits, since when, and how long it may */
export function laneWaiting(
  lane: LaneShown,
  log: LaneLog | undefined,
  retentionMs: number | null,
  nowMs: number,
): Waiting {
  const behind = (end: bigint | undefined, next: bigint): bigint => (end === undefined || end < next ? 0n : end - next);
  const records = behind(log?.intents?.end, lane.intentsNext) + behind(log?.reports?.end, lane.reportsNext);
  const expireAtMs = log?.expireAtMs ?? null;
  const waitedMs = expireAtMs === null || retentionMs === null ? 0 : nowMs - (expireAtMs - retentionMs);
  return { lane: lane.lane, records, waitedMs, hoursLeft: expireAtMs === null ? null : hoursUntil(expireAtMs, nowMs) };
}
