// The local Kafka, Postgres and schema registry: one folder, started and stopped as one thing.
import { join, resolve } from "node:path";
import { makeFolder } from "../folders.ts";
import { chooseMode, namedByEnvironment } from "./choose.ts";
import { DATABASE_NAME, DATABASE_USER } from "./database.ts";
import { withLock } from "./lock.ts";
import type { Site } from "./part.ts";
import { clearPart, crashPart, endPart, ensurePart, type PartStatus, partStatus } from "./parts.ts";
import { HOST } from "./ports.ts";
import { isAlive } from "./processes.ts";
import { assertRoom, roomIn } from "./room.ts";
import { freshState, PART_NAMES, type PartName, readState, type StackState, writeState } from "./state.ts";
import { codeOf, StackUnavailable } from "./unavailable.ts";

export type { PartStatus } from "./parts.ts";
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
  /** `use`, the default: addresses of the environment, when it names all of them, are the stack, and none is started.
   *  `ignore` is for who needs a stack of its own beside the one that is named. */
  readonly environment?: "use" | "ignore";
  /** gets one line, without its end, for whatever takes time or is worth knowing */
  readonly say: (line: string) => void;
};

const DEFAULT_DIR = join(".millrace", "stack");
const LOCK_WAIT_MS = 300_000;

const dirOf = (options: { readonly dir?: string }): string => resolve(options.dir ?? DEFAULT_DIR);
const lockOf = (dir: string): string => join(dir, "stack.lock");

/** Makes the stack of a folder serve, and says where. A stack that runs is left as it is, parts that died are started.
 *  @throws StackUnavailable with one sentence and its remedy; nothing that this call started is left running */
export async function stackUp(options: StackOptions): Promise<StackInfo> {
  const dir = dirOf(options);
  const named = options.environment === "ignore" ? null : namedByEnvironment(options.say);
  if (named !== null) return { ...named, dir, mode: "environment" };
  makeOwnFolder(dir);
  return withLock(lockOf(dir), LOCK_WAIT_MS, async () => {
    const state = readState(dir) ?? freshState(await chooseMode(options.say));
    const wanted = { kafka: options.kafkaPort ?? null, postgres: options.pgPort ?? null, registry: null };
    await upAll({ dir, state, say: options.say }, wanted);
    return infoOf(dir, state);
  });
}

function makeOwnFolder(dir: string): void {
  try {
    makeFolder(dir);
  } catch (error) {
    const remedy = "name a folder that can be written with --dir";
    throw new StackUnavailable(`the folder ${dir} cannot be made (${codeOf(error) ?? "unknown reason"})`, remedy);
  }
}

async function upAll(site: Site, wanted: Readonly<Record<PartName, number | null>>): Promise<void> {
  const statuses = await Promise.all(PART_NAMES.map((name) => partStatus(site.state, name)));
  const starting = PART_NAMES.filter((_, at) => statuses[at]?.running !== true);
  if (starting.length > 0) assertRoom(site.dir, roomIn(site.dir), starting);
  await Promise.all(starting.map((name) => clearPart(site, name, wanted[name])));
  writeState(site.dir, site.state);
  const results = await Promise.allSettled(PART_NAMES.map((name) => ensurePart(site, name, wanted[name])));
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return;
  const isStarted = (result: (typeof results)[number] | undefined): boolean =>
    result?.status === "fulfilled" && result.value === "started";
  await Promise.all(PART_NAMES.filter((_, at) => isStarted(results[at])).map((name) => endPart(site, name)));
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
    await Promise.all(PART_NAMES.map((name) => endPart(site, name)));
  });
}

/** Ends the native parts of a stack at once and without waiting, for a process that is about to exit and may not await
 *  anything. What `stackDown` has ended is left alone. */
export function stackKill(dir: string): void {
  const state = readState(dirOf({ dir }));
  for (const part of Object.values(state?.parts ?? {})) {
    if (part.process !== null && isAlive(part.process)) process.kill(part.process.pid, "SIGKILL");
  }
}

export type StackStatus = {
  readonly dir: string;
  /** null when no stack was ever started in `dir` */
  readonly mode: "native" | "docker" | null;
  readonly parts: Readonly<Record<PartName, PartStatus>>;
  /** the addresses, when all parts run */
  readonly info: StackInfo | null;
};

/** Looks, and changes nothing. */
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

/** Kills one part with SIGKILL, as a crash would, and returns once it is gone. For fault tests. */
export async function killPart(dir: string, name: PartName): Promise<void> {
  const at = dirOf({ dir });
  const state = readState(at);
  if (state !== null) await crashPart({ dir: at, state, say: () => undefined }, name);
}

/** Ends one part in good order and keeps its data. For fault tests. */
export async function stopPart(dir: string, name: PartName): Promise<void> {
  const at = dirOf({ dir });
  const state = readState(at);
  if (state !== null) await endPart({ dir: at, state, say: () => undefined }, name);
}

/** Starts one part again, on the port it had, and returns once it serves. For fault tests.
 *  @throws StackUnavailable */
export async function startPart(dir: string, name: PartName): Promise<void> {
  const at = dirOf({ dir });
  await withLock(lockOf(at), LOCK_WAIT_MS, async () => {
    const state = readState(at);
    const port = state?.parts[name]?.port;
    if (state === null || port === undefined) throw new Error(`no ${name} was ever started in ${at}`);
    await ensurePart({ dir: at, state, say: () => undefined }, name, port);
  });
}

export const killBroker = (dir: string): Promise<void> => killPart(dir, "kafka");
export const startBroker = (dir: string): Promise<void> => startPart(dir, "kafka");
