// How long a lane's inputs have waited and may go on waiting, from what logs and lane rows say.
import { expect, test } from "vitest";
import { laneWaiting, WAITING_MAX_MS } from "../../src/cli/doctor-lanes.ts";
import type { LaneShown } from "../../src/store/reads-lanes.ts";

const HOUR_MS = 3_600_000;
const RETENTION_MS = 24 * HOUR_MS;
const NOW_MS = Date.parse("2026-11-26T12:00:00Z");
const lane = { lane: 2, intentsNext: 10n, reportsNext: 4n } as LaneShown;
const bounds = (low: bigint, end: bigint) => ({ low, end });

test("nothing waits where every record was taken", () => {
  const log = { intents: bounds(0n, 10n), reports: bounds(0n, 4n), expireAtMs: null };
  expect(laneWaiting(lane, log, RETENTION_MS, NOW_MS)).toEqual({ lane: 2, records: 0n, waitedMs: 0, hoursLeft: null });
});

test("records of both topics count, the oldest says since when and for how long", () => {
  const appendedAtMs = NOW_MS - WAITING_MAX_MS - 1;
  const log = { intents: bounds(0n, 15n), reports: bounds(0n, 5n), expireAtMs: appendedAtMs + RETENTION_MS };
  expect(laneWaiting(lane, log, RETENTION_MS, NOW_MS)).toEqual({
    lane: 2,
    records: 6n,
    waitedMs: WAITING_MAX_MS + 1,
    hoursLeft: 23.9,
  });
});

test("a log that could not be asked, or is shorter than what was taken, counts as nothing waiting", () => {
  expect(laneWaiting(lane, undefined, RETENTION_MS, NOW_MS).records).toBe(0n);
  const shorter = { intents: bounds(0n, 3n), reports: null, expireAtMs: null };
  expect(laneWaiting(lane, shorter, RETENTION_MS, NOW_MS).records).toBe(0n);
});
