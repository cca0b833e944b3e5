// Versions of parameters in the database: the same content is the same version.

import type { Connection } from "./database.ts";
import * as sql from "./sql/parameters.ts";

export type ParametersGiven = { readonly contentHash: string; readonly source: string; readonly settings: string };

/** Registers a content if it is new.
 *  @returns its version, from 1 */
export async function registerParameters(connection: Connection, given: ParametersGiven): Promise<number> {
  const { contentHash, source, settings } = given;
  const known = await findVersion(connection, contentHash);
  if (known !== null) return known;
  await connection.run(sql.insertParameters, [contentHash, source, settings]);
  const version = await findVersion(connection, contentHash);
  if (version === null) throw new Error("a version of the parameters was registered and is not there");
  return version;
}

async function findVersion(connection: Connection, contentHash: string): Promise<number | null> {
  const { rows } = await connection.run(sql.findParameters, [contentHash]);
  return rows[0] === undefined ? null : Number(rows[0]["version"]);
}
