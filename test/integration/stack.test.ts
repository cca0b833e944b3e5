import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { chooseMode } from "../../src/stack/choose.ts";
import { freePort } from "../../src/stack/ports.ts";
import { isAlive, markOf, type ProcessMark } from "../../src/stack/processes.ts";
import {
  killBroker,
  killPart,
  StackUnavailable,
  stackDown,
  stackStatus,
  stackUp,
  startBroker,
} from "../../src/stack/stack.ts";
import { freshDatabase, testStack } from "../support/stack.ts";
import { removeStack, stackDir } from "../support/stack-dir.ts";

const dir = stackDir();
let said: string[] = [];
const say = (line: string): void => void said.push(line);
const up = () => stackUp({ dir, say });
const down = () => stackDown({ dir, say });

async function marks(): Promise<ProcessMark[]> {
  const { parts } = await stackStatus({ dir });
  return Object.values(parts).flatMap(({ pid }) => (pid === null ? [] : (markOf(pid) ?? [])));
}

async function query(databaseUrl: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: "array" })).rows;
  } finally {
    await client.end();
  }
}

beforeAll(() => writeFileSync(join(dir, "theirs.txt"), "not of the stack"));
afterEach(() => {
  said = [];
  vi.unstubAllEnvs();
});
afterAll(() => removeStack(dir));

test("the shared stack gives each caller an empty database of its own", async () => {
  const [first, second] = [await freshDatabase(), await freshDatabase()];
  await query(first, "create table t ()");
  expect(await query(second, "select count(*)::int from pg_tables where schemaname = 'public'")).toEqual([[0]]);
  expect(testStack().kafkaBrokers).toMatch(/^127\.0\.0\.1:\d+$/);
});

describe("a stack of one's own", () => {
  test("up twice at once, and once more, is one stack", async () => {
    const [first, second] = await Promise.all([up(), up()]);
    const before = await marks();
    expect(second).toEqual(first);
    expect(await up()).toEqual(first);
    expect(before).toHaveLength(3);
    expect(await marks()).toEqual(before);
  });

  test("the database is really durable", async () => {
    const { databaseUrl } = await up();
    const settings = ["fsync", "synchronous_commit", "full_page_writes"];
    for (const name of settings) expect(await query(databaseUrl, `show ${name}`)).toEqual([["on"]]);
    await expect(query(databaseUrl.replace(/:[^:@]+@/, ":wrong@"), "select 1")).rejects.toThrow(/password/);
  });

  test("down ends every process, keeps data and other files, and up finds them on the same addresses", async () => {
    const info = await up();
    await query(info.databaseUrl, "create table kept as select 42 as answer");
    const subject = `${info.schemaRegistryUrl}/subjects/s/versions`;
    await fetch(subject, { method: "POST", body: JSON.stringify({ schema: '"string"' }) });
    const before = await marks();
    await down();
    expect(before.filter(isAlive)).toEqual([]);
    expect((await stackStatus({ dir })).info).toBeNull();
    expect(await up()).toEqual(info);
    expect(await query(info.databaseUrl, "select answer from kept")).toEqual([[42]]);
    expect(await (await fetch(`${subject}/latest`)).json()).toMatchObject({ id: 1 });
    expect(readFileSync(join(dir, "theirs.txt"), "utf8")).toBe("not of the stack");
  });

  test("a killed broker comes back where it was", async () => {
    const { kafkaBrokers } = await up();
    await killBroker(dir);
    expect((await stackStatus({ dir })).parts.kafka).toMatchObject({ running: false, pid: null });
    await startBroker(dir);
    const { parts, info } = await stackStatus({ dir });
    expect(parts.kafka.running).toBe(true);
    expect(info?.kafkaBrokers).toBe(kafkaBrokers);
  });

  test("up starts the parts that died and leaves the living ones alone", async () => {
    const info = await up();
    const { parts: before } = await stackStatus({ dir });
    await killPart(dir, "postgres");
    await killPart(dir, "registry");
    expect(await up()).toEqual(info);
    const { parts: after } = await stackStatus({ dir });
    expect(after.kafka.pid).toBe(before.kafka.pid);
    expect(after.postgres.pid).not.toBe(before.postgres.pid);
  });

  test("after a crash, pids that went to other processes are left alone and leftovers do not stop the start", async () => {
    const info = await up();
    for (const part of ["kafka", "postgres", "registry"] as const) await killPart(dir, part);
    const bystander = spawn("sleep", ["60"]);
    const stateFile = join(dir, "stack.json");
    const state = JSON.parse(readFileSync(stateFile, "utf8"));
    for (const part of Object.values<{ process: ProcessMark }>(state.parts)) {
      part.process = { ...part.process, pid: bystander.pid ?? 0 };
    }
    writeFileSync(stateFile, JSON.stringify(state));
    const pidFile = join(dir, "postgres", "data", "postmaster.pid");
    writeFileSync(pidFile, readFileSync(pidFile, "utf8").replace(/^\d+/, String(bystander.pid)));
    expect(await up()).toEqual(info);
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
    bystander.kill();
  });

  test("living processes that the state file lost are recognised and replaced, and the data is still there", async () => {
    await up();
    const lost = await marks();
    rmSync(join(dir, "stack.json"));
    const info = await up();
    expect(lost.filter(isAlive)).toEqual([]);
    expect(said.join("\n")).toContain("cleaning up after an earlier kafka");
    expect(await query(info.databaseUrl, "select answer from kept")).toEqual([[42]]);
  });

  test("a running part is not moved to another port", async () => {
    const info = await up();
    await expect(stackUp({ dir, say, kafkaPort: await freePort() })).rejects.toThrow(/already has port/);
    expect(await up()).toEqual(info);
  });
});

