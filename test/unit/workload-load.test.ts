// Lines in, records out: order, one batch in flight, an open loop, and what happens when a send fails.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { OutgoingRecord, Producer } from "../../src/kafka/port.ts";
import { readLines } from "../../src/workload/load/lines.ts";
import { Portions, RepeatingLast } from "../../src/workload/load/load.ts";
import { type Outbound, type PumpOptions, pump, type Source } from "../../src/workload/load/pump.ts";

const OPTIONS: PumpOptions = {
  topic: "intents",
  partitions: 2,
  rate: null,
  startAtMs: 0,
  stop: null,
  progress: () => undefined,
};

function numbered(count: number, partitions = 2): Outbound[] {
  return Array.from({ length: count }, (_, at) => ({
    partition: at % partitions,
    record: { key: null, value: Buffer.from(String(at)) },
  }));
}

function sourceOf(...chunks: (readonly Outbound[])[]): Source {
  const left = [...chunks];
  return { next: () => Promise.resolve(left.shift() ?? null) };
}

async function drain(source: Source): Promise<string[]> {
  const values: string[] = [];
  for (let chunk = await source.next(); chunk !== null; chunk = await source.next()) {
    values.push(...chunk.map(({ record }) => String(record.value)));
  }
  return values;
}

/** Remembers what was sent; refuses a second batch for a partition that has one in flight. */
class FakeProducer implements Producer {
  readonly sent = new Map<number, string[]>();
  readonly sizes: number[] = [];
  readonly #busy = new Set<number>();
  readonly #ack: () => Promise<void>;

  constructor(ack: () => Promise<void> = () => sleep(1)) {
    this.#ack = ack;
  }

