// A produce request that loses itself or its answer: the broker has the batch or it has not, and readers see each message
// once in any case.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults } from "../support/independent-reader-ledger.ts";
import { openHalts, openWorld, startInstance, type World } from "../support/processes.ts";
import { FAULTS } from "../support/proxy.ts";
import { openBrokerProxy } from "../support/proxy-kafka.ts";
import { waitFor } from "../support/wait.ts";
import { startLoad, verify } from "../support/workload.ts";

const LANES = 4;
const AGAIN_MESSAGES = 200;

/** Messages whose publication the database knows of, in each lane. */
async function published(world: World): Promise<number[]> {
  const rows = await world.query(
    "select published_sequence::int as at from relay_cursor where topic = 0 order by lane",
  );
  return rows.map((row) => Number(row["at"]));
}

test("a produce request that loses itself or its answer is repeated, and every reader sees each message once", async () => {
  const world = await openWorld({ lanes: LANES });
  const reader = await openIndependentReader(world);
  const proxy = await openBrokerProxy(world.kafkaBrokers);
  const instance = await startInstance(world, "behind-proxy", { KAFKA_BROKERS: proxy.address });
  const load = startLoad(world, { holders: 200, run: "produce" }, 800);
  await waitFor("messages published in every lane", async () => (await published(world)).length === LANES);
  for (const fault of FAULTS) {
    const what = `a lost ${fault.lose} (${fault.how})`;
    const lost = proxy.failNextProduce(fault);
    await Promise.race([lost, sleep(10_000).then(() => Promise.reject(new Error(`no request came for ${what}`)))]);
    const before = await published(world);
    await waitFor(
      () => `${AGAIN_MESSAGES} messages in each lane after ${what}; it said ${JSON.stringify(instance.log.slice(-5))}`,
      async () => (await published(world)).every((at, lane) => at >= (before[lane] ?? 0) + AGAIN_MESSAGES),
      30_000,
    );
  }
  await load.stop();
  await reader.settled();
  expect(instance.exitCode()).toBe(null);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
});
