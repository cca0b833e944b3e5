// Composition root of the running service: makes the parts, joins processor and relay, and takes them down in order.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Config, type TopicNames, topicNames } from "./config.ts";
import { needsStandby } from "./config-standby.ts";
import { type Declared, loadDeclared, loadFlowText } from "./declared/load.ts";
import { compileFlow } from "./domain/flow/compile.ts";
import { makeRules, type Rules } from "./domain/rules.ts";
import { armFailpoints } from "./failpoints.ts";
import { openAdmin } from "./kafka/admin.ts";
import { type Codec, createCodec } from "./kafka/codec.ts";
import { hoursUntil, readRetentionMs } from "./kafka/expiry.ts";
import type { FetchOptions } from "./kafka/fetch-loops.ts";
import type { KafkaSettings, Reader, TopicAdmin } from "./kafka/port.ts";
import { openReader } from "./kafka/reader.ts";
import { openRegistry, type Registry } from "./kafka/registry.ts";
import { openLaneWriter } from "./kafka/writer.ts";
import { HaltedLanes } from "./processor/halted-lanes.ts";
import type { LaneLimits } from "./processor/lane.ts";
import { Processor } from "./processor/processor.ts";
import { keepUp, requireStandby, type Upkeep } from "./processor/upkeep.ts";
import { Relay } from "./relay/relay.ts";
import { type Addresses, databaseSettings, LanesDisagree, REGISTRY_TIMEOUT_MS, topicSchemas } from "./setup.ts";
import { type Connection, ConnectionPool, connect, type DatabaseSettings } from "./store/database.ts";
import { ownsLane } from "./store/lanes.ts";
import { readBlockDigest, readMarks, readMessages, writeMark } from "./store/outbox.ts";
import { countLanes, registerFlows } from "./store/setup.ts";
import type { Health } from "./telemetry/health.ts";
import { startHealthServer } from "./telemetry/health.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import { BlockPhases, processorEvents, relayEvents } from "./telemetry/service-events.ts";
import { newAuditor, type RunningAuditor } from "./workload/auditor/start.ts";

export type ServiceParts = {
  readonly config: Config;
  readonly addresses: Addresses;
  readonly kafka: KafkaSettings;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** ends the process at once, because an assertion of our own failed */
  readonly crash: (error: unknown) => void;
};

export type Service = {
  readonly httpPort: number;
  stop(): Promise<void>;
};

/** The database or the topics are not those that `migrate` makes. */
export class NotSetUp extends Error {
  override name = "NotSetUp";
}

const RELAY_CONNECTIONS = 2;
const RELAY_MARK_MS = 1_000;
const HALTS_EVERY_MS = 1_000;
/** How long the line that says that a lane has halted waits for the hours that are left. */
const HALT_LINE_WAIT_MS = 3_000;
const LAG_OFFSETS_EVERY_MS = 10_000;
const PARTITION_COUNTS_EVERY_MS = 5_000;
const READER_SILENT_MAX_MS = 30_000;
const COMMIT_UNKNOWN_MS = 20_000;
const ATTEMPTS_MAX = 12;
const UNKNOWN_RESOLUTIONS = {
  committed: "done",
  absent: "not_done",
  fenced: "not_done",
  halt: "halted",
  unanswered: "unanswered",
} as const;

/** @throws DatabaseUnreachable | KafkaUnreachable | RegistryUnreachable | NotSetUp | LanesDisagree | DeclaredFaults */
export async function startService(parts: ServiceParts): Promise<Service> {
  const { config, logger, metrics } = parts;
  arm(config, logger);
  const common = await openCommon(parts);
  const lanes = config.roles.includes("lanes") ? await makeLanes(parts, common) : null;
  const auditor = config.roles.includes("auditor") ? makeAuditor(parts, common) : null;
  const health = await startHealthServer({
    host: config.httpHost,
    port: config.httpPort,
    metrics,
    live: () => lanes?.live() ?? { ok: true, reasons: [] },
    ready: () => joined([...(lanes?.reasons() ?? []), ...(auditor?.reasons() ?? [])]),
  });
  await lanes?.start();
  auditor?.start();
  const { roles } = config;
  logger.info({ httpPort: health.port, lanes: common.lanes, roles, process: lanes?.process() ?? null }, "running");
  return {
    httpPort: health.port,
    stop: async () => {
      await Promise.all([auditor?.stop(), lanes?.stop()]);
      await Promise.all([health.close(), common.admin.close()]);
    },
  };
}

