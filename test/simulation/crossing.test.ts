// Messages between lanes over many random histories: senders that stop, wake as zombies and are taken over, answers that
// are lost, appends that come late, receivers that fall behind. The database and the partitions are arrays; what sends is
// the relay's own code, and what counts is the block's.
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type OutgoingRecord, WriterBroken } from "../../src/kafka/port.ts";
import { Crossing, ImpossibleMessage, type LanePairs, NO_PAIRS } from "../../src/processor/crossing.ts";
import { Outlets } from "../../src/relay/outlets.ts";

const LANES = 3;
/** `life`: how often the database had been put back when its block was decided */
type Message = { readonly from: number; readonly sequence: bigint; readonly life: number };
type Send = { readonly partition: number; readonly values: readonly Message[]; settle(error: Error | null): void };

/** Three lanes that send each other messages; each of them may have several owners that believe to be the one. */
class World {
  pairs: LanePairs[] = Array.from({ length: LANES }, () => NO_PAIRS);
  /** by sender and receiver */
  outbox = new Map<string, readonly Message[]>();
  readonly partitions: Message[][] = Array.from({ length: LANES }, () => []);
  position: number[] = Array.from({ length: LANES }, () => 0);
  taken: (readonly Message[])[] = Array.from({ length: LANES }, () => []);
  life = 0;
  /** messages of blocks that were lost, which an operator has stepped over */
  leftOut = 0;
  #saved = this.#database();
  readonly owners: Outlets[] = [];
  /** on their way to a partition, in the order of their senders */
  readonly sends: Send[] = [];
  readonly halts: string[] = [];

  async start(): Promise<void> {
    for (let lane = 0; lane < LANES; lane++) await this.takeOver(lane);
  }

  /** A new owner; the one before does not know it and may go on sending what it has. */
  async takeOver(lane: number): Promise<void> {
    const outlets = new Outlets(lane, {
      outlets: async () => this.#standing(lane),
      messages: async (_lane, toLane, { from, until, limit }) => {
        const rows = this.#sentTo(lane, toLane).slice(Number(from), Number(until));
        return rows.slice(0, limit).map(stored);
      },
      send: (toLane, records) => this.#send(toLane, records),
      sent: () => undefined,
      waits: () => undefined,
      halt: (_lane, cause) => {
        if (this.owners[lane] === outlets) this.halts.push(cause); // of another it would not be written down
      },
      batchRecordsMax: 4,
      batchBytesMax: 1_000_000,
    });
    this.owners[lane] = outlets;
    expect(await outlets.open()).toBe(true);
    void outlets.run(new Promise(() => undefined));
  }

