// The running auditor: an instance with that role beside one that owns the lanes. What it finds stops the lane concerned
// and no other, fences its owner, and is told by metrics, readiness, log and `lane show`.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { damage } from "../support/audit.ts";
import { SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { available, Producing } from "../support/intents.ts";
import { type Instance, startTestService, type TestService } from "../support/service.ts";
import { waitFor } from "../support/wait.ts";

const LANES = 4;
const make = new Producing();
const HOLDERS = Array.from({ length: 12 }, (_, index) => `cust_${index}`);
const HOLDER = "cust_0";
const LANE = homeLane(HOLDER, LANES);
const AUDITOR = { roles: ["auditor"], auditEveryMs: 200 } as const;

let system: TestService;
let auditor: Instance;
let outcomes = 0;

beforeEach(async () => {
  system = await startTestService({ prefix: "auditor", lanes: LANES });
  outcomes = 0;
  await decided(HOLDERS.map((holder) => make.payIn(holder, 1_000)));
  auditor = await system.start("auditor", AUDITOR);
});
afterEach(() => system.stop());

async function decided(intents: readonly ReturnType<Producing["payIn"]>[]): Promise<void> {
  outcomes += intents.length;
  await system.publish(intents);
  await system.readOutcomes({ until: outcomes });
}

const cuts = (): number => auditor.log.filter(({ message }) => message === "cut audited").length;

async function nextCuts(count = 2): Promise<void> {
  const until = cuts() + count;
  await waitFor(`${count} further cuts audited`, () => cuts() >= until, 30_000);
}

async function page(path: string, instance = auditor): Promise<string> {
  return (await fetch(`http://127.0.0.1:${instance.httpPort}${path}`)).text();
}

async function metric(name: string): Promise<number | null> {
  const line = (await page("/metrics")).split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? null : Number(line.split(" ").at(-1));
}

type HaltRow = { lane: number; cause: string; evidence: Record<string, unknown>; resumed_at: unknown };
const halts = async (): Promise<HaltRow[]> =>
  (await system.query("select lane, cause, evidence, resumed_at from halt order by halt")) as HaltRow[];

async function halted(): Promise<HaltRow> {
  await waitFor("the auditor halts a lane", async () => (await halts()).length > 0, 10_000);
  return (await halts())[0] as HaltRow;
}

async function cli(...argv: readonly string[]): Promise<{ code: number; text: string }> {
  let text = "";
  const stream = { write: (part: string) => void (text += part) };
  const code = await runCli([...argv], {
    stdout: stream,
    stderr: stream,
    workingDir: tmpdir(),
    interruption: () => new AbortController().signal,
    environment: {
      KAFKA_BROKERS: system.addresses.kafkaBrokers.join(","),
      DATABASE_URL: system.addresses.databaseUrl,
      SCHEMA_REGISTRY_URL: system.addresses.schemaRegistryUrl,
      MILLRACE_TOPIC_PREFIX: system.config.topicPrefix,
    },
  });
  return { code, text };
}

const FLOOR = `update balance set floor_minor = -77 where path = '${available(HOLDER)}'`;

describe("beside a service that does nothing wrong", () => {
  test("audits cut after cut, decides new blocks only, and tells how far it is", async () => {
    await nextCuts();
    const before = await metric('millrace_audit_blocks_total{how="decided"}');
    await nextCuts();
    expect(await metric('millrace_audit_blocks_total{how="decided"}')).toBe(before);
    await decided(HOLDERS.map((holder) => make.payOut(holder, 10)));
    await nextCuts();
    expect(await metric('millrace_audit_blocks_total{how="decided"}')).toBeGreaterThan(before as number);
    expect(await metric('millrace_audit_blocks_total{how="not_decided"}')).toBe(0);
    expect(await metric("millrace_audit_ok")).toBe(1);
    expect(await metric("millrace_audit_age_seconds")).toBeLessThan(10);
    const [{ block } = {}] = await system.query("select block from lane where lane = $1", [LANE]);
    expect(await metric(`millrace_audit_lane_block{lane="${LANE}"}`)).toBe(Number(block));
    expect(JSON.parse(await page("/readyz"))).toEqual({ status: "ok", reasons: [] });
    expect(await halts()).toEqual([]);
    expect(await page("/metrics", system.instances[0] as Instance)).not.toMatch(/^millrace_audit_ok/m);
  });

  test("a flow that is registered meanwhile is no finding: what goes by it is decided by it", async () => {
    await nextCuts();
    const flowsDir = mkdtempSync(join(tmpdir(), "millrace-flows-"));
    cpSync(join(SHIPPED_SCHEMAS, "flows"), flowsDir, { recursive: true });
    cpSync(TEST_FLOWS, flowsDir, { recursive: true });
    await system.instances[0]?.stop();
    await system.start("newer", { flowsDir });
    await decided([make.holdPlace(HOLDER, 10), make.payOut(HOLDER, 1)]);
    await nextCuts(3);
    expect(await halts()).toEqual([]);
    expect(await metric("millrace_audit_ok")).toBe(1);
    rmSync(flowsDir, { recursive: true });
  });

  test("an operator's position is no finding, and what follows it is decided again", async () => {
    await nextCuts();
    await system.instances[0]?.stop();
    await system.query(
      `insert into halt (lane, cause, evidence, resumed_at, resumed_reason, resume_intents_at)
       select lane, 'inputs_expired', '{}', now(), 'a test', intents_next - 1 from lane where lane = $1`,
      [LANE],
    );
    outcomes += 1; // the last intent again: a repeat
    await system.start("again");
    await system.readOutcomes({ until: outcomes });
    await nextCuts();
    await decided([make.payIn(HOLDER, 5)]);
    const before = await metric('millrace_audit_blocks_total{how="decided"}');
    await waitFor("its new block is decided", async () => {
      await nextCuts(1);
      return ((await metric('millrace_audit_blocks_total{how="decided"}')) ?? 0) >= (before as number);
    });
    expect((await halts()).map(({ cause }) => cause)).toEqual(["inputs_expired"]);
    expect(await metric("millrace_audit_ok")).toBe(1);
  });
});

describe("damage done while the service runs", () => {
  test("halts the lane within the interval, fences its owner, and leaves the others alone", async () => {
    await nextCuts();
    const epoch = async (): Promise<bigint> =>
      BigInt(String((await system.query("select epoch from lane where lane = $1", [LANE]))[0]?.["epoch"]));
    const before = await epoch();
    await damage(system.addresses.databaseUrl, [FLOOR]);
    const halt = await halted();
    expect(halt).toMatchObject({ lane: LANE, cause: "audit_failed", resumed_at: null });
    expect(halt.evidence).toMatchObject({
      invariant: "accounts_decided_anew",
      place: expect.stringContaining("has floorMinor -77; decided anew 0"),
      auditedTo: expect.stringMatching(/^\d+$/),
    });
    expect(await epoch()).toBe(before + 1n);
    const others = HOLDERS.filter((holder) => homeLane(holder, LANES) !== LANE);
    await decided(others.map((holder) => make.payIn(holder, 1)));
    await system.publish([make.payIn(HOLDER, 1)]);
    await nextCuts();
    expect((await system.readOutcomes({ until: outcomes })).length).toBe(outcomes);
    expect(await halts()).toHaveLength(1);
    expect(await metric("millrace_audit_ok")).toBe(0);
    expect(await metric('millrace_audit_findings_total{invariant="accounts_decided_anew"}')).toBe(1);
    expect(await page("/readyz")).toContain("accounts_decided_anew does not hold in lane");
    const shown = await cli("lane", "show", String(LANE));
    expect(shown.code).toBe(4);
    expect(shown.text).toContain("audit_failed");
    expect(shown.text).toContain("millrace verify --deep");
    expect(shown.text).toContain(`millrace lane resume ${LANE} --reason`);
  });

  test("is accepted by `lane resume`: the lane goes on, and neither this auditor nor the next stops it for it again", async () => {
    await nextCuts();
    await damage(system.addresses.databaseUrl, [FLOOR]);
    await halted();
    const waiting = make.payIn(HOLDER, 3);
    await system.publish([waiting]);
    expect(await cli("lane", "resume", String(LANE), "--reason", "looked at")).toMatchObject({ code: 0 });
    outcomes += 1;
    await system.readOutcomes({ until: outcomes });
    await nextCuts(3);
    await decided([make.payOut(HOLDER, 4)]);
    await nextCuts(3);
    expect(await metric("millrace_audit_ok")).toBe(1);
    await auditor.stop();
    auditor = await system.start("auditor-again", AUDITOR);
    await nextCuts(3);
    expect((await halts()).map(({ resumed_at }) => resumed_at !== null)).toEqual([true]);
    // Further damage is found all the same.
    await damage(system.addresses.databaseUrl, [FLOOR.replace("-77", "-78")]);
    await waitFor("the auditor halts the lane anew", async () => (await halts()).length === 2, 10_000);
    expect((await halts())[1]).toMatchObject({ lane: LANE, cause: "audit_failed", resumed_at: null });
  });

  test("a halt outlives restarts of everybody", async () => {
    await damage(system.addresses.databaseUrl, [FLOOR]);
    await halted();
    await Promise.all([...system.instances].map((instance) => instance.stop()));
    await system.start("lanes-again");
    auditor = await system.start("auditor-again", AUDITOR);
    await system.publish([make.payIn(HOLDER, 1)]);
    await nextCuts(3);
    expect(await halts()).toHaveLength(1);
    expect((await system.readOutcomes({ until: outcomes })).length).toBe(outcomes);
  });

  test("rows of old blocks are found by whoever looks at everything: a fresh auditor", async () => {
    await nextCuts();
    await damage(system.addresses.databaseUrl, [
      `update line set amount = amount + 1 where lane = ${LANE} and block = 1`,
    ]);
    await nextCuts();
    await auditor.stop();
    auditor = await system.start("auditor-again", AUDITOR);
    expect((await halted()).evidence["invariants"]).toContain("lines_decided_anew");
  });

  test("what concerns no lane is reported, and stops none", async () => {
    await nextCuts();
    await damage(system.addresses.databaseUrl, [
      "insert into timer (lane, due_at, case_id, name) values (99, now(), gen_random_uuid(), 'x')",
    ]);
    await waitFor("readiness says so", async () => (await page("/readyz")).includes("of lane 99"));
    expect(await metric("millrace_audit_ok")).toBe(0);
    expect(await halts()).toEqual([]);
  });
});

test("one process may do both", async () => {
  await auditor.stop();
  auditor = await system.start("both", { ...AUDITOR, roles: ["lanes", "auditor"] });
  await system.instances[0]?.stop();
  await decided(HOLDERS.map((holder) => make.payIn(holder, 2)));
  await nextCuts();
  expect(await metric("millrace_audit_ok")).toBe(1);
  expect(await metric("millrace_lanes_held")).toBe(LANES);
});
