// Logs that are not what they were: records gone before they were taken, topics made anew. The lane halts with the cause
// by its name, the others go on, and no position is ever reset.
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { openHalts, openWorld, runVerb, startInstance, type World } from "../support/processes.ts";
import { endOf, everyLane, goesOn, openTopicsAdmin, remakeTopic, takeWayOut, untilHalted } from "../support/topics.ts";
import { waitFor } from "../support/wait.ts";
import { mixedLines, publishLines } from "../support/workload.ts";

const LANES = 4;

function someLines(run: string, count = 400): string[] {
  const lines = mixedLines({ holders: 40, run });
  return Array.from({ length: count }, () => lines.next().value);
}

/** Publishes, waits for the answers and stops the instance. */
async function runOnce(world: World, run: string): Promise<void> {
  const instance = await startInstance(world, `once-${run}`);
  await publishLines(world, someLines(run));
  const reader = await openIndependentReader(world);
  await reader.settled();
  expect(await reader.faults()).toEqual([]);
  expect(await instance.stop()).toBe(0);
}

async function positions(world: World): Promise<string[]> {
  const rows = await world.query("select lane, block, intents_next from lane order by lane");
  return rows.map((row) => `${row["lane"]}: block ${row["block"]}, next ${row["intents_next"]}`);
}

test("inputs that expired before they were taken halt their lane alone", async () => {
  const world = await openWorld({ lanes: LANES });
  const admin = await openTopicsAdmin(world);
  await runOnce(world, "before");
  await publishLines(world, someLines("missed"));
  const offset = await endOf(admin, world.topics.intents, 2);
  await admin.deleteTopicRecords({ topic: world.topics.intents, partitions: [{ partition: 2, offset }] });
  const before = await positions(world);
  const instance = await startInstance(world, "late");
  await untilHalted(world, ["2: inputs_expired"], instance);
  await waitFor("the other lanes to take all", async () => {
    const behind = await admin.fetchTopicOffsets(world.topics.intents);
    const next = await world.query("select lane, intents_next::text as next from lane");
    return next.every(
      ({ lane, next: at }) => lane === 2 || behind.find(({ partition }) => partition === lane)?.high === at,
    );
  });
  expect((await positions(world))[2]).toBe(before[2]);
  expect(await instance.metric("millrace_lanes_held")).toBe(LANES - 1);
  await takeWayOut(world, 2);
  await goesOn(world, someLines("resumed"));
});

test("an offset that vanishes under a running reader halts the lane", async () => {
  const world = await openWorld({ lanes: LANES });
  const admin = await openTopicsAdmin(world);
  const instance = await startInstance(world, "frozen");
  await publishLines(world, someLines("before"));
  await (await openIndependentReader(world)).settled();
  const before = await positions(world);
  instance.freeze();
  await publishLines(world, someLines("missed"));
  const offset = await endOf(admin, world.topics.intents, 1);
  await admin.deleteTopicRecords({ topic: world.topics.intents, partitions: [{ partition: 1, offset }] });
  instance.thaw();
  await untilHalted(world, ["1: position_out_of_range"], instance);
  expect((await positions(world))[1]).toBe(before[1]);
  await takeWayOut(world, 1, offset);
  await goesOn(world, someLines("resumed"));
});

test("an input topic that was made anew halts every lane that had read the old one", async () => {
  const world = await openWorld({ lanes: LANES });
  const admin = await openTopicsAdmin(world);
  await runOnce(world, "before");
  const before = await positions(world);
  await remakeTopic(world, admin, world.topics.intents);
  const beyond = await startInstance(world, "beyond");
  await untilHalted(world, everyLane(world, "position_beyond_end"), beyond);
  await beyond.stop();
  await world.query("update halt set resumed_at = now()");
  // Once the new topic is as long as the old one was, only the last record taken can tell them apart.
  await publishLines(world, someLines("after", 800));
  const differs = await startInstance(world, "differs");
  await untilHalted(world, everyLane(world, "last_record_differs"), differs);
  expect(await positions(world)).toEqual(before);
  for (let lane = 0; lane < LANES; lane++) await takeWayOut(world, lane);
  await goesOn(world, someLines("resumed"));
});

test("an outcome topic that was made anew halts its lanes, and one whose records have expired does not", async () => {
  const world = await openWorld({ lanes: LANES });
  const admin = await openTopicsAdmin(world);
  await runOnce(world, "before");
  const ends = await admin.fetchTopicOffsets(world.topics.outcomes);
  const partitions = ends.map(({ partition, high }) => ({ partition, offset: high }));
  await admin.deleteTopicRecords({ topic: world.topics.outcomes, partitions });
  const published = await world.query("select lane, outcomes_next::int as next from lane order by lane");
  const instance = await startInstance(world, "after-expiry");
  await publishLines(world, someLines("after"));
  const reader = await openIndependentReader(world);
  await waitFor("outcomes after the expired ones", async () => (await reader.outcomes()).length >= 400);
  for (const { lane, next } of published) {
    const first = (await reader.outcomes()).find((outcome) => outcome.lane === lane);
    expect(first?.sequence).toBe(next);
  }
  expect(await openHalts(world)).toEqual([]);
  await instance.stop();
  await remakeTopic(world, admin, world.topics.outcomes);
  const anew = await startInstance(world, "anew");
  await untilHalted(world, everyLane(world, "output_topic_recreated"), anew);
  for (let lane = 0; lane < LANES; lane++) await takeWayOut(world, lane);
  await goesOn(world, someLines("agreed"));
  expect(anew.exitCode()).toBe(null);
});

test("refuses to start when the number of partitions is not that of the lanes", async () => {
  const world = await openWorld({ lanes: LANES });
  const admin = await openTopicsAdmin(world);
  await admin.createPartitions({ topicPartitions: [{ topic: world.topics.intents, count: LANES + 1 }] });
  const { stderr } = await runVerb(world, ["run"], [1, 2]);
  expect(stderr).toContain(`${world.topics.intents} has 5 partitions and there are 4 lanes`);
});