  #database() {
    return {
      pairs: [...this.pairs],
      outbox: new Map(this.outbox),
      position: [...this.position],
      taken: [...this.taken],
    };
  }

  save(): void {
    this.#saved = this.#database();
  }

  /** The database as it was; the partitions, and what was on its way, are as they are. No sender finds out. */
  async putBack(): Promise<void> {
    this.life += 1;
    Object.assign(this, this.#saved);
    this.save();
    for (let lane = 0; lane < LANES; lane++) await this.takeOver(lane);
  }

  #sentTo(lane: number, toLane: number): readonly Message[] {
    return this.outbox.get(`${lane} ${toLane}`) ?? [];
  }

  #standing(lane: number) {
    const sent = [...(this.pairs[lane] as LanePairs).sent];
    return sent.map(([toLane, next]) => ({ toLane, next, seen: this.pairs[toLane]?.seen.get(lane) ?? -1n }));
  }

  #send(partition: number, records: readonly OutgoingRecord[]): Promise<void> {
    const values = records.map(({ value }) => read(value));
    return new Promise((resolve, reject) => {
      this.sends.push({ partition, values, settle: (error) => (error === null ? resolve() : reject(error)) });
    });
  }

  /** A block of the sender: numbered, in the outbox, handed to the relay. */
  block(lane: number, toLane: number, count: number): void {
    const before = this.pairs[lane] as LanePairs;
    const next = before.sent.get(toLane) ?? 0n;
    const { life } = this;
    const messages = Array.from({ length: count }, (_, at) => ({ from: lane, sequence: next + BigInt(at), life }));
    this.outbox.set(`${lane} ${toLane}`, [...this.#sentTo(lane, toLane), ...messages]);
    this.pairs[lane] = { ...before, sent: new Map([...before.sent, [toLane, next + BigInt(count)]]) };
    const values = messages.map((one) => stored(one).value);
    const sizes = values.map(({ length }) => length);
    const starts = sizes.map((_, at) => sizes.slice(0, at).reduce((sum, size) => sum + size, 0));
    const sequences = messages.map(({ sequence }) => sequence);
    const toLanes = messages.map(() => toLane);
    const handed = { toLanes, sequences, keys: messages.map(() => "k"), starts, sizes };
    this.owners[lane]?.add(handed, Buffer.concat(values));
  }

  /** One of the sends on their way comes to its end. */
  answer(which: number, how: "appended" | "answer lost" | "never came"): void {
    const [send] = this.sends.splice(which % Math.max(this.sends.length, 1), 1);
    if (send === undefined) return;
    if (how !== "never came") this.partitions[send.partition]?.push(...send.values);
    send.settle(how === "appended" ? null : new WriterBroken(how));
  }

  /** A block of the receiver takes what lies in its partition, at most `count`. */
  take(lane: number, count: number): void {
    const from = this.position[lane] as number;
    const records = (this.partitions[lane] as Message[]).slice(from, from + count);
    const unsent = records.flatMap((one, at) => {
      return this.#sentTo(one.from, lane)[Number(one.sequence)]?.life === one.life ? [] : BigInt(from + at);
    });
    const crossing = new Crossing(this.pairs[lane] as LanePairs, new Set(unsent));
    const taken = records.filter((one, at) => this.#isTaken(crossing, one, BigInt(from + at)));
    this.taken[lane] = [...(this.taken[lane] as readonly Message[]), ...taken];
    this.pairs[lane] = crossing.after();
    this.position[lane] = from + records.length;
  }

  /** What halts the lane because nobody has sent it, an operator steps over. */
  #isTaken(crossing: Crossing, { from, sequence }: Message, offset: bigint): boolean {
    try {
      return crossing.isNew({ lane: from, sequence, block: 1n }, offset);
    } catch (error) {
      if (!(error instanceof ImpossibleMessage) || error.haltCause !== "lane_message_not_sent") throw error;
      this.leftOut += 1;
      return false;
    }
  }

  /** Everything that is on its way arrives, and everything that arrived is taken. */
  async settle(): Promise<void> {
    for (let round = 0; round < 1_000; round++) {
      while (this.sends.length > 0) this.answer(0, "appended");
      await vi.advanceTimersByTimeAsync(5_000);
      for (let lane = 0; lane < LANES; lane++) this.take(lane, 1_000_000);
      if (this.sends.length === 0 && this.owners.every(({ backlog }) => backlog === 0)) return;
    }
    throw new Error("it does not come to rest");
  }
}

function stored({ from, sequence, life }: Message) {
  return { sequence, key: "k", value: Buffer.from(`${from} ${sequence} ${life}`) };
}

function read(value: Buffer): Message {
  const [from, sequence, life] = value.toString().split(" ");
  return { from: Number(from), sequence: BigInt(sequence as string), life: Number(life) };
}

type Act = (world: World) => void | Promise<void>;
const lane = fc.integer({ min: 0, max: LANES - 1 });
const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(lane, lane, fc.integer({ min: 1, max: 6 })).map(
      ([from, to, count]): Act =>
        (world) =>
          from === to ? undefined : world.block(from, to, count),
    ),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.nat(20), fc.constantFrom("appended", "appended", "appended", "answer lost", "never came"))
      .map(
        ([which, how]): Act =>
          (world) =>
            world.answer(which, how as "appended"),
      ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(lane, fc.integer({ min: 1, max: 9 })).map(
      ([of, n]): Act =>
        (world) =>
          world.take(of, n),
    ),
  },
  {
    weight: 1,
    arbitrary: lane.map(
      (of): Act =>
        (world) =>
          world.takeOver(of),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Act>(() => void vi.advanceTimersByTimeAsync(3_000)) },
);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** @returns the world when all is at rest, with each message that was sent taken once and in its order, and no other */
async function atRest(history: readonly Act[]): Promise<World> {
  const world = new World();
  await world.start();
  for (const act of history) {
    await act(world);
    await vi.advanceTimersByTimeAsync(0);
  }
  await world.settle();
  // Zombies aside, the lane's last owner must have brought everything over.
  for (let of = 0; of < LANES; of++) await world.takeOver(of);
  await vi.advanceTimersByTimeAsync(0);
  await world.settle();
  expect(world.halts).toEqual([]);
  for (const [from, { sent }] of world.pairs.entries()) {
    for (const [to, next] of sent) {
      const got = (world.taken[to] as readonly Message[]).filter((one) => one.from === from);
      expect(got.map(({ sequence }) => sequence)).toEqual(Array.from({ length: Number(next) }, (_, at) => BigInt(at)));
      expect(got).toEqual(world.outbox.get(`${from} ${to}`));
    }
  }
  return world;
}

