// Starting and stopping the parts of a native stack.
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BROKER } from "./broker.ts";
import { DATABASE } from "./database.ts";
import type { NativePart, Site } from "./part.ts";
import { accepts, freePort, isFree } from "./ports.ts";
import { endProcess, isAlive, type ProcessMark } from "./processes.ts";
import { REGISTRY } from "./registry.ts";
import { type PartName, writeState } from "./state.ts";
import { StackUnavailable } from "./unavailable.ts";

export const PARTS: Readonly<Record<PartName, NativePart>> = { kafka: BROKER, postgres: DATABASE, registry: REGISTRY };

const READY_WAIT_MS = 90_000;
const READY_POLL_MS = 25;
const ACCEPT_WITHIN_MS = 1_000;
const PORT_TRIES_MAX = 3;

/** Makes the part serve, whatever state it is in: serving already, never started, dead, or half dead.
 *  @param wantedPort the port that the user named, or null for one of our choice
 *  @returns "kept" when it served already
 *  @throws  StackUnavailable when it cannot be started; what was started is ended again */
export async function ensurePart(site: Site, part: NativePart, wantedPort: number | null): Promise<"kept" | "started"> {
  const known = site.state.parts[part.name];
  if (known?.process && isAlive(known.process)) {
    if (wantedPort !== null && wantedPort !== known.port) throw elsewhere(part, known.port, wantedPort);
    if (await accepts(known.port, ACCEPT_WITHIN_MS)) return "kept";
    site.say(`${part.title} (process ${known.process.pid}) runs but does not answer; it is started again`);
  }
  await endStrays(site, part);
  await part.prepare(site);
  await start(site, part, wantedPort);
  return "started";
}

function elsewhere(part: NativePart, port: number, wanted: number): StackUnavailable {
  const remedy = `end it with \`millrace stack down\` before it can start on port ${wanted}`;
  return new StackUnavailable(`${part.title} of this stack already runs on port ${port}`, remedy);
}

/** Ends every process of the part: the one in the state file, and what a crash has left behind. */
export async function endPart(site: Site, part: NativePart): Promise<void> {
  const known = site.state.parts[part.name];
  if (known?.process) await endProcess(known.process, part.stopSignal, part.stopGraceMs);
  await endStrays(site, part);
  if (known) remember(site, part, known.port, null);
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
    const port = await choosePort(site, part, wantedPort);
    const mark = await part.launch(site, port);
    remember(site, part, port, mark);
    const outcome = await untilReady(site, part, port, mark);
    if (outcome === "ready") return;
    await endPart(site, part);
    // Somebody was faster than we between the choice and the bind. A port that the user named is never replaced.
    const portLost = outcome === "ended" && !(await isFree(port));
    if (!portLost || wantedPort !== null || tries === PORT_TRIES_MAX) throw didNotStart(site, part, outcome);
  }
}

async function choosePort(site: Site, part: NativePart, wanted: number | null): Promise<number> {
  const last = site.state.parts[part.name]?.port;
  if (wanted === null) return last !== undefined && (await isFree(last)) ? last : freePort();
  if (await isFree(wanted)) return wanted;
  throw new StackUnavailable(
    `port ${wanted} is taken by another process`,
    `end that process, or name another port with ${part.portOption}`,
  );
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
