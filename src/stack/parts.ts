// A part of a stack, wherever it runs: as a process, or in a container.
import { containerRuns, ensureContainer, killContainer, stopContainer } from "./containers.ts";
import { clearProcess, ensureProcess, killProcess, pidOf, stopProcess } from "./native.ts";
import type { Ensured, Site } from "./part.ts";
import { accepts } from "./ports.ts";
import type { PartName, StackState } from "./state.ts";

const ACCEPT_WITHIN_MS = 1_000;

// The registry is our own program: it needs no image, and is a process in every mode.
type Contained = Exclude<PartName, "registry">;
const containedIn = (state: StackState, name: PartName): Contained | null =>
  state.mode === "docker" && name !== "registry" ? name : null;

/** Makes the part serve, whatever state it is in: serving already, never started, dead, or half dead.
 *  @param wantedPort the port that the user named, or null for one of our choice
 *  @throws  StackUnavailable when it cannot be started; what was started is ended again */
export function ensurePart(site: Site, name: PartName, wantedPort: number | null): Promise<Ensured> {
  const contained = containedIn(site.state, name);
  return contained === null ? ensureProcess(site, name, wantedPort) : ensureContainer(site, contained, wantedPort);
}

/** Clears the way for a part that does not serve, so that a whole stack is refused before any of it is started.
 *  @throws StackUnavailable when the named port is taken, and not by a leftover of this part */
export async function clearPart(site: Site, name: PartName, wantedPort: number | null): Promise<void> {
  // A container's port is its own, and the engine says whether it is free.
  if (containedIn(site.state, name) === null) await clearProcess(site, name, wantedPort);
}

/** Ends the part in good order and keeps its data. */
export function endPart(site: Site, name: PartName): Promise<void> {
  const contained = containedIn(site.state, name);
  return contained === null ? stopProcess(site, name) : stopContainer(site, contained);
}

/** Ends the part as a crash would. */
export function crashPart(site: Site, name: PartName): Promise<void> {
  const contained = containedIn(site.state, name);
  return contained === null ? killProcess(site, name) : killContainer(site, contained);
}

export type PartStatus = {
  readonly running: boolean;
  /** of its main process while that is alive; null for a container */
  readonly pid: number | null;
  /** where it listens, or last did; null when it was never started */
  readonly port: number | null;
};

/** A part runs when its process or container is alive and its port answers. Changes nothing. */
export async function partStatus(state: StackState | null, name: PartName): Promise<PartStatus> {
  const part = state?.parts[name];
  if (state === null || part === undefined) return { running: false, pid: null, port: null };
  const pid = pidOf(part);
  const isAlive = containedIn(state, name) === null ? pid !== null : await containerRuns(part);
  return { running: isAlive && (await accepts(part.port, ACCEPT_WITHIN_MS)), pid, port: part.port };
}
