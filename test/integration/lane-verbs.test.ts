// `lane` against a running service whose lanes are made to halt.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HALT_CAUSES, haltAdvice, remedyText } from "../../src/domain/halts.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { cli, cliRows, untilHalted } from "../support/cli.ts";
import { Producing } from "../support/intents.ts";
import { startTestService, type TestService, waitFor } from "../support/service.ts";

const LANES = 4;
const producing = new Producing();
/** A holder at home in each lane. */
const HOLDERS = Array.from({ length: LANES }, (_, lane) => {
  const ids = Array.from({ length: 100 }, (_unused, index) => `cust_${index}`);
  return ids.find((id) => homeLane(id, LANES) === lane) as string;
});

let system: TestService;
let published = 0;
beforeAll(async () => {
  system = await startTestService({ prefix: "lane-verbs", lanes: LANES });
  await settle(HOLDERS.map((holder) => producing.accountOpen(holder)));
});
afterAll(() => system?.stop());

async function settle(intents: Parameters<TestService["publish"]>[0]): Promise<void> {
  await system.publish(intents);
  published += intents.length;
  await system.readOutcomes({ until: published });
}

const run = (...argv: readonly string[]) => cli(system, ["lane", ...argv]);

async function shown(lane: number): Promise<Record<string, unknown>> {
  return (await cli(system, ["lane", "show", String(lane), "--json"])).rows()[0] ?? {};
}

/** Stops the instances, changes a lane's row, and starts one again. */
async function changeLane(lane: number, change: string): Promise<void> {
  await Promise.all([...system.instances].map((instance) => instance.stop()));
  await system.query(`update lane set ${change} where lane = ${lane}`);
  await system.start();
}

async function untilOwned(lane: number): Promise<void> {
  await waitFor(`lane ${lane} to be owned`, async () => (await shown(lane))["state"] === "owned");
}

describe("lane list and show", () => {
  test("tell who owns each lane, where it stands and that nothing waits", async () => {
    await waitFor("everything to be published", async () =>
      (await cliRows(system, ["lane", "list"])).every((row) => row["unpublished"] === 0),
    );
    const rows = await cliRows(system, ["lane", "list"]);
    expect(rows.map((row) => row["lane"])).toEqual([0, 1, 2, 3]);
    for (const row of rows) {
      expect(row).toMatchObject({
        state: "owned",
        instance: "test-0",
        epoch: 1,
        block: 1,
        intentsNext: 1,
        intentsEnd: 1,
        intentsLag: 0,
        reportsLag: 0,
        outcomesNext: 1,
        outcomesPublished: 0,
        haltedBy: null,
      });
    }
    expect(await cliRows(system, ["lane", "list", "--limit", "2"])).toEqual(rows.slice(0, 2));
    const people = await run("show", "2");
    expect(people.code).toBe(0);
    expect(people.stdout).toContain("lane 2  owned by test-0 (process 1)");
  });

  test("tell that nobody owns a lane once its instances have stopped, and how far behind it falls", async () => {
    await Promise.all([...system.instances].map((instance) => instance.stop()));
    await system.publish([producing.payIn(HOLDERS[1] as string, 5)]);
    published += 1;
    expect(await shown(1)).toMatchObject({ state: "free", instance: null, intentsLag: 1, halt: null });
    await system.start();
    await system.readOutcomes({ until: published });
  });

  test("a lane that is not there is exit 1, a word exit 2", async () => {
    expect((await run("show", "4")).stderr).toContain("there is no lane 4; they are 0 to 3");
    expect((await run("show", "4")).code).toBe(1);
    expect((await run("show", "four")).code).toBe(2);
  });

  test("without Kafka show what the database knows, and exit 3", async () => {
    const none = { KAFKA_BROKERS: "127.0.0.1:1", MILLRACE_CONNECT_TIMEOUT_MS: "500" };
    const ran = await cli(system, ["lane", "show", "0", "--json"], none);
    expect(ran.code).toBe(3);
    expect(ran.rows()[0]).toMatchObject({ state: "owned", block: 1, intentsLag: null });
  });
});

