// What `doctor` asks of Postgres: the server, and what `migrate` and `run` keep in it.

import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { type Connection, connect } from "../store/database.ts";
import { knownMigrations } from "../store/migrate.ts";
import { PARTITIONED_TABLES, type Partition, readPartitions } from "../store/partitions.ts";
import { type LaneShown, readLanes } from "../store/reads-lanes.ts";
import { readMigrations, readServer, type ServerShown } from "../store/reads-server.ts";
import type { Doctor } from "./doctor-report.ts";
import { checkHistory, checkLimits, checkQuarantine, checkRights, checkStandby } from "./doctor-server.ts";
import { isoTime } from "./rows.ts";

export const MIGRATE = "run: millrace migrate";
/** Before it an index was not walked in order for a list of paths, and blocks ask for those with sorting switched off. */
const VERSION_MIN = 170_000;
const HOUR_MS = 3_600_000;
/** `run` creates partitions every hour: less than this ahead, and nobody does. */
const AHEAD_MIN_MS = HOUR_MS;

/** @returns the lanes; null when they could not be asked for, or are none yet */
export async function checkDatabase(
  doctor: Doctor,
  config: Config,
  databaseUrl: string,
): Promise<readonly LaneShown[] | null> {
  const opened = await doctor.check("postgres", async () => {
    const { connectTimeoutMs, statementTimeoutMs, lockTimeoutMs } = config;
    const limits = { connectTimeoutMs, statementTimeoutMs, lockTimeoutMs };
    const settings = { url: databaseUrl, role: null, applicationName: "millrace doctor", ...limits };
    const connection = await connect(settings, "tool");
    const server = await readServer(connection, Date.now);
    return { value: { connection, server }, found: `reached, version ${server.version}` };
  });
  if (opened === null) return null;
  try {
    await checkServer(doctor, config, opened.server);
    await checkStandby(doctor, config, opened.connection, databaseUrl);
    await checkLimits(doctor, config, opened.connection);
    await checkHistory(doctor, opened.connection);
    return await checkLedger(doctor, config, opened);
  } finally {
    await opened.connection.close();
  }
}

async function checkServer(doctor: Doctor, config: Config, server: ServerShown): Promise<void> {
  const { version, versionNumber, durability, clockAheadMs } = server;
  await doctor.judge(
    "version",
    version,
    versionNumber >= VERSION_MIN
      ? null
      : { found: `Postgres ${version}`, remedy: `use Postgres ${VERSION_MIN / 10_000} or newer` },
  );
  const off = Object.entries(durability).filter(([, value]) => value === "off");
  const names = off.map(([name]) => name).join(", ");
  await doctor.judge(
    "durability",
    Object.entries(durability)
      .map(([name, value]) => `${name} ${value}`)
      .join(", "),
    off.length === 0 ? null : { found: `${names} off: a crash loses blocks`, remedy: `switch ${names} on` },
  );
  await doctor.judge(
    "primary",
    "takes writes",
    server.isStandby ? { found: "this is a standby", remedy: "point DATABASE_URL at the primary" } : null,
  );
  const apart = `${Math.round(clockAheadMs)} ms ahead of ours`;
  await doctor.judge(
    "database clock",
    apart,
    Math.abs(clockAheadMs) <= config.clockSkewMaxMs
      ? null
      : { found: apart, remedy: `set both clocks (NTP); more than ${config.clockSkewMaxMs} ms apart halts the lanes` },
  );
}

type Opened = { readonly connection: Connection; readonly server: ServerShown };

async function checkLedger(
  doctor: Doctor,
  config: Config,
  { connection, server }: Opened,
): Promise<readonly LaneShown[] | null> {
  const known = knownMigrations(join(config.schemasDir, "database")).map((file) => file.replace(/\.sql$/, ""));
  const ran = await readMigrations(connection);
  const missing = known.filter((name) => !ran.includes(name));
  const unknown = ran.filter((name) => !known.includes(name));
  const newer = { found: `${unknown.join(", ")} is of a newer release`, remedy: "use the release that migrated it" };
  const older = { found: `${missing.join(", ")} has not run`, remedy: MIGRATE };
  await doctor.judge(
    "migrations",
    `all ${known.length} applied`,
    missing.length > 0 ? older : unknown.length > 0 ? newer : null,
  );
  if (ran.length === 0) return null;
  const noRole = { found: "there is no role millrace_service", remedy: MIGRATE };
  const noMember = {
    found: "the user of DATABASE_URL may not act as millrace_service",
    remedy: "as the owner: grant millrace_service to the user",
  };
  await doctor.judge(
    "role",
    "may act as millrace_service",
    server.mayServe === null ? noRole : server.mayServe ? null : noMember,
  );
  await checkRights(doctor, connection);
  const lanes = await readLanes(connection, null);
  await checkLanes(doctor, lanes);
  await checkPartitions(doctor, await readPartitions(connection));
  await checkQuarantine(doctor, connection);
  return lanes.length === 0 ? null : lanes;
}

async function checkLanes(doctor: Doctor, lanes: readonly LaneShown[]): Promise<void> {
  const halted = lanes.filter(({ halt }) => halt !== null);
  const owned = lanes.filter(({ owner }) => owner !== null);
  const instances = new Set(owned.map(({ owner }) => owner?.process)).size;
  const free = lanes.length - owned.length - halted.filter(({ owner }) => owner === null).length;
  const found = `${lanes.length} lanes, ${owned.length} owned by ${instances} instances, ${free} free`;
  const none = { found: "there are no lanes yet", remedy: MIGRATE };
  await doctor.judge("lanes", found, lanes.length === 0 ? none : null);
  const told = halted.map(({ lane, halt }) => `${lane} (${halt?.cause})`).join(", ");
  const remedy = `see: millrace lane show ${halted[0]?.lane}`;
  await doctor.judge("halts", "no lane is halted", halted.length === 0 ? null : { found: `halted: ${told}`, remedy });
}

async function checkPartitions(doctor: Doctor, partitions: readonly Partition[]): Promise<void> {
  const ends = PARTITIONED_TABLES.map((table) => {
    const spans = partitions.filter((one) => one.table === table && one.isAttached && one.span !== null);
    return { table, untilMs: spans.reduce((latest, { span }) => Math.max(latest, span?.untilMs ?? 0), 0) };
  });
  const short = ends.filter(({ untilMs }) => untilMs < Date.now() + AHEAD_MIN_MS).map(({ table }) => table);
  const first = Math.min(...ends.map(({ untilMs }) => untilMs));
  await doctor.judge(
    "partitions",
    `made until ${isoTime(first)} at least`,
    short.length === 0
      ? null
      : {
          found: `none made for the coming hour: ${short.join(", ")}`,
          remedy: "start an instance, which keeps them made; or run: millrace migrate",
        },
  );
}
