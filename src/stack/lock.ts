// One `up` or `down` of a folder at a time, and one download into the cache: a lock file naming its living holder.
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFolder } from "../folders.ts";
import { isAlive, markOf, type ProcessMark } from "./processes.ts";
import { codeOf, StackUnavailable } from "./unavailable.ts";

const POLL_MS = 50;
const BREAKER_AGE_MAX_MS = 10_000;
let serial = 0;

/** Runs `work` while no other process (and no other caller in this one) holds the lock file at `path`.
 *  @throws StackUnavailable when the holder, named in the message, still has it after `waitMs` */
export async function withLock<T>(path: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  makeFolder(dirname(path));
  const deadline = Date.now() + waitMs;
  while (!take(path)) {
    const holder = holderOf(path);
    if (holder !== null && !isAlive(holder)) breakLock(path);
    else if (Date.now() > deadline) {
      throw new StackUnavailable(`process ${holder?.pid} holds ${path} for too long`, "wait for it, or end it");
    }
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

// The file is written beside and linked into place, so that nobody ever reads a lock without its holder.
function take(path: string): boolean {
  serial += 1;
  const own = `${path}.${process.pid}.${serial}`;
  writeFileSync(own, JSON.stringify(markOf(process.pid)));
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function holderOf(path: string): ProcessMark | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ProcessMark;
  } catch {
    return null; // Released since.
  }
}

// Two waiters may both see a dead holder. Without a second lock the slower one would remove the lock that the faster
// one has just taken: so the look and the removal happen under `.break`, which lives for microseconds.
function breakLock(path: string): void {
  const breaker = `${path}.break`;
  try {
    writeFileSync(breaker, "", { flag: "wx" });
  } catch {
    const age = Date.now() - (statSync(breaker, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > BREAKER_AGE_MAX_MS) rmSync(breaker, { force: true });
    return;
  }
  const holder = holderOf(path);
  if (holder !== null && !isAlive(holder)) rmSync(path, { force: true });
  rmSync(breaker, { force: true });
}
