// The built command line as processes of their own, on a database and topics of their own: what tests of faults start,
// freeze and kill.
//
//     const world = await openWorld();
//     const a = await startInstance(world, "a");
//     a.kill();
//
// Everything that was started is ended by its process id when the test is over, however it ends.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { onTestFinished } from "vitest";
import type { StackInfo } from "../../src/stack/stack.ts";
import { runHere } from "./cli.ts";
import { testStack } from "./stack.ts";
import { waitFor } from "./wait.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const ADDRESSES = ["KAFKA_BROKERS", "DATABASE_URL", "SCHEMA_REGISTRY_URL"];
const START_DEADLINE_MS = 30_000;
const VERB_DEADLINE_MS = 120_000;

export type World = {
  readonly kafkaBrokers: readonly string[];
  readonly databaseUrl: string;
  readonly schemaRegistryUrl: string;
  readonly topics: Readonly<Record<"intents" | "outcomes" | "deadLetters" | "reports", string>>;
  readonly lanes: number;
  /** addresses and settings that every process of this world gets */
  readonly environment: Readonly<Record<string, string>>;
  /** Asks the database as its owner; tables of `millrace` by their bare names. */
  query(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
};

export type WorldOptions = {
  /** 8 when left out */
  readonly lanes?: number;
  /** the stack of the test run when left out */
  readonly stack?: StackInfo;
  /** a database that is set up already */
  readonly databaseUrl?: string;
  readonly environment?: Readonly<Record<string, string>>;
};

/** A database and topics of their own, set up and with nothing running. */
export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const { lanes = 8, stack = testStack() } = options;
  const prefix = `fault-${randomBytes(5).toString("hex")}.`;
  const databaseUrl = options.databaseUrl ?? (await createDatabase(stack.databaseUrl));
  const environment = {
    KAFKA_BROKERS: stack.kafkaBrokers,
    DATABASE_URL: databaseUrl,
    SCHEMA_REGISTRY_URL: stack.schemaRegistryUrl,
    MILLRACE_TOPIC_PREFIX: prefix,
    // A database lives as long as its test, and each partition costs as much to make as a small test.
    MILLRACE_PARTITIONS_AHEAD_HOURS: "2",
    ...options.environment,
  };
  const topics = {
    intents: `${prefix}payments.public.intents.v1`,
    outcomes: `${prefix}payments.public.outcomes.v1`,
    deadLetters: `${prefix}payments.public.intents.v1-dlt`,
    reports: `${prefix}payments.internal.reports.v1`,
  };
  const { kafkaBrokers, schemaRegistryUrl } = stack;
  const fixed = { kafkaBrokers: kafkaBrokers.split(","), schemaRegistryUrl, topics, lanes, environment };
  const world = onDatabase(fixed, databaseUrl);
  await runVerb(world, ["migrate", "--lanes", String(lanes)]);
  return world;
}

/** @param serverUrl  any database of the server, with the rights of its superuser
 *  @param template   a database to copy that nobody is connected to
 *  @returns          the new database's URL */
export async function createDatabase(serverUrl: string, template = "template1"): Promise<string> {
  const url = new URL(serverUrl);
  const name = `fault_${randomBytes(6).toString("hex")}`;
  url.pathname = "/postgres";
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(`create database ${name} template ${client.escapeIdentifier(template)}`);
  } finally {
    await client.end();
  }
  url.pathname = `/${name}`;
  return url.href;
}

/** The same topics with another database: a copy from before, say. */
export function withDatabase(world: World, databaseUrl: string): World {
  const environment = { ...world.environment, DATABASE_URL: databaseUrl };
  return onDatabase({ ...world, environment }, databaseUrl);
}

function onDatabase(fixed: Omit<World, "databaseUrl" | "query">, databaseUrl: string): World {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2, options: "-c search_path=millrace" });
  pool.on("error", () => undefined); // Some tests cut every session of the database, these too.
  onTestFinished(() => pool.end());
  const ask = async (
    sql: string,
    values: readonly unknown[],
    triesLeft: number,
  ): Promise<Record<string, unknown>[]> => {
    try {
      return (await pool.query(sql, values as unknown[])).rows;
    } catch (error) {
      if (error instanceof pg.DatabaseError || triesLeft === 0) throw error;
      return ask(sql, values, triesLeft - 1);
    }
  };
  return { ...fixed, databaseUrl, query: (sql, values = []) => ask(sql, values, 3) };
}

