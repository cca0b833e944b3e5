// Lanes, leases and halts: who owns a lane, where it stands, why it stopped.

import type { TimerKey } from "../domain/books.ts";
import type { Head, TimerPosition } from "../domain/head.ts";
import { type Connection, sqlState } from "./database.ts";
import { plainArray, readTimestampMs, timestamp } from "./literals.ts";
import { acceptedPosition, applyPosition, auditsAccepted, insertAuditHalt, insertHalt, openHalts } from "./sql/halt.ts";
import * as lease from "./sql/lease.ts";
import { readHouse } from "./sql/read-house.ts";
import { readLane } from "./sql/read-lane.ts";
import { readTimers } from "./sql/read-timers.ts";

const LOCK_NOT_AVAILABLE = "55P03";

export type Tick = {
  readonly entered: boolean;
  readonly processes: number;
  /** how many of the processes have a smaller number than ours */
  readonly rank: number;
  readonly lanes: number;
  readonly mine: readonly number[];
  readonly free: readonly number[];
  readonly halted: readonly number[];
  readonly clockMs: number;
};

/** Far more than there are processes. */
const NUMBERS_TRIED_MAX = 1_000;

/** Registers this process on a session of its own, whose end tells everybody that we are gone. */
export async function enterProcess(session: Connection, label: string): Promise<bigint> {
  // A database that was put back gives numbers once more, and a process that has one may still run.
  for (let tries = 0; tries < NUMBERS_TRIED_MAX; tries++) {
    const row = (await session.run(lease.openProcess, [])).rows[0];
    if (row?.["is_ours"] !== true) continue;
    const process = row["process"] as bigint;
    await session.run(lease.enterProcess, [process, label]);
    return process;
  }
  throw new Error(`the last ${NUMBERS_TRIED_MAX} process numbers are all taken`);
}

/** Takes the liveness lock again on a new session, for a process whose session broke. */
export async function reenterProcess(session: Connection, process: bigint, label: string): Promise<void> {
  await session.run(lease.holdProcess, [process]);
  await session.run(lease.enterProcess, [process, label]);
}

export async function leaveProcess(session: Connection, process: bigint): Promise<void> {
  await session.run(lease.leaveProcess, [process]);
}

export async function tickLeases(
  session: Connection,
  process: bigint,
  ttlMs: number,
  held: readonly number[],
): Promise<Tick> {
  const row = (await session.run(lease.tick, [process, ttlMs, plainArray(held)])).rows[0] as Record<string, unknown>;
  return {
    entered: row["entered"] === 1,
    processes: row["processes"] as number,
    rank: row["rank"] as number,
    lanes: row["lanes"] as number,
    mine: row["mine"] as number[],
    free: row["free"] as number[],
    halted: row["halted"] as number[],
    clockMs: readTimestampMs(row["clock_at"]),
  };
}

/** @returns the lanes of `wanted` that are ours now */
export async function takeLeases(
  session: Connection,
  process: bigint,
  ttlMs: number,
  wanted: readonly number[],
): Promise<number[]> {
  return (await session.run(lease.take, [process, ttlMs, plainArray(wanted)])).rows.map((row) => row["lane"] as number);
}

export async function releaseLease(session: Connection, process: bigint, lane: number): Promise<void> {
  await session.run(lease.release, [lane, process]);
}

/** Raises the lane's fence and reads its head.
 *  @returns "lost" when the lease is not ours any more; "busy" while an earlier owner's block holds the lane row */
export async function raiseEpoch(session: Connection, process: bigint, lane: number): Promise<Head | "lost" | "busy"> {
  try {
    const row = (await session.run(lease.raiseEpoch, [lane, process])).rows[0];
    return row === undefined ? "lost" : readHead(row);
  } catch (error) {
    if (sqlState(error) === LOCK_NOT_AVAILABLE) return "busy";
    throw error;
  }
}

export async function ownsLane(connection: Connection, process: bigint, lane: number, epoch: bigint): Promise<boolean> {
  return (await connection.run(lease.owns, [lane, process, epoch])).rows[0]?.["is_ours"] === true;
}

export async function readLaneHead(connection: Connection, lane: number): Promise<Head | null> {
  const row = (await connection.run(readLane, [lane])).rows[0];
  return row === undefined ? null : readHead(row);
}

