// What a running service tells of itself: metrics that are read when somebody scrapes, health, and offsets for lag tools.

import { type Config, topicNames } from "../config/config.ts";
import type { Rules } from "../domain/rules.ts";
import type { Reader, TopicAdmin } from "../kafka/port.ts";
import { CODE_OF_AN_EVENT } from "../processor/block.ts";
import type { HaltedLanes } from "../processor/halted-lanes.ts";
import type { Processor } from "../processor/processor.ts";
import type { Upkeep } from "../processor/upkeep.ts";
import type { Relay } from "../relay/relay.ts";
import type { Health } from "../telemetry/health.ts";
import type { Metrics } from "../telemetry/metrics.ts";

const LAG_OFFSETS_EVERY_MS = 10_000;
const PARTITION_COUNTS_EVERY_MS = 5_000;
const READER_SILENT_MAX_MS = 30_000;

export type Watching = {
  readonly metrics: Metrics;
  readonly rules: Rules;
  readonly processor: Processor;
  readonly relay: Relay;
  readonly halted: HaltedLanes;
  readonly upkeep: Upkeep;
  /** of the inputs; null when they are kept for ever */
  readonly retentionMs: number | null;
};

export function watch({ metrics, rules, processor, relay, halted, upkeep, retentionMs }: Watching): void {
  for (const flow of rules.flowsByNumber.values()) {
    metrics.expectAttention(flow.name, [...flow.attention, CODE_OF_AN_EVENT]);
  }
  const secondsUntil = (atMs: number | null): number | null => (atMs === null ? null : (atMs - Date.now()) / 1000);
  metrics.watchLanes(() =>
    processor.lanes.map((lane) => {
      const oldestMs = lane.oldestInputMs();
      const { schemaWaitSinceMs } = lane;
      return {
        lane: lane.number,
        lagRecords: lane.lagRecords(),
        lagSeconds: oldestMs === null ? 0 : Math.max(0, (Date.now() - oldestMs) / 1000),
        expireSeconds: oldestMs === null || retentionMs === null ? null : secondsUntil(oldestMs + retentionMs),
        schemaWaitSeconds: schemaWaitSinceMs === null ? null : (Date.now() - schemaWaitSinceMs) / 1000,
      };
    }),
  );
  metrics.watchRelay(() =>
    relay.lanes.map((lane) => ({ lane, backlogMessages: relay.backlog(lane), ageSeconds: relay.ageMs(lane) / 1000 })),
  );
  metrics.watchSystem(() => ({
    halted: halted.lanes.map(({ lane, cause, expireAtMs }) => ({
      lane,
      cause,
      expireSeconds: expireAtMs === null ? null : Math.max(0, secondsUntil(expireAtMs) ?? 0),
    })),
    lanesFree: processor.lastTick?.free.length ?? 0,
    clockSkewSeconds: processor.skewMs / 1000,
    partitionsAheadSeconds: secondsUntil(upkeep.partitionsUntilMs),
    hasStandby: upkeep.hasStandby,
    attention: upkeep.attention.map(({ lane, cases, sinceMs }) => ({
      lane,
      cases,
      oldestSeconds: Math.max(0, (Date.now() - sinceMs) / 1000),
    })),
  }));
}

export function liveness(reader: Reader): Health {
  const silentMs = reader.silentMs();
  return silentMs < READER_SILENT_MAX_MS
    ? { ok: true, reasons: [] }
    : { ok: false, reasons: [`no broker has answered for ${Math.round(silentMs / 1000)} s`] };
}

export function whyNotReady(config: Config, processor: Processor): readonly string[] {
  const tick = processor.lastTick;
  const reasons: string[] = [];
  if (tick === null) reasons.push("the leases have not been read yet");
  for (const lane of tick?.halted ?? []) reasons.push(`lane ${lane} is halted; see \`millrace lane show ${lane}\``);
  for (const lane of processor.lanes) {
    if (lane.schemaWaitSinceMs !== null) reasons.push(`lane ${lane.number} waits for the schema registry`);
  }
  if (Math.abs(processor.skewMs) > config.clockSkewMaxMs)
    reasons.push(`the database's clock is ${Math.round(processor.skewMs)} ms from ours`);
  return reasons;
}

/** An outage is no answer: then the next look tells. */
export function watchPartitions(processor: Processor): NodeJS.Timeout {
  return setInterval(() => void processor.checkPartitions().catch(() => undefined), PARTITION_COUNTS_EVERY_MS);
}

/** Truth is in the lane row; what Kafka's own tools show as a group's offsets is told them now and then. */
export function tellLagTools(admin: TopicAdmin, config: Config, processor: Processor): NodeJS.Timeout {
  const names = topicNames(config);
  const tell = async (): Promise<void> => {
    const offsets = processor.lanes.flatMap(({ number, head }) => [
      { topic: names.intents, partition: number, offset: head.intents.next, note: "" },
      { topic: names.reports, partition: number, offset: head.reports.next, note: "" },
    ]);
    if (offsets.length === 0) return;
    await admin.publishGroupOffsets(`${config.topicPrefix}millrace`, offsets).catch(() => undefined);
  };
  return setInterval(() => void tell(), LAG_OFFSETS_EVERY_MS);
}
