// `doctor` on a system that is well, and on the same system with one thing wrong at a time.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { topicNames } from "../../src/config.ts";
import { openAdmin } from "../../src/kafka/admin.ts";
import { type CliSystem, cli } from "../support/cli.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { freshDatabase } from "../support/stack.ts";

let system: TestService;
beforeAll(async () => {
  system = await startTestService({ prefix: "doctor-verb" });
});
afterAll(() => system?.stop());

type Finding = { readonly check: string; readonly ok: boolean; readonly found: string; readonly remedy: string };

async function examine(of: CliSystem = system) {
  const ran = await cli(of, ["doctor", "--json"]);
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

let made = 0;

/** Examines other topics of the same service, made by somebody who left the brokers' defaults as they are. */
async function madeTopics(partitions: readonly number[]) {
  const config = { ...system.config, topicPrefix: `${system.config.topicPrefix}${++made}.` };
  const admin = await openAdmin(system.kafka);
  const topics = Object.values(topicNames(config));
  await admin.createTopics(
    topics.map((topic, index) => ({ topic, partitions: partitions[index] as number, settings: {} })),
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
      "migrations",
      "role",
      "lanes",
      "halts",
      "partitions",
      "kafka",
      "topics",
      "append time",
      "broker clock",
      "registry",
      "schemas",
    ]);
    expect((await cli(system, ["doctor"])).stdout).toMatch(/^ok {3}node/);
  });

  test.each([
    {
      check: "migrations",
      says: "0001_ledger has not run",
      remedy: "millrace migrate",
      change: "update migration set name = '0001_moved'",
      back: "update migration set name = '0001_ledger'",
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
  ])("tells of $check what is wrong and what to do, and exits 1", async ({ check, says, remedy, change, back }) => {
    const { code, bad } = await examineWith(change, back);
    expect(code).toBe(1);
    expect(bad.map((finding) => finding.check)).toEqual([check]);
    expect(bad[0]?.found).toContain(says);
    expect(bad[0]?.remedy).toContain(remedy);
    expect((await examine()).code).toBe(0);
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
    const odd = await madeTopics([3, 4, 4, 4, 4]);
    expect(odd.bad.map(({ check }) => check)).toEqual(["topics", "schemas"]);
    expect(odd.bad[0]?.found).toMatch(/ has 3 partitions; expected 4/);
    const stamped = await madeTopics([4, 4, 4, 4, 4]);
    expect(stamped.bad.map(({ check }) => check)).toEqual(["append time", "schemas"]);
    expect(stamped.bad[0]?.remedy).toContain("message.timestamp.type=LogAppendTime");
  });

  test("tells of each thing that cannot be reached, once, and exits 3", async () => {
    const none = {
      kafkaBrokers: ["127.0.0.1:1"],
      databaseUrl: "postgres://a:b@127.0.0.1:1/x",
      schemaRegistryUrl: "http://127.0.0.1:1",
    };
    const { code, bad } = await examine({ addresses: none, config: system.config });
    expect(code).toBe(3);
    expect(bad.map(({ check }) => check)).toEqual(["postgres", "kafka", "registry"]);
    for (const { found, remedy } of bad) expect(`${found} ${remedy}`).toContain("127.0.0.1:1");
  });
});
