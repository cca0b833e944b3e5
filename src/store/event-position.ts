// How far the lists of providers' events were read.

import type { Connection } from "./database.ts";
import { readTimestampMs, timestamp } from "./literals.ts";
import * as sql from "./sql/event-position.ts";

/** @returns the position in the provider's words, empty when there is none yet */
export async function readEventPosition(connection: Connection, lane: number, provider: string): Promise<string> {
  const { rows } = await connection.run(sql.readEventPosition, [lane, provider]);
  return (rows[0]?.["position"] as string | undefined) ?? "";
}

export type EventStep = { readonly provider: string; readonly from: string; readonly to: string };

/** @returns `not_ours` when the epoch is not the lane's any more, `moved` when the list is to be read from another place than
 *           `from` now: nothing is kept then */
export async function keepEventPosition(
  connection: Connection,
  { lane, epoch }: { readonly lane: number; readonly epoch: bigint },
  { provider, from, to }: EventStep,
  nowMs: number,
): Promise<"kept" | "moved" | "not_ours"> {
  const { rows } = await connection.run(sql.keepEventPosition, [lane, epoch, provider, from, to, timestamp(nowMs)]);
  if (rows[0]?.["owned"] !== true) return "not_ours";
  return rows[0]["kept"] === true ? "kept" : "moved";
}

export type EventPosition = {
  readonly lane: number;
  readonly provider: string;
  readonly position: string;
  readonly writtenAtMs: number;
};

export async function listEventPositions(connection: Connection): Promise<readonly EventPosition[]> {
  const { rows } = await connection.run(sql.listEventPositions, []);
  return rows.map((row) => ({
    lane: Number(row["lane"]),
    provider: String(row["provider"]),
    position: String(row["position"]),
    writtenAtMs: readTimestampMs(row["written_at"]),
  }));
}

/** Lets whoever reads the provider's list go on from another place.
 *  @returns where it would have gone on; null when nothing of the list was read yet */
export async function setEventPosition(
  connection: Connection,
  provider: string,
  position: string,
  nowMs: number,
): Promise<string | null> {
  const { rows } = await connection.run(sql.setEventPosition, [provider, position, timestamp(nowMs)]);
  return (rows[0]?.["was"] as string | undefined) ?? null;
}
