// The topic of reports under the messages between lanes: copies of them, one that comes too early, one that nobody has sent,
// a lane that stands still for it, and the way out that the runbook names. Whoever kills what sends and takes them is in failpoints.test.ts.
import avro from "avsc";
import { expect, onTestFinished, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { openIndependentReader } from "../support/independent-reader.ts";
import { ledgerFaults, transitFaults } from "../support/independent-reader-ledger.ts";
import { openHalts, openWorld, runVerb, standStill, startInstance, type World } from "../support/processes.ts";
import { endOf, openTopicsAdmin, strangersKafka } from "../support/topics.ts";
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

/** Lane 0, with its reports from this offset on. */
async function resumeAt(world: World, offset: bigint): Promise<void> {
  await runVerb(world, ["lane", "resume", "0", "--reports-at", String(offset), "--reason", "seen and accepted"]);
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

  // A position is accepted past a message of another lane that was not taken: the one behind it comes too early.
  await standStill(world, 0);
  const admin = await openTopicsAdmin(world);
  const end = BigInt(await endOf(admin, world.topics.reports, 0));
  await publishLines(
    world,
    [1, 2].map((minor) => acrossLine(HOLDERS[1] as string, minor, HOLDERS[0] as string)),
  );
  const arrived = async (): Promise<boolean> => BigInt(await endOf(admin, world.topics.reports, 0)) === end + 2n;
  await waitFor("two messages to be in the partition", arrived);
  await resumeAt(world, end + 1n);
  await waitFor("lane 0 to halt", async () => (await openHalts(world)).length === 1);
  expect(await openHalts(world)).toEqual(["0: lane_message_gap"]);

  // The others go on among themselves; what they send to lane 0 waits in its partition.
  await sendAround(world, EACH);
  const others = `select count(*)::int as open from case_state where state = 'sent' and lane <> 0`;
  const waiting = (LANES - 1) * EACH + 2;
  await waitFor("only what is for lane 0 to be open", async () => (await world.query(others))[0]?.["open"] === waiting);
  expect(first.exitCode()).toBe(null);

  // The runbook's way: start again, so that everything not taken is sent again, and go on where the first of it lies now.
  expect(await first.stop()).toBe(0);
  const anew = BigInt(await endOf(admin, world.topics.reports, 0));
  const second = await startInstance(world, "second");
  const shown = await runVerb(world, ["lane", "show", "0"], [0, 4]);
  expect(shown.stdout).toContain("lane_message_gap");
  await resumeAt(world, anew);
  await reader.settled();
  expect(await transitFaults(world)).toEqual([]);
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  expect(second.exitCode()).toBe(null);
  await verify(world);
}, 240_000);

test("another message under the number of one that was sent halts its receiver there, and the true one is taken after it", async () => {
  const world = await openWorld({ lanes: LANES });
  const reader = await openIndependentReader(world);
  const instance = await startInstance(world, "only");
  const [receiver, sender] = HOLDERS as [string, string];
  await publishLines(
    world,
    HOLDERS.flatMap((holder) => [openLine(holder), transferLine(holder, 1_000_000, "in")]),
  );
  await sendAround(world, 2);
  await reader.settled();
  await standStill(world, 0);

  // Three that are true, one of a history that the database does not have, and the one that it has under that number.
  const admin = await openTopicsAdmin(world);
  const send = async (count: number, end: bigint): Promise<void> => {
    await publishLines(
      world,
      Array.from({ length: count }, (_, at) => acrossLine(sender, 10 + at, receiver)),
    );
    const waiting = (): string => `${count} messages in the partition; ${JSON.stringify(instance.log.slice(-3))}`;
    await waitFor(waiting, async () => BigInt(await endOf(admin, world.topics.reports, 0)) === end + BigInt(count));
  };
  const begin = BigInt(await endOf(admin, world.topics.reports, 0));
  await send(3, begin);
  const last = (await reportsIn(world, 0)).at(-1) as Raw;
  await append(world, 0, [await renumbered(world, last, 1)]);
  await send(1, begin + 4n);

  await runVerb(world, ["lane", "resume", "0", "--reason", "looked at"]);
  await waitFor("lane 0 to halt", async () => (await openHalts(world)).length === 1);
  expect(await openHalts(world)).toEqual(["0: lane_message_not_sent"]);
  const [halt] = await world.query("select evidence from halt where resumed_at is null");
  const offset = begin + 3n;
  expect(halt?.["evidence"]).toMatchObject({ fromLane: 1, offset: String(offset) });
  // It stands at the message: accepting what is behind it leaves out nothing else.
  expect((await lagging(world))[0]?.["next"]).toBe(Number(offset));
  await resumeAt(world, offset + 1n);
  await reader.settled();
  expect(await openHalts(world)).toEqual([]);
  expect(await transitFaults(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  await verify(world);
}, 240_000);
