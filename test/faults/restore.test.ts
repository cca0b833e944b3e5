// A database that is put back to an earlier state has lost blocks whose outcomes are out. Nothing may be rebuilt.
import pg from "pg";
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { createDatabase, openHalts, openWorld, startInstance, type World, withDatabase } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { mixedLines, publishLines } from "../support/workload.ts";

async function runLoad(world: World, lines: readonly string[]): Promise<void> {
  const instance = await startInstance(world, "writer");
  await publishLines(world, lines);
  await (await openIndependentReader(world)).settled();
  expect(await instance.stop()).toBe(0);
}

/** A copy of the database as it is; nobody but the test may be connected. */
async function copyOf(world: World): Promise<World> {
  const name = new URL(world.databaseUrl).pathname.slice(1);
  const url = new URL(world.databaseUrl);
  url.pathname = "/postgres";
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [name]);
  await client.end();
  return withDatabase(world, await createDatabase(world.databaseUrl, name));
}

async function heads(world: World): Promise<Map<number, number>> {
  const rows = await world.query("select lane, block::int from lane order by lane");
  return new Map(rows.map((row) => [row["lane"] as number, row["block"] as number]));
}

test("lanes whose published blocks the database has lost halt, and nothing is written anew", async () => {
  const world = await openWorld({ lanes: 4 });
  const lines = mixedLines({ holders: 40, run: "restore" });
  await runLoad(
    world,
    Array.from({ length: 400 }, () => lines.next().value),
  );
  const older = await copyOf(world);
  const kept = await heads(older);
  await runLoad(
    world,
    Array.from({ length: 400 }, () => lines.next().value),
  );
  const lost = [...(await heads(world))]
    .filter(([lane, block]) => block > (kept.get(lane) as number))
    .map(([lane]) => lane);
  expect(lost.length).toBeGreaterThan(0);
  const instance = await startInstance(older, "on-older");
  const told = (): string => `lanes ${lost} to halt; it said ${JSON.stringify(instance.log.slice(-10))}`;
  await waitFor(told, async () => (await openHalts(older)).length >= lost.length);
  expect(await openHalts(older)).toEqual(lost.map((lane) => `${lane}: tail_ahead_of_head`));
  expect(await heads(older)).toEqual(kept);
  expect(instance.exitCode()).toBe(null);
  const reader = await openIndependentReader(older);
  await reader.settled();
  expect(await reader.faults()).toEqual([]);
});
