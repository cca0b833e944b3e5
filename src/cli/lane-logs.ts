// How far the input logs of lanes reach, for lag and for judging a halt.

import { type Config, topicNames } from "../config/config.ts";
import { openAdmin } from "../kafka/admin.ts";
import { readFirstExpiryMs } from "../kafka/expiry.ts";
import { KafkaRefused, KafkaUnreachable, type PartitionBounds, type TopicAdmin } from "../kafka/port.ts";
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
  try {
    const admin = await openAdmin(quietKafka(config, brokers, "lane"));
    try {
      return { byLane: await readLogsWith(admin, config, lanes), failure: null };
    } finally {
      await admin.close();
    }
  } catch (error) {
    if (!(error instanceof KafkaUnreachable) && !(error instanceof KafkaRefused)) throw error;
    return { byLane: new Map(), failure: error };
  }
}

/** @throws KafkaUnreachable | KafkaRefused */
export async function readLogsWith(
  admin: TopicAdmin,
  config: Config,
  lanes: readonly LanePositions[],
): Promise<ReadonlyMap<number, LaneLog>> {
  const { intents, reports } = topicNames(config);
  const counts = await admin.partitionCounts([intents, reports]);
  const ask = async (topic: string, lane: number): Promise<PartitionBounds | null> =>
    lane < (counts.get(topic) ?? 0) ? admin.bounds(topic, lane) : null;
  const read = async ({ lane, intentsNext, reportsNext }: LanePositions): Promise<[number, LaneLog]> => {
    const logs = { intents: await ask(intents, lane), reports: await ask(reports, lane) };
    const positions = [
      ...(logs.intents === null ? [] : [{ topic: intents, partition: lane, next: intentsNext }]),
      ...(logs.reports === null ? [] : [{ topic: reports, partition: lane, next: reportsNext }]),
    ];
    return [lane, { ...logs, expireAtMs: await readFirstExpiryMs(admin, positions) }];
  };
  return new Map(await Promise.all(lanes.map(read)));
}
