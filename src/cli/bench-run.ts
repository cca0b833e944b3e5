// The working part of `millrace bench`: a stack for all names, a database and topics for each, and what is printed.

import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { shownValue } from "../config/secrets.ts";
import { environmentName, SETTING_NAMES, SETTINGS } from "../config/settings.ts";
import { loadDeclared } from "../declared/load.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { KafkaSettings } from "../kafka/port.ts";
import { databaseSettings } from "../service/dependencies.ts";
import { KAFKA_VERSION } from "../stack/jars.ts";
import { type StackInfo, stackDown, stackStatus, stackUp } from "../stack/stack.ts";
import { connect, type DatabaseSettings } from "../store/database.ts";
import type { BenchFigures, BenchGround, BenchSite, BenchWishes } from "../workload/bench/bench.ts";
import { type Environment, millrace } from "../workload/bench/child.ts";
import type { BenchLine } from "../workload/bench/document.ts";
import { BENCHMARKS, type Listed } from "../workload/bench/list.ts";
import { hostFacts } from "../workload/report/build.ts";
import type { HostFacts } from "../workload/report/report.ts";
import { openDocuments, openReports, type ReportFolder } from "./bench-files.ts";
import { codecAlone, openMessages } from "./codec.ts";
import type { CliContext } from "./context.ts";
import { CommandFailed, EXIT, Interrupted } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import { ownVersion } from "./version.ts";

export type BenchPlan = {
  readonly names: readonly string[];
  readonly wishes: BenchWishes;
  /** folder for reports; null: none are kept */
  readonly report: string | null;
  /** into the repository's documents */
  readonly isWritten: boolean;
};

/** @throws CommandFailed | Interrupted | StackUnavailable; its stack is down and its folder gone either way */
export async function runBenchmarks(context: CliContext, config: Config, plan: BenchPlan): Promise<void> {
  const { names, wishes } = plan;
  const documents = plan.isWritten ? openDocuments() : null;
  const report = plan.report === null ? null : openReports(context, plan.report);
  const startedMs = performance.now();
  const lines: BenchLine[] = [];
  const stop = context.io.interruption();
  const run = { context, config, wishes, stop, report };
  const measured = (line: BenchLine): void => {
    context.out.row(line, JSON.stringify(line));
    lines.push(line);
  };
  try {
    const needing = (needs: Listed["needs"]) => names.filter((name) => listed(name).needs === needs);
    for (const name of needing("nothing")) measured(await runOne(name, run, null));
    if (needing("stack").length > 0) {
      await onStack(context, async (stack) => {
        for (const name of needing("stack")) measured(await runOne(name, run, stack));
      });
    }
    documents?.write(lines, Math.round((performance.now() - startedMs) / 1000));
  } catch (error) {
    // Ctrl-C ends the children too, and their end is not what went wrong.
    if (stop.aborted) throw new Interrupted();
    throw error;
  }
}

/** Work with a stack that is there for it alone, or the one that the environment names. */
async function onStack({ out }: CliContext, work: (stack: StackInfo) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  chmodSync(dir, 0o755); // As root, the database runs as another user, who has to get in.
  try {
    await work(await stackUp({ dir, say: out.note }));
  } finally {
    await stackDown({ dir, say: () => {} });
    rmSync(dir, { recursive: true, force: true });
  }
}

function listed(name: string): Listed {
  const found = BENCHMARKS.get(name);
  if (found === undefined) throw new Error(`there is no benchmark ${name}`);
  return found;
}

type BenchRun = {
  readonly context: CliContext;
  readonly config: Config;
  readonly wishes: BenchWishes;
  readonly stop: AbortSignal;
  readonly report: ReportFolder | null;
};

/** @param stack null for those that need none */
async function runOne(name: string, run: BenchRun, stack: StackInfo | null): Promise<BenchLine> {
  if (run.stop.aborted) throw new Interrupted();
  const host = hostFacts();
  try {
    const { figures, versions } = await figuresOf(name, run, stack);
    const own = { millrace: ownVersion(), node: process.versions.node, ...versions };
    const line = lineOf(name, figures, { versions: own, host });
    run.report?.keep(figures, { name, settings: line.settings, versions: own, host });
    return line;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "BenchFailed") throw error;
    throw new CommandFailed(EXIT.failed, `${name}: ${error.message}`);
  }
}

