import { expect, onTestFinished, test } from "vitest";
import { openAdmin } from "../../src/kafka/admin.ts";
import { openPartitionReader } from "../../src/kafka/partitions.ts";
import { KafkaRefused, KafkaUnreachable } from "../../src/kafka/port.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { openReader } from "../../src/kafka/reader.ts";
import { openLaneWriter } from "../../src/kafka/writer.ts";
import {
  closing,
  deleteBefore,
  freshTopic,
  kafkaSettings,
  numbered,
  strangersKafka,
  testAdmin,
} from "../support/kafka.ts";

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

test("makes topics with their settings, leaves existing ones as they are, and counts partitions", async () => {
  const admin = await testAdmin();
  const topic = await freshTopic(5);
  await admin.createTopics([{ topic, partitions: 9, settings: { "retention.ms": "1" } }]);
  const counts = await admin.partitionCounts([topic, "no-such-topic"]);
  expect(counts).toEqual(new Map([[topic, 5]]));
  const settings = await admin.topicSettings(topic);
  expect(settings.get("message.timestamp.type")).toBe("LogAppendTime");
  expect(settings.get("retention.ms")).not.toBe("1");
});

test("says what the cluster refuses, with its code", async () => {
  const admin = await testAdmin();
  const wrong = admin.createTopics([{ topic: "wrong-setting", partitions: 1, settings: { "retention.ms": "soon" } }]);
  await expect(wrong).rejects.toBeInstanceOf(KafkaRefused);
  await expect(wrong).rejects.toMatchObject({ code: "INVALID_CONFIG", message: /^creating wrong-setting/ });
  await expect(admin.bounds("no-such-topic", 0)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
  await expect(admin.bounds(await freshTopic(1), 3)).rejects.toThrow(/has 1 partitions, none numbered 3/);
});

test("answers questions about several topics at once", async () => {
  const topics = [await freshTopic(1), await freshTopic(1), await freshTopic(1)];
  for (let round = 0; round < 10; round++) {
    const admin = await openAdmin(kafkaSettings());
    const bounds = await Promise.all(topics.map((topic) => admin.bounds(topic, 0)));
    expect(bounds).toEqual(topics.map(() => ({ low: 0n, end: 0n })));
    await admin.close();
  }
});

test("finds the record at an offset, and nothing where a marker is, nothing was kept, or nothing is yet", async () => {
  const topic = await freshTopic(1);
  const admin = await testAdmin();
  const open = () => openLaneWriter(kafkaSettings(), { id: topic, targets: [{ topic, partition: 0 }] });
  const first = closing(await open());
  await first.append(topic, numbered(0, 10));
  const second = closing(await open());
  await second.append(topic, numbered(10, 1));
  // 0 is the first marker, 1 to 10 are records, 11 is the second marker, 12 the last record.
  expect(String((await admin.recordAt(topic, 0, 7n))?.value)).toBe("6");
  expect((await admin.recordAt(topic, 0, 7n))?.offset).toBe(7n);
  expect(String((await admin.recordAt(topic, 0, 12n))?.value)).toBe("10");
  for (const offset of [0n, 11n, 13n, 99n]) expect(await admin.recordAt(topic, 0, offset)).toBeNull();
  expect((await admin.first(topic, 0))?.offset).toBe(1n);
  await deleteBefore(topic, 0, 5n);
  expect((await admin.first(topic, 0))?.offset).toBe(5n);
  expect(await admin.recordAt(topic, 0, 4n)).toBeNull();
  expect(await admin.bounds(topic, 0)).toEqual({ low: 5n, end: 13n });
  await deleteBefore(topic, 0, 11n);
  expect((await admin.first(topic, 0))?.offset).toBe(12n);
  await deleteBefore(topic, 0, 13n);
  expect(await admin.first(topic, 0)).toBeNull();
});

test("stores offsets of a group that nobody joins, for lag tools to show", async () => {
  const topic = await freshTopic(3);
  const admin = await testAdmin();
  const group = `lanes-${topic}`;
  await admin.publishGroupOffsets(group, [
    { topic, partition: 0, offset: 17n, note: "" },
    { topic, partition: 2, offset: 4_000_000_000n, note: "" },
  ]);
  await admin.publishGroupOffsets(group, [{ topic, partition: 0, offset: 18n, note: "sequence 3" }]);
  expect(await admin.groupOffset(group, topic, 0)).toEqual({ offset: 18n, note: "sequence 3" });
  expect(await admin.groupOffset(group, topic, 2)).toEqual({ offset: 4_000_000_000n, note: "" });
  expect(await admin.groupOffset(group, topic, 1)).toBeNull();
  expect(await admin.groupOffset(`${group}-other`, topic, 0)).toBeNull();
  const stranger = strangersKafka().admin();
  await stranger.connect();
  onTestFinished(() => stranger.disconnect());
  const [shown] = await stranger.fetchOffsets({ groupId: group, topics: [topic] });
  const offsets = new Map(shown?.partitions.map(({ partition, offset }) => [partition, offset]));
  expect(offsets).toEqual(
    new Map([
      [0, "18"],
      [1, "-1"],
      [2, "4000000000"],
    ]),
  );
});

test("sends to many partitions side by side, and every record is where it belongs", async () => {
  const topic = await freshTopic(16);
  const producer = closing(await openProducer(kafkaSettings()));
  const fill = async (partition: number): Promise<void> => {
    for (let i = 0; i < 10; i++) await producer.send(topic, partition, numbered(i * 500, 500));
  };
  await Promise.all(Array.from({ length: 16 }, (_, partition) => fill(partition)));
  const starts = Array.from({ length: 16 }, (_, partition) => ({ topic, partition, offset: 0n }));
  const reader = closing(await openPartitionReader(kafkaSettings(), starts));
  const values = new Map<number, string[]>();
  for (let left = 80_000; left > 0; ) {
    for (const run of await reader.next(1_000)) {
      const list = values.get(run.partition) ?? [];
      list.push(...run.records.map(({ value }) => String(value)));
      values.set(run.partition, list);
      left -= run.records.length;
    }
  }
  for (const list of values.values()) expect(list).toEqual(numbers(5_000));
  expect(await reader.next(50)).toEqual([]);
});

test("refuses a record that no broker takes, and goes on", async () => {
  const topic = await freshTopic(1);
  const producer = closing(await openProducer(kafkaSettings()));
  const huge = producer.send(topic, 0, [{ key: null, value: Buffer.alloc(1_100_000) }]);
  await expect(huge).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  await expect(producer.send("no-such-topic", 0, numbered(0, 1))).rejects.toThrow(/no-such-topic does not exist/);
  expect(await producer.send(topic, 0, [{ key: null, value: Buffer.alloc(1_048_000) }])).toEqual({ baseOffset: 0n });
});

test("shows tools how far it has read, markers included, and what arrives later", async () => {
  const topic = await freshTopic(1);
  const writer = closing(await openLaneWriter(kafkaSettings(), { id: topic, targets: [{ topic, partition: 0 }] }));
  const reader = closing(await openPartitionReader(kafkaSettings(), [{ topic, partition: 0, offset: 0n }]));
  expect(await reader.next(5_000)).toEqual([{ topic, partition: 0, records: [], nextOffset: 1n }]);
  const soon = reader.next(5_000);
  const sentMs = performance.now();
  await writer.append(topic, numbered(0, 1));
  expect(await soon).toMatchObject([{ nextOffset: 2n, records: [{ offset: 1n }] }]);
  expect(performance.now() - sentMs).toBeLessThan(1_000);
});

test("tells tools of an offset that does not exist", async () => {
  const topic = await freshTopic(1);
  const reader = closing(await openPartitionReader(kafkaSettings(), [{ topic, partition: 0, offset: 5n }]));
  await expect(reader.next(5_000)).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
});

test("holds no more ahead than asked, however slowly it is taken", async () => {
  const topic = await freshTopic(1);
  const producer = closing(await openProducer(kafkaSettings()));
  const records = numbered(0, 200).map(() => ({ key: null, value: Buffer.alloc(1_000) }));
  for (let i = 0; i < 20; i++) await producer.send(topic, 0, records);
  const options = { aheadMaxBytes: 100_000, partitionMaxBytes: 250_000 };
  const reader = closing(await openPartitionReader(kafkaSettings(), [{ topic, partition: 0, offset: 0n }], options));
  let count = 0;
  for (let turns = 0; count < 4_000; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const taken = (await reader.next(1_000)).reduce((sum, run) => sum + run.records.length, 0);
    expect(taken).toBeLessThanOrEqual(400);
    count += taken;
    expect(turns).toBeLessThan(200);
  }
});

test("says within about 10 s which brokers do not answer, and what to do", async () => {
  const nobody = { brokers: ["127.0.0.1:1", "127.0.0.1:2"], clientId: "test", log: () => {} };
  const startedMs = performance.now();
  const opened = await Promise.allSettled([openAdmin(nobody), openReader(nobody, ["in"]), openProducer(nobody)]);
  expect(performance.now() - startedMs).toBeLessThan(12_000);
  for (const one of opened) {
    const error = one.status === "rejected" ? one.reason : null;
    expect(error).toBeInstanceOf(KafkaUnreachable);
    expect(error.message).toContain("127.0.0.1:1, 127.0.0.1:2");
    expect(error.message).toContain("ECONNREFUSED");
    expect(error.remedy).toContain("KAFKA_BROKERS");
  }
});

test("finds offsets by append time", async () => {
  const topic = await freshTopic(1, { "message.timestamp.type": "CreateTime" });
  const admin = await testAdmin();
  const producer = closing(await openProducer(kafkaSettings()));
  const timed = (timeMs: number) => ({ key: null, value: Buffer.from(String(timeMs)), timeMs });
  await producer.send(topic, 0, [timed(1_000), timed(2_000), timed(3_000)]);
  expect(await admin.offsetAt(topic, 0, 0)).toBe(0n);
  expect(await admin.offsetAt(topic, 0, 1_001)).toBe(1n);
  expect(await admin.offsetAt(topic, 0, 3_000)).toBe(2n);
  expect(await admin.offsetAt(topic, 0, 3_001)).toBe(null);
});

test("a topic that goes over to append time keeps the times that its records had", async () => {
  const topic = await freshTopic(1, { "message.timestamp.type": "CreateTime", "retention.ms": "-1" });
  const admin = await testAdmin();
  const producer = closing(await openProducer(kafkaSettings()));
  await producer.send(topic, 0, [{ key: null, value: null, timeMs: 86_400_000 }]);
  await admin.setTopicSettings(topic, { "message.timestamp.type": "LogAppendTime", "retention.ms": "-1" });
  expect((await admin.topicSettings(topic)).get("message.timestamp.type")).toBe("LogAppendTime");
  const before = Date.now();
  await producer.send(topic, 0, [{ key: null, value: null, timeMs: 86_400_000 }]);
  expect(await admin.recordAt(topic, 0, 0n)).toMatchObject({ appendedAtMs: 86_400_000, value: null });
  expect((await admin.recordAt(topic, 0, 1n))?.appendedAtMs).toBeGreaterThanOrEqual(before - 1_000);
});
