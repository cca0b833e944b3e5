// The role `lanes`: processor and relay, always together in a lane's owner, with what looks after them.

import type { Config, TopicNames } from "../config/config.ts";
import { needsStandby } from "../config/standby.ts";
import type { HaltCause } from "../domain/halts.ts";
import type { Head } from "../domain/head.ts";
import type { ParameterBook } from "../domain/parameters/parameters.ts";
import type { Rules } from "../domain/rules.ts";
import type { Codec } from "../kafka/codec.ts";
import { hoursUntil, readRetentionMs } from "../kafka/expiry.ts";
import type { FetchOptions } from "../kafka/fetch-loops.ts";
import type { Reader, TopicAdmin } from "../kafka/port.ts";
import { openReader } from "../kafka/reader.ts";
import { sharedProducer } from "../kafka/shared-producer.ts";
import { HaltedLanes } from "../processor/halted-lanes.ts";
import type { LaneLimits } from "../processor/lane.ts";
import { Processor } from "../processor/processor.ts";
import { keepUp, requireStandby } from "../processor/upkeep.ts";
import type { Relay } from "../relay/relay.ts";
import { ConnectionPool, type DatabaseSettings } from "../store/database.ts";
import type { Health } from "../telemetry/health.ts";
import { BlockPhases, processorEvents } from "../telemetry/service-events.ts";
import { type Common, type ServiceParts, withConnection } from "./common.ts";
import { followingRates, type RatesFollower } from "./rates-follower.ts";
import { makeRelay } from "./relay-making.ts";
import { loadRules } from "./rules.ts";
import { liveness, tellLagTools, watch, watchPartitions, whyNotReady } from "./watch.ts";

const RELAY_CONNECTIONS = 2;
const RATES_CONNECTIONS = 1;
const HALTS_EVERY_MS = 1_000;
/** How long the line that says that a lane has halted waits for the hours that are left. */
const HALT_LINE_WAIT_MS = 3_000;
const COMMIT_UNKNOWN_MS = 20_000;
const ATTEMPTS_MAX = 12;
const UNKNOWN_RESOLUTIONS = {
  committed: "done",
  absent: "not_done",
  fenced: "not_done",
  halt: "halted",
  unanswered: "unanswered",
} as const;

export type LanesRole = {
  process(): bigint;
  live(): Health;
  reasons(): readonly string[];
  /** Halts a lane of this process, for what who works on it beside has found. */
  halt(lane: number, cause: HaltCause, evidence: Record<string, unknown>): void;
  start(): Promise<void>;
  stop(): Promise<void>;
};

/** Who works on the lanes that this process owns, beside it. */
export type LaneFollower = { took(lane: number, head: Pick<Head, "epoch">): void; gaveBack(lane: number): void };

/** @throws StandbyMissing | DatabaseUnreachable | KafkaUnreachable | DeclaredFaults */
export async function makeLanes(
  parts: ServiceParts,
  common: Common,
  follower: LaneFollower | null,
): Promise<LanesRole> {
  const { config, kafka, logger, metrics } = parts;
  const { declared, database, codec, admin, names } = common;
  const needsOne = needsStandby(config.standby, database.url);
  const standby = await withConnection(database, (connection) => requireStandby(connection, needsOne, logger));
  const loaded = await withConnection(database, (session) => loadRules(session, config, declared, common.lanes));
  const reader = await openReader(kafka, [names.intents, names.reports], readerOptions(config));
  const ratesPool = new ConnectionPool(database, RATES_CONNECTIONS);
  const rates = await followingRates(ratesPool, logger);
  metrics.watchRates(() => rates.current().version);
  const relayPool = new ConnectionPool(database, RELAY_CONNECTIONS);
  const blockPool = new ConnectionPool(database, config.blockConnections);
  // Rare questions have a connection of their own for a moment, so that no block or message waits for them.
  const aside: Pick<ConnectionPool, "lend"> = { lend: (work) => withConnection(database, work) };
  const halted = new HaltedLanes({ pool: aside, admin, topics: [names.intents, names.reports], logger });
  const together: { processor: Processor | null } = { processor: null };
  const producer = sharedProducer(kafka, names.reports);
  const relay = makeRelay({ parts, names, codec, pool: relayPool, producer, joined: together });
  const made = {
    parts,
    follower,
    names,
    ...loaded,
    rates,
    codec,
    reader,
    admin,
    database,
    pool: blockPool,
    relay,
    halted,
  };
  const processor = makeProcessor(made);
  together.processor = processor;
  const upkeep = keepUp({ pool: aside, logger, partitionsAheadHours: config.partitionsAheadHours, standby });
  const retentionMs = await readRetentionMs(admin, names.intents);
  watch({ metrics, rules: loaded.rules, processor, relay, halted, upkeep, retentionMs });
  const offsets = tellLagTools(admin, config, processor);
  const counting = watchPartitions(processor);
  const following = setInterval(() => void halted.follow(processor.lastTick?.halted ?? []), HALTS_EVERY_MS);
  return {
    process: () => processor.process,
    live: () => liveness(reader),
    reasons: () => whyNotReady(config, processor),
    halt: (lane, cause, evidence) => processor.haltLane(lane, cause, evidence),
    start: () => processor.start(),
    stop: async () => {
      for (const timer of [offsets, counting, following]) clearInterval(timer);
      upkeep.stop();
      await processor.stop();
      await reader.stop();
      await rates.stop();
      await Promise.all([producer.close(), relayPool.close(), blockPool.close(), ratesPool.close()]);
    },
  };
}