describe("a halted lane", () => {
  test("is shown with cause, evidence and the way to go on; exit 4", async () => {
    await changeLane(0, "intents_next = intents_next + 5");
    await untilHalted(system, 0);
    const ran = await run("show", "0");
    expect(ran.code).toBe(4);
    expect(ran.stdout).toContain("position_beyond_end");
    expect(ran.stdout).toContain("position: 6");
    expect(ran.stdout).toContain(`go on with: millrace lane resume 0 --reason "…" --intents-at 1`);
    expect(ran.stderr).toContain("lane 0 is halted: position_beyond_end");
    expect(await shown(0)).toMatchObject({
      state: "halted",
      haltedBy: "position_beyond_end",
      halt: {
        cause: "position_beyond_end",
        remedy: "accept",
        evidence: { topic: system.topics.intents, partition: 0, position: "6", logEnd: "1" },
      },
    });
    const list = await run("list");
    expect(list.code).toBe(0);
    expect(list.stderr).toContain("halted: 0;");
    expect((await shown(1))["state"]).toBe("owned");
  });

  test("resumed without a position halts again, and the story is kept", async () => {
    const resumed = await run("resume", "0", "--reason", "let us see");
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).toContain("Resuming alone halts again");
    await waitFor("a second halt", async () => {
      const [{ count = 0 } = {}] = await system.query(`select count(*)::int as count from halt where lane = 0`);
      return count === 2;
    });
    await untilHalted(system, 0);
    expect((await shown(0))["pastHalts"]).toMatchObject([{ cause: "position_beyond_end", reason: "let us see" }]);
  });

  test("takes no position that its log does not have", async () => {
    const ran = await run("resume", "0", "--reason", "wrong", "--intents-at", "7");
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain("has offsets 0 to 1 in partition 0");
    expect((await shown(0))["state"]).toBe("halted");
  });

  test("goes on from the accepted position, by a block that says so", async () => {
    const resumed = await run("resume", "0", "--reason", "the log is right", "--intents-at", "1", "--json");
    expect([resumed.code, ...resumed.rows()]).toEqual([
      0,
      { lane: 0, cause: "position_beyond_end", reason: "the log is right", intentsAt: 1, reportsAt: null },
    ]);
    await settle([producing.payIn(HOLDERS[0] as string, 700)]);
    const [moved] = await system.query(
      `select b.intents_from::int as was, b.intents_next::int as is, h.applied, h.resumed_reason from block b
       join halt h on h.halt = b.halt where b.lane = 0`,
    );
    expect(moved).toEqual({ was: 6, is: 1, applied: true, resumed_reason: "the log is right" });
    expect(await shown(0)).toMatchObject({ state: "owned", intentsLag: 0, halt: null });
    expect((await shown(0))["pastHalts"]).toMatchObject([{ intentsAt: 1, applied: true }, { intentsAt: null }]);
    expect((await run("show", "0")).stdout).toContain("accepted intents from 1");
  });

  test("keeps a position that no block had taken over when it halts once more, and applies it once", async () => {
    const [lane, holder] = [2, HOLDERS[2] as string];
    await changeLane(lane, "intents_next = intents_next + 5, reports_next = 3");
    await untilHalted(system, lane);
    // The reports' position is as wrong, so the lane halts again before any block.
    expect((await run("resume", "2", "--reason", "first", "--intents-at", "1")).code).toBe(0);
    await waitFor("the second halt", async () => {
      const { halt } = await shown(lane);
      return (halt as { evidence: { topic: string } } | null)?.evidence.topic === system.topics.reports;
    });
    const [second] = (
      await cli(system, ["lane", "resume", "2", "--reason", "second", "--reports-at", "0", "--json"])
    ).rows();
    expect(second).toMatchObject({ intentsAt: 1, reportsAt: 0 });
    await settle([producing.payIn(holder, 1)]);
    // Left behind, the first position would move the lane back when it is taken the next time.
    await system.query(`update halt set applied = false`); // a process that ended before it could note it
    await changeLane(lane, "accounts = accounts");
    await untilOwned(lane);
    await settle([producing.payIn(holder, 2)]);
    const [{ count = 0 } = {}] = await system.query(
      `select count(*)::int as count from block where lane = 2 and halt is not null`,
    );
    expect(count).toBe(1);
  });
});

