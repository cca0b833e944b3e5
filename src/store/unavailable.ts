// Commands for which certainly nothing was sent, kept before anybody is told so.

import type { Connection } from "./database.ts";
import { plainArray, timestamp } from "./literals.ts";
import * as sql from "./sql/unavailable.ts";

export type UnavailableCall = {
  /** of the command in its lane */
  readonly sequence: bigint;
  /** behind it the command is never executed */
  readonly notAfterMs: number;
};

/** Clocks differ by seconds; a row that is kept for longer costs nothing. */
const KEPT_LONGER_MS = 3_600_000;

/** @returns false, and nothing is kept, when the epoch is not the lane's any more */
export async function keepUnavailable(
  connection: Connection,
  { lane, epoch }: { readonly lane: number; readonly epoch: bigint },
  calls: readonly UnavailableCall[],
  nowMs: number,
): Promise<boolean> {
  const sequences = plainArray(calls.map(({ sequence }) => sequence));
  const deadlines = plainArray(calls.map(({ notAfterMs }) => timestamp(notAfterMs)));
  const past = timestamp(nowMs - KEPT_LONGER_MS);
  const { rows } = await connection.run(sql.keepUnavailable, [lane, epoch, sequences, deadlines, past]);
  return rows[0]?.["owned"] === 1;
}

/** @returns sequences of the lane's commands from one on */
export async function readUnavailable(connection: Connection, lane: number, from: bigint): Promise<Set<bigint>> {
  const { rows } = await connection.run(sql.readUnavailable, [lane, from]);
  return new Set(rows.map((row) => row["sequence"] as bigint));
}
