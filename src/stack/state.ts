// What a stack's folder remembers: which parts were started, as which processes or containers, on which ports.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../folders.ts";
import type { ProcessMark } from "./processes.ts";
import { StackUnavailable } from "./unavailable.ts";

export const PART_NAMES = ["kafka", "postgres", "registry"] as const;
export type PartName = (typeof PART_NAMES)[number];

export type PartState = {
  /** kept when the part is stopped: its next start takes the same port when that is free, so addresses stay valid */
  port: number;
  /** null while stopped, and always for a part in a container */
  process: ProcessMark | null;
  /** only in mode "docker"; the container, with its data, outlives `down` */
  containerId?: string;
};

export type StackState = {
  version: 1;
  mode: "native" | "docker";
  /** of the database's superuser; random, so that no other user of this machine gets in */
  databasePassword: string;
  parts: Partial<Record<PartName, PartState>>;
};

const fileIn = (dir: string): string => join(dir, "stack.json");

export function freshState(mode: StackState["mode"]): StackState {
  return { version: 1, mode, databasePassword: randomBytes(16).toString("hex"), parts: {} };
}

/** @returns null when no stack was ever started in `dir`
 *  @throws StackUnavailable when the file is not one that this version wrote */
export function readState(dir: string): StackState | null {
  if (!existsSync(fileIn(dir))) return null;
  try {
    const state = JSON.parse(readFileSync(fileIn(dir), "utf8")) as StackState;
    if (state.version === 1 && typeof state.parts === "object") return state;
  } catch {
    // Falls through to the same sentence: a half-written file cannot be, it is renamed into place.
  }
  throw new StackUnavailable(`${fileIn(dir)} is not a state file of this version`, "name another folder with --dir");
}

/** Replaces the file at once: a reader sees the old state or the new one. Mode 0600, since it holds the password. */
export function writeState(dir: string, state: StackState): void {
  makeFolder(dir);
  const next = `${fileIn(dir)}.${process.pid}.next`;
  writeFileSync(next, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(next, fileIn(dir));
}