describe("a log that is not the one that was read", () => {
  test("may be read on from where the lane stands once that is accepted, also after the next takeover", async () => {
    await changeLane(3, "intents_last_hash = '\\x00'");
    await untilHalted(system, 3);
    const { halt, intentsNext } = await shown(3);
    expect(halt).toMatchObject({ cause: "last_record_differs", evidence: { expectedHash: "00" } });
    const [flag, offset] = ["--intents-at", String(intentsNext)];
    expect((await run("show", "3")).stdout).toContain(`${flag} ${offset}`);
    expect((await run("resume", "3", "--reason", "the topic was restored", flag, offset)).code).toBe(0);
    await untilOwned(3);
    await changeLane(3, "accounts = accounts");
    await untilOwned(3);
    await settle([producing.payIn(HOLDERS[3] as string, 3)]);
  });
});

describe("a halted lane with inputs waiting", () => {
  const RETENTION_HOURS = 30 * 24;

  test("tells in show, log and metrics how many hours are left, and which page says what to do", async () => {
    await Promise.all([...system.instances].map((instance) => instance.stop()));
    await system.query(`update lane set intents_last_hash = '\\x00' where lane = 1`);
    await system.publish([producing.payIn(HOLDERS[1] as string, 4)]);
    published += 1;
    const instance = await system.start();
    await untilHalted(system, 1);
    const runbook = "docs/runbooks/halts/last_record_differs.md";
    const lane = await shown(1);
    expect(lane["halt"]).toMatchObject({ runbook });
    expect(lane["hoursUntilInputsExpire"]).toBeGreaterThan(RETENTION_HOURS - 1);
    expect(lane["hoursUntilInputsExpire"]).toBeLessThanOrEqual(RETENTION_HOURS);
    const people = (await run("show", "1")).stdout;
    expect(people).toContain(`step by step: ${runbook}`);
    expect(people).toMatch(/expiring {2}7\d\d(\.\d)? hours until the first input that waits/);
    // A lane without a backlog has nothing to lose.
    expect((await shown(2))["hoursUntilInputsExpire"]).toBeNull();
    const line = () => instance.log.find(({ message }) => message.startsWith("lane halted"));
    await waitFor("the line that says that the lane has halted", () => line() !== undefined);
    expect(line()).toMatchObject({ level: "error", lane: 1, runbook, cause: "last_record_differs" });
    expect(line()?.["hoursUntilInputsExpire"]).toBe(lane["hoursUntilInputsExpire"]);
  });

  test("is told by an instance that does not own it, until it is resumed", async () => {
    const [instance] = system.instances;
    const page = async () => (await fetch(`http://127.0.0.1:${instance?.httpPort}/metrics`)).text();
    const halted = 'millrace_lane_halted{lane="1",cause="last_record_differs"} 1';
    await waitFor("the metric of the halted lane", async () => (await page()).includes(halted));
    expect(await page()).toMatch(/millrace_inputs_expire_seconds\{lane="1"\} 2[56]\d{5}/);
    expect(await page()).toContain("millrace_lanes_halted 1");
    const at = String((await shown(1))["intentsNext"]);
    expect((await run("resume", "1", "--reason", "it is the right log", "--intents-at", at)).code).toBe(0);
    await system.readOutcomes({ until: published });
    await waitFor("the metric to go", async () => !(await page()).includes("millrace_lane_halted{"));
    expect(await page()).toContain("millrace_lanes_halted 0");
  });
});

describe("lane resume", () => {
  test("refuses a lane that is not halted, and wants a reason and offsets that are such", async () => {
    const idle = await run("resume", "1", "--reason", "nothing");
    expect(idle.code).toBe(1);
    expect(idle.stderr).toContain("lane 1 is not halted");
    const wrong = await run("resume", "1", "--reason", " ", "--intents-at", "-1x", "--reports-at", "soon");
    expect(wrong.code).toBe(2);
    for (const flag of ["--reason", "--intents-at", "--reports-at"])
      expect(wrong.stderr).toContain(`millrace: ${flag}:`);
    expect((await run("resume", "1")).stderr).toContain("--reason: missing");
  });
});

describe("causes of halts", () => {
  test.each(HALT_CAUSES)("%s is explained, with the way to go on", (cause) => {
    const { meaning, next } = haltAdvice(cause);
    for (const text of [meaning, next, remedyText(cause)]) expect(text).toMatch(/^[A-Z].{30,}\.$/);
  });

  test("one that another release gave is not taken for a known one", () => {
    expect(haltAdvice("something_new").meaning).toContain("does not know");
  });
});