type Versioned = { readonly figures: BenchFigures; readonly versions: Readonly<Record<string, unknown>> };

async function figuresOf(name: string, run: BenchRun, stack: StackInfo | null): Promise<Versioned> {
  const benchmark = listed(name);
  if (benchmark.needs === "nothing") {
    const measure = await benchmark.load();
    return { figures: await measure(openGround(run), run.wishes), versions: {} };
  }
  if (stack === null) throw new Error(`${name} needs a stack`);
  const measure = await benchmark.load();
  const database = `bench_${name.replace("-", "_")}_${randomBytes(3).toString("hex")}`;
  const admin = databaseSettings(run.config, stack.databaseUrl, null);
  const versions = await createDatabase(admin, database, stack.mode);
  try {
    return { figures: await measure(await openSite(run, stack, admin, database), run.wishes), versions };
  } finally {
    await onServer(admin, `drop database if exists ${database} with (force)`);
  }
}

function lineOf(
  name: string,
  figures: BenchFigures,
  { versions, host }: { readonly versions: Record<string, unknown>; readonly host: HostFacts },
): BenchLine {
  const { count, seconds, perSecond, settings, cpu, course: _course, ...latencies } = figures;
  const { cores, loadAverageBefore } = host;
  const all = { ...settings, loadAverageBefore, cores, ...overrides() };
  return { bench: name, count, seconds, perSecond, ...latencies, settings: all, versions, cpu };
}

/** Settings that the environment changes: a figure that is not of the shipped defaults says so. */
function overrides(): Record<string, unknown> {
  const given = SETTING_NAMES.flatMap((name) => {
    const text = process.env[environmentName(name)];
    const told = SETTINGS[name].isPath || SETTINGS[name].isFile ? "a path" : shownValue(name, text);
    return text === undefined || !environmentName(name).startsWith("MILLRACE_") ? [] : [[environmentName(name), told]];
  });
  return given.length === 0 ? {} : { overrides: Object.fromEntries(given) };
}

async function createDatabase(admin: DatabaseSettings, name: string, mode: StackInfo["mode"]) {
  await onServer(admin, `create database ${name}`);
  const [row] = await onServer(admin, "show server_version");
  const kafka = mode === "environment" ? null : KAFKA_VERSION;
  return { postgres: row?.["server_version"], kafka };
}

async function onServer(admin: DatabaseSettings, statement: string) {
  const connection = await connect(admin, "tool");
  const { rows } = await connection.plain(statement).finally(() => connection.close());
  return rows;
}

function openGround({ context, config, stop }: BenchRun): BenchGround {
  const declared = loadDeclared(config.schemasDir, config.flowsDir);
  return { declared, codec: codecAlone(config, declared), stop, note: context.out.note };
}

/** A database and topics that no other benchmark has used. */
async function openSite(
  { context, config, stop }: BenchRun,
  stack: StackInfo,
  admin: DatabaseSettings,
  database: string,
): Promise<BenchSite> {
  const url = new URL(stack.databaseUrl);
  url.pathname = `/${database}`;
  const topicPrefix = `${database}.`;
  const environment: Environment = {
    ...process.env,
    KAFKA_BROKERS: stack.kafkaBrokers,
    DATABASE_URL: url.href,
    SCHEMA_REGISTRY_URL: stack.schemaRegistryUrl,
    MILLRACE_TOPIC_PREFIX: topicPrefix,
  };
  await millrace(["migrate"], environment);
  const messages = await openMessages({ ...config, topicPrefix }, stack.schemaRegistryUrl);
  const kafka = quietKafka(config, stack.kafkaBrokers.split(","), "bench");
  const { parts } = await stackStatus({ dir: stack.dir });
  return {
    kafka,
    database: { ...admin, url: url.href },
    topics: messages.topics,
    lanes: await countLanes(kafka, messages.topics.intents),
    codec: messages.codec,
    declared: messages.declared,
    service: config,
    schemas: messages.source,
    environment,
    stackPids: { postgres: parts.postgres.pid, kafka: parts.kafka.pid },
    stop,
    note: context.out.note,
  };
}

async function countLanes(kafka: KafkaSettings, topic: string): Promise<number> {
  const admin = await openAdmin(kafka);
  const counts = await admin.partitionCounts([topic]).finally(() => admin.close());
  return counts.get(topic) ?? 0;
}
