// `doctor` on a system that is well, and on the same system with one thing wrong at a time.
import { ConfigResourceTypes } from "kafkajs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { topicNames } from "../../src/config/config.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { openAdmin } from "../../src/kafka/admin.ts";
import { connect, type DatabaseSettings } from "../../src/store/database.ts";
import { readOldSnapshots } from "../../src/store/reads-health.ts";
import { type CliSystem, cli } from "../support/cli.ts";
import { Producing } from "../support/intents.ts";
import { strangersKafka } from "../support/kafka.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { freshDatabase } from "../support/stack.ts";

const producing = new Producing();

let system: TestService;
beforeAll(async () => {
  system = await startTestService({ prefix: "doctor-verb" });
});
afterAll(() => system?.stop());

type Finding = { readonly check: string; readonly ok: boolean; readonly found: string; readonly remedy: string };

async function examine(of: CliSystem = system, environment: Readonly<Record<string, string>> = {}) {
  const ran = await cli(of, ["doctor", "--json"], environment);
  const findings = ran.rows() as Finding[];
  return { code: ran.code, findings, bad: findings.filter(({ ok }) => !ok) };
}

/** Changes the database, examines, and changes it back. */
async function examineWith(change: string, back: string) {
  await system.query(change);
  try {
    return await examine();
  } finally {
    await system.query(back);
  }
}

/** Sets how long the brokers keep intents. */
async function keepIntents(retentionMs: string): Promise<void> {
  const admin = strangersKafka().admin();
  await admin.connect();
  const entries = {
    "retention.ms": retentionMs,
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": String(4 << 20),
  };
  const configEntries = Object.entries(entries).map(([name, value]) => ({ name, value }));
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: system.topics.intents, configEntries }];
  await admin.alterConfigs({ validateOnly: false, resources });
  await admin.disconnect();
}

async function setBroker(name: string, value: string): Promise<void> {
  const admin = strangersKafka().admin();
  await admin.connect();
  const resources = [{ type: ConfigResourceTypes.BROKER, name: "1", configEntries: [{ name, value }] }];
  await admin.alterConfigs({ validateOnly: false, resources });
  await admin.disconnect();
}

function toolSettings(): DatabaseSettings {
  const limits = { connectTimeoutMs: 5000, statementTimeoutMs: 5000, lockTimeoutMs: 5000 };
  return { url: system.addresses.databaseUrl, role: null, applicationName: "test", ...limits };
}

/** Examines other topics of the same service, made by somebody who left the brokers' defaults as they are, but for some.
 *  @param suffix ends their prefix */
async function madeTopics(
  partitions: readonly number[],
  suffix: string,
  settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
) {
  const config = { ...system.config, topicPrefix: `${system.config.topicPrefix}${suffix}` };
  const admin = await openAdmin(system.kafka);
  const topics = Object.values(topicNames(config));
  await admin.createTopics(
    topics.map((topic, index) => ({ topic, partitions: partitions[index] as number, settings: settings[topic] ?? {} })),
  );
  await admin.close();
  return examine({ addresses: system.addresses, config });
}

