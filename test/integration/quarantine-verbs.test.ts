// `quarantine` against a running service: what was put aside is told with its reason, and what can be mended is settled.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { cli, cliRows } from "../support/cli.ts";
import { available, BANK, Producing } from "../support/intents.ts";
import { startTestService, type TestService } from "../support/service.ts";

const LANES = 4;
const HOLDER = "cust_1";
const HOME = homeLane(HOLDER, LANES);
const ASTRAY = (HOME + 1) % LANES;
const producing = new Producing();

let system: TestService;
let answered = 0;
let putAside = 0;
beforeAll(async () => {
  system = await startTestService({ prefix: "quarantine-verbs", lanes: LANES });
  await settle([producing.accountOpen(HOLDER)]);
});
afterAll(() => system?.stop());

const run = (...argv: readonly string[]) => cli(system, ["quarantine", ...argv]);
const rows = (...argv: readonly string[]) => cliRows(system, ["quarantine", ...argv]);

async function settle(intents: readonly NewIntent[]): Promise<void> {
  await system.publish(intents);
  await outcomesOf(intents.length);
}

/** The next outcomes, as the topic has them. */
async function outcomesOf(count: number) {
  answered += count;
  return (await system.readOutcomes({ until: answered })).slice(-count);
}

/** Sends a record that cannot be understood.
 *  @returns its id */
async function spoil(lane: number, key: string | null, value: Buffer): Promise<string> {
  const offset = await system.send(lane, [{ key: key === null ? null : Buffer.from(key), value }]);
  putAside += 1;
  await system.readDeadLetters(putAside);
  return `${lane}:${offset}`;
}

const bytesOf = (intent: NewIntent): Buffer => system.codec.encoders.intent.encode(intent);

async function balance(): Promise<unknown> {
  return (await cliRows(system, ["ledger", "balance", available(HOLDER)]))[0]?.["balanceMinor"];
}