/** What every role works with. */
type Common = {
  readonly declared: Declared;
  readonly database: DatabaseSettings;
  readonly lanes: number;
  readonly codec: Codec;
  readonly registry: Registry;
  readonly admin: TopicAdmin;
  readonly names: TopicNames;
};

async function openCommon({ config, addresses, kafka }: ServiceParts): Promise<Common> {
  const declared = loadDeclared(config.schemasDir, config.flowsDir);
  const database = databaseSettings(config, addresses.databaseUrl, "millrace_service");
  const lanes = await withConnection(database, findLanes);
  const registry = openRegistry({ url: addresses.schemaRegistryUrl, timeoutMs: REGISTRY_TIMEOUT_MS });
  const codec = await openCodec(registry, config, declared);
  const admin = await openAdmin(kafka);
  await assertTopics(admin, config, lanes);
  return { declared, database, lanes, codec, registry, admin, names: topicNames(config) };
}

function joined(reasons: readonly string[]): Health {
  return { ok: reasons.length === 0, reasons };
}

function makeAuditor({ config, kafka, logger, metrics }: ServiceParts, common: Common): RunningAuditor {
  const { declared, database, lanes, codec, registry, names: topics } = common;
  const askSchema = (id: number) => registry.schemaById(id);
  const settings = config;
  return newAuditor({ database, kafka, declared, codec, askSchema, topics, lanes, settings, logger, metrics });
}

/** Processor and relay, always together in a lane's owner. */
type LanesRole = {
  process(): bigint;
  live(): Health;
  reasons(): readonly string[];
  start(): Promise<void>;
  stop(): Promise<void>;
};

async function makeLanes(parts: ServiceParts, common: Common): Promise<LanesRole> {
  const { config, kafka, logger, metrics } = parts;
  const { declared, database, codec, admin, names } = common;
  const needsOne = needsStandby(config.standby, database.url);
  const standby = await withConnection(database, (connection) => requireStandby(connection, needsOne, logger));
  const rules = await withConnection(database, (connection) => loadRules(connection, config, declared, common.lanes));
  const reader = await openReader(kafka, [names.intents, names.reports], readerOptions(config));
  const relayPool = new ConnectionPool(database, RELAY_CONNECTIONS);
  const blockPool = new ConnectionPool(database, config.blockConnections);
  // Rare questions have a connection of their own for a moment, so that no block or message waits for them.
  const aside: Aside = { lend: (work) => withConnection(database, work) };
  const halted = new HaltedLanes({ pool: aside, admin, topics: [names.intents, names.reports], logger });
  const together: { processor: Processor | null } = { processor: null };
  const relay = makeRelay({ parts, names, codec, pool: relayPool, joined: together });
  const made = { parts, names, rules, codec, reader, admin, database, pool: blockPool, relay, halted };
  const processor = makeProcessor(made);
  together.processor = processor;
  const upkeep = keepUp({ pool: aside, logger, partitionsAheadHours: config.partitionsAheadHours, standby });
  const retentionMs = await readRetentionMs(admin, names.intents);
  watch({ metrics, processor, relay, halted, upkeep, retentionMs });
  const offsets = tellLagTools(admin, config, processor);
  const counting = watchPartitions(processor);
  const following = setInterval(() => void halted.follow(processor.lastTick?.halted ?? []), HALTS_EVERY_MS);
  return {
    process: () => processor.process,
    live: () => liveness(reader),
    reasons: () => whyNotReady(config, processor),
    start: () => processor.start(),
    stop: async () => {
      for (const timer of [offsets, counting, following]) clearInterval(timer);
      upkeep.stop();
      await processor.stop();
      await reader.stop();
      await Promise.all([relayPool.close(), blockPool.close()]);
    },
  };
}

