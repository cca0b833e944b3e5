// `load` and `outcomes` against a running service: what goes in, what comes out, and what is told on the way.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type CliSystem, cli, cliRows } from "../support/cli.ts";
import { setUpTestService, startTestService, type TestService } from "../support/service.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-load-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fileOf(lines: readonly (object | string)[]): string {
  const path = join(folder, `${++files}.jsonl`);
  writeFileSync(path, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return path;
}

const BANK = "asset:bank:main";
const at = (holderId: string): string => `liability:customer:${holderId}:available`;

function opening(holderId: string, currency = "CZK") {
  const account = at(holderId);
  return {
    type: "account_open",
    holderId,
    sourceId: "open",
    account,
    currency,
    occurredAt: "1993-01-01T00:00:00Z",
  };
}

function cashIn(holderId: string, sourceId: string, minor: string, currency = "CZK") {
  const amount = { currency, minor };
  const occurredAt = "1993-01-05T00:00:00Z";
  return { type: "transfer_create", holderId, sourceId, from: BANK, to: at(holderId), amount, occurredAt };
}

function outcomesOf(system: CliSystem): Promise<Record<string, unknown>[]> {
  return cliRows(system, ["outcomes", "--from-beginning", "--until-idle", "1.5"]);
}

async function intentsIn({ lanes, kafka, topics }: TestService): Promise<bigint> {
  const { openAdmin } = await import("../../src/kafka/admin.ts");
  const admin = await openAdmin(kafka);
  let records = 0n;
  for (let lane = 0; lane < lanes; lane++) records += (await admin.bounds(topics.intents, lane)).end;
  await admin.close();
  return records;
}

describe("load --from", () => {
  let system: TestService;
  beforeAll(async () => {
    system = await startTestService();
  });
  afterAll(() => system.stop());

  test("publishes lines in order per holder; the service answers wrong content with refusals", async () => {
    const lines = [
      opening("cust_1"),
      cashIn("cust_1", "t-1", "70000"),
      cashIn("cust_1", "t-2", "-1"),
      cashIn("cust_1", "t-3", "9".repeat(39)),
      cashIn("cust_1", "t-4", "5", "XQQ"),
      cashIn("cust_1", "t-5", "5", "EUR"),
      { ...cashIn("cust_1", "t-6", "5"), caseId: "rubbish" },
      { ...cashIn("cust_1", "t-7", "80000"), from: at("cust_1"), to: BANK },
    ];
    const [summary] = await cliRows(system, ["load", "--from", fileOf(lines)]);
    expect(summary).toMatchObject({ sent: 8, repeated: 0, acknowledged: 8, topic: system.topics.intents });
    const outcomes = await outcomesOf(system);
    expect(outcomes.map(({ sourceId, reason }) => [sourceId, (reason as { code: string } | null)?.code])).toEqual([
      ["open", undefined],
      ["t-1", undefined],
      ["t-2", "amount_not_positive"],
      ["t-3", "amount_too_large"],
      ["t-4", "unknown_currency"],
      ["t-5", "currency_mismatch"],
      ["t-6", "malformed_case_id"],
      ["t-7", "insufficient_funds"],
    ]);
    expect(outcomes[1]).toMatchObject({
      type: "transfer.completed",
      lines: 1,
      amounts: { requested: { currency: "CZK", minor: "70000" } },
      occurredAt: "1993-01-05T00:00:00Z",
    });
  });

  test("sends the last lines again as the same bytes, and they are answered as repeats", async () => {
    const before = (await outcomesOf(system)).length;
    const lines = [opening("cust_2"), ...["a", "b", "c"].map((sourceId) => cashIn("cust_2", sourceId, "100"))];
    const [summary] = await cliRows(system, ["load", "--from", fileOf(lines), "--repeat-last", "2"]);
    expect(summary).toMatchObject({ sent: 4, repeated: 2, acknowledged: 6 });
    const own = (await outcomesOf(system)).filter(({ holderId }) => holderId === "cust_2");
    expect(own.map(({ type, sourceId }) => [type, sourceId])).toEqual([
      ["account.opened", "open"],
      ["transfer.completed", "a"],
      ["transfer.completed", "b"],
      ["transfer.completed", "c"],
      ["intent.repeated", "b"],
      ["intent.repeated", "c"],
    ]);
    expect(own[4]?.["repeatOf"]).toEqual({ lane: own[2]?.["lane"], sequence: own[2]?.["sequence"] });
    expect((await outcomesOf(system)).length).toBe(before + 6);
  });

  test("derives the same case ids for the same run time: the whole file again is repeats", async () => {
    const file = fileOf([opening("cust_3"), cashIn("cust_3", "x", "1"), cashIn("cust_3", "y", "1")]);
    const runAt = new Date().toISOString();
    await cliRows(system, ["load", "--from", file, "--run-at", runAt]);
    await cliRows(system, ["load", "--from", file, "--run-at", runAt]);
    const own = (await outcomesOf(system)).filter(({ holderId }) => holderId === "cust_3");
    expect(own.filter(({ type }) => type === "intent.repeated")).toHaveLength(3);
    expect(
      await system.query("select sum(credits)::text as credits from balance where path = $1", [at("cust_3")]),
    ).toEqual([{ credits: "2" }]);
  });
});

