// Each guard of the relay by itself, with a real broker and a database in memory: what a former owner of a lane can still
// do, and where its heir goes on. scripts/guards.mjs takes the guards out one by one and sees these tests fail.
import { expect, onTestFinished, test } from "vitest";
import type { Head } from "../../src/domain/head.ts";
import { openLaneWriter } from "../../src/kafka/writer.ts";
import type { RelayStore, StoredMessage } from "../../src/relay/lane-relay.ts";
import { Relay, type RelayedBlock } from "../../src/relay/relay.ts";
import { NO_CROSSING_MESSAGES, type OutgoingTopic } from "../../src/store/blocks.ts";
import { freshTopic, kafkaSettings, valuesIn } from "../support/kafka.ts";
import { waitFor } from "../support/wait.ts";

const LANE = 0;
const NEVER_MS = 3_600_000;

/** What the database holds of one lane whose only messages are outcomes: each value is `sequence block digest`. */
class LaneInMemory {
  epoch = 0n;
  next = 0n;
  block = 0n;
  marked = -1n;
  readonly outbox: StoredMessage[] = [];
  readonly digests = new Map<bigint, Buffer>();

  store(): RelayStore {
    return {
      isOurs: async (_lane, epoch) => epoch === this.epoch,
      marks: async () => new Map([["outcomes", { sequence: this.marked, offset: -1n, producerId: -1n }]]),
      messages: async (_lane, topic, from, until, limit) =>
        topic === "outcomes"
          ? this.outbox.filter(({ sequence }) => sequence >= from && sequence < until).slice(0, limit)
          : [],
      blockDigest: async (_lane, block) => this.digests.get(block) ?? null,
      mark: async (_lane, epoch, topic, { sequence }) => {
        if (epoch === this.epoch && topic === "outcomes") this.marked = sequence;
      },
    };
  }

  /** Raises the fence; the head is what the new owner reads. */
  take(): Head {
    this.epoch += 1n;
    return this.#head();
  }

  /** Commits a block with `count` outcomes under the epoch of now. */
  commit(count: number): RelayedBlock {
    this.block += 1n;
    this.digests.set(this.block, Buffer.alloc(32, Number(this.block)));
    const values: Buffer[] = [];
    const sequences: bigint[] = [];
    for (let made = 0; made < count; made++) {
      const value = Buffer.from(`${this.next} ${this.block}`);
      this.outbox.push({ sequence: this.next, key: "k", value });
      sequences.push(this.next);
      values.push(value);
      this.next += 1n;
    }
    const sizes = values.map(({ length }) => length);
    const starts = sizes.map((_, at) => sizes.slice(0, at).reduce((sum, size) => sum + size, 0));
    const topics = sizes.map((): OutgoingTopic => "outcomes");
    const keys = sizes.map(() => "k");
    return {
      messages: {
        bytes: Buffer.concat(values),
        topics,
        sequences,
        keys,
        starts,
        sizes,
        crossing: NO_CROSSING_MESSAGES,
      },
      rows: { after: this.#head() },
    };
  }

  #head(): Head {
    const nothing = { next: 0n, last: -1n, lastAtMs: 0, lastHash: Buffer.alloc(0) };
    return {
      epoch: this.epoch,
      block: this.block,
      digest: this.digests.get(this.block) ?? Buffer.alloc(32),
      nowMs: 0,
      intents: nothing,
      reports: nothing,
      timer: { dueMs: 0, caseId: "0".repeat(32), name: "" },
      outcomesNext: this.next,
      commandsNext: 0n,
      deadLettersNext: 0n,
      accounts: 0n,
    };
  }
}

type Topics = Readonly<Record<OutgoingTopic, string>>;

async function freshTopics(): Promise<Topics> {
  const [outcomes, commands, deadLetters] = await Promise.all([freshTopic(1), freshTopic(1), freshTopic(1)]);
  return { outcomes, commands, deadLetters };
}

type Process = { readonly relay: Relay; readonly said: string[] };

/** The relay of one process.
 *  @param opened what happens between its reading of the tails and its first append
 *  @param fenced what its owner does when the lane is somebody else's */
