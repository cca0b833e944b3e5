// Lanes as an operator sees them: who owns what, where each stands, why it stopped. And the one thing that is written
// here: a halt is closed, with the positions that the operator accepts.

import type { Connection } from "./database.ts";
import { readTimestampMs } from "./literals.ts";
import { resumeHalt, showLanes, showPastHalts } from "./sql/show-lanes.ts";

export type HaltShown = {
  readonly halt: bigint;
  readonly haltedAtMs: number;
  readonly cause: string;
  readonly evidence: Readonly<Record<string, unknown>>;
};

export type LaneShown = {
  readonly lane: number;
  /** `free` when nobody holds it, its lease has run out, or its owner's session is gone */
  readonly owner: { readonly process: bigint; readonly label: string | null } | null;
  readonly epoch: bigint;
  readonly block: bigint;
  readonly digest: Buffer;
  /** the `now` of the last block; null before the first */
  readonly nowMs: number | null;
  readonly intentsNext: bigint;
  readonly reportsNext: bigint;
  /** next sequence, and the last one known to be published (-1n: none; at most a second behind) */
  readonly outcomes: Outgoing;
  readonly commands: Outgoing;
  readonly deadLetters: Outgoing;
  readonly accounts: bigint;
  readonly halt: HaltShown | null;
};

export type Outgoing = { readonly next: bigint; readonly published: bigint };

/** @param lane null for all */
export async function readLanes(connection: Connection, lane: number | null): Promise<LaneShown[]> {
  return (await connection.run(showLanes, [lane])).rows.map(readLaneRow);
}

function readLaneRow(row: Record<string, unknown>): LaneShown {
  const outgoing = (name: string): Outgoing => ({
    next: row[`${name}_next`] as bigint,
    published: row[`${name}_published`] as bigint,
  });
  const block = row["block"] as bigint;
  const owner = { process: row["owner"] as bigint, label: row["label"] as string | null };
  return {
    lane: row["lane"] as number,
    owner: row["is_owned"] === true ? owner : null,
    epoch: row["epoch"] as bigint,
    block,
    digest: row["digest"] as Buffer,
    nowMs: block === 0n ? null : readTimestampMs(row["now_at"]),
    intentsNext: row["intents_next"] as bigint,
    reportsNext: row["reports_next"] as bigint,
    outcomes: outgoing("outcomes"),
    commands: outgoing("commands"),
    deadLetters: outgoing("dead_letters"),
    accounts: row["accounts"] as bigint,
    halt:
      row["halt"] === null
        ? null
        : {
            halt: row["halt"] as bigint,
            haltedAtMs: readTimestampMs(row["halted_at"]),
            cause: row["cause"] as string,
            evidence: row["evidence"] as Readonly<Record<string, unknown>>,
          },
  };
}

export type PastHalt = {
  readonly halt: bigint;
  readonly haltedAtMs: number;
  readonly cause: string;
  readonly resumedAtMs: number;
  readonly reason: string;
  readonly intentsAt: bigint | null;
  readonly reportsAt: bigint | null;
  /** a block has taken the accepted position over */
  readonly applied: boolean;
};

/** The last ten halts of a lane that were resumed, newest first. */
export async function readPastHalts(connection: Connection, lane: number): Promise<PastHalt[]> {
  return (await connection.run(showPastHalts, [lane])).rows.map((row) => ({
    halt: row["halt"] as bigint,
    haltedAtMs: readTimestampMs(row["halted_at"]),
    cause: row["cause"] as string,
    resumedAtMs: readTimestampMs(row["resumed_at"]),
    reason: row["resumed_reason"] as string,
    intentsAt: row["resume_intents_at"] as bigint | null,
    reportsAt: row["resume_reports_at"] as bigint | null,
    applied: row["applied"] as boolean,
  }));
}

export type Resumption = {
  readonly reason: string;
  /** offsets from which to go on; null keeps the position */
  readonly intentsAt: bigint | null;
  readonly reportsAt: bigint | null;
  /** the output topics are not those of before: what they held is gone with them */
  readonly outputsAnew: boolean;
};

export type Resumed = {
  readonly halt: bigint;
  readonly cause: string;
  readonly intentsAt: bigint | null;
  readonly reportsAt: bigint | null;
};

/** Closes the lane's open halt; whoever takes the lane next judges its positions again.
 *  @returns null when the lane is not halted */
export async function resumeLane(
  connection: Connection,
  lane: number,
  { reason, intentsAt, reportsAt, outputsAnew }: Resumption,
): Promise<Resumed | null> {
  const { rows } = await connection.run(resumeHalt, [lane, reason, intentsAt, reportsAt, outputsAnew]);
  const newest = rows.toSorted((one, other) => ((one["halt"] as bigint) < (other["halt"] as bigint) ? 1 : -1))[0];
  if (newest === undefined) return null;
  return {
    halt: newest["halt"] as bigint,
    cause: newest["cause"] as string,
    intentsAt: newest["resume_intents_at"] as bigint | null,
    reportsAt: newest["resume_reports_at"] as bigint | null,
  };
}