test("nothing is lost, taken twice or out of its order, whatever stops, wakes, is late or comes again", async () => {
  let repeated = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(acts, { minLength: 5, maxLength: 120 }), async (history) => {
      const world = await atRest(history);
      expect(world.leftOut).toBe(0);
      for (let of = 0; of < LANES; of++) {
        repeated += (world.partitions[of] as Message[]).length - (world.taken[of] as Message[]).length;
      }
    }),
    { numRuns: 300 },
  );
  expect(repeated).toBeGreaterThan(100);
});

const restores: fc.Arbitrary<Act> = fc.oneof(
  { weight: 15, arbitrary: acts },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.save()) },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.putBack()) },
);

test("nor is anything that a database has lost, when it is put back and decides otherwise", async () => {
  let leftOut = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(restores, { minLength: 5, maxLength: 120 }), async (history) => {
      leftOut += (await atRest(history)).leftOut;
    }),
    { numRuns: 300 },
  );
  expect(leftOut).toBeGreaterThan(100);
});

test("a message that comes before its predecessor halts the receiver", () => {
  const crossing = new Crossing({ sent: new Map(), seen: new Map([[2, 6n]]) });
  expect(crossing.isNew({ lane: 2, sequence: 6n, block: 1n }, 40n)).toBe(false);
  expect(crossing.isNew({ lane: 2, sequence: 7n, block: 1n }, 41n)).toBe(true);
  expect(() => crossing.isNew({ lane: 2, sequence: 9n, block: 1n }, 42n)).toThrow(ImpossibleMessage);
  expect(() => crossing.isNew({ lane: 1, sequence: 1n, block: 1n }, 43n)).toThrow(
    "lane_message_gap: message 1 of lane 1",
  );
});

// However far ahead: of a lost history there is more than one, and each has to be known for what it is.
test("a message that its sender has not sent halts the receiver, and one that was taken before is dropped all the same", () => {
  const unsent = new Set([40n, 42n, 43n]);
  const crossing = new Crossing({ sent: new Map(), seen: new Map([[2, 6n]]) }, unsent);
  expect(crossing.isNew({ lane: 2, sequence: 6n, block: 1n }, 40n)).toBe(false);
  expect(crossing.isNew({ lane: 2, sequence: 7n, block: 1n }, 41n)).toBe(true);
  expect(() => crossing.isNew({ lane: 2, sequence: 8n, block: 1n }, 42n)).toThrow(
    "lane_message_not_sent: message 8 of lane 2",
  );
  expect(() => crossing.isNew({ lane: 1, sequence: 1n, block: 1n }, 43n)).toThrow(
    "lane_message_not_sent: message 1 of lane 1",
  );
});
