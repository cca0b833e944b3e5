// Processes in the background that outlive their starter, told apart from later ones that got the same pid.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync, renameSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A pid alone names a process only until it ends; with the start time it never names another one. */
export type ProcessMark = {
  readonly pid: number;
  /** opaque: boot id and clock ticks since boot on Linux, `ps -o lstart` elsewhere */
  readonly startedAt: string;
};

export type UserIds = { readonly uid: number; readonly gid: number };

export type Launch = {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** takes stdout and stderr; an earlier one is kept as `<logFile>.1` */
  readonly logFile: string;
  /** the user to run as; null is the caller's own */
  readonly as: UserIds | null;
};

const POLL_MS = 20;
const KILLED_WAIT_MS = 10_000;

/** @returns the mark of a living process, or null when there is none (a zombie counts as none) */
export function markOf(pid: number): ProcessMark | null {
  const startedAt = existsSync("/proc/self/stat") ? startOnLinux(pid) : startByPs(pid);
  return startedAt === null ? null : { pid, startedAt };
}

function startOnLinux(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the command in parentheses and may itself hold blanks and parentheses: count from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [runState, threads, ticks] = [fields[0], Number(fields[17]), fields[19]];
  // A killed JVM is a zombie in name while its other threads are still ending, and with them its open ports and files.
  const hasEnded = runState === "X" || (runState === "Z" && threads <= 1);
  if (ticks === undefined || hasEnded) return null;
  const boot = readOrNull("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
  return `${boot} ${ticks}`;
}

function startByPs(pid: number): string | null {
  const done = spawnSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" });
  const [runState, ...lstart] = (done.stdout ?? "").trim().split(/\s+/);
  if (done.status !== 0 || lstart.length === 0 || runState?.startsWith("Z")) return null;
  return lstart.join(" ");
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null; // The process ended between listing and reading, or belongs to somebody else.
  }
}

export function isAlive(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.startedAt === mark.startedAt;
}

/** Starts a process of its own session, writing to its log file, and lets go of it.
 *  @throws Error when the command cannot be started at all */
export async function launch(what: Launch): Promise<ProcessMark> {
  if (existsSync(what.logFile)) renameSync(what.logFile, `${what.logFile}.1`);
  const log = openSync(what.logFile, "a", 0o644);
  try {
    const child = spawn(what.command, what.args, {
      cwd: what.cwd,
      env: what.env,
      detached: true,
      stdio: ["ignore", log, log],
      ...(what.as === null ? {} : { uid: what.as.uid, gid: what.as.gid }),
    });
    const pid = await spawned(child);
    child.unref();
    // A process that ended at once has no start time any more; its empty one matches no living process.
    return markOf(pid) ?? { pid, startedAt: "" };
  } finally {
    closeSync(log);
  }
}

function spawned(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => resolve(child.pid ?? 0));
  });
}

export type Ended = { readonly status: number | null /** stdout and stderr as they came */; readonly output: string };
export type ToolOptions = {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly as?: UserIds | null;
};

/** Runs a command to its end. A command that cannot be started ends with status null and the reason as output. */
export function runToEnd(command: string, args: readonly string[], options: ToolOptions): Promise<Ended> {
  const { input = "", cwd = "/", env = process.env, as = null } = options;
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, ...(as === null ? {} : { uid: as.uid, gid: as.gid }) });
    let output = "";
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    // The tool may end without reading; what happened is in its status and output.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    child.once("error", (error) => resolve({ status: null, output: error.message }));
    child.once("close", (status) => resolve({ status, output }));
  });
}

/** Sends `signal`, waits up to `graceMs` for the end, then kills. Does nothing when the process has ended already. */
export async function endProcess(mark: ProcessMark, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  send(mark, signal);
  // A stopped process would sleep through any signal but SIGKILL.
  if (signal !== "SIGKILL") send(mark, "SIGCONT");
  if (await ended(mark, graceMs)) return;
  send(mark, "SIGKILL");
  await ended(mark, KILLED_WAIT_MS);
}

function send(mark: ProcessMark, signal: NodeJS.Signals): void {
  if (!isAlive(mark)) return;
  try {
    process.kill(mark.pid, signal);
  } catch {
    // It ended between the look and the signal, which is what was wanted.
  }
}

async function ended(mark: ProcessMark, waitMs: number): Promise<boolean> {
  const deadline = Date.now() + waitMs;
  while (isAlive(mark)) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Living processes that have `argument` among the words of their command line.
 *  Exact on Linux; elsewhere any command line that contains it, hence only absolute paths are asked for. */
export function processesNaming(argument: string): ProcessMark[] {
  if (existsSync("/proc/self/cmdline")) {
    return linuxPids((pid) => readOrNull(`/proc/${pid}/cmdline`)?.split("\0").includes(argument) ?? false);
  }
  const listed = spawnSync("ps", ["-axww", "-o", "pid=,command="], { encoding: "utf8" }).stdout ?? "";
  const lines = listed.split("\n").filter((line) => line.includes(argument));
  return lines.map((line) => markOf(Number.parseInt(line, 10))).filter((mark) => mark !== null);
}

/** Living processes whose working directory is `dir`; empty where /proc does not exist. */
export function processesWorkingIn(dir: string): ProcessMark[] {
  if (!existsSync("/proc/self/cwd")) return [];
  return linuxPids((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === dir;
    } catch {
      return false;
    }
  });
}

function linuxPids(matches: (pid: number) => boolean): ProcessMark[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids
    .filter((pid) => pid !== process.pid && matches(pid))
    .map(markOf)
    .filter((mark) => mark !== null);
}
