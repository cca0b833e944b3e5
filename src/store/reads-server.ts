// The database server as `doctor` sees it.

import type { Connection } from "./database.ts";
import { readTimestampMs } from "./literals.ts";
import { showMigrations, showServer, showStandby } from "./sql/show-server.ts";

export type ServerShown = {
  readonly version: string;
  /** 180001 is 18.1 */
  readonly versionNumber: number;
  /** by name: fsync, full_page_writes, synchronous_commit */
  readonly durability: Readonly<Record<string, string>>;
  readonly isStandby: boolean;
  /** the server's clock less ours, measured over one question */
  readonly clockAheadMs: number;
  /** whether we may act as the service's role; null when there is no such role */
  readonly mayServe: boolean | null;
};

/** @param clockMs our own clock */
export async function readServer(connection: Connection, clockMs: () => number): Promise<ServerShown> {
  const askedMs = clockMs();
  const row = (await connection.run(showServer, [])).rows[0] ?? {};
  const answeredMs = clockMs();
  return {
    version: row["version"] as string,
    versionNumber: row["version_number"] as number,
    durability: {
      fsync: row["fsync"] as string,
      full_page_writes: row["full_page_writes"] as string,
      synchronous_commit: row["synchronous_commit"] as string,
    },
    isStandby: row["is_standby"] as boolean,
    clockAheadMs: readTimestampMs(row["clock_at"]) - (askedMs + answeredMs) / 2,
    mayServe: row["may_serve"] as boolean | null,
  };
}

export type StandbyShown = {
  /** commits of this session wait until a standby has them */
  readonly isWaitedFor: boolean;
  /** as Postgres has it: `synchronous_standby_names` */
  readonly names: string;
  /** those connected, with their state, as far as we may see them */
  readonly standbys: readonly string[];
};

/** A commit waits when standbys are named and `synchronous_commit` asks for more than the own disk. That a named one is
 *  there need not be asked: while it is not, commits wait for it. */
export async function readStandby(connection: Connection): Promise<StandbyShown> {
  const row = (await connection.run(showStandby, [])).rows[0] ?? {};
  const names = (row["names"] as string).trim();
  const isRemote = ["on", "remote_apply", "remote_write"].includes(row["synchronous_commit"] as string);
  return { isWaitedFor: names !== "" && isRemote, names, standbys: row["standbys"] as string[] };
}

/** Names of the migrations that ran; none when the database was never migrated. */
export async function readMigrations(connection: Connection): Promise<string[]> {
  const hasAny = (await connection.run(showServer, [])).rows[0]?.["has_migrations"] === true;
  return hasAny ? (await connection.run(showMigrations, [])).rows.map((row) => row["name"] as string) : [];
}
