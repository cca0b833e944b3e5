// Folders of stacks that tests start, named so that a later run finds and ends those of a run that was killed.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive } from "../../src/stack/processes.ts";
import { stackDown } from "../../src/stack/stack.ts";
import { readState } from "../../src/stack/state.ts";

const PREFIX = "millrace-test-";

/** @returns a new folder for a stack of one's own; give it to `removeStack` in the end */
export function stackDir(): string {
  const dir = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  chmodSync(dir, 0o755); // As root, the database runs as another user, who has to get in.
  // The runner leaves the teardown out when it is interrupted, and gives this event no time to wait for anything.
  process.once("exit", () => removeAtOnce(dir));
  return dir;
}

function removeAtOnce(dir: string): void {
  const parts = Object.values(readState(dir)?.parts ?? {});
  for (const { process: mark } of parts) if (mark !== null && isAlive(mark)) process.kill(mark.pid, "SIGKILL");
  rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
}

/** @returns the process that made the folder of this name, or null when it is not one of ours */
export function ownerOf(name: string): number | null {
  const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
  return Number.isNaN(pid) ? null : pid;
}

export async function removeStack(dir: string): Promise<void> {
  await stackDown({ dir, say: () => undefined });
  rmSync(dir, { recursive: true, force: true });
}
