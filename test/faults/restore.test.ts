// A database that is put back to an earlier state has lost blocks whose outcomes are out. Nothing may be rebuilt.
import pg from "pg";
import { expect, test } from "vitest";
import { EXIT } from "../../src/cli/exit.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults, transitFaults } from "../support/independent-reader-ledger.ts";
import {
  createDatabase,
  openHalts,
  openWorld,
  runVerb,
  standStill,
  startInstance,
  type World,
  withDatabase,
} from "../support/processes.ts";
import { endOf, openTopicsAdmin } from "../support/topics.ts";
import { waitFor } from "../support/wait.ts";
import { acrossLine, mixedLines, openLine, publishLines, transferLine, verify } from "../support/workload.ts";

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

/** A holder at home in a lane of two. */
function holderOf(lane: number): string {
  for (let number = 0; ; number++) if (homeLane(`peer_${number}`, 2) === lane) return `peer_${number}`;
}

const SENDER = 0;
const RECEIVER = 1;

test("a message of a lost block is not taken, though its receiver has lost none and comes before its sender", async () => {
  const world = await openWorld({ lanes: 2 });
  const [from, to] = [holderOf(SENDER), holderOf(RECEIVER)];
  await runLoad(world, [openLine(from), openLine(to), transferLine(from, 1_000, "in"), acrossLine(from, 100, to)]);
  const older = await copyOf(world);
  const kept = await heads(older);

  // Lost afterwards: a transfer whose message lies in the receiver's partition, in no block of its own.
  await standStill(world, RECEIVER);
  const writer = await startInstance(world, "writer");
  const admin = await openTopicsAdmin(world);
  const end = BigInt(await endOf(admin, world.topics.reports, RECEIVER));
  const arrived = async (): Promise<boolean> => BigInt(await endOf(admin, world.topics.reports, RECEIVER)) > end;
  await publishLines(world, [acrossLine(from, 250, to)]);
  await waitFor("the message to be in the partition", arrived);
  expect(await writer.stop()).toBe(0);

  // The receiver starts first, and the sender, which will find that it has lost blocks, only afterwards.
  await standStill(older, SENDER);
  const instance = await startInstance(older, "on-older");
  const told = (): string => `lane ${RECEIVER} to halt; it said ${JSON.stringify(instance.log.slice(-8))}`;
  await waitFor(told, async () => (await openHalts(older)).length === 2);
  const notSent = `${RECEIVER}: lane_message_not_sent`;
  expect(await openHalts(older)).toEqual([`${SENDER}: audit_failed`, notSent]);
  const shown = await runVerb(older, ["lane", "show", String(RECEIVER)], [EXIT.halted]);
  expect(shown.stdout).toContain("Recover the database with the lost blocks");
  await runVerb(older, ["lane", "resume", String(SENDER), "--reason", "in its turn"]);
  const both = [`${SENDER}: tail_ahead_of_head`, notSent];
  await waitFor("the sender to halt as well", async () => (await openHalts(older)).length === 2);
  expect(await openHalts(older)).toEqual(both);
  expect(await heads(older)).toEqual(kept);
  expect(await transitFaults(older)).toEqual([]);
  expect(instance.exitCode()).toBe(null);
  expect(await instance.stop()).toBe(0);

  // The way out: the database that has sent it.
  await startInstance(world, "on-later");
  await runVerb(world, ["lane", "resume", String(RECEIVER), "--reason", "all blocks are there"]);
  const reader = await openIndependentReader(world);
  await reader.settled();
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
});