// Verbs that end by themselves ------------------------------------------------------------------------------------------

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** What computes beside the test, or has a thread of its own, or is measured, or starts a script of the build beside it. */
const startsItself = (argv: readonly string[]): boolean =>
  argv[0] === "run" || argv[0] === "bench" || argv.includes("--report");

/** Runs a verb to its end: in this process, because beginning another is most of what a short verb costs. That verbs work
 *  as processes is what test/e2e and test/integration/cli.test.ts are for.
 *  @throws Error with what it said, unless it ends with one of `codes` */
export async function runVerb(world: World, argv: readonly string[], codes: readonly number[] = [0]): Promise<Ended> {
  const ended = startsItself(argv) ? await startVerb(world, argv).ended : await runHere(argv, world.environment);
  if (!codes.includes(ended.code ?? -1)) {
    throw new Error(`millrace ${argv.join(" ")} ended with ${ended.code}\n${ended.stdout}${ended.stderr}`);
  }
  return ended;
}

export type Verb = {
  readonly stdin: NodeJS.WritableStream;
  readonly ended: Promise<Ended>;
  /** SIGINT, as Ctrl-C sends it */
  readonly interrupt: () => void;
};

/** Starts a verb that runs beside the test. */
export function startVerb(world: World, argv: readonly string[], deadlineMs = VERB_DEADLINE_MS): Verb {
  const child = launch(world.environment, argv);
  const texts = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream]?.setEncoding("utf8").on("data", (chunk: string) => {
      texts[stream] += chunk;
    });
  }
  const deadline = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  const ended = once(child, "close").then(([code]) => {
    clearTimeout(deadline);
    return { code: code as number | null, ...texts };
  });
  return { stdin: child.stdin as NodeJS.WritableStream, ended, interrupt: () => void child.kill("SIGINT") };
}

export function launch(environment: Readonly<Record<string, string>>, argv: readonly string[]): ChildProcess {
  const kept = Object.entries(process.env).filter(
    ([name]) => !ADDRESSES.includes(name) && !name.startsWith("MILLRACE_"),
  );
  const child = spawn(process.execPath, [MAIN, ...argv], {
    cwd: tmpdir(), // A stack in the working directory must not be found.
    env: { ...Object.fromEntries(kept), ...environment },
    stdio: "pipe",
  });
  child.stdin?.on("error", () => undefined);
  alive.add(child);
  child.once("exit", () => alive.delete(child));
  onTestFinished(async () => {
    if (!alive.has(child)) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL"); // Ends a frozen one too.
    await gone;
  });
  return child;
}

// A run that is interrupted leaves out what tests put off to their end.
const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

// Instances of the service ----------------------------------------------------------------------------------------------

export type LogLine = { readonly level: string; readonly message: string } & Readonly<Record<string, unknown>>;

export type Instance = {
  readonly name: string;
  readonly pid: number;
  /** the number that blocks and leases carry */
  readonly process: string;
  readonly log: readonly LogLine[];
  /** null while it runs */
  readonly exitCode: () => number | null;
  /** SIGKILL; resolves when it is gone */
  kill(): Promise<void>;
  /** SIGSTOP: every thread stands still and all sockets stay open */
  freeze(): void;
  thaw(): void;
  /** SIGTERM; resolves with the exit code */
  stop(): Promise<number | null>;
  /** value of a metric by its name with labels as they are printed; 0 when it is not there */
  metric(name: string): Promise<number>;
  /** sum of a metric over all its labels, from one page */
  total(name: string): Promise<number>;
};

