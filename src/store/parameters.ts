// Versions of parameters in the database: the same content is the same version.

import type { Connection } from "./database.ts";
import * as sql from "./sql/parameters.ts";

export type ParametersGiven = {
  readonly contentHash: string;
  readonly source: string;
  readonly settings: string;
  readonly routes: string;
};

/** Registers a content if it is new.
 *  @returns its version, from 1 */
export async function registerParameters(connection: Connection, given: ParametersGiven): Promise<number> {
  const { contentHash, source, settings, routes } = given;
  const known = await findVersion(connection, contentHash);
  if (known !== null) return known;
  await connection.run(sql.insertParameters, [contentHash, source, settings, routes]);
  const version = await findVersion(connection, contentHash);
  if (version === null) throw new Error("a version of the parameters was registered and is not there");
  return version;
}

async function findVersion(connection: Connection, contentHash: string): Promise<number | null> {
  const { rows } = await connection.run(sql.findParameters, [contentHash]);
  return rows[0] === undefined ? null : Number(rows[0]["version"]);
}

/** What a version of the parameters says, each as JSON; settings and routes are null of one that was registered before
 *  there were any. */
export type ParameterTexts = {
  readonly overlays: string;
  readonly settings: string | null;
  readonly routes: string | null;
};

export async function readParameterTexts(connection: Connection): Promise<Map<bigint, ParameterTexts>> {
  const { rows } = await connection.run(sql.readParameters, []);
  return new Map(
    rows.map((row) => [
      BigInt(String(row["version"])),
      {
        overlays: row["source"] as string,
        settings: row["settings"] as string | null,
        routes: row["routes"] as string | null,
      },
    ]),
  );
}
