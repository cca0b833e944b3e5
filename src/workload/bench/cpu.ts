// CPU time by group of processes, from /proc.

import { readdirSync, readFileSync } from "node:fs";
import type { CpuSeconds } from "./bench.ts";

/** null where there is no such process on this machine: a server elsewhere, a container */
export type CpuPids = { readonly [Part in keyof CpuSeconds]: number | null };

/** Clock ticks a second in /proc; Linux has shown 100 to user space on every machine since 2.6. */
const TICKS_PER_SECOND = 100;
const UTIME = 11;
const CHILDREN_OF_ENDED = 4;
const PPID = 1;

/** Seconds used so far. Of Postgres the server with every backend, those that have ended included. */
export function cpuSeconds(pids: CpuPids): CpuSeconds {
  return {
    node: own(pids.node),
    kafka: own(pids.kafka),
    postgres: pids.postgres === null ? null : family(pids.postgres),
    ...(pids.sandbox === undefined ? {} : { sandbox: own(pids.sandbox) }),
  };
}

export function cpuBetween(before: CpuSeconds, after: CpuSeconds): CpuSeconds {
  const between = (name: keyof CpuSeconds): number | null => {
    const [from = null, to = null] = [before[name], after[name]];
    return from === null || to === null ? null : Math.round((to - from) * 100) / 100;
  };
  const both = { node: between("node"), postgres: between("postgres"), kafka: between("kafka") };
  return after.sandbox === undefined ? both : { ...both, sandbox: between("sandbox") };
}

function own(pid: number | null): number | null {
  const stat = pid === null ? null : statOf(pid);
  return stat === null ? null : ticks(stat, 2) / TICKS_PER_SECOND;
}

function family(pid: number): number | null {
  const stat = statOf(pid);
  if (stat === null) return null;
  let sum = ticks(stat, CHILDREN_OF_ENDED);
  for (const name of readdirSync("/proc")) {
    const child = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    if (child !== null && Number(child[PPID]) === pid) sum += ticks(child, CHILDREN_OF_ENDED);
  }
  return sum / TICKS_PER_SECOND;
}

/** utime and stime; with four fields also those of children that have ended */
function ticks(stat: readonly string[], fields: number): number {
  return stat.slice(UTIME, UTIME + fields).reduce((sum, field) => sum + Number(field), 0);
}

/** Fields behind the command's name, which may itself hold blanks; null when there is no such process. */
function statOf(pid: number): readonly string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}
