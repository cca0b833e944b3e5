// The working part of `millrace bench`: a stack for all names, a database and topics for each, and what is printed.

import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { shownValue } from "../config/secrets.ts";
import { environmentName, SETTING_NAMES, SETTINGS } from "../config/settings.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { KafkaSettings } from "../kafka/port.ts";
import { databaseSettings } from "../service/dependencies.ts";
import { KAFKA_VERSION } from "../stack/jars.ts";
import { type StackInfo, stackDown, stackStatus, stackUp } from "../stack/stack.ts";
import { connect, type DatabaseSettings } from "../store/database.ts";
import type { BenchFigures, BenchSite, BenchWishes } from "../workload/bench/bench.ts";
import { type Environment, millrace } from "../workload/bench/child.ts";
import type { BenchLine } from "../workload/bench/document.ts";
import { BENCHMARKS } from "../workload/bench/list.ts";
import { hostFacts } from "../workload/report/build.ts";
import type { HostFacts } from "../workload/report/report.ts";
import { openDocuments, openReports, type ReportFolder } from "./bench-files.ts";
import { openMessages } from "./codec.ts";
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
  const dir = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  chmodSync(dir, 0o755); // As root, the database runs as another user, who has to get in.
  try {
    const stack = await stackUp({ dir, say: context.out.note });
    for (const name of names) {
      const line = await runOne(name, { context, config, stack, wishes, stop, report });
      context.out.row(line, JSON.stringify(line));
      lines.push(line);
    }
    documents?.write(lines, Math.round((performance.now() - startedMs) / 1000));
  } catch (error) {
    // Ctrl-C ends the children too, and their end is not what went wrong.
    if (stop.aborted) throw new Interrupted();
    throw error;
  } finally {
    await stackDown({ dir, say: () => {} });
    rmSync(dir, { recursive: true, force: true });
  }
}

type BenchRun = {
  readonly context: CliContext;
  readonly config: Config;
  readonly stack: StackInfo;
  readonly wishes: BenchWishes;
  readonly stop: AbortSignal;
  readonly report: ReportFolder | null;
};

async function runOne(name: string, run: BenchRun): Promise<BenchLine> {
  if (run.stop.aborted) throw new Interrupted();
  const load = BENCHMARKS.get(name);
  if (load === undefined) throw new Error(`there is no benchmark ${name}`);
  const benchmark = await load();
  const database = `bench_${name.replace("-", "_")}_${randomBytes(3).toString("hex")}`;
  const admin = databaseSettings(run.config, run.stack.databaseUrl, null);
  const versions = await createDatabase(admin, database, run.stack.mode);
  const host = hostFacts();
  try {
    const figures = await benchmark(await openSite(run, admin, database), run.wishes);
    const line = lineOf(name, figures, { versions, host });
    run.report?.keep(figures, { name, settings: line.settings, versions, host });
    return line;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "BenchFailed") throw error;
    throw new CommandFailed(EXIT.failed, `${name}: ${error.message}`);
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
  return { millrace: ownVersion(), node: process.versions.node, postgres: row?.["server_version"], kafka };
}

async function onServer(admin: DatabaseSettings, statement: string) {
  const connection = await connect(admin, "tool");
  const { rows } = await connection.plain(statement).finally(() => connection.close());
  return rows;
}

/** A database and topics that no other benchmark has used. */
async function openSite(run: BenchRun, admin: DatabaseSettings, database: string): Promise<BenchSite> {
  const { context, config, stack, stop } = run;
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
