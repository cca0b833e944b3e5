// The whole service stands still while timers fall due, and inputs that came in time lie in the topic: those win, however
// late they are taken and however much lies before them; timers whose inputs came too late, or not at all, fire once.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { replaceOnce, SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { type IndependentReader, openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults } from "../support/independent-reader-ledger.ts";
import { openHalts, openWorld, startInstance } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { captureLine, holdLine, openLine, publishLines, transferLine, verify } from "../support/workload.ts";

const LANES = 4;
const EXPIRY_S = 6;
const MARGIN_MS = 500;
const HOLDERS = Array.from({ length: 24 }, (_, at) => `late_${at}`);
/** Inputs that lie before captures: several blocks in every lane. */
const MANY = 2_000;

const flowsDir = mkdtempSync(join(tmpdir(), "millrace-flows-"));
beforeAll(() => {
  cpSync(join(SHIPPED_SCHEMAS, "flows"), flowsDir, { recursive: true });
  const hold = readFileSync(join(TEST_FLOWS, "hold.flow.yaml"), "utf8");
  writeFileSync(join(flowsDir, "hold.flow.yaml"), replaceOnce(hold, "PT15M", `PT${EXPIRY_S}S`));
});
afterAll(() => rmSync(flowsDir, { recursive: true, force: true }));

async function storyOf(reader: IndependentReader, hold: string): Promise<string[]> {
  const { caseId } = JSON.parse(hold) as { caseId: string };
  return (await reader.outcomes()).filter((one) => one.caseId === caseId).map(({ type }) => type);
}

test("after a long stop no timer overtakes an input that was in time, and every other fires once", async () => {
  const world = await openWorld({
    lanes: LANES,
    environment: {
      MILLRACE_FLOWS_DIR: flowsDir,
      MILLRACE_TIMER_MARGIN_MS: String(MARGIN_MS),
      MILLRACE_CLOCK_SKEW_MAX_MS: String(MARGIN_MS),
      MILLRACE_BLOCK_ROWS_MAX: "100",
    },
  });
  const reader = await openIndependentReader(world);
  const instances = await Promise.all(["a", "b"].map((name) => startInstance(world, name)));
  const holds = HOLDERS.map((holder) => holdLine(holder, 400));
  await publishLines(
    world,
    HOLDERS.flatMap((holder) => [openLine(holder), transferLine(holder, 900, "in")]),
  );
  await publishLines(world, holds);
  await reader.settled();
  const [row] = await world.query(
    "select min(due_at) as first, max(due_at) as last, count(*)::int as timers from timer",
  );
  const due = row as { readonly first: Date; readonly last: Date; readonly timers: number };
  expect(due.timers).toBe(HOLDERS.length);
  await Promise.all(instances.map((instance) => instance.kill()));

  // A third is captured in time, behind a backlog; a third too late; a third not at all.
  const third = (at: number): string[] => holds.filter((_, index) => index % 3 === at);
  const many = (): string[] =>
    Array.from({ length: MANY }, (_, at) => transferLine(HOLDERS[at % HOLDERS.length] as string, 1, "in"));
  await publishLines(world, [...many(), ...third(0).map(captureLine)]);
  expect(Date.now()).toBeLessThan(due.first.getTime());
  await sleep(due.last.getTime() - Date.now() + 3 * MARGIN_MS);
  // In other blocks than the inputs in time: of the timers, a block takes those that were due before its first input.
  await publishLines(world, [...many(), ...third(1).map(captureLine)]);
  expect(Date.now()).toBeGreaterThan(due.last.getTime());

  const heirs = await Promise.all(["c", "d"].map((name) => startInstance(world, name)));
  await reader.settled();
  await waitFor("every timer to have fired or gone", async () => (await world.query("select from timer")).length === 0);
  await reader.settled();
  for (const hold of third(0)) expect(await storyOf(reader, hold)).toEqual(["hold.placed", "hold.captured"]);
  for (const hold of third(1)) {
    const [placed, expired, refused, ...more] = await storyOf(reader, hold);
    expect([placed, expired, more]).toEqual(["hold.placed", "hold.expired", []]);
    expect(refused).toBeDefined();
  }
  for (const hold of third(2)) expect(await storyOf(reader, hold)).toEqual(["hold.placed", "hold.expired"]);
  expect(heirs.map(({ exitCode }) => exitCode())).toEqual([null, null]);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
});