  async send(_topic: string, partition: number, records: readonly OutgoingRecord[]) {
    if (this.#busy.has(partition)) throw new Error(`two batches in flight for ${partition}`);
    this.#busy.add(partition);
    this.sizes.push(records.length);
    const values = records.map(({ value }) => String(value));
    this.sent.set(partition, [...(this.sent.get(partition) ?? []), ...values]);
    await this.#ack();
    this.#busy.delete(partition);
    return { baseOffset: 0n };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const inOrder = (partition: number, count: number): string[] =>
  Array.from({ length: count / 2 }, (_, at) => String(at * 2 + partition));

describe("the pump", () => {
  test("sends everything, in order per partition, one batch in flight for each", async () => {
    const producer = new FakeProducer();
    const pumped = await pump(producer, sourceOf(numbered(10_000)), OPTIONS);
    expect(pumped.acknowledged).toBe(10_000);
    expect(producer.sent.get(0)).toEqual(inOrder(0, 10_000));
    expect(producer.sent.get(1)).toEqual(inOrder(1, 10_000));
    expect(Math.max(...producer.sizes)).toBeLessThanOrEqual(2_000);
  });

  test("splits batches by bytes: no batch outgrows a broker's limit", async () => {
    const producer = new FakeProducer();
    const large = numbered(20).map((one) => ({ ...one, record: { key: null, value: Buffer.alloc(200_000) } }));
    await pump(producer, sourceOf(large), OPTIONS);
    expect(Math.max(...producer.sizes)).toBe(4);
  });

  test("keeps to the rate", async () => {
    const { seconds } = await pump(new FakeProducer(), sourceOf(numbered(300)), {
      ...OPTIONS,
      rate: 1_000,
      startAtMs: Date.now(),
    });
    expect(seconds).toBeGreaterThan(0.29);
  });

  test("does not wait for acknowledgements: what is due is sent to the other partitions", async () => {
    let release: () => void = () => undefined;
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    let sends = 0;
    const producer = new FakeProducer(() => (sends++ === 0 ? stuck : Promise.resolve()));
    const options = { ...OPTIONS, rate: 1_000, startAtMs: Date.now() };
    const pumping = pump(producer, sourceOf(numbered(100)), options);
    await sleep(250);
    expect(producer.sent.get(1)).toEqual(inOrder(1, 100));
    expect(producer.sent.get(0)?.length).toBeLessThan(50);
    release();
    await pumping;
    expect(producer.sent.get(0)).toEqual(inOrder(0, 100));
  });

  test("rejects with what a send failed with, and sends nothing more", async () => {
    const producer = new FakeProducer(() => Promise.reject(new Error("no broker")));
    await expect(pump(producer, sourceOf(numbered(10)), OPTIONS)).rejects.toThrow("no broker");
    expect(producer.sizes.length).toBeLessThanOrEqual(2);
  });

  test("stops taking when told to, and still sends what it has taken", async () => {
    const stop = new AbortController();
    const chunks = Array.from({ length: 50 }, (_, at) => numbered(20).map((one) => ({ ...one, at })));
    const producer = new FakeProducer(async () => {
      stop.abort();
      await sleep(1);
    });
    const options = { ...OPTIONS, rate: 1_000, startAtMs: Date.now(), stop: stop.signal };
    const { acknowledged } = await pump(producer, sourceOf(...chunks), options);
    expect(acknowledged).toBeGreaterThan(0);
    expect(acknowledged).toBeLessThan(1_000);
    expect([...producer.sent.values()].flat()).toHaveLength(acknowledged);
  });

  test("ends at once when there is nothing to send", async () => {
    expect(await pump(new FakeProducer(), sourceOf([], []), OPTIONS)).toMatchObject({ acknowledged: 0 });
  });
});

describe("the last records again", () => {
  test.each([
    [0, []],
    [3, ["7", "8", "9"]],
    [100, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]],
  ])("%i of them, as the same bytes", async (count, repeated) => {
    const all = numbered(10);
    const source = new RepeatingLast(sourceOf(all.slice(0, 4), all.slice(4, 8), all.slice(8)), count);
    expect(await drain(source)).toEqual([...all.map((one) => String(one.record.value)), ...repeated]);
    expect(source).toMatchObject({ handedOut: 10, repeated: repeated.length });
  });

  test("not when the source may not be repeated", async () => {
    const source = new RepeatingLast(sourceOf(numbered(3)), 3, () => false);
    expect(await drain(source)).toEqual(["0", "1", "2"]);
  });
});

test("portions follow each other without gap", async () => {
  const all = numbered(10);
  const portions = new Portions(sourceOf(all.slice(0, 7), all.slice(7)));
  expect(await drain(portions.take(5))).toEqual(["0", "1", "2", "3", "4"]);
  expect(await drain(portions.take(5))).toEqual(["5", "6", "7", "8", "9"]);
});

describe("lines", () => {
  async function* chunked(text: string, size: number): AsyncGenerator<Buffer> {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }

  async function linesOf(text: string, size = 5): Promise<[number, string][]> {
    const lines: [number, string][] = [];
    for await (const chunk of readLines(chunked(text, size))) {
      lines.push(...chunk.map(({ number, text: line }) => [number, line] as [number, string]));
    }
    return lines;
  }

  test.each([1, 3, 7, 1_000])("keep their numbers, in chunks of %i bytes", async (size) => {
    expect(await linesOf("one\n\ntwo €\r\n  \nlast", size)).toEqual([
      [1, "one"],
      [3, "two €\r"],
      [5, "last"],
    ]);
  });

  test("may end with a line end or not, and begin with a byte order mark", async () => {
    expect(await linesOf("\ufeffa\nb\n")).toEqual([
      [1, "a"],
      [2, "b"],
    ]);
    expect(await linesOf("")).toEqual([]);
  });

  test("without end are cut, not kept whole", async () => {
    const [line] = await linesOf("x".repeat(20 << 20), 1 << 20);
    expect(line?.[1].length).toBeLessThan(10 << 20);
    expect(line?.[1].length).toBeGreaterThan(8_000_000);
  });
});
