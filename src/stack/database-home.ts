// The folder that the database lies in. When root starts a stack under a closed home, the user that Postgres runs as
// cannot get into the stack's folder: the data then lies in a shared place, and the stack's folder holds a link to it.
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { makeFolder } from "../folders.ts";
import { canEnter, claimFolder, SHARED_DATA_DIR, sharedDir } from "./places.ts";
import { processesWorkingIn, type UserIds } from "./processes.ts";

const OWNER_FILE = "linked-from";

/** Makes the folder if it does not exist yet.
 *  @param place its name in the stack's folder
 *  @param user  who Postgres runs as; null: the caller
 *  @returns     its real path, owned by `user`
 *  @throws      StackUnavailable when something else has that name */
export function databaseHome(place: string, user: UserIds | null): string {
  if (existsSync(place)) {
    claimFolder(place);
    return realpathSync(place);
  }
  rmSync(place, { force: true }); // A link that leads nowhere.
  const dir = dirname(place);
  makeFolder(dir);
  // The stack's own folder may be opened for passing through; folders above it are not ours to change.
  if (!canEnter(user, dir)) chmodSync(dir, statSync(dir).mode | 0o011);
  const home = canEnter(user, dir) ? place : linkToShared(place);
  claimFolder(home);
  if (home !== place) writeFileSync(join(home, OWNER_FILE), place);
  if (user !== null) chownSync(home, user.uid, user.gid);
  return realpathSync(home);
}

// The link comes first, and the folder after it: another `up` that sweeps at this moment sees nothing without a link.
function linkToShared(place: string): string {
  for (const name of readdirSync(sharedDir(SHARED_DATA_DIR))) removeIfLeft(join(SHARED_DATA_DIR, name));
  const home = join(SHARED_DATA_DIR, randomUUID());
  symlinkSync(home, place);
  return home;
}

/** Whoever removes a stack's folder removes the link alone: what it led to goes with the next stack that is made. */
function removeIfLeft(home: string): void {
  const file = join(home, OWNER_FILE);
  if (!existsSync(file) || leadsTo(readFileSync(file, "utf8"), home)) return;
  if (processesWorkingIn(join(home, "data")).length === 0) rmSync(home, { recursive: true, force: true });
}

function leadsTo(link: string, home: string): boolean {
  try {
    return readlinkSync(link) === home;
  } catch {
    return false;
  }
}
