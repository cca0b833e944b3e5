// `millrace run`, `millrace load` and `millrace sandbox` as processes of their own, as a user starts them.

import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { wallMs } from "../load/pump.ts";
import { BenchFailed } from "./bench.ts";

const MAIN = fileURLToPath(new URL("../../main.js", import.meta.url));
/** Not where the user is: a settings file there would change the defaults that are measured. */
const CWD = tmpdir();
const READY_MAX_MS = 60_000;
const STOP_MAX_MS = 30_000;
const LINES_KEPT = 20;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Runs one command to its end.
 *  @param stop ends it
 *  @returns what it printed on stdout
 *  @throws BenchFailed with the end of stderr when it fails */
export async function millrace(
  argv: readonly string[],
  environment: Environment,
  stop: AbortSignal | null = null,
): Promise<string> {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    cwd: CWD,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
    ...(stop === null ? {} : { signal: stop, killSignal: "SIGKILL" }),
  });
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const stderr = new LastLines(child);
  const code = await exitOf(child);
  if (code === 0) return stdout;
  throw new BenchFailed(`millrace ${argv[0]} ended with ${code}:\n${stderr.text()}`);
}

/** A running service. */
export class ServiceProcess {
  readonly pid: number;
  /** the time at which the process was started, milliseconds since the epoch */
  readonly startedAtMs: number;
  /** the time at which the first lane was taken: nothing is read before that */
  firstLaneAtMs: number | null = null;
  readonly #child: ChildProcess;
  readonly #stderr: LastLines;
  readonly #exit: Promise<number | null>;
  #taken = 0;
  #wake: () => void = () => {};
  #ended = false;

  constructor(environment: Environment) {
    this.startedAtMs = wallMs();
    const env = { ...environment, MILLRACE_LOG_LEVEL: "info", MILLRACE_LOG_PRETTY: "false" };
    this.#child = spawn(process.execPath, [MAIN, "run"], { cwd: CWD, env, stdio: ["ignore", "ignore", "pipe"] });
    this.pid = this.#child.pid ?? 0;
    this.#stderr = new LastLines(this.#child, (line) => this.#read(line));
    this.#exit = exitOf(this.#child).finally(() => {
      this.#ended = true;
      this.#wake();
    });
    this.#exit.catch(() => {});
  }

  #read(line: string): void {
    if (!line.includes('"lane taken"')) return;
    const { time } = JSON.parse(line) as { time: string };
    this.firstLaneAtMs ??= Date.parse(time);
    this.#taken += 1;
    this.#wake();
  }

  /** @throws BenchFailed when it has not taken so many lanes within a minute */
  async untilTaken(lanes: number): Promise<void> {
    const until = performance.now() + READY_MAX_MS;
    while (this.#taken < lanes) {
      this.assertRuns();
      if (performance.now() > until) throw new BenchFailed(`the service took ${this.#taken} of ${lanes} lanes only`);
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), later(500)]);
    }
  }

  /** @throws BenchFailed when it has ended */
  assertRuns(): void {
    if (this.#ended) throw new BenchFailed("the service has ended");
  }

  /** The result of work that needs this service.
   *  @throws BenchFailed when the service ends before it */
  async during<Result>(work: Promise<Result>): Promise<Result> {
    work.catch(() => {});
    const ended = this.#exit.then(() => {
      throw new BenchFailed("the service has ended");
    });
    return Promise.race([work, ended]);
  }

  /** What failed outside, with the service's last lines: the reason is likely there. */
  explain(error: unknown): unknown {
    const lines = this.#stderr.text();
    return error instanceof BenchFailed ? new BenchFailed(`${error.message}; the service said last:\n${lines}`) : error;
  }

  async stop(): Promise<void> {
    await end(this.#child, this.#exit);
  }
}

/** The sandbox with its providers, which make no trouble. */
export class SandboxProcess {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #stderr: LastLines;
  readonly #exit: Promise<number | null>;
  readonly #told: Promise<string | null>;
  #ended = false;

  /** @param dir its journal's folder */
  constructor(dir: string, environment: Environment) {
    const argv = [MAIN, "sandbox", "--dir", dir, "--json"];
    this.#child = spawn(process.execPath, argv, { cwd: CWD, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    this.pid = this.#child.pid ?? 0;
    this.#stderr = new LastLines(this.#child);
    this.#exit = exitOf(this.#child).finally(() => {
      this.#ended = true;
    });
    const ended = this.#exit.then(
      () => null,
      () => null,
    );
    this.#told = Promise.race([firstLine(this.#child), ended]);
  }

  /** Where it is, when it serves.
   *  @throws BenchFailed when it ends before that */
  async url(): Promise<string> {
    const line = await this.#told;
    this.assertRuns();
    return (JSON.parse(line ?? "") as { url: string }).url;
  }

  /** @throws BenchFailed when it has ended */
  assertRuns(): void {
    if (this.#ended) throw new BenchFailed(`the sandbox has ended:\n${this.#stderr.text()}`);
  }

  async stop(): Promise<void> {
    await end(this.#child, this.#exit);
  }
}

/** Never, when it ends without one. */
function firstLine({ stdout }: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    if (stdout !== null) createInterface({ input: stdout }).once("line", resolve);
  });
}

/** The last lines of a child's stderr, for the message when it fails. */
class LastLines {
  readonly #lines: string[] = [];

  constructor(child: ChildProcess, each: (line: string) => void = () => {}) {
    if (child.stderr === null) return;
    createInterface({ input: child.stderr }).on("line", (line) => {
      this.#lines.push(line);
      if (this.#lines.length > LINES_KEPT) this.#lines.shift();
      each(line);
    });
  }

  text(): string {
    return this.#lines.join("\n");
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });
}

async function end(child: ChildProcess, exit: Promise<number | null>): Promise<void> {
  child.kill("SIGTERM");
  const forced = setTimeout(() => child.kill("SIGKILL"), STOP_MAX_MS);
  await exit;
  clearTimeout(forced);
}

export function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
