// Every session of the database is cut at once, again and again: those that hold the leases too, so that each process is
// gone in the eyes of the others.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults } from "../support/independent-reader-ledger.ts";
import { blockCount, openHalts, openWorld, startInstance, untilShared } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { startLoad, verify } from "../support/workload.ts";

const CUTS = 6;

test("lanes go on after every session was cut several times, with nothing lost or doubled", async () => {
  const world = await openWorld();
  const reader = await openIndependentReader(world);
  const instances = await Promise.all(["a", "b"].map((name) => startInstance(world, name)));
  const load = startLoad(world, { holders: 400, run: "cut" }, 1_000);
  for (let cut = 0; cut < CUTS; cut++) {
    const blocks = await blockCount(world);
    await waitFor(`blocks after cut ${cut}`, async () => (await blockCount(world)) > blocks + 20);
    await sleep(Math.random() * 300);
    await world.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
       and application_name like 'millrace%'`,
    );
  }
  await untilShared(world, instances);
  await load.stop();
  await reader.settled();
  expect(instances.map(({ exitCode }) => exitCode())).toEqual([null, null]);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
});
