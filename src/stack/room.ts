// Whether this machine has the memory and the disk that the parts need, before they fail in their own words.
import { statfsSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import type { PartName } from "./state.ts";
import { StackUnavailable } from "./unavailable.ts";

const MIB = 1024 * 1024;

type Need = { readonly memoryMib: number; readonly diskMib: number };

// Memory as measured when idle, with room for load; disk for the files of an empty part and a first day of work.
const NEEDS: Readonly<Record<PartName, Need>> = {
  kafka: { memoryMib: 400, diskMib: 256 },
  postgres: { memoryMib: 250, diskMib: 512 },
  registry: { memoryMib: 80, diskMib: 1 },
};

/** All in bytes; null where the system does not tell. */
export type Room = { readonly memory: number | null; readonly disk: number | null };

export function roomIn(dir: string): Room {
  const { bavail, bsize } = statfsSync(dir);
  return { memory: memoryFree(), disk: bavail * bsize };
}

// Linux counts what it can give back at once as available. Elsewhere "free" leaves that out and says nothing useful.
// A container's limit is compared as a whole: its use counts cached files, which are given back when needed.
function memoryFree(): number | null {
  const limit = process.constrainedMemory();
  const whole = limit > 0 && limit < totalmem() ? limit : totalmem();
  return process.platform === "linux" ? Math.min(freemem(), whole) : whole;
}

/** @throws StackUnavailable when the parts that have to be started do not fit */
export function assertRoom(dir: string, room: Room, starting: readonly PartName[]): void {
  const sum = (unit: keyof Need): number => starting.reduce((total, name) => total + NEEDS[name][unit], 0);
  const short = (have: number | null, needMib: number): boolean => have !== null && have < needMib * MIB;
  const mib = (bytes: number | null): string => `${Math.floor((bytes ?? 0) / MIB)} MB`;
  if (short(room.memory, sum("memoryMib"))) {
    const problem = `too little memory: ${mib(room.memory)} is free, and the stack needs ${sum("memoryMib")} MB to start`;
    throw new StackUnavailable(problem, "end other programs, or give this machine or container more memory");
  }
  if (short(room.disk, sum("diskMib"))) {
    const problem = `too little disk: ${mib(room.disk)} is free in ${dir}, and the stack needs ${sum("diskMib")} MB`;
    throw new StackUnavailable(problem, "free some, or name a folder on another disk with --dir");
  }
}
