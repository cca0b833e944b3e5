// What a broker and a database do to those who use them, on a stack of this file's own: it is killed, frozen, and told to
// wait for a standby that does not exist.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { BROKER } from "../../src/stack/broker.ts";
import { killBroker, type StackInfo, stackUp, startBroker } from "../../src/stack/stack.ts";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults } from "../support/independent-reader-ledger.ts";
import {
  blockCount,
  openHalts,
  openWorld,
  owners,
  startInstance,
  untilShared,
  type World,
} from "../support/processes.ts";
import { removeStack, stackDir } from "../support/stack-dir.ts";
import { waitFor } from "../support/wait.ts";
import { startLoad, verify } from "../support/workload.ts";

const KILLS = 2;

let stack: StackInfo;
beforeAll(async () => {
  stack = await stackUp({ dir: stackDir(), say: () => undefined });
});
afterAll(() => removeStack(stack.dir));

/** Only what was started here may be broken. */
function needsOwnProcesses(context: TestContext): void {
  if (stack.mode !== "native") context.skip(`the broker is no process of ours (${stack.mode})`);
}

/** Stops the broker in its tracks; the answer lets it go on. */
function freezeBroker(): () => void {
  const [mark] = BROKER.strays(stack.dir);
  if (mark === undefined) throw new Error("the broker's process cannot be found");
  process.kill(mark.pid, "SIGSTOP");
  return () => process.kill(mark.pid, "SIGCONT");
}

test("a broker that is killed and started again under load loses and doubles nothing", async (context) => {
  needsOwnProcesses(context);
  const world = await openWorld({ stack });
  const reader = await openIndependentReader(world);
  const instances = await Promise.all(["a", "b"].map((name) => startInstance(world, name)));
  const load = startLoad(world, { holders: 400, run: "broker" }, 1_000);
  for (let kill = 0; kill < KILLS; kill++) {
    const blocks = await blockCount(world);
    await waitFor(`blocks before kill ${kill}`, async () => (await blockCount(world)) > blocks + 40);
    await killBroker(stack.dir);
    await sleep(500);
    await startBroker(stack.dir);
    const after = await blockCount(world);
    await waitFor(`blocks after kill ${kill}`, async () => (await blockCount(world)) > after + 40, 30_000);
  }
  await load.stop();
  await reader.settled();
  expect(instances.map(({ exitCode }) => exitCode())).toEqual([null, null]);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
});

/** Waits until all that is committed now is in the topics: outcomes by the marks of the relays, messages to other lanes by
 *  what those have taken. Backlogs do not tell: under load some lane always has something on its way. */
async function untilPublished(world: World): Promise<void> {
  const committed = await world.query(
    `select lane, -1 as to_lane, outcomes_next as next from lane where outcomes_next > 0
     union all select lane, to_lane, next_sequence from sent where lane <> to_lane`,
  );
  const published = `
    select lane, -1 as to_lane, published_sequence as last from relay_cursor where topic = 0
    union all select from_lane, lane, sequence from seen`;
  const placeOf = (row: Record<string, unknown>): string => `${row["lane"]} ${row["to_lane"]}`;
  await waitFor("what was committed to be published", async () => {
    const rows = await world.query(published);
    const last = new Map(rows.map((row) => [placeOf(row), BigInt(String(row["last"]))]));
    return committed.every((row) => (last.get(placeOf(row)) ?? -1n) + 1n >= BigInt(String(row["next"])));
  });
}

test("a zombie that wakes with messages to publish adds nothing and fences nobody", async (context) => {
  needsOwnProcesses(context);
  const world = await openWorld({ stack, environment: { MILLRACE_LEASE_TTL_MS: "1000" } });
  const reader = await openIndependentReader(world);
  const [zombie, heir] = await Promise.all([startInstance(world, "zombie"), startInstance(world, "heir")]);
  const load = startLoad(world, { holders: 400, run: "backlog" }, 1_000);
  await untilShared(world, [zombie, heir]);
  await waitFor("blocks", async () => (await blockCount(world)) > 40);
  // While the broker stands still, blocks are committed and nothing is published; then the zombie stands still with that.
  // Whether it has anything in hand at the moment when the broker stops is chance, so it is tried until it has.
  await waitFor("a zombie that stands still with messages to publish", async () => {
    const thawBroker = freezeBroker();
    try {
      const until = performance.now() + 500;
      while (performance.now() < until) {
        if ((await zombie.total("millrace_relay_backlog_messages")) === 0) continue;
        zombie.freeze();
        return true;
      }
      return false;
    } finally {
      thawBroker();
      await sleep(300);
    }
  });
  const isHeirs = async (): Promise<boolean> =>
    [...(await owners(world)).values()].every((owner) => owner === heir.process);
  await waitFor("the heir to own every lane", isHeirs);
  await untilPublished(world); // what the zombie committed too: it stands in the rows that the heir goes on from
  zombie.thaw();
  // What it does first is chance: it appends and is fenced by the broker, or hears first that its lanes are gone. Either way
  // nothing of it is seen, and it must not open a writer, which would fence the heir.
  await untilShared(world, [zombie, heir]);
  await load.stop();
  await reader.settled();
  expect([zombie.exitCode(), heir.exitCode()]).toEqual([null, null]);
  expect(await heir.metric('millrace_fenced_total{at="append"}')).toBe(0);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
});

test("a COMMIT that was answered with a warning is asked for again", async (context) => {
  needsOwnProcesses(context);
  const world = await openWorld({ stack, lanes: 2 });
  const reader = await openIndependentReader(world);
  const instance = await startInstance(world, "waiting");
  const load = startLoad(world, { holders: 100, run: "standby" }, 200);
  await waitFor("blocks", async () => (await blockCount(world)) > 10);
  // Every COMMIT waits for a standby that does not exist. Cancelled, it is done on this server alone, and the server says
  // so by a warning before an answer that is an ordinary COMMIT.
  const setStandby = async (names: string): Promise<void> => {
    await world.query(`alter system set synchronous_standby_names = '${names}'`);
    await world.query("select pg_reload_conf()");
  };
  await setStandby("nobody");
  try {
    const asked = 'millrace_unknown_commits_total{resolution="done"}';
    const cancel = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'";
    await waitFor("a COMMIT to be asked for", async () => {
      await world.query(cancel);
      return (await instance.metric(asked)) > 0;
    });
  } finally {
    await setStandby("");
  }
  await load.stop();
  await reader.settled();
  expect(instance.exitCode()).toBe(null);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
});
