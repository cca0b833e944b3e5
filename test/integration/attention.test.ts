// Cases that wait for a person: found by the list, the metric and the audit, from the block that brings them there to the one
// that takes them away.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { caseEnds } from "../../src/declared/case-ends.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { showOpenCases } from "../../src/store/sql/detach-partition.ts";
import { auditService, problemsOf } from "../support/audit.ts";
import { cli, cliRows } from "../support/cli.ts";
import { replaceOnce, SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { Producing } from "../support/intents.ts";
import { startTestService, type TestService, waitFor } from "../support/service.ts";

const make = new Producing();
const BY = ["--principal", "ada", "--reason", "seen"];

/** A captured hold waits for a person, who may also think it over. */
const PARKED = `    parked:
      kind: quiescent
      human: true
      events:
        ops.confirm:
          - { do: [{ emit: ops.decided }], to: captured }
        ops.think_over:
          - { do: [{ emit: ops.escalated }], to: parked }
`;

const flowsDir = mkdtempSync(join(tmpdir(), "millrace-flows-"));
let system: TestService;
/** by holder */
const holds = new Map<string, string>();
const uuids = new Map<string, string>();

beforeAll(async () => {
  cpSync(join(SHIPPED_SCHEMAS, "flows"), flowsDir, { recursive: true });
  const hold = readFileSync(join(TEST_FLOWS, "hold.flow.yaml"), "utf8");
  const parking = replaceOnce(hold, "            to: captured\n", "            to: parked\n");
  writeFileSync(join(flowsDir, "hold.flow.yaml"), replaceOnce(parking, "    captured: {", `${PARKED}    captured: {`));
  system = await startTestService({ prefix: "attention", config: { flowsDir } });
  for (const holder of ["ann", "bob", "cid"]) {
    const placed = make.holdPlace(holder, 400);
    holds.set(holder, placed.caseId as string);
    await system.publish([make.payIn(holder, 400), placed]);
    await untilTold("hold.placed", holder);
    if (holder !== "cid") await capture(holder);
  }
  for (const row of await system.query("select holder_id, case_id from case_state where kind = 'hld'"))
    uuids.set(row["holder_id"] as string, row["case_id"] as string);
});
afterAll(async () => {
  await system?.stop();
  rmSync(flowsDir, { recursive: true, force: true });
});

/** Waits for its answer, so that one who comes later also waits since later. */
async function capture(holder: string): Promise<void> {
  await system.publish([make.holdCapture(holder, holds.get(holder) as string)]);
  await untilTold("hold.captured", holder);
}

async function untilTold(wanted: string, holder: string): Promise<void> {
  await system.readOutcomes({
    until: (all) => all.some(({ type, caseId }) => type === wanted && caseId === holds.get(holder)),
  });
}

const waiting = () => cliRows(system, ["case", "list", "--waiting"]);
const decide = (holder: string, event: string) =>
  cli(system, ["case", "decide", holds.get(holder) as string, "--event", event, ...BY]);
const foundBy = async () => problemsOf(await auditService(system))["attention_consistent"];

describe("case list --waiting", () => {
  test("tells those that have waited longest first, with what may be decided", async () => {
    const rows = await waiting();
    expect(rows.map(({ since, ...rest }) => [typeof since, rest])).toEqual(
      ["ann", "bob"].map((holderId) => {
        const lane = homeLane(holderId, system.lanes);
        const events = ["ops.confirm", "ops.think_over"];
        const caseId = holds.get(holderId);
        return ["string", { caseId, holderId, flow: "hold@1.0.0", state: "parked", lane, events }];
      }),
    );
    const shown = await cliRows(system, ["case", holds.get("ann") as string]);
    const states = shown[0]?.["states"] as { state: string; recordedAt: string }[];
    expect(states.at(-1)).toMatchObject({ state: "parked", recordedAt: rows[0]?.["since"] });
    expect(await cliRows(system, ["case", "list", "--waiting", "--limit", "1"])).toEqual(rows.slice(0, 1));
    const text = (await cli(system, ["case", "list", "--waiting"])).stdout;
    expect(text).toMatch(/^Since +Case +Holder +Flow +State +May be decided\n/);
    expect(text).toContain("parked  ops.confirm ops.think_over\n");
  });

  test("asks for --waiting: other cases are found by their id", async () => {
    const ran = await cli(system, ["case", "list"]);
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining("--waiting")]);
  });
});

test("an instance tells of every lane how many wait, and for how long", async () => {
  const { httpPort } = await system.start();
  const page = async () => (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  const lane = homeLane("ann", system.lanes);
  const inLane = ["ann", "bob"].filter((one) => homeLane(one, system.lanes) === lane).length;
  await waitFor("waiting cases to be counted", async () =>
    (await page()).includes(`millrace_attention_cases{lane="${lane}"} ${inLane}\n`),
  );
  const raised = 'millrace_attention_outcomes_total{flow="card",code="capture_not_expected",waits="no"} 0';
  expect(await page()).toContain(raised);
  expect(Number(/millrace_attention_oldest_seconds\{lane="\d+"\} ([\d.]+)/.exec(await page())?.[1])).toBeGreaterThan(0);
});

test("days whose cases wait for a person are not detached", async () => {
  const sources = await system.query("select name as ref, flow as number, source from flow");
  const ends = caseEnds(sources as { ref: string; number: number; source: string }[]);
  const day = `case_state_${new Date().toISOString().slice(0, 10).replaceAll("-", "")}`;
  await system.query("delete from timer");
  const lanes = [...new Set(["ann", "bob"].map((one) => homeLane(one, system.lanes)))].sort();
  const keeping = await system.query(showOpenCases(day, ends));
  expect(keeping.map(({ lane }) => lane)).toEqual(expect.arrayContaining(lanes));
});

describe("the audit", () => {
  test("finds a case that waits and is not listed, one that is listed and does not wait, and one that is not there", async () => {
    expect(await foundBy()).toBeUndefined();
    const [row] = await system.query("delete from attention where case_id = $1 returning *", [uuids.get("ann")]);
    expect(await foundBy()).toContain("in state parked waits for a person, and is not listed");
    await system.query("insert into attention values ($1, $2, $3)", [row?.["lane"], row?.["case_id"], row?.["since"]]);
    const add = "insert into attention select lane, case_id, now() from case_state where case_id = $1";
    await system.query(add, [uuids.get("cid")]);
    expect(await foundBy()).toContain("in state held waits for no person, and is listed");
    await system.query("delete from attention where case_id = $1", [uuids.get("cid")]);
    const nobody = "00000000-0000-7000-8000-00000000000f";
    await system.query("insert into attention values (0, $1, now())", [nobody]);
    expect(await foundBy()).toContain(`case ${nobody} is listed and not there`);
    await system.query("delete from attention where case_id = $1", [nobody]);
    expect(await foundBy()).toBeUndefined();
  });
});

test("who is thought over waits on, since the same time; who is decided about waits no more", async () => {
  const before = await waiting();
  expect((await decide("ann", "ops.think_over")).code).toBe(0);
  expect(await waiting()).toEqual(before);
  expect((await decide("ann", "ops.confirm")).code).toBe(0);
  expect(await waiting()).toEqual(before.slice(1));
  expect((await decide("bob", "ops.confirm")).code).toBe(0);
  const none = await cli(system, ["case", "list", "--waiting"]);
  expect([none.code, none.stdout, none.stderr]).toEqual([0, "", expect.stringContaining("no case waits for a person")]);
  expect(problemsOf(await auditService(system, { waitMs: 10_000 }))["attention_consistent"]).toBeUndefined();
});