function readHead(row: Record<string, unknown>): Head {
  const input = (name: string) => ({
    next: row[`${name}_next`] as bigint,
    last: row[`${name}_last`] as bigint,
    lastAtMs: readTimestampMs(row[`${name}_last_at`]),
    lastHash: row[`${name}_last_hash`] as Buffer,
  });
  return {
    epoch: row["epoch"] as bigint,
    block: row["block"] as bigint,
    digest: row["digest"] as Buffer,
    nowMs: readTimestampMs(row["now_at"]),
    intents: input("intents"),
    reports: input("reports"),
    timer: {
      dueMs: readTimestampMs(row["timer_due_at"]),
      caseId: (row["timer_case_id"] as string).replaceAll("-", ""),
      name: row["timer_name"] as string,
    },
    outcomesNext: row["outcomes_next"] as bigint,
    commandsNext: row["commands_next"] as bigint,
    deadLettersNext: row["dead_letters_next"] as bigint,
    accounts: row["accounts"] as bigint,
  };
}

/** House accounts that the lane has touched, by `<path> <currency>`. */
export async function readHouseAccounts(connection: Connection, lane: number): Promise<Map<string, bigint>> {
  const { rows } = await connection.run(readHouse, [lane]);
  return new Map(rows.map((row) => [`${row["path"]} ${row["currency"]}`, row["account"] as bigint]));
}

export async function nextTimers(
  connection: Connection,
  lane: number,
  after: TimerPosition,
  limit: number,
): Promise<TimerKey[]> {
  const { rows } = await connection.run(readTimers, [lane, timestamp(after.dueMs), after.caseId, after.name, limit]);
  return rows.map((row) => ({
    dueMs: readTimestampMs(row["due_at"]),
    caseId: (row["case_id"] as string).replaceAll("-", ""),
    name: row["name"] as string,
  }));
}

// Halts -------------------------------------------------------------------------------------------------------------------

export type OpenHalt = {
  readonly halt: bigint;
  readonly lane: number;
  readonly cause: string;
  readonly evidence: unknown;
};

export type NewHalt = {
  /** of the owner that halts */
  readonly epoch: bigint;
  readonly cause: string;
  readonly evidence: Record<string, unknown>;
};

/** @returns whether the lane is halted; false when the epoch is not the lane's any more */
export async function recordHalt(connection: Connection, lane: number, halt: NewHalt): Promise<boolean> {
  const { rows } = await connection.run(insertHalt, [lane, halt.cause, jsonOf(halt.evidence), halt.epoch]);
  return rows[0]?.["is_ours"] === true;
}

function jsonOf(evidence: Record<string, unknown>): string {
  return JSON.stringify(evidence, (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
}

/** Halts a lane for the auditor, and fences its owner with the same statement.
 *  @returns false when it is halted already */
export async function haltForAudit(
  connection: Connection,
  lane: number,
  evidence: Record<string, unknown>,
): Promise<boolean> {
  return (await connection.run(insertAuditHalt, [lane, jsonOf(evidence)])).rows.length === 1;
}

/** Lanes that an operator has let go on after a finding of the auditor. */
export async function readAuditsAccepted(connection: Connection): Promise<Set<number>> {
  return new Set((await connection.run(auditsAccepted, [])).rows.map((row) => row["lane"] as number));
}

export async function listOpenHalts(connection: Connection): Promise<OpenHalt[]> {
  return (await connection.run(openHalts, [])).rows as unknown as OpenHalt[];
}

export type AcceptedPosition = {
  readonly halt: bigint;
  readonly intentsAt: bigint | null;
  readonly reportsAt: bigint | null;
};

/** A position that an operator accepted after a halt and that no block has taken over yet. */
export async function readAcceptedPosition(connection: Connection, lane: number): Promise<AcceptedPosition | null> {
  const row = (await connection.run(acceptedPosition, [lane])).rows[0];
  if (row === undefined) return null;
  return {
    halt: row["halt"] as bigint,
    intentsAt: row["resume_intents_at"] as bigint | null,
    reportsAt: row["resume_reports_at"] as bigint | null,
  };
}

export async function markApplied(connection: Connection, halt: bigint): Promise<void> {
  await connection.run(applyPosition, [halt]);
}
