// A whole Postgres put back to an earlier moment: the server of a stack of this file's own is stopped, its files are copied,
// it goes on, and the copy is put in its place. Lanes that lost blocks halt, lanes that lost none go on, nothing is rebuilt.
import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { EXIT } from "../../src/cli/exit.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { type StackInfo, stackUp, startPart, stopPart } from "../../src/stack/stack.ts";
import { type IndependentReader, openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults } from "../support/independent-reader-ledger.ts";
import {
  type Instance,
  openHalts,
  openWorld,
  owners,
  runVerb,
  startInstance,
  type World,
} from "../support/processes.ts";
import { removeStack, stackDir } from "../support/stack-dir.ts";
import { waitFor } from "../support/wait.ts";
import { openLine, publishLines, transferLine, verify } from "../support/workload.ts";

const LANES = 4;
const LOSING = [0, 1];
const GOING_ON = [2, 3];
const HOLDERS = Array.from({ length: 40 }, (_, at) => `restored_${at}`);

let stack: StackInfo;
beforeAll(async () => {
  stack = await stackUp({ dir: stackDir(), say: () => undefined });
});
afterAll(() => removeStack(stack.dir));

/** Only what was started here may be broken. */
function needsOwnProcesses(context: TestContext): void {
  if (stack.mode !== "native") context.skip(`the database is no process of ours (${stack.mode})`);
}

/** Moves and copies folders beside the database's, owner and mode kept, while the server stands still. */
async function whileStopped(...steps: readonly (readonly ["cp" | "mv" | "rm", ...string[]])[]): Promise<void> {
  const home = realpathSync(join(stack.dir, "postgres"));
  await stopPart(stack.dir, "postgres");
  for (const [command, ...names] of steps) {
    const flags = { cp: "-a", mv: "-T", rm: "-rf" }[command];
    const done = spawnSync(command, [flags, ...names], { cwd: home, encoding: "utf8" });
    if (done.status !== 0) throw new Error(`${command} ${names.join(" ")}: ${done.stderr}`);
  }
  await startPart(stack.dir, "postgres");
}

function transfersTo(lanes: readonly number[]): string[] {
  const holders = HOLDERS.filter((holder) => lanes.includes(homeLane(holder, LANES)));
  return holders.flatMap((holder) => [transferLine(holder, 700, "in"), transferLine(holder, 300, "out")]);
}

async function heads(world: World): Promise<Map<number, number>> {
  const rows = await world.query("select lane, block::int from lane order by lane");
  return new Map(rows.map((row) => [row["lane"] as number, row["block"] as number]));
}

async function work(
  world: World,
  reader: IndependentReader,
  name: string,
  lines: readonly string[],
): Promise<Instance> {
  const instance = await startInstance(world, name);
  await publishLines(world, lines);
  await reader.settled();
  return instance;
}

async function untilHalted(world: World, { log }: Instance): Promise<string[]> {
  let halts: string[] = [];
  await waitFor(
    () => `lanes ${LOSING} to halt; halts are ${halts}; it said ${JSON.stringify(log.slice(-8))}`,
    async () => {
      halts = await openHalts(world);
      return halts.length >= LOSING.length;
    },
  );
  return halts;
}

test("lanes that lost blocks halt and are whole again with the later files; lanes that lost none go on", async (context) => {
  needsOwnProcesses(context);
  const world = await openWorld({ stack, lanes: LANES });
  const reader = await openIndependentReader(world);
  const opening = [...HOLDERS.map((holder) => openLine(holder)), ...transfersTo([...LOSING, ...GOING_ON])];
  expect(await (await work(world, reader, "writer", opening)).stop()).toBe(0);
  const kept = await heads(world);
  await whileStopped(["cp", "data", "earlier"]);
  expect(await (await work(world, reader, "later", transfersTo(LOSING))).stop()).toBe(0);
  const later = await heads(world);
  for (const lane of LOSING) expect(later.get(lane)).toBeGreaterThan(kept.get(lane) as number);

  await whileStopped(["mv", "data", "later"], ["cp", "earlier", "data"]);
  const onEarlier = await startInstance(world, "on-earlier");
  const ahead = LOSING.map((lane) => `${lane}: tail_ahead_of_head`);
  expect(await untilHalted(world, onEarlier)).toEqual(ahead);
  const shown = await runVerb(world, ["lane", "show", String(LOSING[0])], [EXIT.halted]);
  expect(shown.stdout).toContain("Recover the database with the lost blocks");
  // Resuming without them mends nothing, and says so again.
  await runVerb(world, ["lane", "resume", String(LOSING[0]), "--reason", "hoping for the best"]);
  await waitFor("the lane to halt again", async () => (await openHalts(world)).length === LOSING.length);
  expect(await openHalts(world)).toEqual(ahead);
  expect(await heads(world)).toEqual(kept);
  // A halt is written down before its lane is given back.
  await waitFor("the halted lanes, and no others, to be given back", async () => {
    const held = [...(await owners(world)).values()].map((owner) => owner === onEarlier.process);
    return held.every((isHeld, lane) => isHeld === GOING_ON.includes(lane));
  });
  expect(await onEarlier.stop()).toBe(0);

  // The way out: the database with the lost blocks.
  await whileStopped(["rm", "data"], ["mv", "later", "data"]);
  const recovered = await work(world, reader, "recovered", transfersTo(LOSING));
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);

  // Once more, under an instance that runs meanwhile and remembers what the database does not.
  await whileStopped(["rm", "data"], ["mv", "earlier", "data"]);
  for (const halt of await untilHalted(world, recovered)) {
    expect(halt).toMatch(/^[01]: (tail_ahead_of_head|head_moved_by_another)$/);
  }
  await publishLines(world, transfersTo(GOING_ON));
  await reader.settled();
  expect(await openHalts(world)).toHaveLength(LOSING.length);
  const now = await heads(world);
  for (const lane of LOSING) expect(now.get(lane)).toBe(kept.get(lane));
  for (const lane of GOING_ON) expect(now.get(lane)).toBeGreaterThan(kept.get(lane) as number);
  expect(await reader.faults()).toEqual([]);
  expect(recovered.exitCode()).toBe(null);
  // The numbers of processes were put back too: one of the next bears that of the process that still runs.
  const more = [await startInstance(world, "more"), await startInstance(world, "still-more")];
  expect(new Set([recovered, ...more].map((instance) => instance.process)).size).toBe(3);
});
