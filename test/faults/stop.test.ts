// SIGTERM under load: what is in hand is finished and published, the lanes go to the others at once.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults } from "../support/independent-reader-ledger.ts";
import { type Instance, openHalts, openWorld, owners, startInstance, untilShared } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { startLoad, verify } from "../support/workload.ts";

const ROUNDS = 3;
/** Far below the time after which a lease runs out, which is a minute here. */
const HANDED_OVER_MAX_MS = 5_000;

test("an instance that is told to stop ends with 0 and hands its lanes over, with nothing lost or doubled", async () => {
  const world = await openWorld({ environment: { MILLRACE_LEASE_TTL_MS: "60000" } });
  const reader = await openIndependentReader(world);
  let [leaving, staying] = await Promise.all([startInstance(world, "a"), startInstance(world, "b")]);
  const load = startLoad(world, { holders: 400, run: "stop" }, 1_000);
  for (let round = 0; round < ROUNDS; round++) {
    await untilShared(world, [leaving, staying]);
    await sleep(500);
    expect(await leaving.stop()).toBe(0);
    const { process } = staying;
    const isHandedOver = async (): Promise<boolean> =>
      [...(await owners(world)).values()].every((owner) => owner === process);
    await waitFor("the other to have all lanes", isHandedOver, HANDED_OVER_MAX_MS);
    expect(await unpublishedBy(leaving)).toEqual([]);
    [leaving, staying] = [staying, await startInstance(world, `next-${round}`)];
  }
  await load.stop();
  await reader.settled();
  expect([leaving.exitCode(), staying.exitCode()]).toEqual([null, null]);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
});

/** What it complained about. */
async function unpublishedBy({ log }: Instance): Promise<string[]> {
  return log.filter(({ level }) => level === "error" || level === "warn").map(({ message }) => message);
}