function startProcess(
  lane: LaneInMemory,
  topics: Topics,
  opened = async (): Promise<void> => undefined,
  fenced = (relay: Relay): void => void relay.close(LANE, lane.epoch),
): Process {
  const said: string[] = [];
  const relay = new Relay({
    topics,
    store: lane.store(),
    events: {
      published: () => undefined,
      opened: () => said.push("opened"),
      reopening: (_lane, reason) => said.push(`reopening: ${reason}`),
      producerChanged: () => said.push("another producer id"),
    },
    crossing: {
      outlets: async () => [],
      messages: async () => [],
      send: async () => undefined,
      sent: () => undefined,
      waits: () => undefined,
    },
    openWriter: async () => {
      const targets = Object.values(topics).map((topic) => ({ topic, partition: LANE }));
      const writer = await openLaneWriter(kafkaSettings(), { id: `lane of ${topics.outcomes}`, targets });
      await opened();
      return writer;
    },
    readTail: async (_topic, value) => {
      const [sequence, block] = value.toString().split(" ").map(BigInt) as [bigint, bigint];
      return { sequence, block, blockDigest: Buffer.alloc(8, Number(block)) };
    },
    batchRecordsMax: 100,
    batchBytesMax: 100_000,
    reopenMs: NEVER_MS,
    markMs: NEVER_MS,
    halt: (_lane, cause) => said.push(`halt: ${cause}`),
    fenced: () => {
      said.push("fenced");
      fenced(relay);
    },
    crash: (error) => said.push(`crash: ${error}`),
  });
  onTestFinished(() => relay.close(LANE, lane.epoch));
  return { relay, said };
}

async function untilPublished({ relay, said }: Process): Promise<void> {
  await waitFor(
    () => `the relay to publish all; it said ${said}`,
    () => relay.backlog(LANE) === 0,
  );
}

async function sequencesIn(topics: Topics): Promise<number[]> {
  return (await valuesIn(topics.outcomes, LANE)).map((value) => Number(value.split(" ")[0]));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, sequence) => sequence);

test("a former owner that wakes with messages publishes none of them, and leaves the heir's writer alone", async () => {
  const [lane, topics] = [new LaneInMemory(), await freshTopics()];
  const zombie = startProcess(lane, topics);
  // The heir has read the tails and not appended yet: from here on only the fence keeps the zombie out.
  const wake = async (): Promise<void> => {
    zombie.relay.committed(LANE, unpublished);
    const isOver = (): boolean => zombie.said.includes("fenced") || zombie.relay.backlog(LANE) === 0;
    await waitFor(() => `the zombie to be fenced; it said ${zombie.said}`, isOver, 5_000);
  };
  const heir = startProcess(lane, topics, wake);
  expect(await zombie.relay.open(LANE, lane.take())).toBe(true);
  zombie.relay.committed(LANE, lane.commit(10));
  await untilPublished(zombie);
  const unpublished = lane.commit(5);
  expect(await heir.relay.open(LANE, lane.take())).toBe(true);
  await untilPublished(heir);
  expect(await sequencesIn(topics)).toEqual(upTo(15));
  heir.relay.committed(LANE, lane.commit(5));
  await untilPublished(heir);
  expect(await sequencesIn(topics)).toEqual(upTo(20));
  expect(zombie.said).toEqual(["opened", expect.stringContaining("reopening"), "fenced"]);
  expect(heir.said).toEqual(["opened"]);
});

test("a former owner whose writer breaks does not open another, which would fence the heir", async () => {
  const [lane, topics] = [new LaneInMemory(), await freshTopics()];
  const zombie = startProcess(lane, topics);
  const head = lane.take();
  lane.take();
  expect(await zombie.relay.open(LANE, head)).toBe(false);
  expect(zombie.said).toEqual(["fenced"]);
});

test("one that has lost its lane has nothing to wait for when it is given back", async () => {
  const [lane, topics] = [new LaneInMemory(), await freshTopics()];
  // The holding is ending already when its relay finds the lane taken, so that nobody closes it.
  const { relay } = startProcess(lane, topics, undefined, () => undefined);
  const head = lane.take();
  relay.committed(LANE, lane.commit(5));
  lane.take();
  expect(await relay.open(LANE, head)).toBe(false);
  const began = performance.now();
  await relay.drain(LANE, head.epoch, 60_000);
  expect(performance.now() - began).toBeLessThan(30_000);
});

