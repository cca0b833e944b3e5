// How far the lists of providers' events were read.

import type { Connection } from "./database.ts";
import { timestamp } from "./literals.ts";
import * as sql from "./sql/event-position.ts";

/** @returns the position in the provider's words, empty when there is none yet */
export async function readEventPosition(connection: Connection, lane: number, provider: string): Promise<string> {
  const { rows } = await connection.run(sql.readEventPosition, [lane, provider]);
  return (rows[0]?.["position"] as string | undefined) ?? "";
}

/** @returns false, and nothing is kept, when the epoch is not the lane's any more */
export async function keepEventPosition(
  connection: Connection,
  { lane, epoch }: { readonly lane: number; readonly epoch: bigint },
  provider: string,
  position: string,
  nowMs: number,
): Promise<boolean> {
  const { rows } = await connection.run(sql.keepEventPosition, [lane, epoch, provider, position, timestamp(nowMs)]);
  return rows.length === 1;
}
