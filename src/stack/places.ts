// Where things lie: the cache of a user, and, for root, who runs the database and which folders that user can enter.
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmodSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { makeFolder } from "../folders.ts";
import type { UserIds } from "./processes.ts";
import { codeOf, StackUnavailable } from "./unavailable.ts";

/** Of this user: jars that root's JVM reads need no other reader. */
export function cacheDir(): string {
  const named = process.env["XDG_CACHE_HOME"];
  return join(named === undefined || named === "" ? join(homedir(), ".cache") : named, "millrace");
}

/** Root's place for what another user must reach too: root's home is closed on most systems. */
export const SHARED_CACHE_DIR = "/var/cache/millrace";
export const SHARED_DATA_DIR = "/var/lib/millrace";

/** Makes one of the two above, open to all whatever the caller's umask is. */
export function sharedDir(dir: string): string {
  makeFolder(dir);
  chmodSync(dir, 0o755);
  return dir;
}

/** Postgres refuses to run as root. An account that exists is used, so that no start of ours changes the machine.
 *  @returns null when we are not root and run everything as ourselves */
export function databaseUser(): UserIds | null {
  if (process.getuid?.() !== 0) return null;
  for (const name of ["postgres", "nobody"]) {
    const uid = idOf("-u", name);
    const gid = idOf("-g", name);
    if (uid !== null && gid !== null) return { uid, gid };
  }
  throw new StackUnavailable("Postgres does not run as root and there is no user `nobody`", "run as another user");
}

function idOf(flag: string, name: string): number | null {
  const done = spawnSync("id", [flag, name], { encoding: "utf8" });
  const id = Number.parseInt(done.stdout ?? "", 10);
  return done.status === 0 && id > 0 ? id : null;
}

/** True when `user` can enter the folder: asked of the system itself, since modes are not all that decides it. */
export function canEnter(user: UserIds | null, dir: string): boolean {
  if (user === null) return true;
  return spawnSync("/bin/sh", ["-c", 'cd "$0"', dir], { ...user, cwd: "/", stdio: "ignore" }).status === 0;
}

const CLAIM = ".millrace-stack";

/** Makes a folder that is ours to fill and to empty. The stack's folder may hold other files, and one of them may have
 *  a name that we use: what does not carry our mark is never touched.
 *  @throws StackUnavailable when it exists with other content */
export function claimFolder(dir: string): void {
  makeFolder(dir);
  const names = readdirSync(dir);
  if (names.includes(CLAIM)) return;
  if (names.length > 0) {
    throw new StackUnavailable(
      `${dir} exists and is not of a stack`,
      "move it away, or name another folder with --dir",
    );
  }
  writeFileSync(join(dir, CLAIM), "");
}

/** Makes `dir` by filling a folder beside it and renaming that: it exists whole or not at all, and of several
 *  processes that make it at once one wins. */
export async function makeWhole(dir: string, fill: (beside: string) => Promise<void>): Promise<void> {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return;
  const beside = `${dir}.${randomUUID()}`;
  makeFolder(beside);
  try {
    await fill(beside);
    renameSync(beside, dir);
  } catch (error) {
    if (!["EEXIST", "ENOTEMPTY"].includes(codeOf(error) ?? "")) throw error;
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}
