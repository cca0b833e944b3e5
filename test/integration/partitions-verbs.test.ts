// `partitions` on a database with days long past: what leaves, what has to stay, and what becomes of it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, cliRows } from "../support/cli.ts";
import { Producing } from "../support/intents.ts";
import { startTestService, type TestService } from "../support/service.ts";

const DAY_MS = 86_400_000;
const producing = new Producing();

let system: TestService;
beforeAll(async () => {
  system = await startTestService({ prefix: "partitions-verbs" });
  await system.publish([producing.accountOpen("cust_1"), producing.payIn("cust_1", 5)]);
  await system.readOutcomes({ until: 2 });
  await system.query(`select create_partitions(now() - interval '6 days', now())`);
  await system.query(`select create_partitions(now() - interval '500 days', now() - interval '499 days')`);
});
afterAll(() => system?.stop());

const run = (...argv: readonly string[]) => cli(system, ["partitions", ...argv]);
const rows = (...argv: readonly string[]) => cliRows(system, ["partitions", ...argv]);

function dayName(table: string, daysAgo: number): string {
  return `${table}_${new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "")}`;
}

async function stateOf(partition: string): Promise<unknown> {
  return (await rows("list")).find((row) => row["partition"] === partition)?.["state"] ?? "gone";
}

describe("partitions list", () => {
  test("tells every partition with its span, today's rows among them", async () => {
    const all = await rows("list");
    const today = all.find((row) => row["partition"] === dayName("line", 0));
    const midnight = `${new Date().toISOString().slice(0, 10)}T00:00:00.000Z`;
    expect(today).toMatchObject({ table: "line", state: "attached", from: midnight });
    const leaves = (row: Record<string, unknown> | undefined) =>
      (Date.parse(row?.["leavesFrom"] as string) - Date.parse(row?.["until"] as string)) / DAY_MS;
    expect(leaves(today)).toBe(2);
    expect(leaves(all.find((row) => row["partition"] === dayName("case_state", 0)))).toBe(401); // caseWindowDays and one
    expect((await run("list")).stdout).toMatch(/\d+ partitions, \d+ MiB in all\n$/);
    const quarter = all.find((row) => row["partition"] === `${dayName("outbox", 1)}_18`);
    expect(Date.parse(quarter?.["until"] as string) - Date.parse(quarter?.["from"] as string)).toBe(DAY_MS / 4);
    expect(all.filter((row) => row["state"] === "default").map((row) => row["table"])).toEqual([
      "line",
      "block",
      "case_state",
      "outbox",
    ]);
    const lines = await rows("list", "--table", "line", "--limit", "2");
    expect(lines.map((row) => row["table"])).toEqual(["line", "line"]);
    expect((await run("list", "--table", "lines")).code).toBe(2);
  });
});