/** For tests; a process that may end itself says so before it does anything else. */
function arm({ failpoints }: Config, logger: Logger): void {
  armFailpoints(failpoints, (name, signal) =>
    logger.warn({ failpoint: name, signal }, "FAILPOINT reached: this process signals itself"),
  );
  if (failpoints.length === 0) return;
  logger.warn({ failpoints }, "FAILPOINTS ARMED: this process will kill or stop itself; unset MILLRACE_FAILPOINTS");
}

async function withConnection<T>(database: DatabaseSettings, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await connect(database, "service");
  return work(connection).finally(() => connection.close());
}

type Aside = Pick<ConnectionPool, "lend">;

type ProcessorMaking = {
  readonly parts: ServiceParts;
  readonly names: TopicNames;
  readonly rules: Rules;
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
  names,
  rules,
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
  return new Processor({
    rules,
    codec,
    reader,
    admin,
    database,
    publisher: relay,
    intentsTopic: names.intents,
    reportsTopic: names.reports,
    events: processorEvents(logger, metrics, phases, async (lane) => {
      const atMs = await halted.expiryWithin(lane, HALT_LINE_WAIT_MS);
      return atMs === null ? null : hoursUntil(atMs, Date.now());
    }),
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
      maker: { rules, codec, intentsTopic: names.intents, process },
      unknownResolved: (how) => {
        metrics.unknownCommit(UNKNOWN_RESOLUTIONS[how]);
        logger.warn({ how }, "a COMMIT lost its reply; the lane row was asked");
      },
    }),
  });
}

async function findLanes(session: Connection): Promise<number> {
  const lanes = await countLanes(session).catch((error: Error) => {
    throw new NotSetUp(`the database is not set up (${error.message}); run \`millrace migrate\``);
  });
  if (lanes === 0) throw new NotSetUp("the database has no lanes; run `millrace migrate`");
  return lanes;
}

async function loadRules(session: Connection, config: Config, declared: Declared, lanes: number): Promise<Rules> {
  const files = declared.flows.map((flow) => {
    const source = readFileSync(flow.place.file, "utf8");
    const contentHash = createHash("sha256").update(source).digest("hex");
    return { name: flow.name, version: flow.version, contentHash, source };
  });
  const versions = await registerFlows(session, files);
  // Every version that ever ran is compiled, because its cases stay on it; new cases open on the files' versions only.
  const flows = versions.map((version) => {
    const current = declared.flows.find((flow) => flow.name === version.name && flow.version === version.version);
    const flow = current ?? loadFlowText(`${version.name}@${version.version}`, version.source, declared.chart);
    return compileFlow(flow, version.number);
  });
  const current = new Set(declared.flows.map((flow) => `${flow.name}@${flow.version}`));
  return makeRules({
    chart: declared.chart,
    currencies: declared.currencies,
    lanes,
    flows: flows.filter((flow) => current.has(flow.ref)),
    retired: flows.filter((flow) => !current.has(flow.ref)),
    caseWindowMs: config.caseWindowDays * 86_400_000,
    caseFutureMs: config.caseFutureHours * 3_600_000,
  });
}

async function openCodec(registry: Registry, config: Config, declared: Declared): Promise<Codec> {
  const schemas = topicSchemas(topicNames(config), declared);
  const ids = await registry.findSchemas(Object.values(schemas));
  const of = <T>(pick: (schema: { topic: string; schema: string }) => T) => ({
    intent: pick(schemas.intent),
    outcome: pick(schemas.outcome),
    deadLetter: pick(schemas.deadLetter),
    command: pick(schemas.command),
    report: pick(schemas.report),
  });
  return createCodec({ registry, schemas: of((one) => one.schema), ids: of((one) => ids.get(one.topic) as number) });
}