describe("what is missing is said in one sentence with the remedy", () => {
  const elsewhere = stackDir();
  afterAll(() => removeStack(elsewhere));

  async function complaint(attempt: () => Promise<unknown>): Promise<string> {
    const error = await attempt().then(
      () => null,
      (reason: unknown) => reason,
    );
    // With a Docker engine the choice falls on it, and the reason is said instead of thrown.
    if (error === null) return said.join("\n");
    expect(error).toBeInstanceOf(StackUnavailable);
    return (error as StackUnavailable).message;
  }

  test("no Java", async () => {
    vi.stubEnv("PATH", elsewhere);
    vi.stubEnv("JAVA_HOME", "");
    const sentence = await complaint(() => chooseMode(say));
    expect(sentence).toContain("Java was not found on PATH or in JAVA_HOME");
  });

  test("no Maven, and nothing in the cache", async () => {
    const bin = join(elsewhere, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "java"), "#!/bin/sh\necho 'openjdk version \"21.0.2\"' >&2\n", { mode: 0o755 });
    vi.stubEnv("PATH", bin);
    vi.stubEnv("JAVA_HOME", "");
    vi.stubEnv("XDG_CACHE_HOME", elsewhere);
    expect(await complaint(() => chooseMode(say))).toContain("Maven (`mvn`) was not found");
  });

  test("Java too old", async () => {
    const old = join(elsewhere, "old");
    mkdirSync(old);
    writeFileSync(join(old, "java"), "#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n", { mode: 0o755 });
    vi.stubEnv("PATH", old);
    vi.stubEnv("JAVA_HOME", "");
    expect(await complaint(() => chooseMode(say))).toContain("Java 8 is too old");
  });

  test("a port that is taken; and nothing is left running", async () => {
    const port = await freePort();
    const server = createServer().listen(port, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const place = join(elsewhere, "stack");
    const attempt = () => stackUp({ dir: place, pgPort: port, say });
    expect(await complaint(attempt)).toMatch(new RegExp(`port ${port} is taken by another process: .*--pg-port`));
    server.close();
    const { parts } = await stackStatus({ dir: place });
    expect(Object.values(parts).map(({ pid }) => pid)).toEqual([null, null, null]);
  });

  test("a folder that cannot be made, and one that holds a state file of another kind", async () => {
    const file = join(elsewhere, "file");
    writeFileSync(file, "");
    expect(await complaint(() => stackUp({ dir: join(file, "stack"), say }))).toContain("cannot be made (ENOTDIR)");
    const strange = join(elsewhere, "strange");
    mkdirSync(strange);
    writeFileSync(join(strange, "stack.json"), "[]");
    expect(await complaint(() => stackUp({ dir: strange, say }))).toContain("is not a state file of this version");
  });
});

describe("the environment", () => {
  test("is used as it is when it names all three addresses", async () => {
    vi.stubEnv("KAFKA_BROKERS", "kafka:9092");
    vi.stubEnv("DATABASE_URL", "postgres://db/millrace");
    vi.stubEnv("SCHEMA_REGISTRY_URL", "http://registry");
    expect(await up()).toEqual({
      kafkaBrokers: "kafka:9092",
      databaseUrl: "postgres://db/millrace",
      schemaRegistryUrl: "http://registry",
      dir,
      mode: "environment",
    });
  });

  test("is not mixed with a local stack, and that is said", async () => {
    vi.stubEnv("DATABASE_URL", "postgres://db/millrace");
    expect((await up()).mode).not.toBe("environment");
    expect(said).toContain("DATABASE_URL in the environment is not used without KAFKA_BROKERS and SCHEMA_REGISTRY_URL");
  });
});
