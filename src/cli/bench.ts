// millrace bench: how fast this is, here.

import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import type { Config } from "../config.ts";
import { openAdmin } from "../kafka/admin.ts";
import { databaseSettings } from "../setup.ts";
import { KAFKA_VERSION } from "../stack/jars.ts";
import { type StackInfo, stackDown, stackStatus, stackUp } from "../stack/stack.ts";
import { connect } from "../store/database.ts";
import type { BenchFigures, BenchSite, BenchWishes } from "../workload/bench.ts";
import { millrace } from "../workload/bench-child.ts";
import { BENCHMARKS } from "../workload/bench-list.ts";
import { openMessages } from "./codec.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";
import { ownVersion } from "./version.ts";

type BenchOptions = { readonly seconds?: string; readonly count?: string; readonly rate?: string };

const NAMES = [...BENCHMARKS.keys()];
const SECONDS_MAX = 86_400;
const COUNT_MAX = 100_000_000;
const RATE_MAX = 1_000_000;

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("bench <NAME...>")
    .summary("measure throughput and latency")
    .description(
      `Runs benchmarks (${NAMES.join(", ")}) against one fresh stack, with the defaults of \`run\`, and prints a JSON object for each. The environment may name a stack instead; each benchmark has a database and topics of its own.`,
    )
    .option("--seconds <N>", "how long to measure, for those that go by time")
    .option("--count <N>", "how many intents, for those that go by number")
    .option("--rate <N>", "intents a second, for those with an open loop")
    .action((names: readonly string[], options: BenchOptions) => bench(context, names, options));
  withExamples(verb, "millrace bench drain naive", "millrace bench latency --rate 5000 --seconds 30");
}

async function bench(context: CliContext, names: readonly string[], options: BenchOptions): Promise<void> {
  const usage = usageCheck();
  for (const name of names) usage.oneOf("NAME", name, { default: "", names: NAMES });
  const wishes: BenchWishes = {
    seconds: wish(usage, "--seconds", options.seconds, SECONDS_MAX),
    count: wish(usage, "--count", options.count, COUNT_MAX),
    rate: wish(usage, "--rate", options.rate, RATE_MAX),
  };
  const config = await context.config([], usage);
  const dir = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  chmodSync(dir, 0o755); // As root, the database runs as another user, who has to get in.
  const ended = context.io.interruption();
  const say = (line: string): void => context.out.note(line);
  try {
    const stack = await stackUp({ dir, say });
    for (const name of names) {
      if (ended.aborted) break;
      const figures = await runOne(name, { context, config, stack, wishes });
      context.out.row(figures, JSON.stringify(figures));
    }
  } finally {
    await stackDown({ dir, say: () => {} });
    rmSync(dir, { recursive: true, force: true });
  }
}

function wish(usage: UsageCheck, flag: string, text: string | undefined, max: number): number | null {
  return text === undefined ? null : usage.wholeNumber(flag, text, { default: 1, min: 1, max });
}

type BenchRun = {
  readonly context: CliContext;
  readonly config: Config;
  readonly stack: StackInfo;
  readonly wishes: BenchWishes;
};

async function runOne(name: string, run: BenchRun): Promise<Record<string, unknown>> {
  const { site, versions, end } = await prepare(name, run);
  try {
    const figures = await BENCHMARKS.get(name)?.(site, run.wishes);
    if (figures === undefined) throw new Error(`there is no benchmark ${name}`);
    return lineOf(name, figures, versions);
  } catch (error) {
    if (error instanceof Error && error.name === "BenchFailed") {
      throw new CommandFailed(EXIT.failed, `${name}: ${error.message}`);
    }
    throw error;
  } finally {
    await end();
  }
}

function lineOf(name: string, figures: BenchFigures, versions: Record<string, unknown>): Record<string, unknown> {
  const { count, seconds, perSecond, settings, cpu, ...latencies } = figures;
  const all = { ...settings, cores: availableParallelism(), ...overrides() };
  return { bench: name, count, seconds, perSecond, ...latencies, settings: all, versions, cpu };
}

/** Settings that the environment changes: a figure that is not of the shipped defaults says so. */
function overrides(): Record<string, unknown> {
  const given = Object.entries(process.env).filter(([name]) => name.startsWith("MILLRACE_"));
  return given.length === 0 ? {} : { overrides: Object.fromEntries(given) };
}

/** A database and topics that no other benchmark has used. */
async function prepare(name: string, { context, config, stack }: BenchRun) {
  const own = `bench_${name}_${randomBytes(3).toString("hex")}`;
  const admin = databaseSettings(config, stack.databaseUrl, null);
  const versions = await createDatabase(admin, own, stack.mode);
  const url = new URL(stack.databaseUrl);
  url.pathname = `/${own}`;
  const topicPrefix = `${own}.`;
  const environment = {
    ...process.env,
    KAFKA_BROKERS: stack.kafkaBrokers,
    DATABASE_URL: url.href,
    SCHEMA_REGISTRY_URL: stack.schemaRegistryUrl,
    MILLRACE_TOPIC_PREFIX: topicPrefix,
  };
  await millrace(["migrate"], environment);
  const { codec, source, topics, declared } = await openMessages({ ...config, topicPrefix }, stack.schemaRegistryUrl);
  const kafka = quietKafka(stack.kafkaBrokers.split(","), "bench");
  const { parts } = await stackStatus({ dir: stack.dir });
  const site: BenchSite = {
    kafka,
    database: { ...admin, url: url.href },
    topics,
    lanes: await countLanes(kafka, topics.intents),
    codec,
    declared,
    service: config,
    schemas: source,
    environment,
    stackPids: { postgres: parts.postgres.pid, kafka: parts.kafka.pid },
    note: context.out.note,
  };
  const end = async (): Promise<void> => dropDatabase(admin, own);
  return { site, versions, end };
}

type Settings = ReturnType<typeof databaseSettings>;

async function createDatabase(admin: Settings, name: string, mode: StackInfo["mode"]) {
  const connection = await connect(admin, "tool");
  try {
    await connection.plain(`create database ${name}`);
    const { rows } = await connection.plain("show server_version");
    const kafka = mode === "environment" ? null : KAFKA_VERSION;
    return { millrace: ownVersion(), node: process.versions.node, postgres: rows[0]?.["server_version"], kafka };
  } finally {
    await connection.close();
  }
}

async function dropDatabase(admin: Settings, name: string): Promise<void> {
  const connection = await connect(admin, "tool");
  await connection.plain(`drop database if exists ${name} with (force)`).finally(() => connection.close());
}

async function countLanes(kafka: BenchSite["kafka"], topic: string): Promise<number> {
  const admin = await openAdmin(kafka);
  const counts = await admin.partitionCounts([topic]).finally(() => admin.close());
  return counts.get(topic) ?? 0;
}
