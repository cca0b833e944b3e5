// Brings a database to the newest form, as its owner. Safe to repeat and to run from several places at once.

import { readdirSync } from "node:fs";
import { runner } from "node-pg-migrate";
import { DatabaseUnreachable, openClient } from "./database.ts";

export type Migrated = { readonly applied: readonly string[] };

/** @param url        as the database's owner: may create schemas and roles
 *  @param directory  of numbered .sql files
 *  @throws DatabaseUnreachable | the server's own error when a migration fails (nothing of it is kept) */
export async function migrateDatabase(url: string, directory: string): Promise<Migrated> {
  const client = openClient(url, { connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (error) {
    const { host } = new URL(url);
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseUnreachable(`Postgres at ${host} cannot be used (${reason}); check DATABASE_URL`, {
      cause: error,
    });
  }
  try {
    const done = await runner({
      dbClient: client,
      dir: `${directory}/*.sql`,
      useGlob: true,
      direction: "up",
      migrationsTable: "migration",
      migrationsSchema: "millrace",
      createMigrationsSchema: true,
      checkOrder: true,
      singleTransaction: true,
      log: () => undefined,
      verbose: false,
    });
    return { applied: done.map((migration) => migration.name) };
  } finally {
    await client.end();
  }
}

export function knownMigrations(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(".sql"))
    .sort();
}
