// What `doctor` asks of a database that could make the service slow, or lose it its connections, rights or history.

import type { Connection } from "./database.ts";
import { showLimits, showOldSnapshots, showRecentQuarantine, showRights, showSizes } from "./sql/show-health.ts";

export type Limits = {
  readonly maxConnections: number;
  /** kept back for superusers */
  readonly reserved: number;
  readonly used: number;
  /** 0: none */
  readonly idleSessionMs: number;
  /** of a whole dbTransaction; 0: none */
  readonly wholeMs: number;
  readonly autovacuum: boolean;
  readonly isEncrypted: boolean;
};

export async function readLimits(connection: Connection): Promise<Limits> {
  const row = (await connection.run(showLimits, [])).rows[0] ?? {};
  return {
    maxConnections: row["max_connections"] as number,
    reserved: row["reserved"] as number,
    used: row["used"] as number,
    idleSessionMs: (row["idle_session_ms"] as number | null) ?? 0,
    wholeMs: (row["whole_ms"] as number | null) ?? 0,
    autovacuum: row["autovacuum"] === "on",
    isEncrypted: row["is_encrypted"] === true,
  };
}

export type OldSnapshot = { readonly what: string; readonly seconds: number };

/** The oldest first. */
export async function readOldSnapshots(connection: Connection, olderThanMs: number): Promise<OldSnapshot[]> {
  const { rows } = await connection.run(showOldSnapshots, [olderThanMs]);
  return rows.map((row) => ({ what: row["what"] as string, seconds: row["seconds"] as number }));
}

export type Sizes = {
  readonly databaseBytes: bigint;
  readonly idleSlots: readonly string[];
  /** write-ahead log that idle slots keep from being reused */
  readonly heldBytes: bigint;
};

export async function readSizes(connection: Connection): Promise<Sizes> {
  const row = (await connection.run(showSizes, [])).rows[0] ?? {};
  return {
    databaseBytes: row["database_bytes"] as bigint,
    idleSlots: row["idle_slots"] as string[],
    heldBytes: row["held_bytes"] as bigint,
  };
}

export type Rights = {
  readonly isSuperuser: boolean;
  readonly mayAdd: boolean;
  /** tables of lines and blocks that the service's role could change */
  readonly changeable: readonly string[];
  /** both triggers that refuse changes are on */
  readonly isWatched: boolean;
};

const WATCHED_TABLES = 2;

/** @returns null when there is no such role */
export async function readRights(connection: Connection): Promise<Rights | null> {
  const row = (await connection.run(showRights, [])).rows[0];
  if (row === undefined) return null;
  return {
    isSuperuser: row["is_superuser"] === true,
    mayAdd: row["may_add"] === true,
    changeable: row["changeable"] as string[],
    isWatched: row["watching"] === WATCHED_TABLES,
  };
}

export type RecentQuarantine = { readonly records: number; readonly reasons: readonly string[] };

export async function readRecentQuarantine(connection: Connection): Promise<RecentQuarantine> {
  const row = (await connection.run(showRecentQuarantine, [])).rows[0] ?? {};
  return { records: row["records"] as number, reasons: row["reasons"] as string[] };
}
