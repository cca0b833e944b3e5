// `replay --compare`: a recorded topic is decided anew in a stack of its own, and both ledgers are equal, or the first
// difference is told. Damage is looked for in copies of a ledger, each broken in one way.
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadDeclared } from "../../src/declared/load.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { openAdmin } from "../../src/kafka/admin.ts";
import { openLaneWriter } from "../../src/kafka/writer.ts";
import { processesWorkingIn } from "../../src/stack/processes.ts";
import { damagedCopy } from "../support/audit.ts";
import { cli, cliRows } from "../support/cli.ts";
import { compareWithCopy } from "../support/compare.ts";
import { ACCOUNT, LANE, LANES } from "../support/damages.ts";
import { available, Producing } from "../support/intents.ts";
import { deleteBefore, freshTopic, kafkaSettings } from "../support/kafka.ts";
import { openWorldOf } from "../support/replay.ts";
import { setUpTestService, startTestService, type TestService, waitFor } from "../support/service.ts";

const produce = new Producing();

const leftFolders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("millrace-replay-"));

async function untilTaken(system: TestService): Promise<void> {
  const admin = await openAdmin(system.kafka);
  for (let lane = 0; lane < system.lanes; lane++) {
    const { record } = await admin.tail(system.topics.intents, lane);
    await waitFor(`lane ${lane} to take its last intent`, async () => {
      const [row] = await system.query("select intents_last from lane where lane = $1", [lane]);
      return BigInt(String(row?.["intents_last"])) >= (record?.offset ?? -1n);
    });
  }
  await admin.close();
}

const DAY_MS = 86_400_000;

/** An intent of a later schema, which has an id of its own in this registry and none in a fresh one. */
async function sendLaterSchema(system: TestService, holder: string): Promise<void> {
  const intent = loadDeclared(system.config.schemasDir, system.config.flowsDir).messageSchemas["intent"] as string;
  const schema = JSON.parse(intent) as { fields: object[] };
  schema.fields.push({ name: "addedLater", type: ["null", "string"], default: null });
  const subject = `${system.addresses.schemaRegistryUrl}/subjects/${system.topics.intents}-value/versions`;
  const answer = await fetch(subject, { method: "POST", body: JSON.stringify({ schema: JSON.stringify(schema) }) });
  const { id } = (await answer.json()) as { id: number };
  const value = Buffer.concat([
    system.codec.encoders.intent.encode(produce.payIn(holder, 77_777_773)),
    Buffer.from([0]),
  ]);
  value.writeInt32BE(id, 1);
  await system.send(homeLane(holder, system.lanes), [{ key: Buffer.from(holder), value }]);
}

/** A mixed day with hostile records, records off their lane, one of a later schema, one whose case id is too old soon
 *  after, and a marker of a Kafka transaction between them. */
async function mixedDay(system: TestService): Promise<void> {
  await cliRows(system, ["load", "--profile", "mixed", "--count", "2000", "--seed", "11"]);
  const writer = await openLaneWriter(kafkaSettings(), {
    id: `marker-${system.topics.intents}`,
    targets: [{ topic: system.topics.intents, partition: LANE }],
  });
  await writer.close();
  const holders = Array.from({ length: 12 }, (_, at) => `cmp_${at}`);
  await system.publish(holders.map((holder) => produce.accountOpen(holder)));
  const repeated = produce.payIn("cmp_0", 700);
  await system.publish([...holders.map((holder) => produce.payIn(holder, 5_000)), repeated, repeated]);
  await system.publish(holders.map((holder) => produce.payOut(holder, 1_200)));
  const almostExpired = new Producing(() => Date.now() - system.config.caseWindowDays * DAY_MS + 3_000);
  await system.publish([almostExpired.payIn("cmp_2", 77_777_771)]);
  await sendLaterSchema(system, "cmp_4");
  const stray = { key: Buffer.from("cmp_1"), value: system.codec.encoders.intent.encode(produce.payIn("cmp_1", 9)) };
  for (let lane = 0; lane < system.lanes; lane++) {
    await system.send(lane, [stray, { key: Buffer.from("k"), value: Buffer.from([0, 0, 0, 99, 99, 1, 2]) }]);
  }
  await untilTaken(system);
}

