// A COMMIT whose reply is lost has happened or has not; the lane's row tells, and the block is neither lost nor doubled.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults } from "../support/independent-reader-ledger.ts";
import { blockCount, openHalts, openWorld, startInstance } from "../support/processes.ts";
import { FAULTS, type Fault } from "../support/proxy.ts";
import { openDatabaseProxy } from "../support/proxy-database.ts";
import { waitFor } from "../support/wait.ts";
import { startLoad, verify } from "../support/workload.ts";

const COUNTED = { answer: "done", question: "not_done" };
const AGAIN_BLOCKS = 20;

test("a COMMIT that loses its question or its answer is found out, in every way that a connection can fail", async () => {
  // A reply that never comes is given up two seconds after the server would have given up the statement.
  const timeouts = { MILLRACE_STATEMENT_TIMEOUT_MS: "1000", MILLRACE_LOCK_TIMEOUT_MS: "1000" };
  const world = await openWorld({ environment: timeouts });
  const reader = await openIndependentReader(world);
  const proxy = await openDatabaseProxy(world.databaseUrl);
  const instance = await startInstance(world, "behind-proxy", { DATABASE_URL: proxy.url });
  const load = startLoad(world, { holders: 200, run: "commit" }, 800);
  const resolved = (lose: Fault["lose"]): Promise<number> =>
    instance.metric(`millrace_unknown_commits_total{resolution="${COUNTED[lose]}"}`);
  for (const fault of FAULTS) {
    const what = `a lost ${fault.lose} (${fault.how})`;
    const before = await resolved(fault.lose);
    const lost = proxy.failNextCommit(fault);
    await Promise.race([lost, sleep(10_000).then(() => Promise.reject(new Error(`no COMMIT came for ${what}`)))]);
    await waitFor(`${what} to be counted`, async () => (await resolved(fault.lose)) === before + 1);
    const blocks = await blockCount(world);
    await waitFor(`blocks after ${what}`, async () => (await blockCount(world)) >= blocks + AGAIN_BLOCKS);
  }
  await load.stop();
  await reader.settled();
  expect(instance.exitCode()).toBe(null);
  expect(await openHalts(world)).toEqual([]);
  expect(await instance.metric('millrace_unknown_commits_total{resolution="halted"}')).toBe(0);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
});