describe("doctor", () => {
  test("finds a running system well, and exits 0", async () => {
    const { code, findings, bad } = await examine();
    expect([code, bad]).toEqual([0, []]);
    expect(findings.map(({ check }) => check)).toEqual([
      "node",
      "settings",
      "addresses",
      "postgres",
      "version",
      "durability",
      "primary",
      "database clock",
      "standby",
      "connections",
      "time limits",
      "autovacuum",
      "old snapshots",
      "disk",
      "migrations",
      "role",
      "append-only",
      "lanes",
      "halts",
      "partitions",
      "quarantine",
      "kafka",
      "kafka access",
      "fencing",
      "topics",
      "append time",
      "broker clock",
      "retention",
      "cleanup",
      "message size",
      "replication",
      "lag",
      "expiry",
      "registry",
      "schemas",
      "compatibility",
    ]);
    expect((await cli(system, ["doctor"])).stdout).toMatch(/^ok {3}node/);
  });

  test.each([
    {
      check: "migrations",
      says: "0001_ledger has not run",
      remedy: "millrace migrate",
      change: "update migration set name = '0001_moved' where name = '0001_ledger'",
      back: "update migration set name = '0001_ledger' where name = '0001_moved'",
    },
    {
      check: "halts",
      says: "halted: 2 (clocks_apart)",
      remedy: "millrace lane show 2",
      change: "insert into halt (lane, cause, evidence) values (2, 'clocks_apart', '{}')",
      back: "delete from halt",
    },
    {
      check: "partitions",
      says: "none made for the coming hour: block",
      remedy: "start an instance",
      change: `do $$ declare name text; begin
         for name in select inhrelid::regclass::text from pg_inherits where inhparent = 'block'::regclass loop
           if name !~ 'default' then execute 'alter table block detach partition ' || name; end if;
         end loop; end $$`,
      back: `do $$ declare name text; begin
         for name in select relname from pg_class where relname ~ '^block_[0-9]{8}$' loop
           execute format('alter table block attach partition %I for values from (%L) to (%L)', name,
             to_date(right(name, 8), 'YYYYMMDD') || ' 00:00:00+00', to_date(right(name, 8), 'YYYYMMDD') + 1 || ' 00:00:00+00');
         end loop; end $$`,
    },
    {
      check: "append-only",
      says: "millrace_service may change line",
      remedy: "revoke update",
      change: "grant update on line to millrace_service",
      back: "revoke update on line from millrace_service",
    },
    {
      check: "append-only",
      says: "the triggers that refuse changes of lines and blocks are off",
      remedy: "enable trigger append_only",
      change: "alter table line disable trigger append_only",
      back: "alter table line enable trigger append_only",
    },
    {
      check: "quarantine",
      says: "101 records in the last hour: undecodable",
      remedy: "millrace quarantine list",
      change: `insert into quarantine (lane, topic, record_offset, block, recorded_at, reason, detail, sha256, size)
         select 0, 'x', n, 1, now(), 'undecodable', '', '', 1 from generate_series(1, 101) n`,
      back: "delete from quarantine",
    },
  ])("tells of $check what is wrong and what to do, and exits 1", async ({ check, says, remedy, change, back }) => {
    const { code, bad } = await examineWith(change, back);
    expect(code).toBe(1);
    expect(bad.map((finding) => finding.check)).toEqual([check]);
    expect(bad[0]?.found).toContain(says);
    expect(bad[0]?.remedy).toContain(remedy);
    expect((await examine()).code).toBe(0);
  });

  test("tells of a session that keeps old rows from being cleaned away, by name", async () => {
    const forgotten = new pg.Client({ connectionString: system.addresses.databaseUrl, application_name: "report.py" });
    await forgotten.connect();
    try {
      await forgotten.query("begin isolation level repeatable read");
      await forgotten.query("select 1");
      // The clock of a test does not wait for half a minute: what doctor counts as old is its own bound.
      const connection = await connect(toolSettings(), "tool");
      const old = await readOldSnapshots(connection, 0).finally(() => connection.close());
      expect(old.map(({ what }) => what)).toContainEqual(expect.stringContaining("(report.py, idle in transaction)"));
    } finally {
      await forgotten.end();
    }
  });

  test("tells of a standby that is missing where one is required, and of room for too few connections", async () => {
    const missing = await examine({ ...system, config: system.config }, { MILLRACE_STANDBY: "required" });
    expect([missing.code, missing.bad.map(({ check }) => check)]).toEqual([1, ["standby"]]);
    expect(missing.bad[0]?.remedy).toContain("synchronous_standby_names");
    const few = await examine(system, { MILLRACE_BLOCK_CONNECTIONS: "64" });
    expect([few.code, few.bad.map(({ check }) => check)]).toEqual([1, ["connections"]]);
    expect(few.bad[0]?.found).toContain("2 instances take up to 136");
  });

  test("tells of brokers that forget a lane's writer before it is opened anew", async () => {
    // A day is what brokers remember by default, and the longest that relayReopenHours may be is 20 hours.
    const { findings, bad } = await examine();
    expect(bad).toEqual([]);
    expect(findings.find(({ check }) => check === "fencing")?.found).toBe(
      "writers are opened every 4 h; producer.id.expiration.ms 24 h, transactional.id.expiration.ms 168 h",
    );
    await setBroker("producer.id.expiration.ms", "14400000");
    const forgetting = await examine();
    await setBroker("producer.id.expiration.ms", "86400000");
    expect(forgetting.bad.map(({ check }) => check)).toEqual(["fencing"]);
    expect(forgetting.bad[0]?.remedy).toContain("lower relayReopenHours");
  });

  test("tells of topics that drop inputs too early, by size or by key, or take less than is sent", async () => {
    const { intents, reports, outcomes } = topicNames({ topicPrefix: `${system.config.topicPrefix}kept.` });
    const stamp = { "message.timestamp.type": "LogAppendTime" };
    const odd = await madeTopics([4, 4, 4, 4, 4], "kept.", {
      [intents]: { ...stamp, "retention.ms": "86400000", "max.message.bytes": "20000" },
      [reports]: { ...stamp, "cleanup.policy": "compact" },
      [outcomes]: { "max.message.bytes": "500000", "unclean.leader.election.enable": "true" },
    });
    expect(odd.bad.map(({ check }) => check)).toEqual([
      "retention",
      "cleanup",
      "message size",
      "replication",
      "schemas",
    ]);
    const said = new Map(odd.bad.map(({ check, found, remedy }) => [check, `${found}\n${remedy}`]));
    expect(said.get("retention")).toContain(`${intents} keeps inputs for less than 7 days`);
    expect(said.get("cleanup")).toContain(`${reports} is compacted`);
    expect(said.get("message size")).toContain(`${intents} takes 20000 bytes, and intentBytesMax needs`);
    expect(said.get("message size")).toContain(`${outcomes} takes 500000 bytes, and relayBatchBytesMax needs 900000`);
    expect(said.get("replication")).toContain("unclean.leader.election.enable");
    const sized = await madeTopics([4, 4, 4, 4, 4], "sized.", {
      [topicNames({ topicPrefix: `${system.config.topicPrefix}sized.` }).intents]: {
        ...stamp,
        "retention.bytes": "1000000",
      },
    });
    expect(sized.bad.find(({ check }) => check === "retention")?.found).toContain("by size (retention.bytes)");
  });

  test("tells of a subject under which schemas could be registered that nobody can read", async () => {
    const subject = `${system.topics.intents}-value`;
    const set = async (compatibility: string) => {
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ compatibility });
      const url = `${system.addresses.schemaRegistryUrl}/config/${subject}`;
      expect((await fetch(url, { method: "PUT", headers, body })).status).toBe(200);
    };
    await set("NONE");
    const { code, bad } = await examine();
    await set("FULL_TRANSITIVE");
    expect([code, bad.map(({ check }) => check)]).toEqual([1, ["compatibility"]]);
    expect(bad[0]?.found).toBe(`${subject} has NONE`);
  });

  test("tells how many inputs wait, and of those that are about to leave their log", async () => {
    await Promise.all([...system.instances].map((instance) => instance.stop()));
    const [opening] = [producing.accountOpen("cust_1")];
    await system.publish([opening]);
    const waiting = await examine();
    expect([waiting.code, waiting.bad]).toEqual([0, []]); // since a moment ago only
    expect(waiting.findings.find(({ check }) => check === "lag")?.found).toBe("1 inputs wait");
    await keepIntents("3600000");
    const leaving = await examine();
    await keepIntents(String(30 * 86_400_000));
    expect([leaving.code, leaving.bad.map(({ check }) => check)]).toEqual([1, ["retention", "expiry"]]);
    expect(leaving.bad[1]?.found).toBe(`inputs that wait leave their log: lane ${homeLane("cust_1", 4)} in 0.9 hours`);
    await system.start();
    await system.readOutcomes({ until: 1 });
  });

  test("tells of a database without a ledger, and of topics and schemas that are not there", async () => {
    const addresses = { ...system.addresses, databaseUrl: await freshDatabase() };
    const config = { ...system.config, topicPrefix: "doctor-verb-none." };
    const { code, bad } = await examine({ addresses, config });
    expect(code).toBe(1);
    expect(bad.map(({ check }) => check)).toEqual(["migrations", "topics", "schemas"]);
    for (const { remedy } of bad) expect(remedy).toContain("millrace migrate");
  });

  test("tells of topics with another number of partitions, and of such that bear their producers' times", async () => {
    const odd = await madeTopics([3, 4, 4, 4, 4], "odd.");
    expect(odd.bad.map(({ check }) => check)).toEqual(["topics", "schemas"]);
    expect(odd.bad[0]?.found).toMatch(/ has 3 partitions; expected 4/);
    const stamped = await madeTopics([4, 4, 4, 4, 4], "stamped.");
    expect(stamped.bad.map(({ check }) => check)).toEqual(["append time", "schemas"]);
    expect(stamped.bad[0]?.remedy).toContain("message.timestamp.type=LogAppendTime");
  });

  test("tells of each thing that cannot be reached, once, and exits 3", async () => {
    const none = {
      kafkaBrokers: ["127.0.0.1:1"],
      databaseUrl: "postgres://a:b@127.0.0.1:1/x",
      schemaRegistryUrl: "http://127.0.0.1:1",
    };
    const { code, bad } = await examine(
      { addresses: none, config: system.config },
      { MILLRACE_CONNECT_TIMEOUT_MS: "500" },
    );
    expect(code).toBe(3);
    expect(bad.map(({ check }) => check)).toEqual(["postgres", "kafka", "registry"]);
    for (const { found, remedy } of bad) expect(`${found} ${remedy}`).toContain("127.0.0.1:1");
  });
});