/** Starts `millrace run` and waits until it says that it is running. */
export async function startInstance(
  world: World,
  name: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Instance> {
  const child = launch({ ...world.environment, ...environment }, ["run", "--instance", name]);
  const log = readLog(child);
  logs.set(child, { name, log });
  onTestFinished(() => void logs.delete(child));
  const gone = once(child, "exit");
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const running = (): LogLine | undefined => log.find(({ message }) => message === "running");
  const told = (): string => `instance ${name} to run; it said ${JSON.stringify(log.slice(-5))}`;
  await waitFor(told, () => running() !== undefined || isGone(), START_DEADLINE_MS);
  const ready = running();
  if (ready === undefined) throw new Error(`instance ${name} ended with ${child.exitCode}: ${JSON.stringify(log)}`);
  const metricLines = async (): Promise<string[]> =>
    (await (await fetch(`http://127.0.0.1:${ready["httpPort"]}/metrics`)).text()).split("\n");
  return {
    name,
    pid: child.pid as number,
    process: String(ready["process"]),
    log,
    exitCode: () => child.exitCode,
    kill: async () => {
      child.kill("SIGKILL");
      if (!isGone()) await gone;
    },
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    stop: async () => {
      child.kill("SIGTERM");
      if (!isGone()) await gone;
      return child.exitCode;
    },
    metric: async (metric) => {
      const line = (await metricLines()).find((one) => one.startsWith(`${metric} `));
      return Number(line?.slice(metric.length + 1) ?? 0);
    },
    total: async (metric) => {
      const own = (await metricLines()).filter((one) => one.startsWith(`${metric}{`));
      return own.reduce((sum, one) => sum + Number(one.slice(one.lastIndexOf(" ") + 1)), 0);
    },
  };
}

export function readLog(child: ChildProcess): LogLine[] {
  const log: LogLine[] = [];
  child.stdout?.resume();
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
    try {
      log.push(JSON.parse(line) as LogLine);
    } catch {
      log.push({ level: "text", message: line });
    }
  });
  return log;
}

// Questions ---------------------------------------------------------------------------------------------------------------

/** Which process leases each lane. */
export async function owners(world: World): Promise<Map<number, string | null>> {
  const rows = await world.query("select lane, owner::text from lease order by lane");
  return new Map(rows.map((row) => [row["lane"] as number, row["owner"] as string | null]));
}

const logs = new Map<ChildProcess, Pick<Instance, "name" | "log">>();
const LAST_WORDS = 25;

/** Where each lane stands and what the instances of this test said last: for the error of a wait that was in vain. */
export async function standing(world: World): Promise<string> {
  const rows = await world.query(
    `select z.lane, s.owner, z.epoch, z.block, z.intents_next, z.outcomes_next, c.published_sequence, h.cause
     from lane z join lease s using (lane) left join relay_cursor c on c.lane = z.lane and c.topic = 0
     left join halt h on h.lane = z.lane and h.resumed_at is null order by z.lane`,
  );
  const said = [...logs.values()].map(
    ({ name, log }) =>
      `${name}:\n${log
        .slice(-LAST_WORDS)
        .map((line) => `  ${JSON.stringify(line)}`)
        .join("\n")}`,
  );
  return [...rows.map((row) => JSON.stringify(row)), ...said].join("\n");
}

/** Until somebody resumes it, as after a finding of the auditor: fenced in the middle of whatever it does. */
export async function standStill(world: World, lane: number): Promise<void> {
  await world.query(
    `with fenced as (update lane set epoch = epoch + 1 where lane = $1 returning lane)
     insert into halt (lane, cause, evidence) select lane, 'audit_failed', '{}' from fenced`,
    [lane],
  );
}

/** Halts that nobody has resumed, as `lane: cause`. */
export async function openHalts(world: World): Promise<string[]> {
  const rows = await world.query("select lane, cause from halt where resumed_at is null order by lane");
  return rows.map((row) => `${row["lane"]}: ${row["cause"]}`);
}

/** Blocks of all lanes together. */
export async function blockCount(world: World): Promise<number> {
  return Number((await world.query("select sum(block) as blocks from lane"))[0]?.["blocks"]);
}

/** Waits until each of `instances` owns a lane and every lane is owned by one of them. */
export async function untilShared(world: World, instances: readonly Pick<Instance, "process">[]): Promise<void> {
  const wanted = new Set(instances.map((instance) => instance.process));
  let seen = "";
  await waitFor(
    () => `lanes shared by processes ${[...wanted].join(", ")}; they were ${seen}`,
    async () => {
      const owned = [...(await owners(world)).values()];
      seen = owned.join(" ");
      return owned.every((owner) => owner !== null && wanted.has(owner)) && new Set(owned).size === wanted.size;
    },
  );
}
