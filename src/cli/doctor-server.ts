// What `doctor` asks of the Postgres server beside the ledger in it: room, limits, old snapshots, a standby, rights.

import type { Config } from "../config/config.ts";
import { needsStandby } from "../config/standby.ts";
import type { Connection } from "../store/database.ts";
import { readLimits, readOldSnapshots, readRecentQuarantine, readRights, readSizes } from "../store/reads-health.ts";
import { readStandby } from "../store/reads-server.ts";
import type { Doctor } from "./doctor-report.ts";

/** Of one instance beside its blocks: two of the relay, the leases', and one for a moment. */
const OTHER_CONNECTIONS = 4;
/** A rolling restart has two instances more than usual, and people want to get in too. */
const INSTANCES_MIN = 2;
/** Measured: a snapshot of 48 s took the block rate from 2,080 to 200 a second. */
const SNAPSHOT_MAX_MS = 30_000;
const IDLE_SESSION_MIN_MS = 60_000;
const HELD_BYTES_MAX = 1n << 30n;
const QUARANTINE_PER_HOUR_MAX = 100;
const MIB = 1n << 20n;

export async function checkStandby(
  doctor: Doctor,
  { standby }: Config,
  connection: Connection,
  databaseUrl: string,
): Promise<void> {
  const { isWaitedFor, names, standbys } = await readStandby(connection);
  const needed = needsStandby(standby, databaseUrl);
  const connected = standbys.length === 0 ? "none that we may see is connected" : standbys.join(", ");
  const found = isWaitedFor
    ? `commits wait for ${names}; ${connected}`
    : `none, which is accepted here (standby: ${standby})`;
  await doctor.judge(
    "standby",
    found,
    isWaitedFor || !needed
      ? null
      : {
          found:
            "no commit waits for a synchronous standby: losing this machine loses committed blocks; `run` refuses to start",
          remedy: "name one in Postgres (synchronous_standby_names), or accept it with standby: optional",
        },
  );
}

export async function checkLimits(doctor: Doctor, config: Config, connection: Connection): Promise<void> {
  const limits = await readLimits(connection);
  const { maxConnections, reserved, used, idleSessionMs, wholeMs } = limits;
  const each = config.blockConnections + OTHER_CONNECTIONS;
  const room = maxConnections - reserved;
  await doctor.judge(
    "connections",
    `${used} of ${room} used, an instance takes up to ${each}; ${limits.isEncrypted ? "encrypted" : "not encrypted"}`,
    room >= each * INSTANCES_MIN
      ? null
      : {
          found: `room for ${room}; ${INSTANCES_MIN} instances take up to ${each * INSTANCES_MIN}`,
          remedy: "raise max_connections in Postgres, or lower blockConnections",
        },
  );
  const cut = [
    ...(idleSessionMs > 0 && idleSessionMs < IDLE_SESSION_MIN_MS ? [`idle_session_timeout ${idleSessionMs} ms`] : []),
    ...(wholeMs > 0 && wholeMs < config.statementTimeoutMs ? [`transaction_timeout ${wholeMs} ms`] : []),
  ];
  await doctor.judge(
    "time limits",
    `none of the server's; ours are statementTimeoutMs ${config.statementTimeoutMs}, lockTimeoutMs ${config.lockTimeoutMs}`,
    cut.length === 0
      ? null
      : { found: `the server cuts sessions: ${cut.join(", ")}`, remedy: "set it to 0 for the service's user" },
  );
  const vacuumOff = {
    found: "autovacuum is off: balances and lanes grow slower with each block",
    remedy: "switch it on",
  };
  await doctor.judge("autovacuum", "on", limits.autovacuum ? null : vacuumOff);
}

export async function checkHistory(doctor: Doctor, connection: Connection): Promise<void> {
  const old = await readOldSnapshots(connection, SNAPSHOT_MAX_MS);
  const told = old.map(({ what, seconds }) => `${what}, ${Math.round(seconds)} s`).join("; ");
  await doctor.judge(
    "old snapshots",
    `none older than ${SNAPSHOT_MAX_MS / 1000} s that we may see`,
    old.length === 0
      ? null
      : {
          found: `they keep old rows from being cleaned away, and blocks get ten times slower: ${told}`,
          remedy: "end them: select pg_terminate_backend(PID); or rollback prepared 'NAME'",
        },
  );
  const { databaseBytes, idleSlots, heldBytes } = await readSizes(connection);
  await doctor.judge(
    "disk",
    `database ${databaseBytes / MIB} MiB; ${heldBytes / MIB} MiB of log held back by idle slots`,
    heldBytes <= HELD_BYTES_MAX
      ? null
      : {
          found: `idle replication slots (${idleSlots.join(", ")}) hold back ${heldBytes / MIB} MiB of log, until the disk is full`,
          remedy: "start their readers, or drop them: select pg_drop_replication_slot('NAME')",
        },
  );
}

export async function checkRights(doctor: Doctor, connection: Connection): Promise<void> {
  const rights = await readRights(connection);
  if (rights === null) return; // told by "role" already
  const { isSuperuser, mayAdd, changeable, isWatched } = rights;
  const wrong = [
    ...(isSuperuser ? ["millrace_service is a superuser"] : []),
    ...(mayAdd ? [] : ["millrace_service may not add lines and blocks"]),
    ...(changeable.length === 0 || isSuperuser ? [] : [`millrace_service may change ${changeable.join(", ")}`]),
    ...(isWatched ? [] : ["the triggers that refuse changes of lines and blocks are off"]),
  ];
  const remedy =
    "as the owner: alter role millrace_service nosuperuser; revoke update, delete, truncate on those tables; alter table … enable trigger append_only; for adding: millrace migrate";
  await doctor.judge(
    "append-only",
    "the service may add lines and blocks, and change none",
    wrong.length === 0 ? null : { found: wrong.join("; "), remedy },
  );
}

export async function checkQuarantine(doctor: Doctor, connection: Connection): Promise<void> {
  const { records, reasons } = await readRecentQuarantine(connection);
  await doctor.judge(
    "quarantine",
    `${records} records in the last hour`,
    records <= QUARANTINE_PER_HOUR_MAX
      ? null
      : {
          found: `${records} records in the last hour: ${reasons.join(", ")}`,
          remedy: "see: millrace quarantine list --limit 20",
        },
  );
}