async function assertTopics(admin: TopicAdmin, config: Config, lanes: number): Promise<void> {
  const names = topicNames(config);
  const counts = await admin.partitionCounts(Object.values(names));
  for (const topic of Object.values(names)) {
    const partitions = counts.get(topic);
    if (partitions === undefined) throw new NotSetUp(`topic ${topic} does not exist; run \`millrace migrate\``);
    if (partitions !== lanes) {
      throw new LanesDisagree(
        `topic ${topic} has ${partitions} partitions and there are ${lanes} lanes; changing the number of lanes is an operation of its own, not a setting`,
      );
    }
  }
  for (const topic of [names.intents, names.reports]) {
    const type = (await admin.topicSettings(topic)).get("message.timestamp.type");
    if (type === "LogAppendTime") continue;
    throw new NotSetUp(
      `topic ${topic} has message.timestamp.type=${type}; set it to LogAppendTime: the append time is the lane's clock`,
    );
  }
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

type RelayMaking = {
  readonly parts: ServiceParts;
  readonly names: TopicNames;
  readonly codec: Codec;
  readonly pool: ConnectionPool;
  readonly joined: { readonly processor: Processor | null };
};

/** Joins relay and processor, which do not know each other: the relay asks the lane row and may end a lane. */
function makeRelay({ parts, names, codec, pool, joined }: RelayMaking): Relay {
  const { config, kafka, logger, metrics } = parts;
  const topics = { outcomes: names.outcomes, commands: names.commands, deadLetters: names.deadLetters };
  const decoders = {
    outcomes: codec.decoders.outcome,
    commands: codec.decoders.command,
    deadLetters: codec.decoders.deadLetter,
  };
  return new Relay({
    topics,
    events: relayEvents(logger, metrics),
    store: {
      isOurs: (lane, epoch) =>
        pool.lend((connection) => ownsLane(connection, joined.processor?.process ?? 0n, lane, epoch)),
      marks: (lane) => pool.lend((connection) => readMarks(connection, lane)),
      messages: (lane, topic, from, until, limit) =>
        pool.lend((connection) => readMessages(connection, lane, topic, { from, until, limit })),
      blockDigest: (lane, block) => pool.lend((connection) => readBlockDigest(connection, lane, block)),
      mark: (lane, epoch, topic, mark) => pool.lend((connection) => writeMark(connection, lane, epoch, topic, mark)),
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

type Watching = {
  readonly metrics: Metrics;
  readonly processor: Processor;
  readonly relay: Relay;
  readonly halted: HaltedLanes;
  readonly upkeep: Upkeep;
  /** of the inputs; null when they are kept for ever */
  readonly retentionMs: number | null;
};

function watch({ metrics, processor, relay, halted, upkeep, retentionMs }: Watching): void {
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
  }));
}

function liveness(reader: Reader): Health {
  const silentMs = reader.silentMs();
  return silentMs < READER_SILENT_MAX_MS
    ? { ok: true, reasons: [] }
    : { ok: false, reasons: [`no broker has answered for ${Math.round(silentMs / 1000)} s`] };
}

function whyNotReady(config: Config, processor: Processor): readonly string[] {
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
function watchPartitions(processor: Processor): NodeJS.Timeout {
  return setInterval(() => void processor.checkPartitions().catch(() => undefined), PARTITION_COUNTS_EVERY_MS);
}

/** Truth is in the lane row; what Kafka's own tools show as a group's offsets is told them now and then. */
function tellLagTools(admin: TopicAdmin, config: Config, processor: Processor): NodeJS.Timeout {
  const names = topicNames(config);
  const tell = async (): Promise<void> => {
    const offsets = processor.lanes.flatMap(({ number, head }) => [
      { topic: names.intents, partition: number, offset: head.intents.next },
      { topic: names.reports, partition: number, offset: head.reports.next },
    ]);
    if (offsets.length === 0) return;
    await admin.publishGroupOffsets(`${config.topicPrefix}millrace`, offsets).catch(() => undefined);
  };
  return setInterval(() => void tell(), LAG_OFFSETS_EVERY_MS);
}