type ProcessorMaking = {
  readonly parts: ServiceParts;
  readonly follower: LaneFollower | null;
  readonly names: TopicNames;
  readonly rules: Rules;
  readonly parameters: ParameterBook;
  readonly rates: RatesFollower;
  readonly codec: Codec;
  readonly reader: Reader;
  readonly admin: TopicAdmin;
  readonly database: DatabaseSettings;
  readonly pool: ConnectionPool;
  readonly relay: Relay;
  readonly halted: HaltedLanes;
};

function makeProcessor({
  parts,
  follower,
  names,
  rules,
  parameters,
  rates,
  codec,
  reader,
  admin,
  database,
  pool,
  relay,
  halted,
}: ProcessorMaking): Processor {
  const { config, logger, metrics } = parts;
  const phases = new BlockPhases();
  const events = processorEvents(logger, metrics, phases, async (lane) => {
    const atMs = await halted.expiryWithin(lane, HALT_LINE_WAIT_MS);
    return atMs === null ? null : hoursUntil(atMs, Date.now());
  });
  return new Processor({
    rules,
    codec,
    reader,
    admin,
    database,
    publisher: relay,
    intentsTopic: names.intents,
    reportsTopic: names.reports,
    events: followedBy(events, follower),
    crash: parts.crash,
    drainMs: config.stopDeadlineMs / 2,
    limits: laneLimits(config),
    leases: {
      label: config.instance,
      tickMs: config.leaseTickMs,
      ttlMs: config.leaseTtlMs,
      clockSkewMaxMs: config.clockSkewMaxMs,
    },
    committerOf: (process) => ({
      pool,
      clock: phases,
      unknownMs: COMMIT_UNKNOWN_MS,
      clockSkewMaxMs: config.clockSkewMaxMs,
      maker: {
        rules,
        rates: rates.current,
        parameters: () => parameters,
        codec,
        intentsTopic: names.intents,
        process,
      },
      unknownResolved: (how) => {
        metrics.unknownCommit(UNKNOWN_RESOLUTIONS[how]);
        logger.warn({ how }, "a COMMIT lost its reply; the lane row was asked");
      },
    }),
  });
}

type LaneEvents = ReturnType<typeof processorEvents>;

function followedBy(events: LaneEvents, follower: LaneFollower | null): LaneEvents {
  if (follower === null) return events;
  return {
    ...events,
    took: (lane, head) => {
      events.took(lane, head);
      follower.took(lane, head);
    },
    gaveBack: (lane, why) => {
      events.gaveBack(lane, why);
      follower.gaveBack(lane);
    },
  };
}

function readerOptions(config: Config): FetchOptions {
  return {
    gatherMs: config.fetchGatherMs,
    headers: "drop",
    maxWaitMs: config.fetchWaitMs,
    maxBytes: config.fetchBytesMax,
    partitionMaxBytes: config.fetchPartitionBytesMax,
  };
}

function laneLimits(config: Config): LaneLimits {
  return {
    recordBytesMax: config.intentBytesMax,
    futureMs: config.caseFutureHours * 3_600_000,
    blockRowsMax: config.blockRowsMax,
    blockBytesMax: config.blockBytesMax,
    blockWaitMs: config.blockWaitMs,
    readAheadRecordsMax: config.readAheadRecordsMax,
    readAheadBytesMax: config.readAheadBytesMax,
    relayBacklogMax: config.relayBacklogMax,
    timersPerBlockMax: config.timersPerBlockMax,
    timerMarginMs: config.timerMarginMs,
    attemptsMax: ATTEMPTS_MAX,
  };
}
