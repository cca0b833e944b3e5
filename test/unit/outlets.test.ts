// What carries messages from lane to lane: where it goes on, in which order, and what it does when it cannot.
import { describe, expect, test } from "vitest";
import { KafkaUnreachable, type OutgoingRecord } from "../../src/kafka/port.ts";
import { Outlets, type OutletsParts } from "../../src/relay/outlets.ts";
import type { CrossingMessages } from "../../src/store/blocks.ts";
import type { CrossingMessage, Outlet } from "../../src/store/crossing.ts";
import { waitFor } from "../support/wait.ts";

const FROM = 3;

/** The database and the topic of one sending lane, in memory. */
class Site {
  readonly outbox = new Map<number, CrossingMessage[]>();
  readonly seen = new Map<number, bigint>();
  /** sequences in the order in which the partition got them */
  readonly partitions = new Map<number, bigint[]>();
  readonly halts: string[] = [];
  readonly waits: number[] = [];
  pagesMax = 0;
  /** what happens before a batch is in the partition */
  sending: (toLane: number) => Promise<void> = async () => undefined;

  /** As a block would: into the outbox, and as it is handed over. */
  block(counts: Readonly<Record<number, number>>): { messages: CrossingMessages; bytes: Buffer } {
    const toLanes: number[] = [];
    const sequences: bigint[] = [];
    for (const [lane, count] of Object.entries(counts)) {
      const stored = this.outbox.get(Number(lane)) ?? [];
      this.outbox.set(Number(lane), stored);
      for (let made = 0; made < count; made++) {
        const sequence = BigInt(stored.length);
        stored.push({ sequence, key: "k", value: valueOf(sequence) });
        toLanes.push(Number(lane));
        sequences.push(sequence);
      }
    }
    const values = sequences.map(valueOf);
    const sizes = values.map(({ length }) => length);
    const starts = sizes.map((_, at) => sizes.slice(0, at).reduce((sum, size) => sum + size, 0));
    return {
      messages: { toLanes, sequences, keys: sequences.map(() => "k"), starts, sizes },
      bytes: Buffer.concat(values),
    };
  }

  parts(over: Partial<OutletsParts> = {}): OutletsParts {
    return {
      outlets: async () => this.#outlets(),
      messages: async (_lane, toLane, { from, until: end, limit }) => {
        const page = (this.outbox.get(toLane) ?? []).filter(({ sequence }) => sequence >= from && sequence < end);
        this.pagesMax = Math.max(this.pagesMax, Math.min(page.length, limit));
        return page.slice(0, limit);
      },
      send: async (toLane, records) => {
        await this.sending(toLane);
        this.#append(toLane, records);
      },
      sent: () => undefined,
      waits: (_lane, toLane) => void this.waits.push(toLane),
      halt: (_lane, cause) => void this.halts.push(cause),
      batchRecordsMax: 10,
      batchBytesMax: 1_000_000,
      ...over,
    };
  }

  #outlets(): Outlet[] {
    return [...this.outbox].map(([toLane, stored]) => ({
      toLane,
      next: BigInt(stored.length),
      seen: this.seen.get(toLane) ?? -1n,
    }));
  }

  #append(toLane: number, records: readonly OutgoingRecord[]): void {
    const partition = this.partitions.get(toLane) ?? [];
    this.partitions.set(toLane, partition);
    for (const { value } of records) partition.push(BigInt(value.toString()));
  }
}

function valueOf(sequence: bigint): Buffer {
  return Buffer.from(sequence.toString());
}

const range = (from: number, to: number): bigint[] => Array.from({ length: to - from }, (_, at) => BigInt(from + at));
const forever = new Promise<void>(() => undefined);

async function opened(site: Site, over: Partial<OutletsParts> = {}): Promise<Outlets> {
  const outlets = new Outlets(FROM, site.parts(over));
  expect(await outlets.open()).toBe(true);
  void outlets.run(forever);
  return outlets;
}

const hand = (outlets: Outlets, block: { messages: CrossingMessages; bytes: Buffer }): void =>
  outlets.add(block.messages, block.bytes);

