// The sandbox killed in the middle of load, again and again: what it answered it has done, nothing twice, and its record
// says so. As a process of its own, with the command line as a user has it.

import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { isFree } from "../../src/stack/ports.ts";
import { MAIN } from "../support/millrace.ts";
import { type Answered, type Client, clientOf, eur, openHearer, temporaryDir } from "../support/sandbox.ts";
import { waitFor } from "../support/wait.ts";

const START_DEADLINE_MS = 30_000;
const FOR_EVER = "2099-01-01T00:00:00Z";
const PATIENCE_MS = 500;
const TASKS = 240;
const KILLS = 3;
const WORKERS = 16;

type Running = {
  readonly url: string;
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<unknown>;
};

function launch(args: readonly string[]): Running & { readonly told: () => string } {
  const child = spawn(process.execPath, [MAIN, "sandbox", ...args, "--json"], { stdio: ["ignore", "pipe", "pipe"] });
  const texts = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      texts[stream] += chunk;
    });
  }
  const ended = once(child, "close");
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await ended;
  });
  return { child, ended, url: "", said: () => texts.stderr, told: () => texts.stdout };
}

/** Starts one and waits until it says where it is. */
async function start(args: readonly string[]): Promise<Running> {
  const running = launch(args);
  const { child, said, told } = running;
  await waitFor(
    () => `a sandbox to start; it said ${said()}`,
    () => told().endsWith("\n") || child.exitCode !== null,
    START_DEADLINE_MS,
  );
  if (child.exitCode !== null) throw new Error(`the sandbox ended with ${child.exitCode}: ${said()}`);
  return { ...running, url: (JSON.parse(told()) as { url: string }).url };
}

async function kill({ child, ended }: Running): Promise<void> {
  child.kill("SIGKILL");
  await ended;
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
}

/** What a client knows of one key: it repeats what got no answer, as it is, until there is one. */
type Task = {
  readonly key: string;
  readonly provider: "cardco" | "instanet";
  readonly minor: string;
  answer: Record<string, unknown> | null;
};

function tasksOf(count: number): Task[] {
  return Array.from({ length: count }, (_, at) => ({
    key: `k${at}`,
    provider: at % 3 === 0 ? "instanet" : "cardco",
    minor: String(1_000 + at),
    answer: null,
  }));
}

function send(client: Client, { key, provider, minor }: Task): Promise<Answered> {
  if (provider === "instanet") return client.put(`payouts/${key}`, { amount: eur(minor), not_after: FOR_EVER });
  return client.post("authorizations", key, {
    reference: key,
    amount: eur(minor),
    token: "tok_visa",
    partial_approval: false,
  });
}

/** @returns the answer in JSON with 200; null for everything else that a provider in trouble may do, and where the machine
 *           took longer than a client has patience */
async function answerTo(request: Promise<Answered>): Promise<Record<string, unknown> | null> {
  try {
    const { status, body } = await request;
    return status === 200 && body["text"] === undefined ? body : null;
  } catch {
    return null;
  }
}

function tried(client: Client, task: Task): Promise<Record<string, unknown> | null> {
  return answerTo(send(client, task));
}

/** How it stands now. */
function asked(client: Client, { key, provider }: Task): Promise<Record<string, unknown> | null> {
  return answerTo(provider === "cardco" ? client.operation(key) : client.get(`payouts/${key}`));
}

