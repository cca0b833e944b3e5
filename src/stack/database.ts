// A real Postgres server, with everything that durability rests on switched on.
import { chownSync, existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { postgresBinaries } from "./binaries.ts";
import { databaseHome } from "./database-home.ts";
import type { NativePart, Site } from "./part.ts";
import { databaseUser } from "./places.ts";
import { HOST } from "./ports.ts";
import { launch, type ProcessMark, processesNaming, processesWorkingIn, runToEnd, type UserIds } from "./processes.ts";
import { StackUnavailable } from "./unavailable.ts";

export const DATABASE_USER = "postgres";
export const DATABASE_NAME = "millrace";

// As an entry of the stack's folder it may be a link: see database-home.ts.
const placeOf = (dir: string): string => join(dir, "postgres");
const logOf = (dir: string): string => join(placeOf(dir), "postgres.log");
const dataOf = (dir: string): string => join(realpathSync(placeOf(dir)), "data");

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: HOST,
  unix_socket_directories: "",
  max_connections: "100",
  // A commit that was acknowledged survives the loss of power, here as in production: figures are of real commits.
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  wal_level: "replica",
  shared_buffers: "256MB",
  wal_buffers: "16MB",
  // Few checkpoints: each makes every page whole in the log at its next change, which halves the write rate.
  max_wal_size: "2GB",
  min_wal_size: "512MB",
  checkpoint_timeout: "15min",
  // The statements are short and many; compiling one costs more than running it.
  jit: "off",
  huge_pages: "off",
  random_page_cost: "1.1",
};

/** The settings as arguments of the server, with `more` added or put in place of them. */
export function serverSettings(more: Readonly<Record<string, string>>): string[] {
  return Object.entries({ ...SETTINGS, ...more }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

const ENVIRONMENT = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

async function prepare(site: Site): Promise<void> {
  const user = databaseUser();
  const native = await postgresBinaries(user);
  const home = databaseHome(placeOf(site.dir), user);
  const password = join(home, "password");
  if (existsSync(join(home, "initialised"))) {
    // The database's own copy counts: the state file may have been removed since, and a new one has another password.
    site.state.databasePassword = readFileSync(password, "utf8");
    return;
  }
  writeFileSync(password, site.state.databasePassword, { mode: 0o600 });
  if (user !== null) chownSync(password, user.uid, user.gid);
  await initialise(native, home, user);
  writeFileSync(join(home, "initialised"), "");
}

async function initialise(native: string, home: string, user: UserIds | null): Promise<void> {
  const data = join(home, "data");
  // A folder without the mark was given up half way through, before anybody could connect: nothing in it is kept.
  rmSync(data, { recursive: true, force: true });
  const forms = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", `--pwfile=${join(home, "password")}`];
  const init = ["-D", data, "-U", DATABASE_USER, ...forms, "--no-instructions"];
  await runTool(join(native, "bin", "initdb"), init, "", user, home);
  // The package has no client programs; single-user mode makes the database without a password and without a port.
  const single = ["--single", "-D", data, "postgres"];
  await runTool(join(native, "bin", "postgres"), single, `create database ${DATABASE_NAME};\n`, user, home);
}

async function runTool(command: string, args: string[], input: string, as: UserIds | null, cwd: string): Promise<void> {
  const done = await runToEnd(command, args, { input, as, cwd, env: ENVIRONMENT });
  if (done.status === 0) return;
  throw new StackUnavailable(
    `Postgres could not make its data folder (${lastLine(done.output)})`,
    `look at ${cwd}, free it and try again`,
  );
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

async function launchServer(site: Site, port: number): Promise<ProcessMark> {
  const user = databaseUser();
  const native = await postgresBinaries(user);
  const data = dataOf(site.dir);
  // No process of this data folder is alive now, but the pid of a killed server may have gone to another process, and
  // then Postgres would take its leftover file for a running server.
  rmSync(join(data, "postmaster.pid"), { force: true });
  return launch({
    command: join(native, "bin", "postgres"),
    args: ["-D", data, ...serverSettings({ port: String(port) })],
    cwd: realpathSync(placeOf(site.dir)),
    env: ENVIRONMENT,
    logFile: logOf(site.dir),
    as: user,
  });
}

/** The server keeps its pid in the first line of this file and how far it has come in the eighth. */
async function isReady(site: Site, _port: number, mark: ProcessMark): Promise<boolean> {
  const file = join(dataOf(site.dir), "postmaster.pid");
  if (!existsSync(file)) return false;
  const lines = readFileSync(file, "utf8").split("\n");
  return Number(lines[0]) === mark.pid && lines[7]?.trim() === "ready";
}

/** The server, and children that outlived a killed one: all work in the data folder, which no other program does. */
function strays(dir: string): ProcessMark[] {
  if (!existsSync(join(placeOf(dir), "data"))) return [];
  const data = dataOf(dir);
  return existsSync("/proc/self/cwd") ? processesWorkingIn(data) : processesNaming(data);
}

export const DATABASE: NativePart = {
  name: "postgres",
  title: "the Postgres server",
  stopSignal: "SIGINT", // Fast shutdown: connections are ended, and a checkpoint is written.
  stopGraceMs: 30_000,
  logFile: logOf,
  prepare,
  launch: launchServer,
  isReady,
  strays,
};
