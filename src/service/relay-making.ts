// Joins relay and processor, which do not know each other: the relay asks the lane row and may end a lane.

import type { TopicNames } from "../config/config.ts";
import type { Codec } from "../kafka/codec.ts";
import type { SharedProducer } from "../kafka/shared-producer.ts";
import { openLaneWriter } from "../kafka/writer.ts";
import type { Processor } from "../processor/processor.ts";
import { Relay } from "../relay/relay.ts";
import { readCrossingMessages, readOutletsOf } from "../store/crossing.ts";
import type { ConnectionPool } from "../store/database.ts";
import { ownsLane } from "../store/lanes.ts";
import { readBlockDigest, readMarks, readMessages, writeMark } from "../store/outbox.ts";
import { relayEvents } from "../telemetry/service-events.ts";
import type { ServiceParts } from "./common.ts";

const RELAY_MARK_MS = 1_000;

export type RelayMaking = {
  readonly parts: ServiceParts;
  readonly names: TopicNames;
  readonly codec: Codec;
  readonly pool: ConnectionPool;
  /** to the topic of reports: for messages to other lanes */
  readonly producer: SharedProducer;
  readonly joined: { readonly processor: Processor | null };
};

export function makeRelay({ parts, names, codec, pool, producer, joined }: RelayMaking): Relay {
  const { config, kafka, logger, metrics } = parts;
  const events = relayEvents(logger, metrics);
  const topics = { outcomes: names.outcomes, commands: names.commands, deadLetters: names.deadLetters };
  const decoders = {
    outcomes: codec.decoders.outcome,
    commands: codec.decoders.command,
    deadLetters: codec.decoders.deadLetter,
  };
  return new Relay({
    topics,
    events,
    store: {
      isOurs: (lane, epoch) =>
        pool.lend((connection) => ownsLane(connection, joined.processor?.process ?? 0n, lane, epoch)),
      marks: (lane) => pool.lend((connection) => readMarks(connection, lane)),
      messages: (lane, topic, from, until, limit) =>
        pool.lend((connection) => readMessages(connection, lane, topic, { from, until, limit })),
      blockDigest: (lane, block) => pool.lend((connection) => readBlockDigest(connection, lane, block)),
      mark: (lane, epoch, topic, mark) => pool.lend((connection) => writeMark(connection, lane, epoch, topic, mark)),
    },
    crossing: {
      outlets: (lane) => pool.lend((connection) => readOutletsOf(connection, lane)),
      messages: (lane, toLane, span) => pool.lend((connection) => readCrossingMessages(connection, lane, toLane, span)),
      send: (toLane, records) => producer.send(toLane, records),
      sent: events.sent,
      waits: events.waits,
    },
    openWriter: (lane) =>
      openLaneWriter(kafka, {
        id: `${config.topicPrefix}millrace-lane-${lane}`,
        targets: Object.values(topics).map((topic) => ({ topic, partition: lane })),
      }),
    readTail: (topic, value) => decoders[topic].read(value),
    batchRecordsMax: config.relayBatchRecordsMax,
    batchBytesMax: config.relayBatchBytesMax,
    reopenMs: config.relayReopenHours * 3_600_000,
    markMs: RELAY_MARK_MS,
    halt: (lane, cause, evidence) => joined.processor?.haltLane(lane, cause, evidence),
    fenced: (lane) => {
      metrics.fenced("append");
      joined.processor?.fencedAt(lane);
    },
    crash: parts.crash,
  });
}