/** Sends what has no answer yet, each twice at once, until it has one or `isOver`. */
async function work(client: Client, tasks: readonly Task[], workers: number, isOver: () => boolean): Promise<void> {
  const open = tasks.filter(({ answer }) => answer === null);
  const worker = async (): Promise<void> => {
    for (let task = open.shift(); task !== undefined && !isOver(); task = open.shift()) {
      const [one, other] = await Promise.all([tried(client, task), tried(client, task)]);
      task.answer ??= one ?? other;
      if (task.answer === null) {
        open.push(task);
        await sleep(5);
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
}

describe("a sandbox that is killed", () => {
  test("in the middle of load and repeats has done all that it answered, and nothing twice", {
    timeout: 180_000,
  }, async () => {
    const seed = Number(process.env["MILLRACE_TEST_SEED"] ?? randomInt(1_000_000));
    const again = `MILLRACE_TEST_SEED=${seed} npx vitest run test/faults/sandbox.test.ts`;
    const { url: hooks, heard } = await openHearer();
    const port = await freePort();
    const args = ["--dir", temporaryDir(), "--port", String(port), "--trouble", "0.4", "--seed", String(seed)];
    args.push(
      "--cardco-webhook",
      hooks,
      "--instanet-callback",
      hooks,
      "--soon-ms",
      "50",
      "--late-ms",
      "300",
      "--slow-ms",
      "50",
      "--silent-ms",
      "60000",
    );
    const tasks = tasksOf(TASKS);
    const answeredAt: number[] = [];
    let running = await start(args);

    for (let kills = 0; kills < KILLS; kills++) {
      const client = clientOf(running.url, PATIENCE_MS);
      let isOver = false;
      const working = work(client, tasks, WORKERS, () => isOver);
      const target = ((kills + 1) * tasks.length) / (KILLS + 2);
      await waitFor("answers", () => tasks.filter(({ answer }) => answer !== null).length >= target, 60_000);
      await kill(running);
      isOver = true;
      await working;
      answeredAt.push(tasks.filter(({ answer }) => answer !== null).length);
      running = await start(args);
    }
    const client = clientOf(running.url, PATIENCE_MS);
    await work(client, tasks, WORKERS, () => false);
    expect(
      answeredAt.every((count) => count < tasks.length),
      `${again}: a kill fell behind the load: ${answeredAt}`,
    ).toBe(true);
    await checkEffects(clientOf(running.url), tasks, again);
    await waitFor("webhooks about what is due", () => heard.length > tasks.length / 2);
    running.child.kill("SIGTERM");
    expect((await running.ended) as unknown[]).toEqual([0, null]);
  });

  /** What every key was answered, how it stands now, and what the record has of it. */
  async function checkEffects(client: Client, tasks: readonly Task[], again: string): Promise<void> {
    const settled = ["approved", "declined", "failed", "completed", "returned"];
    const rest = async (task: Task): Promise<void> => {
      let now: Record<string, unknown> = {};
      await waitFor(
        () => `${task.key} to come to rest; it is ${JSON.stringify(now)}. ${again}`,
        async () => {
          now = (await asked(client, task)) ?? now;
          return settled.includes(String(now["status"]));
        },
      );
    };
    const open = [...tasks];
    const worker = async (): Promise<void> => {
      for (let task = open.shift(); task !== undefined; task = open.shift()) await rest(task);
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    const record = await client.record();
    const done = record.filter(({ effect }) => effect === "done").map((one) => String(one["key"] ?? one["txid"]));
    expect(new Set(done).size, `${again}: a key had its effect twice`).toBe(done.length);
    const has = new Set(done);
    for (const { key, answer } of tasks) {
      const wasDone = ["approved", "completed"].includes(String(answer?.["status"]));
      expect(
        !wasDone || has.has(key),
        `${again}: ${key} was answered ${JSON.stringify(answer)} and is not in the record`,
      ).toBe(true);
    }
  }

  test("begins again with a journal whose last line is torn, and not with one that is damaged", async () => {
    const dir = temporaryDir();
    const args = ["--dir", dir, "--port", String(await freePort())];
    const journal = join(dir, "journal.jsonl");
    const first = await start(args);
    const task = tasksOf(2)[1] as Task;
    expect(await tried(clientOf(first.url), task)).toMatchObject({ status: "approved" });
    await kill(first);
    appendFileSync(journal, '{"e":"begun","provider":"cardco","key":"to');
    const second = await start(args);
    expect(await clientOf(second.url).record()).toHaveLength(1);
    await kill(second);
    writeFileSync(journal, readFileSync(journal, "utf8").replace('{"e":"begun"', '{"e:begun"'));
    await expect(start(args)).rejects.toThrow(/ended with 1: .*journal.jsonl:2: not a line of JSON/s);
  });
});

describe("the command", () => {
  test("keeps a second one out of its folder, and says which options are wrong", async () => {
    const dir = temporaryDir();
    const first = await start(["--dir", dir]);
    const second = launch(["--dir", dir]);
    expect(await second.ended).toEqual([3, null]);
    expect(second.said()).toContain(`process ${first.child.pid} holds`);
    writeFileSync(join(dir, "script.json"), '[{"do":"declind"}]');
    const wrong = launch([
      "--trouble",
      "1.5",
      "--seed",
      "a b",
      "--port",
      "x",
      "--script",
      join(dir, "script.json"),
      "--cardco-webhook",
      "ftp://x",
    ]);
    expect(await wrong.ended).toEqual([2, null]);
    expect(
      wrong
        .said()
        .split("\n")
        .map((line) => line.split(": ")[1]),
    ).toEqual(expect.arrayContaining(["--trouble", "--seed", "--port", "--script", "--cardco-webhook"]));
    const taken = launch(["--dir", temporaryDir(), "--port", new URL(first.url).port]);
    expect([await taken.ended, taken.said()]).toEqual([[2, null], expect.stringContaining("cannot listen on")]);
  });
});
