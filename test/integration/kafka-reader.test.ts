import { CompressionTypes, type Transaction } from "kafkajs";
import { expect, onTestFinished, test } from "vitest";
import type { Reader } from "../../src/kafka/port.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { openReader } from "../../src/kafka/reader.ts";
import {
  closing,
  deleteBefore,
  freshTopic,
  kafkaSettings,
  numbered,
  rememberingSink,
  strangersKafka,
  until,
} from "../support/kafka.ts";

async function testReader(topics: readonly string[], options = {}): Promise<Reader> {
  const reader = await openReader(kafkaSettings(), topics, options);
  onTestFinished(() => reader.stop());
  return reader;
}

async function filled(partitions: number, sends: number, recordsPerSend: number): Promise<string> {
  const topic = await freshTopic(partitions);
  const producer = closing(await openProducer(kafkaSettings()));
  const fill = async (partition: number): Promise<void> => {
    for (let i = 0; i < sends; i++) await producer.send(topic, partition, numbered(i * recordsPerSend, recordsPerSend));
  };
  await Promise.all(Array.from({ length: partitions }, (_, partition) => fill(partition)));
  return topic;
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

test("reads every lane of every topic whole and in order, in runs that join without gaps", async () => {
  const topics = [await filled(8, 5, 400), await filled(8, 3, 100)];
  const reader = await testReader(topics, { partitionMaxBytes: 4_096, maxBytes: 32_768 });
  const lanes = Array.from({ length: 8 }, (_, lane) => ({ lane, sink: rememberingSink() }));
  for (const { lane, sink } of lanes) reader.open(lane, new Map(topics.map((topic) => [topic, 0n])), sink);
  await until("all records", () => lanes.every(({ sink }) => sink.values().length === 2_300));
  for (const { lane, sink } of lanes) {
    expect(sink.values(topics[0])).toEqual(numbers(2_000));
    expect(sink.values(topics[1])).toEqual(numbers(300));
    for (const topic of topics) {
      const runs = sink.runs.filter((run) => run.topic === topic);
      expect(runs.map((run) => run.fromOffset)).toEqual([0n, ...runs.slice(0, -1).map((run) => run.nextOffset)]);
      expect(runs.every((run) => run.lane === lane && run.records.length > 0)).toBe(true);
    }
  }
});

test("begins at the given offset, in the middle of a batch too", async () => {
  const topic = await filled(1, 2, 100);
  const reader = await testReader([topic]);
  const sink = rememberingSink();
  reader.open(0, new Map([[topic, 73n]]), sink);
  await until("the rest", () => sink.values().length === 127);
  expect(sink.runs[0]).toMatchObject({ fromOffset: 73n });
  expect(sink.runs[0]?.records[0]?.offset).toBe(73n);
});

test("gives the broker's append time and the key", async () => {
  const beforeMs = Date.now();
  const topic = await filled(1, 1, 1);
  const reader = await testReader([topic]);
  const sink = rememberingSink();
  reader.open(0, new Map([[topic, 0n]]), sink);
  await until("the record", () => sink.runs.length === 1);
  const record = sink.runs[0]?.records[0];
  expect(record?.appendedAtMs).toBeGreaterThanOrEqual(beforeMs);
  expect(record?.appendedAtMs).toBeLessThanOrEqual(Date.now());
  expect(String(record?.key)).toBe("k");
});

test("leaves a lane without room out, and goes on where it stood once it has room", async () => {
  const topic = await filled(2, 10, 100);
  const reader = await testReader([topic], { partitionMaxBytes: 1_024, maxBytes: 4_096 });
  const slow = rememberingSink();
  const quick = rememberingSink();
  slow.isFull = true;
  reader.open(0, new Map([[topic, 0n]]), slow);
  reader.open(1, new Map([[topic, 0n]]), quick);
  await until("the other lane", () => quick.values().length === 1_000);
  expect(slow.runs).toEqual([]);
  slow.isFull = false;
  const wokenMs = performance.now();
  reader.wake();
  await until("the lane that has room again", () => slow.values().length === 1_000);
  expect(slow.values()).toEqual(numbers(1_000));
  expect(performance.now() - wokenMs).toBeLessThan(2_000);
});

test("hands nothing to a lane that was closed, and reads anew from another offset when it is opened again", async () => {
  const topic = await filled(1, 40, 100);
  const reader = await testReader([topic], { partitionMaxBytes: 2_048, maxBytes: 2_048 });
  for (let round = 0; round < 10; round++) {
    const first = rememberingSink();
    reader.open(0, new Map([[topic, 0n]]), first);
    await until("a first run", () => first.runs.length > 0);
    // A fetch for the first opening is on its way now; its answer must reach neither sink.
    reader.close(0);
    const seen = first.runs.length;
    const second = rememberingSink();
    reader.open(0, new Map([[topic, 500n]]), second);
    await until("a run of the second opening", () => second.values().length > 200);
    expect(first.runs).toHaveLength(seen);
    expect(second.runs[0]?.records[0]?.offset).toBe(500n);
    expect(second.values().slice(0, 200)).toEqual(numbers(700).slice(500));
    reader.close(0);
  }
});

test("refuses to open a lane twice", async () => {
  const topic = await freshTopic(1);
  const reader = await testReader([topic]);
  reader.open(0, new Map([[topic, 0n]]), rememberingSink());
  expect(() => reader.open(0, new Map([[topic, 0n]]), rememberingSink())).toThrow(/read already/);
});

test("says which lane wants what does not exist, and reads the others on", async () => {
  const topic = await filled(4, 2, 100);
  await deleteBefore(topic, 2, 50n);
  const reader = await testReader([topic]);
  const sinks = numbers(4).map(() => rememberingSink());
  const offsets = [0n, 9_999n, 0n, 0n];
  for (const [lane, sink] of sinks.entries()) reader.open(lane, new Map([[topic, offsets[lane] ?? 0n]]), sink);
  const [fine, beyond, deleted, alsoFine] = sinks;
  await until("both to be told", () => beyond?.outOfRanges.length === 1 && deleted?.outOfRanges.length === 1);
  await until("the others", () => fine?.values().length === 200 && alsoFine?.values().length === 200);
  expect(beyond?.outOfRanges).toEqual([{ topic, wantedOffset: 9_999n }]);
  expect(deleted?.outOfRanges).toEqual([{ topic, wantedOffset: 0n }]);
  expect([...(beyond?.runs ?? []), ...(deleted?.runs ?? [])]).toEqual([]);
  const producer = closing(await openProducer(kafkaSettings()));
  await producer.send(topic, 0, numbered(200, 1));
  await until("what comes later", () => fine?.values().length === 201);
});

test("says that it is caught up only at the end, with the time its fetch began", async () => {
  const topic = await filled(1, 3, 100);
  const reader = await testReader([topic], { partitionMaxBytes: 1_024, maxBytes: 1_024 });
  const sink = rememberingSink();
  const openedMs = Date.now();
  reader.open(0, new Map([[topic, 0n]]), sink);
  await until("a fetch that finds nothing", () => sink.caughtUps.length > 0);
  expect(sink.values()).toHaveLength(300);
  expect(sink.caughtUps.every(({ nextOffset }) => nextOffset === 300n)).toBe(true);
  expect(sink.caughtUps[0]?.startedAtMs).toBeGreaterThanOrEqual(openedMs);
  expect(sink.caughtUps[0]?.startedAtMs).toBeLessThanOrEqual(Date.now());
});

test("reads committed records only, is not caught up while a Kafka transaction is open, and passes markers", async () => {
  const topic = await freshTopic(1);
  const producer = strangersKafka().producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const send = async (value: string): Promise<Transaction> => {
    const kafkaTransaction = await producer.transaction();
    await kafkaTransaction.send({ topic, messages: [{ partition: 0, value }] });
    return kafkaTransaction;
  };
  await (await send("first")).commit();
  await (await send("aborted")).abort();
  await (await send("second")).commit();
  const open = await send("late");
  const reader = await testReader([topic]);
  const sink = rememberingSink();
  reader.open(0, new Map([[topic, 0n]]), sink);
  await until("the committed ones", () => sink.values().length === 2);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(sink.values()).toEqual(["first", "second"]);
  expect(sink.caughtUps).toEqual([]);
  await open.commit();
  await until("the late one", () => sink.values().length === 3);
  await until("the end, which is behind a marker", () => sink.caughtUps.length > 0);
  expect(sink.caughtUps[0]?.nextOffset).toBe(8n);
  expect(sink.runs.map((run) => run.fromOffset)).toEqual([0n, ...sink.runs.slice(0, -1).map((run) => run.nextOffset)]);
});

test("reads what strangers compress with gzip", async () => {
  const topic = await freshTopic(1);
  const producer = strangersKafka().producer();
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const messages = numbers(500).map((value) => ({ partition: 0, value, headers: { trace: "t", lang: "en" } }));
  await producer.send({ topic, compression: CompressionTypes.GZIP, messages });
  const reader = await testReader([topic]);
  const sink = rememberingSink();
  reader.open(0, new Map([[topic, 0n]]), sink);
  await until("all", () => sink.values().length === 500);
  expect(sink.values()).toEqual(numbers(500));
});

const canReadZstd = "zstdDecompressSync" in (await import("node:zlib"));

// The broker compresses anew by the topic's setting, with the codecs of Kafka's Java clients.
test.each(["gzip", "snappy", "lz4", ...(canReadZstd ? ["zstd"] : [])])(
  "reads batches compressed with %s",
  async (codec) => {
    const topic = await freshTopic(1, { "compression.type": codec });
    const producer = closing(await openProducer(kafkaSettings()));
    const text = (i: number): string => `${i}:${"abcdefghij".repeat(i % 50)}${Math.sin(i)}`;
    const values = Array.from({ length: 4_000 }, (_, i) => text(i));
    for (const [from, to] of [
      [0, 1],
      [1, 2_000],
      [2_000, 4_000],
    ] as const) {
      const records = values.slice(from, to).map((value) => ({ key: null, value: Buffer.from(value) }));
      await producer.send(topic, 0, records);
    }
    const reader = await testReader([topic]);
    const sink = rememberingSink();
    reader.open(0, new Map([[topic, 0n]]), sink);
    await until("all", () => sink.values().length === values.length || sink.unreadables.length > 0);
    expect(sink.unreadables).toEqual([]);
    expect(sink.values()).toEqual(values);
  },
);

test.skipIf(canReadZstd)(
  "says what to do about zstd when this Node cannot read it, and reads other lanes on",
  async () => {
    const packed = await freshTopic(1, { "compression.type": "zstd" });
    const plain = await filled(1, 1, 10);
    const producer = closing(await openProducer(kafkaSettings()));
    await producer.send(packed, 0, numbered(0, 100));
    const reader = await testReader([packed, plain]);
    const sink = rememberingSink();
    reader.open(
      0,
      new Map([
        [packed, 0n],
        [plain, 0n],
      ]),
      sink,
    );
    await until("both", () => sink.unreadables.length === 1 && sink.values(plain).length === 10);
    expect(sink.unreadables[0]).toMatchObject({
      topic: packed,
      offset: 0n,
      reason: expect.stringMatching(/Node 22\.15/),
    });
  },
);

test("is silent only while a broker owes an answer", async () => {
  const topic = await freshTopic(1);
  const reader = await testReader([topic]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(reader.silentMs()).toBeLessThan(200);
  reader.open(0, new Map([[topic, 0n]]), rememberingSink());
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(reader.silentMs()).toBeLessThan(200);
});

test("refuses a topic that does not exist, by its name", async () => {
  await expect(openReader(kafkaSettings(), ["no-such-topic"])).rejects.toThrow("topic no-such-topic does not exist");
});
