// What must be in the database before the service can run: lanes, flow versions, partitions ahead.

import type { Connection } from "./database.ts";
import * as sql from "./sql/setup.ts";

/** Creates lane and lease rows on first use; later calls leave the number as it is.
 *  @returns how many lanes there are */
export async function setUpLanes(connection: Connection, lanes: number): Promise<number> {
  const known = await countLanes(connection);
  if (known > 0) return known;
  await connection.run(sql.insertLanes, [lanes]);
  await connection.run(sql.insertLeases, [lanes]);
  return countLanes(connection);
}

export async function countLanes(connection: Connection): Promise<number> {
  return (await connection.run(sql.countLanes, [])).rows[0]?.["lanes"] as number;
}

export type FlowVersion = {
  readonly name: string;
  readonly version: string;
  readonly contentHash: string;
  readonly source: string;
};
export type NumberedFlow = FlowVersion & { readonly number: number };

/** A version that ran before cannot get another content: its cases rely on it. */
export class FlowVersionChanged extends Error {
  override name = "FlowVersionChanged";
}

/** Registers flow versions and returns every version that was ever registered.
 *  @throws FlowVersionChanged naming the file's flow and what to do */
export async function registerFlows(connection: Connection, flows: readonly FlowVersion[]): Promise<NumberedFlow[]> {
  for (const { name, version, contentHash, source } of flows)
    await connection.run(sql.insertFlow, [name, version, contentHash, source]);
  const known = await readFlowVersions(connection);
  for (const flow of flows) {
    const stored = known.find((one) => one.name === flow.name && one.version === flow.version);
    if (stored?.contentHash !== flow.contentHash) {
      throw new FlowVersionChanged(
        `flow ${flow.name}@${flow.version} was registered with another content; give the changed file a new version`,
      );
    }
  }
  return known;
}

/** Every version that was ever registered, in that order. */
export async function readFlowVersions(connection: Connection): Promise<NumberedFlow[]> {
  const { rows } = await connection.run(sql.readFlows, []);
  return rows.map((row) => ({
    number: row["flow"] as number,
    name: row["name"] as string,
    version: row["version"] as string,
    contentHash: row["content_hash"] as string,
    source: row["source"] as string,
  }));
}

/** @returns how many partitions were created */
export async function createPartitionsAhead(connection: Connection, hours: number): Promise<number> {
  return (await connection.run(sql.createPartitions, [hours])).rows[0]?.["made"] as number;
}