describe("load of lines that are not well formed", () => {
  let system: TestService;
  beforeAll(async () => {
    system = await setUpTestService();
  });
  afterAll(() => system.stop());

  test("tells every fault with its line and field, ends with 2 and has sent nothing", async () => {
    const faulty = { ...cashIn("cust_1", "t", "1"), amount: { currency: "CZK", minor: 1 }, holderId: null };
    const file = fileOf([opening("cust_1"), "", faulty, "{nope"]);
    const ran = await cli(system, ["load", "--from", file]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toContain(`${file}:3: holderId: found null, expected a string`);
    expect(ran.stderr).toContain(`${file}:3: amount.minor: found 1, expected a string of digits`);
    expect(ran.stderr).toContain(`${file}:4: found something else`);
    expect(ran.stderr).toContain("nothing was sent");
    expect(await intentsIn(system)).toBe(0n);
  });

  test("tells faults of the command line at once", async () => {
    const ran = await cli(system, ["load", "--from", "a.jsonl", "--profile", "none", "--rate", "0", "--zipf", "x"]);
    expect(ran.code).toBe(2);
    for (const told of [
      "either --from FILE or --profile NAME",
      "--profile: found",
      "--count: missing",
      "--rate: found",
    ]) {
      expect(ran.stderr).toContain(told);
    }
    expect(await cli(system, ["load", "--from", join(folder, "absent.jsonl")])).toMatchObject({ code: 2 });
    expect(await cli(system, ["load", "--from", folder])).toMatchObject({ code: 2 });
  });

  test("says what to do when the topics are not there", async () => {
    const ran = await cli(system, ["load", "--from", fileOf([opening("c")])], { MILLRACE_TOPIC_PREFIX: "nowhere." });
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining("millrace migrate") });
  });
});

test("load --profile: every made-up transfer is booked, in the number asked for", async () => {
  const system = await startTestService();
  onTestFinished(() => system.stop());
  const [summary] = await cliRows(system, ["load", "--profile", "transfers", "--count", "2000", "--rate", "4000"]);
  expect(summary).toMatchObject({ sent: 2_000, acknowledged: 2_000 });
  expect(summary?.["seconds"]).toBeGreaterThan(0.45);
  const outcomes = await outcomesOf(system);
  expect(outcomes.map(({ type }) => type).filter((type) => type !== "transfer.completed")).toEqual(
    Array.from({ length: 100 }, () => "account.opened"),
  );
  expect(outcomes).toHaveLength(2_000);
});

test("load --profile mixed: every record is answered by an outcome or put aside, and every way to fail occurs", async () => {
  const system = await startTestService();
  onTestFinished(() => system.stop());
  await cliRows(system, ["load", "--profile", "mixed", "--count", "10000", "--seed", "7"]);
  const outcomes = await outcomesOf(system);
  const [aside] = await system.query("select count(*)::int as count from quarantine");
  expect(outcomes.length + Number(aside?.["count"])).toBe(10_000);
  const codes = new Set(outcomes.map(({ reason }) => (reason as { code: string } | null)?.code));
  const expected = ["insufficient_funds", "unknown_account", "currency_mismatch", "idempotency_conflict", "not_home"];
  expect([...codes]).toEqual(expect.arrayContaining([...expected, "account_frozen", "same_account"]));
  const reasons = (await system.query("select distinct reason from quarantine")).map(({ reason }) => reason);
  expect(reasons).toEqual(expect.arrayContaining(["undecodable", "key_mismatch", "wrong_lane", "unknown_schema"]));
});

describe("outcomes", () => {
  test("ends when idle, with or without instances, and prints nothing when there is nothing", async () => {
    const system = await setUpTestService();
    onTestFinished(() => system.stop());
    const ran = await cli(system, ["outcomes", "--from-beginning", "--until-idle", "0.5"]);
    expect(ran).toMatchObject({ code: 0, stdout: "" });
  });

  test("tells a gap and a repeat on stderr, prints each outcome once, and ends with 1", async () => {
    const system = await startTestService({ lanes: 1 });
    onTestFinished(() => system.stop());
    await cliRows(system, ["load", "--from", fileOf([opening("cust_1"), cashIn("cust_1", "t-1", "100")])]);
    const [, booked] = await system.readOutcomes({ until: 2 });
    if (booked === undefined) throw new Error("the transfer has no outcome");
    const strange = [{ ...booked }, { ...booked, sequence: 7n }].map((outcome) => ({
      key: Buffer.from("cust_1"),
      value: system.codec.encoders.outcome.encode(outcome),
    }));
    await system.instances[0]?.stop();
    await system.producer.send(system.topics.outcomes, 0, [...strange, { key: null, value: Buffer.from("rubbish") }]);
    const ran = await cli(system, ["outcomes", "--from-beginning", "--until-idle", "0.5", "--quiet"]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain("lane 0: sequence 1 where 2 was expected: a repeat");
    expect(ran.stderr).toContain("lane 0: sequence 7 where 2 was expected: a gap of 5");
    expect(ran.stderr).toContain("is no outcome");
    expect(ran.rows().map(({ sequence }) => sequence)).toEqual([0, 1, 7]);
  });
});