describe("a mixed day", () => {
  let system: TestService;
  const before = leftFolders();

  beforeAll(async () => {
    system = await startTestService({ lanes: LANES, config: { blockRowsMax: 50 } });
    await mixedDay(system);
  });
  afterAll(() => system.stop());

  const compare = (...argv: string[]) =>
    cli(system, ["replay", "--from-topic", system.topics.intents, "--compare", "--json", "--quiet", ...argv]);

  test("decided anew is equal, in every outcome, case, line and balance; nothing is left of the other stack", async () => {
    // What the recorded times and schemas decided, and those of a fresh stack would not.
    const settled = "select count(*)::int as n from line where amount in (77777771, 77777773)";
    expect(await system.query(settled)).toEqual([{ n: 2 }]);
    const ran = await compare();
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    const [summary] = ran.rows();
    expect(summary).toMatchObject({ equal: true, difference: null });
    const counted = async (sql: string): Promise<number> => Number((await system.query(sql))[0]?.["n"]);
    expect(summary?.["compared"]).toEqual({
      outcomes: await counted("select sum(outcomes_next)::int as n from lane"),
      deadLetters: await counted("select sum(dead_letters_next)::int as n from lane"),
      quarantine: await counted("select count(*)::int as n from quarantine"),
      cases: await counted("select count(*)::int as n from case_state"),
      lines: await counted("select count(*)::int as n from line"),
      balances: await counted("select count(*)::int as n from balance"),
    });
    expect(leftFolders()).toEqual(before);
  });

  test("up to an earlier end the ledger of then is compared, while the one of now has gone on", async () => {
    const ends = Array.from({ length: LANES }, (_, lane) => `${lane}:200`).join(",");
    const ran = await compare("--to", ends);
    expect([ran.code, ran.rows()[0]?.["equal"]]).toEqual([0, true]);
    const compared = ran.rows()[0]?.["compared"] as Record<string, number> | undefined;
    expect(compared?.["outcomes"]).toBeGreaterThan(0);
    expect(compared?.["outcomes"]).toBeLessThan(2_000);
    expect(ran.rows()[0]?.["notCompared"]).toContain("floors and states of accounts (the ledger had gone on)");
  });

  test("a balance that was changed in the source is the first difference, with both sides, and exit 1", async () => {
    await system.query("update balance set debits = debits + 1 where path = $1", [available("cmp_3")]);
    try {
      const ran = await compare();
      expect(ran.code).toBe(1);
      expect(ran.rows()[0]).toMatchObject({
        equal: false,
        difference: { what: "balances", field: "debits", recorded: "1201", replayed: "1200" },
      });
    } finally {
      await system.query("update balance set debits = debits - 1 where path = $1", [available("cmp_3")]);
    }
  });

  test("Ctrl-C ends with 130 and leaves no process and no folder", async () => {
    const verb = openWorldOf(system).start(["replay", "--from-topic", system.topics.intents, "--compare"]);
    await waitFor("the folder of its stack", () => leftFolders().length > before.length);
    const [name] = leftFolders().filter((folder) => !before.includes(folder));
    verb.interrupt();
    const { code, stderr } = await verb.ended;
    expect([code, stderr]).toEqual([130, expect.stringContaining("interrupted")]);
    expect(leftFolders()).toEqual(before);
    expect(processesWorkingIn(`${tmpdir()}/${name}`)).toEqual([]);
  });

  test("a second Ctrl-C ends at once, and leaves nothing running either", async () => {
    const verb = openWorldOf(system).start(["replay", "--from-topic", system.topics.intents, "--compare"]);
    let folder = "";
    await waitFor("the broker of its stack", () => {
      folder = leftFolders().find((name) => !before.includes(name)) ?? "";
      return folder !== "" && processesWorkingIn(`${tmpdir()}/${folder}/kafka`).length > 0;
    });
    verb.interrupt();
    verb.interrupt();
    expect((await verb.ended).code).toBe(130);
    await waitFor("its processes to be gone", () => processesWorkingIn(`${tmpdir()}/${folder}/kafka`).length === 0);
  });

  describe("damaged", () => {
    beforeAll(() => Promise.all([...system.instances].map((instance) => instance.stop())));

    const L = `lane = ${LANE}`;
    test.each<[string, string, Record<string, unknown>]>([
      [
        "an outcome of another content",
        `update outbox set value = set_byte(value, 60, get_byte(value, 60) # 1) where ${L} and topic = 0 and sequence = 5`,
        { what: "outcomes" },
      ],
      [
        "an outcome that is missing",
        `delete from outbox where ${L} and topic = 0 and sequence = 7`,
        { what: "outcomes", field: null },
      ],
      [
        "an outcome too many at the end",
        `delete from outbox where ${L} and topic = 0 and sequence = (select max(sequence) from outbox where ${L} and topic = 0)`,
        { what: "outcomes", field: null, replayed: null },
      ],
      [
        "an outcome under another key",
        `update outbox set key = 'else' where ${L} and topic = 0 and sequence = 3`,
        { what: "outcomes", field: "key" },
      ],
      [
        "a dead letter of another content",
        `update outbox set value = set_byte(value, 70, get_byte(value, 70) # 1) where ${L} and topic = 2 and sequence = 0`,
        { what: "deadLetters" },
      ],
      [
        "a quarantine row with another reason",
        `update quarantine set reason = 'too_large' where ${L}`,
        { what: "quarantine", field: "reason", replayed: "too_large" },
      ],
      [
        "a case in another state",
        `update case_state set state = 'failed' where ${L} and case_id = (select case_id from case_state where ${L} order by case_id limit 1)`,
        { what: "cases", field: "state", replayed: "failed" },
      ],
      [
        "a case with another memory",
        `update case_state set history = replace(history, '|i|', '|r|') where ${L}`,
        { what: "cases", field: "history" },
      ],
      ["a case whose memory is broken", `update case_state set history = 'x' where ${L}`, { what: "cases" }],
      [
        "a line of another amount",
        `update line set amount = amount + 1 where ${L} and (block, index) = (select block, index from line where ${L} order by 1, 2 limit 1 offset 4)`,
        { what: "lines", field: "amount" },
      ],
      [
        "a line on another account",
        `update line set debit = credit, credit = debit where ${L} and (block, index) = (select block, index from line where ${L} order by 1, 2 limit 1)`,
        { what: "lines", field: "debit" },
      ],
      [
        "a line that is missing",
        `delete from line where ${L} and (block, index) = (select max(block), 0 from line where ${L})`,
        { what: "lines" },
      ],
      [
        "a balance",
        `update balance set credits = credits + 1 where ${ACCOUNT}`,
        { what: "balances", field: "credits" },
      ],
      [
        "a floor",
        `update balance set floor_minor = -5 where ${ACCOUNT}`,
        { what: "balances", field: "floorMinor", replayed: "-5" },
      ],
      [
        "a frozen account",
        `update balance set status = 'frozen' where ${ACCOUNT}`,
        { what: "balances", field: "status", replayed: "frozen" },
      ],
    ])("%s is the first difference", async (_, statement, told) => {
      const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [statement]);
      const { difference } = await compareWithCopy(system, databaseUrl).finally(drop);
      expect(difference).toMatchObject({ lane: LANE, ...told });
    });

    test("what hangs on where blocks end is no difference", async () => {
      const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [
        "update block set digest = previous_digest, epoch = epoch + 1",
        "update quarantine set recorded_at = recorded_at + interval '1 s'",
      ]);
      expect(await compareWithCopy(system, databaseUrl).finally(drop)).toMatchObject({ difference: null });
    });
  });
});