describe("partitions detach", () => {
  test("refuses young days, cases within the window of repeats, and to drop what is not published elsewhere", async () => {
    expect((await run("detach", "--older-than", "1")).code).toBe(2);
    expect((await run("detach")).stderr).toContain("--older-than: missing");
    expect((await run("detach", "--older-than", "5", "--drop")).stderr).toContain("only with --table outbox");
    const cases = await run("detach", "--older-than", "400", "--table", "case_state");
    expect(cases.code).toBe(1);
    expect(cases.stderr).toContain("caseWindowDays");
  });

  test("with --dry-run says what would leave, and changes nothing", async () => {
    const before = await rows("list");
    const told = await rows("detach", "--older-than", "4", "--table", "line", "--dry-run");
    const would = told.filter((row) => row["action"] === "would detach").map((row) => row["partition"]);
    expect(would).toEqual(expect.arrayContaining([dayName("line", 5), dayName("block", 5)]));
    expect(would).not.toContain(dayName("line", 3));
    expect((await rows("list")).map((row) => row["state"])).toEqual(before.map((row) => row["state"]));
  });

  test("takes a day's lines and blocks together, keeps them and keeps them append-only", async () => {
    const [line, block] = [dayName("line", 5), dayName("block", 5)];
    const [young] = [dayName("line", 3)];
    const done = await rows("detach", "--older-than", "4", "--table", "line");
    const names = done.filter((row) => row["action"] === "detached").map((row) => row["partition"]);
    expect(names).toContain(line);
    expect(names).toContain(block);
    expect(names).not.toContain(young);
    expect([await stateOf(line), await stateOf(block), await stateOf(young)]).toEqual([
      "detached",
      "detached",
      "attached",
    ]);
    await system.query(
      `insert into ${line} values (0, 1, 0, now() - interval '5 days', 1, 2, 5, gen_random_uuid(), 'EUR', 'P17')`,
    );
    for (const change of ["delete from", "truncate"]) {
      await expect(system.query(`${change} ${line}`)).rejects.toThrow(/append-only/);
    }
    expect(await rows("detach", "--older-than", "4", "--table", "block")).toEqual([]);
  });

  test("leaves a block that a lane still needs, names the lane, and exits 1", async () => {
    const [head] = await system.query(`select lane, block from lane where block > 0`);
    const [partition, at] = [dayName("block", 3), new Date(Date.now() - 3 * DAY_MS).toISOString()];
    // As if the lane had rested since then.
    await system.query(
      `insert into ${partition} select lane, block, '${at}', epoch, process, previous_digest, digest, lines_hash, messages_hash,
         intents_from, intents_next, reports_from, reports_next, flows, timers, lines, outcomes_from, outcomes_next, commands_from,
         commands_next, dead_letters_from, dead_letters_next, halt from block where lane = $1 and block = $2`,
      [head?.["lane"], head?.["block"]],
    );
    const dry = await run("detach", "--older-than", "2", "--table", "block", "--json", "--dry-run");
    expect([dry.code, dry.rows().find((row) => row["action"] === "kept")?.["partition"]]).toEqual([1, partition]);
    const ran = await run("detach", "--older-than", "2", "--table", "block", "--json");
    expect(ran.code).toBe(1);
    const kept = ran.rows().filter((row) => row["action"] === "kept");
    expect(kept.map((row) => row["partition"])).toEqual([partition, dayName("line", 3)]);
    expect(kept[0]?.["why"]).toContain(`newest outgoing message (lane ${head?.["lane"]})`);
    expect([await stateOf(partition), await stateOf(dayName("line", 3))]).toEqual(["attached", "attached"]);
  });

  test("drops outbox partitions whose messages are published, and no others", async () => {
    const [published, waiting] = [`${dayName("outbox", 4)}_06`, `${dayName("outbox", 4)}_12`];
    const fill = (partition: string, hour: number, sequence: number) =>
      system.query(`insert into ${partition} values (0, 0, $1, $2, 1, 'k', '')`, [
        sequence,
        `${new Date(Date.now() - 4 * DAY_MS).toISOString().slice(0, 10)}T${String(hour).padStart(2, "0")}:30:00Z`,
      ]);
    await system.query(
      `insert into relay_cursor (lane, topic, published_sequence) values (0, 0, 10)
       on conflict (lane, topic) do update set published_sequence = 10`,
    );
    await fill(published, 6, 10);
    await fill(waiting, 12, 11);
    const ran = await run("detach", "--older-than", "3", "--table", "outbox", "--drop", "--json");
    expect(ran.code).toBe(1);
    const actions = new Map(ran.rows().map((row) => [row["partition"], row["action"]]));
    expect([actions.get(published), actions.get(waiting)]).toEqual(["dropped", "kept"]);
    expect([await stateOf(published), await stateOf(waiting)]).toEqual(["gone", "attached"]);
    expect(ran.rows().find((row) => row["partition"] === waiting)?.["why"]).toMatch(
      /not known to be published.*\(lane 0\)/,
    );
  });

  test("takes cases behind the window, but none that has not come to its end, whatever it waits for", async () => {
    const [open, done] = [dayName("case_state", 500), dayName("case_state", 499)];
    const put = (flow: string, state: string, daysAgo: number, lane = 0) =>
      system.query(
        `insert into case_state (lane, case_id, kind, flow, holder_id, state, history, occurred_at)
         select $4, first_case_id(date_trunc('day', now(), 'UTC') - $3 * interval '1 day'), 'pay', flow, 'cust_1', $2, '', now()
         from flow where name = $1`,
        [flow, state, daysAgo, lane],
      );
    await put("card", "closed", 499, 0);
    await put("card", "rejected", 499, 1);
    // None of these has a timer: one waits for a provider's answer, one for a person, one for another lane's answer.
    for (const [flow, state] of [
      ["card", "authorizing"],
      ["card", "attention"],
      ["transfer", "sent"],
    ] as const) {
      await put(flow, state, 500);
      const told = await run("detach", "--older-than", "401", "--table", "case_state", "--json", "--dry-run");
      const kept = told.rows().find((row) => row["partition"] === open);
      expect([told.code, kept?.["action"], kept?.["why"]], state).toEqual([
        1,
        "kept",
        `${open} holds cases that have not come to their end (lane 0)`,
      ]);
      if (state !== "sent") await system.query(`delete from case_state where state = $1`, [state]);
    }
    const ran = await run("detach", "--older-than", "401", "--table", "case_state", "--json");
    expect(ran.code).toBe(1);
    const actions = new Map(ran.rows().map((row) => [row["partition"], row["action"]]));
    expect([actions.get(open), actions.get(done)]).toEqual(["kept", "detached"]);
    await system.query(`update case_state set state = 'completed' where state = 'sent'`);
    expect((await run("detach", "--older-than", "401", "--table", "case_state")).code).toBe(0);
    expect(await stateOf(open)).toBe("detached");
  });

  test("without a table takes each by its own rule; the service goes on", async () => {
    await system.query(`delete from outbox where sequence = 11 and key = 'k'`);
    const ran = await run("detach", "--older-than", "3");
    expect(ran.code).toBe(0);
    await system.publish([producing.payIn("cust_1", 6)]);
    await system.readOutcomes({ until: 3 });
    expect((await run("detach", "--older-than", "3")).stderr).toContain("no partition is that old");
  });
});
