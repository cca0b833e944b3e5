// A ledger of its own for a recorded topic: a fresh stack in a temporary folder, the records with the times at which they
// were appended, schemas under the ids that the records name, and one instance until everything is taken. Nothing of it
// is left, however it ends.

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, topicNames } from "../config/config.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { KafkaSettings, TopicAdmin } from "../kafka/port.ts";
import { openRegistry, subjectOf } from "../kafka/registry.ts";
import { type ImportedSchema, importSchemas } from "../kafka/registry-import.ts";
import { type Addresses, REGISTRY_TIMEOUT_MS, topicSchemas } from "../service/dependencies.ts";
import { type Service, startService } from "../service/service.ts";
import { setUp } from "../service/set-up.ts";
import { type StackInfo, stackDown, stackKill, stackUp } from "../stack/stack.ts";
import { beginReading, readCut, readFlowSources } from "../store/audit.ts";
import type { Connection } from "../store/database.ts";
import { readLanes } from "../store/reads-lanes.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { Copying } from "../workload/compare/copy.ts";
import { findEnds, type LaneEnd } from "../workload/compare/cut.ts";
import { batchBytesMaxOf, replay } from "../workload/replay/replay.ts";
import type { Span } from "../workload/replay/span.ts";
import { openMessages, type ToolMessages } from "./codec.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT, Interrupted } from "./exit.ts";
import { startProgress } from "./progress.ts";
import type { RecordedSide, Source } from "./replay-compare.ts";
import { ownVersion } from "./version.ts";

export type Redecided = {
  readonly connection: Connection;
  readonly messages: ToolMessages;
  readonly flows: ReadonlyMap<number, string>;
  readonly ends: readonly LaneEnd[];
  /** offsets of the fresh topic by those of the recorded one */
  readonly offsetOf: (lane: number, offset: bigint) => bigint;
};

export type LedgerParts = Source & RecordedSide;

/** @throws whatever `work` throws | StackUnavailable | CommandFailed | Interrupted */
export async function decideAnew<Result>(
  parts: LedgerParts,
  work: (redecided: Redecided) => Promise<Result>,
): Promise<Result> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-replay-"));
  chmodSync(dir, 0o755); // As root, the database runs as another user, who has to get in.
  const onExit = (): void => leaveNothing(dir);
  process.once("exit", onExit); // a second Ctrl-C ends the process at once
  try {
    const stack = await stackUp({ dir, environment: "ignore", say: parts.context.out.note });
    return await onStack(parts, stack, work);
  } finally {
    await stackDown({ dir, say: () => undefined });
    process.removeListener("exit", onExit);
    rmSync(dir, { recursive: true, force: true });
  }
}

function leaveNothing(dir: string): void {
  stackKill(dir);
  rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
}

async function onStack<Result>(
  parts: LedgerParts,
  stack: StackInfo,
  work: (redecided: Redecided) => Promise<Result>,
): Promise<Result> {
  const fresh = freshParts(parts, stack);
  const admin = await openAdmin(fresh.kafka);
  try {
    const copied = await copy(parts, fresh, admin);
    stopHere(parts);
    await importAll(parts, fresh, copied.schemaIds);
    await setUp(fresh.config, fresh.addresses, parts.ends.length, fresh.kafka);
    stopHere(parts);
    const access = { config: fresh.config, databaseUrl: stack.databaseUrl, verb: "replay", mode: "read" } as const;
    return await withDatabase(access, async (connection) => {
      await beginReading(connection);
      const spans = await boundsOf(admin, fresh, parts.ends.length);
      await decide(parts, fresh, connection, spans);
      stopHere(parts);
      const flows = (await readFlowSources(connection)).map(({ number, ref }) => [number, ref] as const);
      return work({
        connection,
        messages: await openMessages(fresh.config, stack.schemaRegistryUrl),
        flows: new Map(flows),
        ends: await findEnds(connection, spans),
        offsetOf: (lane, offset) => copied.offsets.inCopy(lane, offset),
      });
    });
  } finally {
    await admin.close();
  }
}

function stopHere({ stop }: LedgerParts): void {
  if (stop.aborted) throw new Interrupted();
}

type Fresh = {
  readonly config: Config;
  readonly addresses: Addresses;
  readonly kafka: KafkaSettings;
  readonly topic: string;
};

const OWN_SETTINGS = {
  instance: "replay",
  roles: ["lanes"],
  failpoints: [],
  httpHost: "127.0.0.1",
  httpPort: 0,
  partitionsAheadHours: 2,
} satisfies Partial<Config>;

/** The settings that decide are those of this command; how to get in is the fresh stack's own. */
function freshParts({ config }: LedgerParts, stack: StackInfo): Fresh {
  const brokers = stack.kafkaBrokers.split(",");
  return {
    config: { ...config, ...OWN_SETTINGS },
    addresses: {
      kafkaBrokers: brokers,
      databaseUrl: stack.databaseUrl,
      schemaRegistryUrl: stack.schemaRegistryUrl,
    },
    kafka: { brokers, clientId: "millrace-replay", log: () => undefined },
    topic: topicNames(config).intents,
  };
}

const TOPIC_SETTINGS = {
  "cleanup.policy": "delete",
  // The records are as old as they are, and retention goes by their time.
  "retention.ms": "-1",
};