test("a lane that two close at once, while its writer is being opened, is closed for neither before the writer is", async () => {
  const [lane, topics] = [new LaneInMemory(), await freshTopics()];
  const isOpening = gate();
  const mayOpen = gate();
  const { relay, said } = startProcess(lane, topics, async () => {
    isOpening.open();
    await mayOpen.passed;
  });
  const opened = relay.open(LANE, lane.take());
  await isOpening.passed;
  const closed: string[] = [];
  const closing = ["taken", "given back"].map((who) => relay.close(LANE, lane.epoch).then(() => closed.push(who)));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(closed).toEqual([]);
  mayOpen.open();
  await Promise.all(closing);
  expect(await opened).toBe(false);
  expect([said, relay.lanes]).toEqual([[], []]);
});

function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

test("an heir goes on behind the last message in the topic, whatever the hint says", async () => {
  const [lane, topics] = [new LaneInMemory(), await freshTopics()];
  const [killed, heir] = [startProcess(lane, topics), startProcess(lane, topics)];
  await killed.relay.open(LANE, lane.take());
  killed.relay.committed(LANE, lane.commit(10));
  await untilPublished(killed);
  await killed.relay.close(LANE, lane.epoch);
  lane.marked = -1n; // A process that is killed writes no hint at its end.
  lane.commit(10); // Committed, and handed to nobody.
  expect(await heir.relay.open(LANE, lane.take())).toBe(true);
  heir.relay.committed(LANE, lane.commit(10));
  await untilPublished(heir);
  expect(await sequencesIn(topics)).toEqual(upTo(30));
});

test("a block that is announced late is not taken by the relay of now, which has found it in the outbox", async () => {
  const [lane, topics] = [new LaneInMemory(), await freshTopics()];
  const process = startProcess(lane, topics);
  await process.relay.open(LANE, lane.take());
  const late = lane.commit(5);
  await process.relay.open(LANE, lane.take());
  process.relay.committed(LANE, late);
  process.relay.committed(LANE, lane.commit(5));
  await untilPublished(process);
  expect(await sequencesIn(topics)).toEqual(upTo(10));
});

test("a holding that ends late closes its own relay, not that of the holding after it", async () => {
  const [lane, topics] = [new LaneInMemory(), await freshTopics()];
  const process = startProcess(lane, topics);
  await process.relay.open(LANE, lane.take());
  const earlier = lane.epoch;
  expect(await process.relay.open(LANE, lane.take())).toBe(true);
  await process.relay.drain(LANE, earlier, 1_000);
  await process.relay.close(LANE, earlier);
  process.relay.committed(LANE, lane.commit(5));
  await untilPublished(process);
  expect(await sequencesIn(topics)).toEqual(upTo(5));
});

test.each<[string, string, (lane: LaneInMemory) => void]>([
  ["lost blocks", "tail_ahead_of_head", (lane) => void lane.digests.delete(2n)],
  [
    "another block of that number",
    "tail_differs_from_block",
    (lane) => void lane.digests.set(2n, Buffer.alloc(32, 99)),
  ],
  ["published more than the topic holds", "tail_behind_mark", (lane) => void (lane.marked = 25n)],
])("a database that has %s halts the lane: %s", async (_what, cause, change) => {
  const [lane, topics] = [new LaneInMemory(), await freshTopics()];
  const [before, after] = [startProcess(lane, topics), startProcess(lane, topics)];
  await before.relay.open(LANE, lane.take());
  for (const count of [10, 10]) before.relay.committed(LANE, lane.commit(count));
  await untilPublished(before);
  await before.relay.close(LANE, lane.epoch);
  change(lane);
  lane.commit(10);
  expect(await after.relay.open(LANE, lane.take())).toBe(false);
  expect(after.said).toEqual([`halt: ${cause}`]);
  expect(await sequencesIn(topics)).toEqual(upTo(20));
});
