// Topics that change under a running service: partitions added, made anew, put back to an earlier moment; inputs and
// outcomes. Exactly the lanes concerned halt, with the cause by its name, and the way out that `lane show` names works.
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults } from "../support/independent-reader-ledger.ts";
import { type Instance, openHalts, openWorld, runVerb, startInstance, type World } from "../support/processes.ts";
import {
  everyLane,
  goesOn,
  openTopicsAdmin,
  remakeTopic,
  strangersKafka,
  takeWayOut,
  untilHalted,
} from "../support/topics.ts";
import { waitFor } from "../support/wait.ts";
import { mixedLines, publishLines, verify } from "../support/workload.ts";

const LANES = 4;

function someLines(run: string, count = 400): string[] {
  const lines = mixedLines({ holders: 40, run });
  return Array.from({ length: count }, () => lines.next().value);
}

/** A service that has answered some intents, and runs. */
async function running(lines: readonly string[]): Promise<{ world: World; instance: Instance }> {
  const world = await openWorld({ lanes: LANES });
  const instance = await startInstance(world, "running");
  await goesOn(world, lines);
  await waitFor("every outcome to be known as published", async () => {
    const behind = `select from lane l left join relay_cursor c on c.lane = l.lane and c.topic = 0
      where coalesce(c.published_sequence, -1) < l.outcomes_next - 1`;
    return (await world.query(behind)).length === 0;
  });
  return { world, instance };
}

async function sums(world: World): Promise<unknown> {
  return await world.query(
    "select path, sum(debits)::text as d, sum(credits)::text as c from balance group by 1 order by 1",
  );
}

/** Lanes go on as `lane show` says, also when what comes next is another halt with another way out. */
async function takeWaysOut(world: World, lines: readonly string[]): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (const halt of await openHalts(world)) await takeWayOut(world, Number(halt.split(":")[0]));
    await waitFor("resumed lanes to be taken or to halt again", async () => {
      const free =
        "select from lease s where s.owner is null and s.lane not in (select lane from halt where resumed_at is null)";
      const unapplied =
        "select from halt where resumed_at is not null and resume_intents_at is not null and not applied";
      return (await world.query(free)).length + (await world.query(unapplied)).length === 0;
    });
    if ((await openHalts(world)).length === 0) break;
  }
  await goesOn(world, lines);
}

test("partitions added to the topic of intents halt every lane; made anew and filled again, it is taken on with nothing booked twice", async () => {
  const lines = someLines("added");
  const { world, instance } = await running(lines);
  const admin = await openTopicsAdmin(world);
  const before = await sums(world);
  await admin.createPartitions({ topicPartitions: [{ topic: world.topics.intents, count: LANES + 2 }] });
  await untilHalted(world, everyLane(world, "partition_count_changed"), instance);
  const { stderr } = await runVerb(world, ["run"], [1, 2]);
  expect(stderr).toContain(`${world.topics.intents} has ${LANES + 2} partitions and there are ${LANES} lanes`);
  await remakeTopic(world, admin, world.topics.intents);
  await publishLines(world, lines);
  await takeWaysOut(world, []);
  expect(await sums(world)).toEqual(before);
  await goesOn(world, someLines("later"));
  expect(instance.exitCode()).toBe(null);
  expect(await ledgerFaults(world)).toEqual([]);
});

test("a topic of intents that is made anew under a running service halts every lane, and can be taken from its beginning", async () => {
  const lines = someLines("anew");
  const { world, instance } = await running(lines);
  const admin = await openTopicsAdmin(world);
  const before = await sums(world);
  await remakeTopic(world, admin, world.topics.intents);
  await untilHalted(world, everyLane(world, "position_out_of_range"), instance);
  await publishLines(world, lines);
  await takeWaysOut(world, []);
  expect(await sums(world)).toEqual(before);
  expect(await ledgerFaults(world)).toEqual([]);
});

test("partitions added to the topic of outcomes change nothing for those who run, and nobody else starts", async () => {
  const { world, instance } = await running(someLines("more"));
  const reader = await openIndependentReader(world);
  const admin = await openTopicsAdmin(world);
  await admin.createPartitions({ topicPartitions: [{ topic: world.topics.outcomes, count: LANES + 1 }] });
  await goesOn(world, someLines("later"));
  await reader.settled();
  const counts = `${world.topics.outcomes} has ${LANES + 1} partitions`;
  const { stderr } = await runVerb(world, ["run"], [1, 2]);
  expect(stderr).toContain(`${counts} and there are ${LANES} lanes`);
  expect(instance.exitCode()).toBe(null);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  // The auditor names what is wrong, and finds nothing else.
  const { stdout } = await runVerb(world, ["verify"], [1]);
  expect(stdout.match(/^FAILED .*/gm)).toHaveLength(1);
  expect(stdout).toContain(counts);
});

test("a topic of outcomes that is made anew under a running service halts its lanes", async () => {
  const { world, instance } = await running(someLines("before"));
  const admin = await openTopicsAdmin(world);
  await remakeTopic(world, admin, world.topics.outcomes);
  await publishLines(world, someLines("after"));
  await untilHalted(world, everyLane(world, "output_topic_recreated"), instance);
  for (let lane = 0; lane < LANES; lane++) await takeWayOut(world, lane);
  await goesOn(world, someLines("later"));
  expect(await ledgerFaults(world)).toEqual([]);
});

test("a topic of outcomes that was put back to an earlier moment halts its lanes until it holds the rest again", async () => {
  const { world, instance } = await running(someLines("before"));
  const admin = await openTopicsAdmin(world);
  const records = await readAll(world);
  expect(await instance.stop()).toBe(0);
  await remakeTopic(world, admin, world.topics.outcomes);
  const half = (lane: number): number => Math.floor((records.get(lane)?.length ?? 0) / 2);
  await append(world, records, (all, lane) => all.slice(0, half(lane)));
  const after = await startInstance(world, "after");
  await untilHalted(world, everyLane(world, "tail_behind_mark"), after);
  await append(world, records, (all, lane) => all.slice(half(lane)));
  for (let lane = 0; lane < LANES; lane++) await takeWayOut(world, lane);
  await goesOn(world, someLines("later"));
  const reader = await openIndependentReader(world);
  await reader.settled();
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  await verify(world);
});

type Copied = { readonly key: Buffer | null; readonly value: Buffer | null };

/** Every outcome, by partition. */
async function readAll(world: World): Promise<Map<number, Copied[]>> {
  const kafka = strangersKafka(world);
  const consumer = kafka.consumer({ groupId: `copy-${Date.now()}` });
  const records = new Map<number, Copied[]>();
  await consumer.connect();
  await consumer.subscribe({ topics: [world.topics.outcomes], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition, message: { key, value } }) => {
      records.set(partition, [...(records.get(partition) ?? []), { key, value }]);
    },
  });
  const [row] = await world.query("select sum(outcomes_next)::int as messages from lane");
  const count = (): number => [...records.values()].reduce((sum, some) => sum + some.length, 0);
  await waitFor(
    () => `${row?.["messages"]} outcomes; ${count()} read`,
    () => count() === row?.["messages"],
  );
  await consumer.disconnect();
  return records;
}

async function append(
  world: World,
  records: ReadonlyMap<number, Copied[]>,
  pick: (all: readonly Copied[], lane: number) => Copied[],
): Promise<void> {
  const producer = strangersKafka(world).producer();
  await producer.connect();
  const messages = [...records].flatMap(([partition, all]) =>
    pick(all, partition).map((one) => ({ ...one, partition })),
  );
  await producer.send({ topic: world.topics.outcomes, messages });
  await producer.disconnect();
}
