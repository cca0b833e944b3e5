// The topic of reports under the messages between lanes: copies of them, one that comes too early, a lane that stands still
// for it, and the way out that the runbook names. Whoever kills what sends and takes them is in failpoints.test.ts.
import avro from "avsc";
import { expect, onTestFinished, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults, transitFaults } from "../support/independent-reader-ledger.ts";
import { openHalts, openWorld, runVerb, startInstance, type World } from "../support/processes.ts";
import { openTopicsAdmin, strangersKafka } from "../support/topics.ts";
import { waitFor } from "../support/wait.ts";
import { acrossLine, openLine, publishLines, transferLine, verify } from "../support/workload.ts";

const LANES = 4;
const EACH = 30;
type Raw = { readonly key: Buffer; readonly value: Buffer };

/** A holder of each lane. */
const HOLDERS = Array.from({ length: LANES }, (_, lane) => {
  for (let number = 0; ; number++) if (homeLane(`peer_${number}`, LANES) === lane) return `peer_${number}`;
});

/** Some money from everybody to everybody. */
async function sendAround(world: World, count: number): Promise<void> {
  const lines = HOLDERS.flatMap((from) =>
    HOLDERS.filter((to) => to !== from).flatMap((to) => Array.from({ length: count }, () => acrossLine(from, 1, to))),
  );
  await publishLines(world, lines);
}

/** What lies in a partition of the topic of reports. */
async function reportsIn(world: World, partition: number): Promise<Raw[]> {
  const consumer = strangersKafka(world).consumer({ groupId: `reports-${partition}-${Date.now()}` });
  onTestFinished(() => consumer.disconnect());
  const found: Raw[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [world.topics.reports], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition: of, message }) => {
      if (of === partition) found.push({ key: message.key as Buffer, value: message.value as Buffer });
    },
  });
  const admin = await openTopicsAdmin(world);
  const offsets = await admin.fetchTopicOffsets(world.topics.reports);
  const end = Number(offsets.find((one) => one.partition === partition)?.high);
  await waitFor(`${end} reports to be read`, () => found.length >= end);
  return found.slice(0, end);
}

async function append(world: World, partition: number, messages: readonly Raw[]): Promise<void> {
  const producer = strangersKafka(world).producer();
  onTestFinished(() => producer.disconnect());
  await producer.connect();
  await producer.send({ topic: world.topics.reports, messages: messages.map((one) => ({ ...one, partition })) });
}

/** The same message with another sequence, as nobody would send it. */
async function renumbered(world: World, { key, value }: Raw, by: number): Promise<Raw> {
  const answer = await fetch(`${world.schemaRegistryUrl}/schemas/ids/${value.readUInt32BE(1)}`);
  const { schema } = (await answer.json()) as { schema: string };
  const type = avro.Type.forSchema(JSON.parse(schema) as avro.Schema, { wrapUnions: false });
  const message = type.fromBuffer(value.subarray(5)) as { from: { sequence: number } };
  const from = { ...message.from, sequence: message.from.sequence + by };
  return { key, value: Buffer.concat([value.subarray(0, 5), type.toBuffer({ ...message, from })]) };
}

async function counts(world: World): Promise<Record<string, unknown>> {
  const [row] =
    await world.query(`select (select count(*)::int from line) as lines, (select count(*)::int from outbox) as messages,
    (select coalesce(sum(sequence + 1), 0)::int from seen) as seen, (select count(*)::int from case_state) as cases`);
  return row as Record<string, unknown>;
}

const lagging = (world: World): Promise<Record<string, unknown>[]> =>
  world.query("select lane, reports_next::int as next from lane order by lane");

test("copies of messages are dropped; one too early halts its lane alone, and all is made good when it goes on", async () => {
  const world = await openWorld({ lanes: LANES });
  const reader = await openIndependentReader(world);
  const first = await startInstance(world, "first");
  await publishLines(
    world,
    HOLDERS.flatMap((holder) => [openLine(holder), transferLine(holder, 1_000_000, "in")]),
  );
  await sendAround(world, EACH);
  await reader.settled();
  expect(await transitFaults(world)).toEqual([]);

  // All of one lane's partition once more: its position moves, and nothing else does.
  const before = await counts(world);
  const old = await reportsIn(world, 0);
  expect(old.length).toBeGreaterThan(2 * EACH);
  await append(world, 0, old);
  let standing = "";
  await waitFor(
    () => `${old.length} copies to be taken; ${standing}; ${JSON.stringify(first.log.slice(-3))}`,
    async () => {
      const [lane] = await lagging(world);
      standing = `${JSON.stringify(lane)} ${await openHalts(world)}`;
      return Number(lane?.["next"]) >= 2 * old.length;
    },
  );
  expect(await counts(world)).toEqual(before);

  // The last message of another lane, ten numbers ahead.
  const last = old.at(-1) as Raw;
  await append(world, 0, [await renumbered(world, last, 10)]);
  await waitFor("lane 0 to halt", async () => (await openHalts(world)).length === 1);
  expect(await openHalts(world)).toEqual(["0: lane_message_gap"]);

  // The others go on among themselves; what they send to lane 0 waits in its partition.
  await sendAround(world, EACH);
  const others = `select count(*)::int as open from case_state where state = 'sent' and lane <> 0`;
  const waiting = (LANES - 1) * EACH;
  await waitFor("only what is for lane 0 to be open", async () => (await world.query(others))[0]?.["open"] === waiting);
  expect(first.exitCode()).toBe(null);

  // The runbook's way: start again, so that everything not taken is sent again, and go on behind what came too early.
  expect(await first.stop()).toBe(0);
  const second = await startInstance(world, "second");
  const gap = 2 * old.length;
  const shown = await runVerb(world, ["lane", "show", "0"], [0, 4]);
  expect(shown.stdout).toContain("lane_message_gap");
  await runVerb(world, [
    "lane",
    "resume",
    "0",
    "--reports-at",
    String(gap + 1),
    "--reason",
    "the early one was forged",
  ]);
  await reader.settled();
  expect(await transitFaults(world)).toEqual([]);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  expect(second.exitCode()).toBe(null);
  await verify(world);
}, 240_000);
