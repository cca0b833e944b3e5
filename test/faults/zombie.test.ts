// A process that stood still while others took its lanes (SIGSTOP, takeover, SIGCONT): it believes that it owns them, has
// a block in hand or messages to publish, and must write neither.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults, transitFaults } from "../support/independent-reader-ledger.ts";
import {
  type Instance,
  openHalts,
  openWorld,
  owners,
  startInstance,
  untilShared,
  type World,
} from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { startLoad, verify } from "../support/workload.ts";

const ROUNDS = 3;
const PER_SECOND = 1_200;
const TAKEOVER_MS = 15_000;

async function lanesOf(world: World, { process }: Instance): Promise<number[]> {
  return [...(await owners(world))].filter(([, owner]) => owner === process).map(([lane]) => lane);
}

test("a zombie commits and publishes nothing for lanes that it lost, and takes lanes again", async () => {
  const world = await openWorld({ environment: { MILLRACE_LEASE_TTL_MS: "1000" } });
  const reader = await openIndependentReader(world);
  const zombie = await startInstance(world, "zombie");
  const heir = await startInstance(world, "heir");
  await untilShared(world, [zombie, heir]);
  const load = startLoad(world, { holders: 400, run: "zombie" }, PER_SECOND);
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(1_000);
    const lanes = await lanesOf(world, zombie);
    expect(lanes.length).toBeGreaterThan(0);
    zombie.freeze();
    await waitFor(
      `the heir to own lanes ${lanes}`,
      async () => (await lanesOf(world, heir)).length === world.lanes,
      TAKEOVER_MS,
    );
    // The heir has to have written each of them, so that there is something to overwrite.
    const written =
      "select count(distinct lane)::int as lanes from block where process = $1 and epoch = (select epoch from lane l where l.lane = block.lane)";
    await waitFor(
      () => `the heir to commit in every lane; exit ${heir.exitCode()} ${JSON.stringify(heir.log.slice(-8))}`,
      async () => (await world.query(written, [heir.process]))[0]?.["lanes"] === world.lanes,
      TAKEOVER_MS,
    );
    zombie.thaw();
    await untilShared(world, [zombie, heir]);
  }
  await load.stop();
  await reader.settled();
  expect([zombie.exitCode(), heir.exitCode()]).toEqual([null, null]);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  expect(await transitFaults(world)).toEqual([]);
  await verify(world);
});
