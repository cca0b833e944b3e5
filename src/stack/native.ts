// Parts that are processes of this machine: started, stopped, and recognised after a crash.
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BROKER } from "./broker.ts";
import { DATABASE } from "./database.ts";
import { type Ensured, elsewhere, type NativePart, PORT_OPTIONS, type Site } from "./part.ts";
import { accepts, choosePort, isFree } from "./ports.ts";
import { endProcess, isAlive, type ProcessMark } from "./processes.ts";
import { REGISTRY } from "./registry.ts";
import { type PartName, type PartState, writeState } from "./state.ts";
import { StackUnavailable } from "./unavailable.ts";

const PARTS: Readonly<Record<PartName, NativePart>> = { kafka: BROKER, postgres: DATABASE, registry: REGISTRY };

const READY_WAIT_MS = 90_000;
const READY_POLL_MS = 25;
const ACCEPT_WITHIN_MS = 1_000;
const PORT_TRIES_MAX = 3;

/** As `ensurePart`, for a process. */
export async function ensureProcess(site: Site, name: PartName, wantedPort: number | null): Promise<Ensured> {
  const part = PARTS[name];
  const known = site.state.parts[name];
  if (known?.process && isAlive(known.process)) {
    if (wantedPort !== null && wantedPort !== known.port) throw elsewhere(part.title, known.port, wantedPort);
    if (await accepts(known.port, ACCEPT_WITHIN_MS)) return "kept";
    site.say(`${part.title} (process ${known.process.pid}) runs but does not answer; it is started again`);
  }
  await clearProcess(site, name, wantedPort);
  await part.prepare(site);
  await start(site, part, wantedPort);
  return "started";
}

/** As `clearPart`, for a process. */
export async function clearProcess(site: Site, name: PartName, wantedPort: number | null): Promise<void> {
  await endStrays(site, PARTS[name]);
  if (wantedPort !== null) await choosePort(null, wantedPort, PORT_OPTIONS[name]);
}

/** Ends every process of the part: the one in the state file, and what a crash has left behind. */
export async function stopProcess(site: Site, name: PartName): Promise<void> {
  const part = PARTS[name];
  const known = site.state.parts[name];
  if (known?.process) await endProcess(known.process, part.stopSignal, part.stopGraceMs);
  await endStrays(site, part);
  if (known) remember(site, part, known.port, null);
}

/** SIGKILL; returns once the process is gone. */
export async function killProcess(site: Site, name: PartName): Promise<void> {
  const mark = site.state.parts[name]?.process;
  if (mark) await endProcess(mark, "SIGKILL", 0);
}

/** @returns the pid of the living process, or null */
export function pidOf(part: PartState): number | null {
  return part.process !== null && isAlive(part.process) ? part.process.pid : null;
}

async function endStrays(site: Site, part: NativePart): Promise<void> {
  const strays = part.strays(site.dir);
  if (strays.length > 0) {
    const pids = strays.map((mark) => mark.pid).join(", ");
    site.say(`cleaning up after an earlier ${part.name} of this folder (process ${pids})`);
  }
  // Killed, not asked: whoever should have stopped them in good order is gone, and all of them recover from a crash.
  await Promise.all(strays.map((mark) => endProcess(mark, "SIGKILL", 0)));
}

async function start(site: Site, part: NativePart, wantedPort: number | null): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const port = await choosePort(site.state.parts[part.name]?.port ?? null, wantedPort, PORT_OPTIONS[part.name]);
    const mark = await part.launch(site, port);
    remember(site, part, port, mark);
    const outcome = await untilReady(site, part, port, mark);
    if (outcome === "ready") return;
    const portLost = outcome === "ended" && (await lostItsPort(part, site.dir, port));
    await stopProcess(site, part.name);
    // A port that the user named is never replaced by another.
    if (!portLost || wantedPort !== null || tries === PORT_TRIES_MAX) throw didNotStart(site, part, outcome);
  }
}

/** Somebody was faster between our choice of a port and the bind. */
async function lostItsPort(part: NativePart, dir: string, port: number): Promise<boolean> {
  const log = existsSync(part.logFile(dir)) ? readFileSync(part.logFile(dir), "utf8") : "";
  return /address already in use|EADDRINUSE|BindException/i.test(log) || !(await isFree(port));
}

function remember(site: Site, part: NativePart, port: number, mark: ProcessMark | null): void {
  site.state.parts[part.name] = { port, process: mark };
  writeState(site.dir, site.state);
}

type Outcome = "ready" | "ended" | "silent";

async function untilReady(site: Site, part: NativePart, port: number, mark: ProcessMark): Promise<Outcome> {
  const deadline = Date.now() + READY_WAIT_MS;
  while (Date.now() < deadline) {
    if (await part.isReady(site, port, mark)) return "ready";
    if (!isAlive(mark)) return "ended";
    await sleep(READY_POLL_MS);
  }
  return "silent";
}

function didNotStart(site: Site, part: NativePart, outcome: Outcome): StackUnavailable {
  const log = part.logFile(site.dir);
  const how = outcome === "ended" ? "ended while it started" : `did not answer within ${READY_WAIT_MS / 1_000} s`;
  return new StackUnavailable(`${part.title} ${how} (${complaintIn(log)})`, `read ${log} and try again`);
}

/** The last line of a log that speaks of an error, or its last line. */
function complaintIn(log: string): string {
  const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  const complaint = lines.findLast((line) => /error|fatal|exception/i.test(line) && !/^\s*at /.test(line));
  return (complaint ?? lines.at(-1) ?? "its log is empty").trim();
}
