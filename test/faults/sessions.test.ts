// Sessions of the database are cut, again and again: those that hold the leases, so that each process is gone in the eyes
// of the others while it goes on committing; those that write blocks and serve the relay; and all at once.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults } from "../support/independent-reader-ledger.ts";
import { blockCount, openHalts, openWorld, startInstance, untilShared } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { startLoad, verify } from "../support/workload.ts";

const CUTS = 5;

const HOLDS_LEASES = `exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'advisory' and l.classid = 7002)`;
const SESSIONS: readonly { readonly which: string; readonly where: string }[] = [
  { which: "that holds leases", where: HOLDS_LEASES },
  { which: "that writes blocks or serves the relay", where: `not ${HOLDS_LEASES}` },
  { which: "there is", where: "true" },
];

test.for(SESSIONS)(
  "lanes go on after every session $which was cut several times, with nothing lost or doubled",
  async ({ which, where }) => {
    const world = await openWorld();
    const reader = await openIndependentReader(world);
    const instances = await Promise.all(["a", "b"].map((name) => startInstance(world, name)));
    const load = startLoad(world, { holders: 400, run: "cut" }, 1_000);
    await untilShared(world, instances);
    for (let cut = 0; cut < CUTS; cut++) {
      const blocks = await blockCount(world);
      await waitFor(`blocks after cut ${cut}`, async () => (await blockCount(world)) > blocks + 20);
      await sleep(Math.random() * 300);
      const those = `from pg_stat_activity a where a.datname = current_database()
        and a.application_name like 'millrace%' and ${where}`;
      // One that was cut before has to be back, so that each cut hits both instances.
      const areThere = async (): Promise<boolean> => (await world.query(`select ${those}`)).length >= instances.length;
      await waitFor(`a session of each instance ${which}`, areThere);
      await world.query(`select pg_terminate_backend(a.pid) ${those}`);
    }
    await untilShared(world, instances);
    await load.stop();
    await reader.settled();
    expect(instances.map(({ exitCode }) => exitCode())).toEqual([null, null]);
    expect(await openHalts(world)).toEqual([]);
    expect(await reader.faults()).toEqual([]);
    expect(await ledgerFaults(world)).toEqual([]);
    await verify(world);
  },
);
