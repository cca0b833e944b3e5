// The local Kafka, Postgres and schema registry: one folder, started and stopped as one thing.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { DATABASE_NAME, DATABASE_USER } from "./database.ts";
import { withLock } from "./lock.ts";
import type { Site } from "./part.ts";
import { ensurePart, endPart, PARTS } from "./parts.ts";
import { accepts, HOST } from "./ports.ts";
import { endProcess, isAlive } from "./processes.ts";
import { freshState, PART_NAMES, type PartName, readState, type StackState, writeState } from "./state.ts";

export type { PartName } from "./state.ts";
export { StackUnavailable } from "./unavailable.ts";

export type StackInfo = {
  /** host:port, several separated by commas */
  readonly kafkaBrokers: string;
  readonly databaseUrl: string;
  readonly schemaRegistryUrl: string;
  /** absolute */
  readonly dir: string;
  readonly mode: "environment" | "native" | "docker";
};

export type StackOptions = {
  /** `.millrace/stack` in the working directory when left out; may exist and hold other files */
  readonly dir?: string;
  /** a free one when left out */
  readonly kafkaPort?: number;
  /** a free one when left out */
  readonly pgPort?: number;
  /** gets one line, without its end, for whatever takes time or is worth knowing */
  readonly say: (line: string) => void;
};

const DEFAULT_DIR = join(".millrace", "stack");
const LOCK_WAIT_MS = 300_000;
const ACCEPT_WITHIN_MS = 1_000;

const dirOf = (options: { readonly dir?: string }): string => resolve(options.dir ?? DEFAULT_DIR);
const lockOf = (dir: string): string => join(dir, "stack.lock");

/** Makes the stack of a folder serve, and says where. A stack that runs is left as it is, parts that died are started.
 *  @throws StackUnavailable with one sentence and its remedy; nothing that this call started is left running */
export async function stackUp(options: StackOptions): Promise<StackInfo> {
  const dir = dirOf(options);
  const named = namedByEnvironment(dir, options.say);
  if (named !== null) return named;
  mkdirSync(dir, { recursive: true });
  return withLock(lockOf(dir), LOCK_WAIT_MS, async () => {
    const state = readState(dir) ?? freshState("native");
    writeState(dir, state);
    await upNative({ dir, state, say: options.say }, options);
    return infoOf(dir, state);
  });
}

function namedByEnvironment(dir: string, say: (line: string) => void): StackInfo | null {
  const names = ["KAFKA_BROKERS", "DATABASE_URL", "SCHEMA_REGISTRY_URL"] as const;
  const [kafkaBrokers, databaseUrl, schemaRegistryUrl] = names.map((name) => process.env[name] || undefined);
  if (kafkaBrokers !== undefined && databaseUrl !== undefined && schemaRegistryUrl !== undefined) {
    return { kafkaBrokers, databaseUrl, schemaRegistryUrl, dir, mode: "environment" };
  }
  const given = names.filter((name) => process.env[name]);
  if (given.length > 0) {
    const missing = names.filter((name) => !process.env[name]);
    say(`${given.join(" and ")} in the environment is not used, since ${missing.join(" and ")} is not named there too`);
  }
  return null;
}

async function upNative(site: Site, options: StackOptions): Promise<void> {
  const wanted: Record<PartName, number | null> = {
    kafka: options.kafkaPort ?? null,
    postgres: options.pgPort ?? null,
    registry: null,
  };
  const results = await Promise.allSettled(PART_NAMES.map((name) => ensurePart(site, PARTS[name], wanted[name])));
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return;
  const started = PART_NAMES.filter((_, at) => {
    const result = results[at];
    return result?.status === "fulfilled" && result.value === "started";
  });
  await Promise.all(started.map((name) => endPart(site, PARTS[name])));
  throw failed.reason;
}

function infoOf(dir: string, state: StackState): StackInfo {
  const port = (name: PartName): number => state.parts[name]?.port ?? 0;
  const login = `${DATABASE_USER}:${state.databasePassword}`;
  return {
    kafkaBrokers: `${HOST}:${port("kafka")}`,
    databaseUrl: `postgres://${login}@${HOST}:${port("postgres")}/${DATABASE_NAME}`,
    schemaRegistryUrl: `http://${HOST}:${port("registry")}`,
    dir,
    mode: state.mode,
  };
}

/** Ends exactly what `stackUp` started in this folder, in good order, and keeps the data. */
export async function stackDown(options: Pick<StackOptions, "dir" | "say">): Promise<void> {
  const dir = dirOf(options);
  if (readState(dir) === null) return options.say(`no stack was ever started in ${dir}`);
  await withLock(lockOf(dir), LOCK_WAIT_MS, async () => {
    const state = readState(dir);
    if (state === null) return;
    const site: Site = { dir, state, say: options.say };
    await Promise.all(PART_NAMES.map((name) => endPart(site, PARTS[name])));
  });
}

export type PartStatus = {
  readonly running: boolean;
  /** of its main process while it runs (in mode "docker": null) */
  readonly pid: number | null;
  /** where it listens, or last did; null when it was never started */
  readonly port: number | null;
};

export type StackStatus = {
  readonly dir: string;
  /** null when no stack was ever started in `dir` */
  readonly mode: "native" | "docker" | null;
  readonly parts: Readonly<Record<PartName, PartStatus>>;
  /** the addresses, when all parts run */
  readonly info: StackInfo | null;
};

/** Looks, and changes nothing. A part runs when its process is alive and its port answers. */
export async function stackStatus(options: { readonly dir?: string }): Promise<StackStatus> {
  const dir = dirOf(options);
  const state = readState(dir);
  const [kafka, postgres, registry] = await Promise.all([
    partStatus(state, "kafka"),
    partStatus(state, "postgres"),
    partStatus(state, "registry"),
  ]);
  const isWhole = kafka.running && postgres.running && registry.running;
  const info = state !== null && isWhole ? infoOf(dir, state) : null;
  return { dir, mode: state?.mode ?? null, parts: { kafka, postgres, registry }, info };
}

async function partStatus(state: StackState | null, name: PartName): Promise<PartStatus> {
  const part = state?.parts[name];
  if (part === undefined) return { running: false, pid: null, port: null };
  const isThere = part.process !== null && isAlive(part.process);
  const running = isThere && (await accepts(part.port, ACCEPT_WITHIN_MS));
  return { running, pid: isThere ? (part.process?.pid ?? null) : null, port: part.port };
}

/** Kills one part with SIGKILL, as a crash would, and returns once it is gone. For fault tests; native stacks only. */
export async function killPart(dir: string, name: PartName): Promise<void> {
  const mark = readState(dirOf({ dir }))?.parts[name]?.process;
  if (mark) await endProcess(mark, "SIGKILL", 0);
}

/** Starts one part again, on the port it had, and returns once it serves. For fault tests; native stacks only.
 *  @throws StackUnavailable */
export async function startPart(dir: string, name: PartName): Promise<void> {
  const at = dirOf({ dir });
  await withLock(lockOf(at), LOCK_WAIT_MS, async () => {
    const state = readState(at);
    const port = state?.parts[name]?.port;
    if (state === null || port === undefined) throw new Error(`no ${name} was ever started in ${at}`);
    await ensurePart({ dir: at, state, say: () => undefined }, PARTS[name], port);
  });
}

export const killBroker = (dir: string): Promise<void> => killPart(dir, "kafka");
export const startBroker = (dir: string): Promise<void> => startPart(dir, "kafka");