describe("quarantine list and show", () => {
  test("are empty at first", async () => {
    const ran = await run("list", "--json");
    expect([ran.code, ran.stdout]).toEqual([0, ""]);
    expect(ran.stderr).toContain("nothing was put aside");
  });

  test("tell what was put aside in the order of time, over all lanes, with reasons", async () => {
    const ids = [
      await spoil(ASTRAY, HOLDER, bytesOf(producing.payIn(HOLDER, 1))),
      await spoil(HOME, HOLDER, Buffer.from("no message at all")),
      await spoil(HOME, null, bytesOf(producing.payIn(HOLDER, 1))),
      await spoil(HOME, "cust_2", bytesOf(producing.payIn(HOLDER, 1))),
    ];
    const list = await rows("list");
    expect(list.map((row) => row["id"])).toEqual(ids);
    expect(list.map((row) => row["reason"])).toEqual(["wrong_lane", "undecodable", "missing_key", "key_mismatch"]);
    expect(list[0]).toMatchObject({
      topic: system.topics.intents,
      partition: ASTRAY,
      key: HOLDER,
      retriedAt: null,
      detail: expect.stringContaining("murmur2_random"),
    });
    expect((await rows("list", "--limit", "2")).map((row) => row["id"])).toEqual(ids.slice(2));
    expect((await run("list")).stdout.split("\n").length).toBe(6);
  });

  test("show the body of an intent, and the bytes of what is none", async () => {
    const [first, second] = await rows("list");
    const [intent] = await rows("show", first?.["id"] as string);
    expect(intent).toMatchObject({
      reason: "wrong_lane",
      intent: { type: "transfer_create", holderId: HOLDER, from: BANK, amount: { currency: "EUR", minor: "1" } },
      valueHex: null,
    });
    const [garbage] = await rows("show", second?.["id"] as string);
    expect(garbage).toMatchObject({ intent: null, valueHex: Buffer.from("no message at all").toString("hex") });
    const people = await run("show", second?.["id"] as string);
    expect(people.stdout).toContain("not readable as an intent");
    expect(people.stdout).toContain("6e6f206d");
  });

  test("print nothing of a stranger's that a terminal would act on", async () => {
    const hostile = { k: "\u001b[2J\u202eknil\u0000" };
    const id = await spoil(ASTRAY, HOLDER, bytesOf(producing.payIn(HOLDER, 1, { metadata: hostile })));
    for (const ran of [await run("show", id), await run("list")]) {
      // oxlint-disable-next-line no-control-regex -- they are what must not be there
      expect(ran.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    }
  });

  test("without the registry show the bytes", async () => {
    const [first] = await rows("list");
    const ran = await cli(system, ["quarantine", "show", first?.["id"] as string, "--json"], {
      SCHEMA_REGISTRY_URL: "http://127.0.0.1:1",
    });
    expect([ran.code, ran.rows()[0]?.["intent"]]).toEqual([0, null]);
    expect(ran.rows()[0]?.["valueHex"]).toMatch(/^00/);
  });

  test("exit 1 for an id under which nothing is, 2 for what is no id", async () => {
    expect((await run("show", "0:999999")).code).toBe(1);
    expect((await run("retry", "0:999999")).code).toBe(1);
    expect((await run("show", "4711")).code).toBe(2);
    const wrong = await run("retry", "x", "--set", "amount");
    expect(wrong.code).toBe(2);
    expect(wrong.stderr.match(/^millrace: (ID|--set):/gm)?.length).toBe(2);
  });
});

describe("quarantine retry", () => {
  test("sends an intent that went astray to its home, where it is settled; sent again it is absorbed", async () => {
    const intent = producing.payIn(HOLDER, 500, { sourceId: "astray" });
    const id = await spoil(ASTRAY, HOLDER, bytesOf(intent));
    const before = BigInt((await balance()) as string);
    expect(await rows("retry", id)).toMatchObject([{ id, partition: HOME, holderId: HOLDER, caseId: intent.caseId }]);
    expect(await outcomesOf(1)).toMatchObject([
      { type: "transfer.completed", sourceId: "astray", caseId: intent.caseId },
    ]);
    expect(await balance()).toBe(`${before + 500n}`);
    const [shown] = await rows("show", id);
    expect(shown?.["retriedAt"]).toMatch(/Z$/);
    const again = await run("retry", id);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining("once more")]);
    expect(await outcomesOf(1)).toMatchObject([{ type: "intent.repeated", caseId: intent.caseId }]);
    expect(await balance()).toBe(`${before + 500n}`);
  });

  test("mends fields, and refuses what would be put aside again", async () => {
    const intent = producing.payIn(HOLDER, 600, { reference: "x".repeat(2_000), sourceId: "long" });
    const id = await spoil(HOME, HOLDER, bytesOf(intent));
    const refused = await run("retry", id);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("put aside again as invalid_field: reference:");
    expect((await rows("show", id))[0]?.["retriedAt"]).toBe(null);
    const sets = ["reference=short", "amount.minor=601", "metadata.mended=yes", "sourceId="];
    const argv = sets.flatMap((set) => ["--set", set]);
    expect(await rows("retry", id, ...argv)).toMatchObject([{ partition: HOME, caseId: intent.caseId }]);
    expect(await outcomesOf(1)).toMatchObject([
      { type: "transfer.completed", sourceId: null, amounts: { requested: { minor: "601" } } },
    ]);
  });

  test("goes to the home of the holder that it is mended to", async () => {
    const other = ["cust_2", "cust_3", "cust_4", "cust_5"].find((holder) => homeLane(holder, LANES) !== HOME) as string;
    const intent = producing.accountOpen(HOLDER, { account: available(other) });
    const id = await spoil(HOME, null, bytesOf(intent));
    const [sent] = await rows("retry", id, "--set", `holderId=${other}`);
    expect(sent).toMatchObject({ partition: homeLane(other, LANES), holderId: other });
    expect(await outcomesOf(1)).toMatchObject([{ type: "account.opened", holderId: other }]);
  });

  test("takes an amount's scale from its currency, and times, floors and flags as they are written", async () => {
    const intent = producing.accountOpen(HOLDER, { account: "liability:customer:cust_1:unapplied", currency: "JPY" });
    const id = await spoil(HOME, "cust_9", bytesOf(intent));
    const time = "2026-11-20T10:00:00Z";
    const argv = [`occurredAt=${time}`, "floorMinor=none", "final=true"].flatMap((set) => ["--set", set]);
    expect((await run("retry", id, ...argv)).code).toBe(0);
    expect(await outcomesOf(1)).toMatchObject([
      { type: "account.opened", occurredAt: BigInt(Date.parse(time)) * 1000n },
    ]);
    const yen = producing.payIn(HOLDER, 1, { to: "liability:customer:cust_1:unapplied" });
    const astray = await spoil(ASTRAY, HOLDER, bytesOf(yen));
    expect((await run("retry", astray, "--set", "amount.currency=JPY", "--set", "amount.minor=7")).code).toBe(0);
    expect(await outcomesOf(1)).toMatchObject([
      { type: "transfer.completed", amounts: { requested: { currency: "JPY", scale: 0, minor: "7" } } },
    ]);
  });

  test("refuses edits that make no sense, all at once, and never changes the case id", async () => {
    const id = await spoil(ASTRAY, HOLDER, bytesOf(producing.payIn(HOLDER, 1)));
    const sets = ["caseId=trf_x", "amout.minor=1", "final=maybe", "occurredAt=now", "holderId=", "amount.scale=two"];
    const ran = await run("retry", id, ...sets.flatMap((set) => ["--set", set]));
    expect(ran.code).toBe(2);
    expect(ran.stderr.match(/^millrace: --set /gm)?.length).toBe(sets.length);
    expect(ran.stderr).toContain("keeps its case id");
  });

  test("refuses bytes that were not kept whole, and bytes that are no intent", async () => {
    const large = bytesOf(producing.payIn(HOLDER, 1, { metadata: { blob: "x".repeat(system.config.intentBytesMax) } }));
    const whole = await run("retry", await spoil(HOME, HOLDER, large));
    expect(whole.code).toBe(1);
    expect(whole.stderr).toContain(`of its ${large.length} bytes only 16384 were kept`);
    const garbage = await run("retry", await spoil(HOME, HOLDER, Buffer.from("garbage")));
    expect(garbage.code).toBe(1);
    expect(garbage.stderr).toContain("cannot be read as an intent");
  });
});

test("the lanes went on, and everything still sums to zero", async () => {
  expect((await cli(system, ["ledger", "trial-balance"])).code).toBe(0);
  await settle([producing.payIn(HOLDER, 1)]);
});