/** With the times of then: the append time is what decides whether a case id is too old, and what timers go by. */
async function copy(parts: LedgerParts, fresh: Fresh, admin: TopicAdmin): Promise<Copying> {
  const { wish, spans, stop, kafka } = parts;
  const batchBytesMax = await batchBytesMaxOf(parts.admin, wish.fromTopic);
  const settings = { ...TOPIC_SETTINGS, "max.message.bytes": String(batchBytesMax) };
  const ofThen = { "message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": "9223372036854775807" };
  const partitions = parts.ends.length;
  await admin.createTopics([{ topic: fresh.topic, partitions, settings: { ...settings, ...ofThen } }]);
  const change = new Copying();
  const bar = await progressOf(parts, "replay", spans);
  try {
    await replay({
      kafka: { from: kafka, to: fresh.kafka },
      fromTopic: wish.fromTopic,
      spans,
      target: { topic: fresh.topic, partitions: { from: partitions, to: partitions }, batchBytesMax },
      change,
      rate: null,
      stop,
      progress: bar.update,
    });
  } finally {
    bar.stop();
  }
  await admin.setTopicSettings(fresh.topic, { ...settings, "message.timestamp.type": "LogAppendTime" });
  return change;
}

function progressOf({ context }: LedgerParts, title: string, spans: readonly Span[]) {
  const total = Number(spans.reduce((sum, { from, to }) => sum + (to - from), 0n));
  return startProgress(context.out, context.io.stderr, { title, total, unit: "intents" });
}

/** Ids that the recorded registry does not know stay unknown: then they were put aside there, and are here. */
async function importAll(parts: LedgerParts, fresh: Fresh, named: ReadonlySet<number>): Promise<void> {
  const registry = openRegistry({ url: parts.schemaRegistryUrl, timeoutMs: REGISTRY_TIMEOUT_MS });
  const { declared, topics, source } = parts.messages;
  const own = topicSchemas(topics, declared);
  const schemas = new Map<number, ImportedSchema>();
  for (const kind of ["intent", "outcome", "deadLetter", "command", "report"] as const) {
    const id = source.ids[kind];
    schemas.set(id, { id, subject: subjectOf(own[kind].topic), schema: own[kind].schema });
  }
  for (const id of named) {
    stopHere(parts);
    const found = schemas.has(id) ? null : await registry.schemaById(id);
    if (found === null) continue;
    if (found.schemaType === "AVRO" && found.referenceCount === 0) {
      schemas.set(id, { id, subject: `replayed-${id}`, schema: found.schema });
      continue;
    }
    parts.context.out.warn(
      `schema ${id}, which records name, is ${found.schemaType} or refers to others, and the fresh registry cannot hold it: expect unknown_schema instead of schema_mismatch`,
    );
  }
  await importSchemas(fresh.addresses.schemaRegistryUrl, [...schemas.values()], REGISTRY_TIMEOUT_MS);
}

async function boundsOf(admin: TopicAdmin, { topic }: Fresh, lanes: number): Promise<readonly Span[]> {
  const spans: Span[] = [];
  for (let partition = 0; partition < lanes; partition++) {
    spans.push({ partition, from: 0n, to: (await admin.bounds(topic, partition)).end });
  }
  return spans;
}

const POLL_MS = 100;
const STUCK_MAX_MS = 60_000;
const LOG_LINES_KEPT = 20;

/** One instance until every intent is in a block. */
async function decide(parts: LedgerParts, fresh: Fresh, connection: Connection, spans: readonly Span[]): Promise<void> {
  const log: string[] = [];
  const crashed: unknown[] = [];
  const service = await startInstance(fresh, log, crashed);
  const bar = await progressOf(parts, "decide", spans);
  try {
    let doneBefore = -1n;
    for (let movedMs = performance.now(); ; ) {
      const next = new Map((await readCut(connection)).map(({ lane, intentsNext }) => [lane, intentsNext]));
      const done = [...next.values()].reduce((sum, offset) => sum + offset, 0n);
      bar.update(Number(done));
      if (parts.stop.aborted || spans.every(({ partition, to }) => (next.get(partition) ?? 0n) >= to)) return;
      if (done !== doneBefore) movedMs = performance.now();
      doneBefore = done;
      await assertGoesOn(connection, crashed, log, performance.now() - movedMs);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    bar.stop();
    await service.stop();
  }
}

function startInstance(fresh: Fresh, log: string[], crashed: unknown[]): Promise<Service> {
  const { config, addresses, kafka } = fresh;
  const write = (line: string): void => {
    log.push(line.trimEnd());
    if (log.length > LOG_LINES_KEPT) log.shift();
  };
  return startService({
    config,
    addresses,
    kafka,
    logger: createLogger({ ...config, logLevel: "warn", logPretty: false }, { write }),
    metrics: createMetrics({ instance: config.instance, version: ownVersion() }),
    crash: (error) => void crashed.push(error),
  });
}

/** @throws CommandFailed when a lane is halted, or nothing has moved for a minute */
async function assertGoesOn(
  connection: Connection,
  crashed: readonly unknown[],
  log: readonly string[],
  stillMs: number,
): Promise<void> {
  if (crashed.length > 0) throw crashed[0];
  const halted = (await readLanes(connection, null)).filter(({ halt }) => halt !== null);
  const causes = halted.map(({ lane, halt }) => `lane ${lane} of the fresh ledger halted: ${halt?.cause}`);
  if (causes.length > 0) throw new CommandFailed(EXIT.failed, [...causes, ...log].join("\n"));
  if (stillMs < STUCK_MAX_MS) return;
  throw new CommandFailed(EXIT.failed, [`the fresh instance has not moved for ${stillMs / 1000} s`, ...log].join("\n"));
}
