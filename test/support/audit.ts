// The auditor over a service under test, or over a damaged copy of its database or topics.

import { randomBytes } from "node:crypto";
import pg from "pg";
import { type Declared, loadDeclared } from "../../src/declared/load.ts";
import { openAdmin } from "../../src/kafka/admin.ts";
import { openPartitionReader } from "../../src/kafka/partitions.ts";
import type { InputRecord, OutgoingRecord } from "../../src/kafka/port.ts";
import { openRegistry } from "../../src/kafka/registry.ts";
import { databaseSettings } from "../../src/service/dependencies.ts";
import { beginReading } from "../../src/store/audit.ts";
import { connect } from "../../src/store/database.ts";
import { audit } from "../../src/workload/audit/audit.ts";
import { readGiven } from "../../src/workload/audit/given.ts";
import type { AuditDepth, AuditReport, AuditTopics } from "../../src/workload/audit/parts.ts";
import type { TestService } from "./service.ts";
import { testStack } from "./stack.ts";

export type AuditOver = {
  /** of a copy; the service's own when left out */
  readonly databaseUrl?: string;
  /** copies of topics */
  readonly topics?: Partial<AuditTopics>;
  readonly depth?: AuditDepth;
  readonly waitMs?: number;
  readonly forcedPostings?: readonly string[];
  /** read from the service's folders when left out */
  readonly declared?: Declared;
};

/** Audits as `millrace verify` does. */
export async function auditService(system: TestService, over: AuditOver = {}): Promise<AuditReport> {
  const { config, kafka, codec } = system;
  const settings = databaseSettings(config, over.databaseUrl ?? system.addresses.databaseUrl, null);
  const rows = await connect(settings, "tool");
  const snapshots = await connect(settings, "tool");
  const admin = await openAdmin(kafka);
  const registry = openRegistry({ url: system.addresses.schemaRegistryUrl, timeoutMs: 5_000 });
  try {
    await beginReading(rows);
    const given = await readGiven(rows, {
      schemasDir: config.schemasDir,
      declared: over.declared ?? loadDeclared(config.schemasDir, config.flowsDir),
      codec,
      topics: { ...system.topics, ...over.topics },
      lanes: system.lanes,
      depth: over.depth ?? "usual",
      askSchema: (id) => registry.schemaById(id),
      settings: config,
    });
    // A copy of the intents bears another name than the one that dead letters give.
    const rules = given.second === null ? null : { ...given.second.rules, intentsTopic: system.topics.intents };
    return await audit({
      ...given,
      second: given.second === null || rules === null ? null : { ...given.second, rules },
      kafka,
      admin,
      rows,
      snapshots,
      forcedPostings: new Set([...given.forcedPostings, ...(over.forcedPostings ?? [])]),
      waitMs: over.waitMs ?? 0,
      progress: () => undefined,
    });
  } finally {
    await Promise.all([rows.close(), snapshots.close(), admin.close()]);
  }
}

/** What does not hold, by invariant: its problems as one text. Empty when all is well. */
export function problemsOf(report: AuditReport): Record<string, string> {
  const failed = report.findings.filter(({ ok }) => !ok);
  return Object.fromEntries(failed.map(({ invariant, problems }) => [invariant, problems.join("\n")]));
}

/** Copies a database, which nobody may be connected to, and changes the copy as the server's superuser, triggers off.
 *  @returns the copy's URL, and how to drop it */
export async function damagedCopy(
  databaseUrl: string,
  statements: readonly string[],
): Promise<{ readonly databaseUrl: string; readonly drop: () => Promise<void> }> {
  const source = new URL(databaseUrl).pathname.slice(1);
  const name = `copy_${randomBytes(6).toString("hex")}`;
  const copy = new URL(databaseUrl);
  copy.pathname = `/${name}`;
  await asSuperuser(testStack().databaseUrl, [`create database ${name} template ${source}`]);
  await asSuperuser(copy.href, ["set search_path = millrace", "set session_replication_role = replica", ...statements]);
  const drop = () => asSuperuser(testStack().databaseUrl, [`drop database ${name} with (force)`]);
  return { databaseUrl: copy.href, drop };
}

/** Changes a service's own database as the server's superuser, triggers off. */
export function damage(databaseUrl: string, statements: readonly string[]): Promise<void> {
  return asSuperuser(databaseUrl, [
    "set search_path = millrace",
    "set session_replication_role = replica",
    ...statements,
  ]);
}

/** @throws Error when a statement that changes rows changes none: the test would damage nothing */
async function asSuperuser(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) {
      const { rowCount, command } = await client.query(statement);
      if (["UPDATE", "DELETE", "INSERT"].includes(command) && rowCount === 0) {
        throw new Error(`this changes nothing: ${statement}`);
      }
    }
  } finally {
    await client.end();
  }
}

/** Every visible record of a partition. */
export async function recordsIn(system: TestService, topic: string, partition: number): Promise<InputRecord[]> {
  const admin = await openAdmin(system.kafka);
  const { low, end } = await admin.bounds(topic, partition).finally(() => admin.close());
  const reader = await openPartitionReader(system.kafka, [{ topic, partition, offset: low }]);
  const records: InputRecord[] = [];
  for (let at = low; at < end; ) {
    for (const run of await reader.next(1_000)) {
      records.push(...run.records);
      at = run.nextOffset;
    }
  }
  await reader.close();
  return records;
}

/** A new topic with the records of another and their times, those of one partition changed.
 *  @returns its name */
export async function copiedTopic(
  system: TestService,
  topic: string,
  lane: number,
  change: (records: OutgoingRecord[]) => OutgoingRecord[],
): Promise<string> {
  const copy = `copy-${randomBytes(6).toString("hex")}`;
  const admin = await openAdmin(system.kafka);
  await admin
    .createTopics([{ topic: copy, partitions: system.lanes, settings: { "cleanup.policy": "delete" } }])
    .finally(() => admin.close());
  for (let partition = 0; partition < system.lanes; partition++) {
    const records = (await recordsIn(system, topic, partition)).map(({ key, value, appendedAtMs }) => ({
      key,
      value: value as Buffer,
      timeMs: appendedAtMs,
    }));
    const changed = partition === lane ? change(records) : records;
    if (changed.length > 0) await system.producer.send(copy, partition, changed);
  }
  return copy;
}
