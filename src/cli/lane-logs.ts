// How far the input logs of lanes reach, for lag and for judging a halt.

import { type Config, topicNames } from "../config.ts";
import { openAdmin } from "../kafka/admin.ts";
import { readFirstExpiryMs } from "../kafka/expiry.ts";
import { KafkaRefused, KafkaUnreachable, type PartitionBounds } from "../kafka/port.ts";
import { quietKafka } from "./kafka-settings.ts";

export type LaneLog = {
  readonly intents: PartitionBounds | null;
  readonly reports: PartitionBounds | null;
  /** when the first input that was not taken may leave its log; null when none waits, or nothing ever leaves */
  readonly expireAtMs: number | null;
};

/** Where a lane stands in its logs. */
export type LanePositions = { readonly lane: number; readonly intentsNext: bigint; readonly reportsNext: bigint };

/** null in the place of what could not be asked. `failure` is the first reason: a halted lane is shown without its log
 *  rather than not at all. */
export type LaneLogs = { readonly byLane: ReadonlyMap<number, LaneLog>; readonly failure: Error | null };

export const UNKNOWN_LOG: LaneLog = { intents: null, reports: null, expireAtMs: null };

export async function readLogs(
  config: Config,
  brokers: readonly string[],
  lanes: readonly LanePositions[],
): Promise<LaneLogs> {
  const { intents, reports } = topicNames(config);
  const byLane = new Map<number, LaneLog>();
  let failure: Error | null = null;
  try {
    const admin = await openAdmin(quietKafka(config, brokers, "lane"));
    try {
      const counts = await admin.partitionCounts([intents, reports]);
      const ask = async (topic: string, lane: number): Promise<PartitionBounds | null> =>
        lane < (counts.get(topic) ?? 0) ? admin.bounds(topic, lane) : null;
      await Promise.all(
        lanes.map(async ({ lane, intentsNext, reportsNext }) => {
          const logs = { intents: await ask(intents, lane), reports: await ask(reports, lane) };
          const positions = [
            ...(logs.intents === null ? [] : [{ topic: intents, partition: lane, next: intentsNext }]),
            ...(logs.reports === null ? [] : [{ topic: reports, partition: lane, next: reportsNext }]),
          ];
          byLane.set(lane, { ...logs, expireAtMs: await readFirstExpiryMs(admin, positions) });
        }),
      );
    } finally {
      await admin.close();
    }
  } catch (error) {
    if (!(error instanceof KafkaUnreachable) && !(error instanceof KafkaRefused)) throw error;
    failure = error;
  }
  return { byLane, failure };
}