describe("messages of a lane that is owned", () => {
  test("go to the partitions of the lanes that they are for, each in its order", async () => {
    const site = new Site();
    const outlets = await opened(site);
    hand(outlets, site.block({ 1: 25, 5: 3 }));
    hand(outlets, site.block({ 5: 4 }));
    await waitFor("all is sent", () => outlets.backlog === 0);
    expect(site.partitions.get(1)).toEqual(range(0, 25));
    expect(site.partitions.get(5)).toEqual(range(0, 7));
  });

  test("do not wait for a lane that is away", async () => {
    const site = new Site();
    site.sending = (toLane) => (toLane === 1 ? forever : Promise.resolve());
    const outlets = await opened(site);
    for (let block = 0; block < 20; block++) hand(outlets, site.block({ 1: 5, 2: 5 }));
    await waitFor("lane 2 has its messages", () => site.partitions.get(2)?.length === 100);
    expect(outlets.backlog).toBe(100);
    expect(site.partitions.get(1)).toBeUndefined();
  });

  test("are sent once, whenever between two batches they are handed over", async () => {
    const site = new Site();
    const held: (() => void)[] = [];
    site.sending = () => new Promise((resolve) => held.push(resolve));
    let isFirst = true;
    const sent = (): void => {
      if (isFirst) queueMicrotask(() => hand(outlets, site.block({ 1: 1 })));
      isFirst = false;
    };
    const outlets = await opened(site, { sent });
    hand(outlets, site.block({ 1: 1 }));
    held[0]?.();
    await waitFor("the second is on its way", () => held.length === 2);
    await new Promise((resolve) => setImmediate(resolve));
    hand(outlets, site.block({ 1: 1 }));
    held[1]?.();
    await waitFor("the third is on its way", () => held.length === 3);
    held[2]?.();
    await waitFor("all is sent", () => outlets.backlog === 0);
    expect(site.partitions.get(1)).toEqual(range(0, 3));
  });

  test("are sent again until they are acknowledged", async () => {
    const site = new Site();
    let tries = 0;
    site.sending = async () => {
      tries += 1;
      if (tries < 4) throw new KafkaUnreachable("no leader", "wait");
    };
    const outlets = await opened(site);
    hand(outlets, site.block({ 1: 3 }));
    await waitFor("they are acknowledged", () => outlets.backlog === 0);
    expect(site.partitions.get(1)).toEqual(range(0, 3));
    expect(site.waits).toEqual([1, 1, 1]);
  });

  test("end it with what is no outage", async () => {
    const site = new Site();
    site.sending = () => Promise.reject(new TypeError("a bug"));
    const outlets = new Outlets(FROM, site.parts());
    await outlets.open();
    const running = outlets.run(forever);
    hand(outlets, site.block({ 1: 1 }));
    await expect(running).rejects.toThrow("a bug");
  });
});

describe("whoever takes the lane next", () => {
  test("goes on behind what each receiver has taken, page by page, and then with what its own blocks send", async () => {
    const site = new Site();
    site.block({ 1: 2_345, 2: 7 });
    site.seen.set(1, 44n).set(2, 6n);
    const outlets = await opened(site, { batchRecordsMax: 5_000 });
    hand(outlets, site.block({ 1: 5, 2: 1 }));
    await waitFor(
      "all is sent",
      () => site.partitions.get(1)?.length === 2_305 && site.partitions.get(2)?.length === 1,
    );
    expect(site.partitions.get(1)).toEqual(range(45, 2_350));
    expect(site.partitions.get(2)).toEqual([7n]);
    expect(site.pagesMax).toBe(1_000);
  });

  test("sends again what is in the topic and not taken, when it opens anew", async () => {
    const site = new Site();
    const outlets = await opened(site);
    hand(outlets, site.block({ 1: 6 }));
    await waitFor("they are sent", () => outlets.backlog === 0);
    site.seen.set(1, 2n);
    expect(await outlets.open()).toBe(true);
    void outlets.run(forever);
    hand(outlets, site.block({ 1: 2 }));
    await waitFor("they are sent again", () => site.partitions.get(1)?.length === 11);
    expect(site.partitions.get(1)).toEqual([...range(0, 6), ...range(3, 8)]);
  });

  test("takes the first messages to a lane whose block was committed and not handed over as it opened anew", async () => {
    const site = new Site();
    const outlets = await opened(site);
    const block = site.block({ 1: 2 });
    expect(await outlets.open()).toBe(true);
    void outlets.run(forever);
    hand(outlets, block);
    hand(outlets, site.block({ 1: 1 }));
    await waitFor("all is sent", () => site.partitions.get(1)?.length === 3);
    expect(site.partitions.get(1)).toEqual(range(0, 3));
    expect(outlets.backlog).toBe(0);
  });

  test("is not disturbed by an answer that an earlier life waited for", async () => {
    const site = new Site();
    const held: (() => void)[] = [];
    site.sending = () => new Promise((resolve) => held.push(resolve));
    const outlets = await opened(site);
    hand(outlets, site.block({ 1: 3 }));
    await waitFor("the first life sends", () => held.length === 1);
    expect(await outlets.open()).toBe(true);
    void outlets.run(forever);
    await waitFor("the second life sends", () => held.length === 2);
    for (const answer of held) answer();
    await waitFor("all is sent", () => outlets.backlog === 0);
    hand(outlets, site.block({ 1: 1 }));
    await waitFor("the next is sent", () => held.length === 3);
    held[2]?.();
    await waitFor("the partition has it", () => site.partitions.get(1)?.length === 7);
    expect(site.partitions.get(1)).toEqual([...range(0, 3), ...range(0, 3), 3n]);
  });

  test("halts when a receiver has taken what was never sent: the database has lost blocks", async () => {
    const site = new Site();
    site.block({ 1: 2 });
    site.seen.set(1, 2n);
    const outlets = new Outlets(FROM, site.parts());
    expect(await outlets.open()).toBe(false);
    expect(site.halts).toEqual(["tail_ahead_of_head"]);
  });

  test.each([0n, 2n])("halts when a message that was not taken is missing in the outbox: %s of five", async (gone) => {
    const site = new Site();
    site.block({ 1: 5 });
    site.outbox.set(
      1,
      (site.outbox.get(1) ?? []).filter(({ sequence }) => sequence !== gone),
    );
    await opened(site, { outlets: async () => [{ toLane: 1, next: 5n, seen: -1n }] });
    await waitFor("it halts", () => site.halts.length === 1);
    expect(site.halts).toEqual(["outbox_gap"]);
    expect(site.partitions.get(1)).toBeUndefined();
  });
});