describe("refuses in clear words what could not be equal", () => {
  let system: TestService;
  beforeAll(async () => {
    system = await setUpTestService({ lanes: 2 });
    await system.publish([produce.accountOpen("ref_1"), produce.accountOpen("ref_2"), produce.accountOpen("ref_3")]);
  });
  afterAll(() => system.stop());

  const compare = (...argv: string[]) => cli(system, ["replay", "--compare", ...argv]);

  test("a ledger that has not taken the span yet", async () => {
    const ran = await compare("--from-topic", system.topics.intents, "--wait", "0");
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/has not taken all of it.*start an instance/)]);
  });

  test("a beginning that is not the topic's", async () => {
    const ran = await compare("--from-topic", system.topics.intents, "--from", "end", "--wait", "0");
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("decided from the first intent on")]);
  });

  test("a topic that is not there, with other partitions, or of which some are left out", async () => {
    expect((await compare("--from-topic", "nowhere")).stderr).toContain("topic nowhere does not exist");
    const other = await freshTopic(3);
    expect((await compare("--from-topic", other)).stderr).toContain(`2 lanes and ${other} 3 partitions`);
    const part = await compare("--from-topic", system.topics.intents, "--to", "0:1");
    expect([part.code, part.stderr]).toEqual([1, expect.stringContaining("every partition must be named, or none")]);
  });

  test("options that a stack of its own has no use for", async () => {
    const ran = await compare("--from-topic", "t", "--to-topic", "u", "--rate", "5", "--as-new", "r");
    expect([ran.code, ran.stderr.match(/cannot go with --compare/g)]).toEqual([
      2,
      Array(3).fill("cannot go with --compare"),
    ]);
  });

  test("a topic that the ledger was not made of, and one whose beginning has expired", async () => {
    const instance = await system.start();
    await untilTaken(system);
    await instance.stop();
    const other = await freshTopic(2);
    const ran = await compare("--from-topic", other);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining(`the ledger was not made of ${other}`)]);
    const [row] = await system.query("select lane from lane where intents_next > 0 limit 1");
    await deleteBefore(system.topics.intents, Number(row?.["lane"]), 1n);
    const expired = await compare("--from-topic", system.topics.intents);
    expect([expired.code, expired.stderr]).toEqual([1, expect.stringContaining("what came before has expired")]);
  });
});
