// Postgres by TLS, as the URL says: to the server whose certificate is vouched for, and to no other.

import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, DatabaseUnreachable } from "../../src/store/database.ts";
import { migrateDatabase } from "../../src/store/migrate.ts";
import { readLimits } from "../../src/store/reads-health.ts";
import { freshDatabase, testStack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";

const dir = mkdtempSync(join(tmpdir(), "millrace-postgres-tls-"));
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
let isOn = false;

async function asOwner(...statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: testStack().databaseUrl });
  await client.connect();
  let rows: Record<string, unknown>[] = [];
  for (const statement of statements) rows = (await client.query(statement)).rows;
  await client.end();
  return rows;
}

function certificate(name: string): void {
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const files = ["-keyout", join(dir, `${name}.key`), "-out", join(dir, `${name}.pem`)];
  const done = spawnSync("openssl", ["req", "-x509", ...curve, ...files, ...subject], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`openssl made no certificate: ${done.stderr}`);
}

beforeAll(async () => {
  const [{ data_directory: data } = {}] = await asOwner("show data_directory");
  if (!hasOpenssl || !existsSync(String(data))) return; // a database in a container keeps its files there
  certificate("server");
  certificate("another");
  const { uid, gid } = statSync(String(data));
  for (const name of ["server.key", "server.pem"]) {
    const path = join(String(data), `tls-${name}`);
    copyFileSync(join(dir, name), path);
    chownSync(path, uid, gid);
    chmodSync(path, 0o600);
  }
  await asOwner(
    "alter system set ssl_cert_file = 'tls-server.pem'",
    "alter system set ssl_key_file = 'tls-server.key'",
    "alter system set ssl = on",
    "select pg_reload_conf()",
  );
  await waitFor("the server to switch TLS on", async () => (await asOwner("show ssl"))[0]?.["ssl"] === "on");
  isOn = true;
});

afterAll(async () => {
  if (isOn)
    await asOwner(
      "alter system reset ssl",
      "alter system reset ssl_cert_file",
      "alter system reset ssl_key_file",
      "select pg_reload_conf()",
    );
  rmSync(dir, { recursive: true, force: true });
});

function open(url: string, query: string) {
  const limits = { connectTimeoutMs: 5000, statementTimeoutMs: 5000, lockTimeoutMs: 5000 };
  return connect({ url: `${url}?${query}`, role: null, applicationName: "tls", ...limits }, "service");
}

test("sslmode=verify-full is encrypted, for the service and for migrate", async ({ skip }) => {
  if (!isOn) skip();
  const url = await freshDatabase();
  const query = `sslmode=verify-full&sslrootcert=${join(dir, "server.pem")}`;
  const connection = await open(url, query);
  expect((await readLimits(connection)).isEncrypted).toBe(true);
  await connection.close();
  expect((await migrateDatabase(`${url}?${query}`, "schemas/database")).applied.length).toBeGreaterThan(0);
  const plain = await open(url, "sslmode=disable");
  expect((await readLimits(plain)).isEncrypted).toBe(false);
  await plain.close();
});

test("a server that another authority vouches for is refused, and the sentence says why", async ({ skip }) => {
  if (!isOn) skip();
  const url = testStack().databaseUrl;
  for (const query of [`sslmode=verify-full&sslrootcert=${join(dir, "another.pem")}`, "sslmode=verify-full"]) {
    const refused = open(url, query);
    await expect(refused).rejects.toThrow(DatabaseUnreachable);
    await expect(refused).rejects.toThrow(/self[- ]signed certificate.*DATABASE_URL/);
  }
});

test("a file of authorities that is not there is told by name", async () => {
  const missing = open(testStack().databaseUrl, "sslmode=verify-full&sslrootcert=/nowhere/ca.pem");
  await expect(missing).rejects.toThrow(DatabaseUnreachable);
  await expect(missing).rejects.toThrow(/\/nowhere\/ca\.pem/);
});
