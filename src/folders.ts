// Making folders. Node's own way to make those above as well never ends where the system says of a folder that it is not
// there although the one above it is, as below /proc.

import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Makes the folder at `path` and those above it, as far as they are not there yet.
 *  @throws the system's error, with `code` and `path`, of the first that cannot be made */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (isFolder(path)) return;
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const above = dirname(path);
    if (!existsSync(above)) makeFolder(above);
    makeInside(path);
  }
}

/** The folder above is there now, whoever has made it meanwhile. */
function makeInside(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (!isFolder(path)) throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
