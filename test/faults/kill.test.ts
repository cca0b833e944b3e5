// SIGKILL at random moments: nothing is lost, nothing is doubled.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults, transitFaults } from "../support/independent-reader-ledger.ts";
import { type Instance, openHalts, openWorld, startInstance } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { seeded, startLoad, verify } from "../support/workload.ts";

const KILLS = 20;
const PER_SECOND = 1_200;

test("20 kills of three instances under load lose and double nothing", async () => {
  const seed = Number(process.env["MILLRACE_TEST_SEED"] ?? Date.now() % 1_000_000);
  console.info(`MILLRACE_TEST_SEED=${seed} npx vitest run test/faults/kill.test.ts`);
  const random = seeded(seed);
  const world = await openWorld();
  const reader = await openIndependentReader(world);
  const instances: Instance[] = await Promise.all(["a", "b", "c"].map((name) => startInstance(world, name)));
  const load = startLoad(world, { holders: 400, run: "kill" }, PER_SECOND);
  const starting: Promise<void>[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(200 + random() * 600);
    // Whoever runs may be hit while the ones before still start, so at times nobody is left.
    await waitFor("an instance that can be killed", () => instances.length > 0);
    const [victim] = instances.splice(Math.floor(random() * instances.length), 1) as [Instance];
    await victim.kill();
    starting.push(startInstance(world, victim.name).then((started) => void instances.push(started)));
  }
  await Promise.all(starting);
  await load.stop();
  await reader.settled();
  expect(instances.map(({ exitCode }) => exitCode())).toEqual([null, null, null]);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  expect(await transitFaults(world)).toEqual([]);
  await verify(world);
});
