import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { Appender } from "../../src/kafka/appender.ts";
import { connectClient } from "../../src/kafka/client.ts";
import { Fenced, type LaneWriter, WriterBroken } from "../../src/kafka/port.ts";
import { openLaneWriter } from "../../src/kafka/writer.ts";
import {
  closing,
  deleteBefore,
  freshTopic,
  kafkaSettings,
  type LogLine,
  numbered,
  strangersKafka,
  testAdmin,
  valuesIn,
} from "../support/kafka.ts";

async function openWriter(topic: string, options = {}): Promise<LaneWriter> {
  const targets = [{ topic, partition: 0 }];
  return closing(await openLaneWriter(kafkaSettings(), { id: `writer-${topic}`, targets, ...options }));
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const one = (value: string) => [{ key: null, value: Buffer.from(value) }];

test("appends in order, and the next writer finds the tail", async () => {
  const topic = await freshTopic(1);
  const first = await openWriter(topic);
  expect(first.tails.get(topic)).toMatchObject({ record: null });
  for (let i = 0; i < 50; i++) await first.append(topic, numbered(i * 10, 10));
  const second = await openWriter(topic);
  expect(String(second.tails.get(topic)?.record?.value)).toBe("499");
  await second.append(topic, numbered(500, 1));
  expect(await valuesIn(topic, 0)).toEqual(numbers(501));
  expect(second.producerId).toBe(first.producerId);
  expect(second.producerEpoch).toBe(first.producerEpoch + 2);
});

// Without the second InitProducerId in writer.ts about one takeover in ten lets a record in behind the tail.
test("fences the old owner in each of 60 takeovers, with nothing slipped in behind the tail", async () => {
  const topic = await freshTopic(1);
  const slipped: string[] = [];
  let writer = await openWriter(topic);
  for (let round = 0; round < 60; round++) {
    const old = writer;
    const hammering = hammer(old, topic, round);
    await sleep(5);
    writer = await openWriter(topic);
    const tail = String(writer.tails.get(topic)?.record?.value);
    const { acknowledged, error } = await hammering;
    expect(error).toBeInstanceOf(Fenced);
    if (acknowledged !== tail) slipped.push(`round ${round}: tail ${tail}, acknowledged ${acknowledged}`);
    await expect(old.append(topic, one("zombie"))).rejects.toBeInstanceOf(Fenced);
  }
  expect(slipped).toEqual([]);
  const values = await valuesIn(topic, 0);
  expect(values).not.toContain("zombie");
  expect(new Set(values).size).toBe(values.length);
});

/** Appends without a pause until it fails. */
async function hammer(
  writer: LaneWriter,
  topic: string,
  round: number,
): Promise<{ acknowledged: string; error: unknown }> {
  let acknowledged = "none";
  for (let i = 0; ; i++) {
    try {
      await writer.append(topic, one(`${round}-${i}`));
      acknowledged = `${round}-${i}`;
    } catch (error) {
      return { acknowledged, error };
    }
  }
}

test("fences every output partition, those without an append too", async () => {
  const topics = [await freshTopic(3), await freshTopic(3)];
  const open = (): Promise<LaneWriter> =>
    openLaneWriter(kafkaSettings(), {
      id: `writer-${topics[0]}`,
      targets: topics.map((topic) => ({ topic, partition: 2 })),
    });
  const old = closing(await open());
  await old.append(topics[0] ?? "", one("a"));
  const other = closing(await open());
  // The old owner has never appended to the second topic: only the marker can have told its partition of the new epoch.
  await expect(old.append(topics[1] ?? "", one("zombie"))).rejects.toBeInstanceOf(Fenced);
  await other.append(topics[1] ?? "", one("b"));
  expect(await valuesIn(topics[1] ?? "", 2)).toEqual(["b"]);
});

test("takes a second batch with the same sequence as a repeat of the first", async () => {
  const topic = await freshTopic(1);
  const client = closing(await connectClient(kafkaSettings(), { topics: [topic] }));
  const identity = await client.call(client.anyNode(), (broker) =>
    broker.initProducerId({ transactionalId: null, transactionTimeout: 0 }),
  );
  const { producerEpoch } = identity;
  const as = { name: "test", producerId: BigInt(identity.producerId), producerEpoch, firstSequence: 0 };
  const first = await new Appender(client, as, 5_000).append(topic, 0, one("a"));
  const second = await new Appender(client, { ...as, firstSequence: 1 }, 5_000).append(topic, 0, one("b"));
  const again = await new Appender(client, { ...as, firstSequence: 1 }, 5_000).append(topic, 0, one("b"));
  expect([first.baseOffset, second.baseOffset, again.baseOffset]).toEqual([0n, 1n, 1n]);
  expect(await valuesIn(topic, 0)).toEqual(["a", "b"]);
  const gap = new Appender(client, { ...as, firstSequence: 7 }, 5_000);
  await expect(gap.append(topic, 0, one("c"))).rejects.toThrow(/OUT_OF_ORDER_SEQUENCE_NUMBER/);
});

test("goes on when the sequence starts again at 2^31", async () => {
  const topic = await freshTopic(1);
  const client = closing(await connectClient(kafkaSettings(), { topics: [topic] }));
  const { producerId, producerEpoch } = await client.call(client.anyNode(), (broker) =>
    broker.initProducerId({ transactionalId: null, transactionTimeout: 0 }),
  );
  const identity = { name: "test", producerId: BigInt(producerId), producerEpoch, firstSequence: 2 ** 31 - 25 };
  const appender = new Appender(client, identity, 5_000);
  for (let i = 0; i < 6; i++) await appender.append(topic, 0, numbered(i * 10, 10));
  expect(await valuesIn(topic, 0)).toEqual(numbers(60));
});

test("has one batch in flight for a partition, and batches within the limits", async () => {
  const topic = await freshTopic(1);
  const writer = await openWriter(topic);
  const flying = writer.append(topic, one("a"));
  await expect(writer.append(topic, one("b"))).rejects.toThrow(/one batch in flight/);
  await flying;
  await expect(writer.append(topic, [])).rejects.toThrow(/0 records/);
  await expect(writer.append(topic, numbered(0, 5_001))).rejects.toThrow(/5001 records/);
  await expect(writer.append(topic, [{ key: null, value: Buffer.alloc(1_100_000) }])).rejects.toThrow(/bytes/);
  await expect(writer.append("another", one("a"))).rejects.toThrow(/output of this writer/);
  // None of these was sent, so the writer goes on.
  await writer.append(topic, one("b"));
  expect(await valuesIn(topic, 0)).toEqual(["a", "b"]);
});

test("is broken for good by an answer that it cannot explain", async () => {
  const topic = await freshTopic(1, { "max.message.bytes": "1000" });
  const writer = await openWriter(topic);
  await writer.append(topic, one("a"));
  const tooLarge = writer.append(topic, [{ key: null, value: Buffer.alloc(2_000) }]);
  await expect(tooLarge).rejects.toBeInstanceOf(WriterBroken);
  await expect(tooLarge).rejects.toThrow(/MESSAGE_TOO_LARGE/);
  await expect(writer.append(topic, one("b"))).rejects.toBeInstanceOf(WriterBroken);
  expect(await valuesIn(topic, 0)).toEqual(["a"]);
});

test("refuses what does not exist, by its name", async () => {
  const topic = await freshTopic(1);
  await expect(openWriter("no-such-topic")).rejects.toThrow(/no-such-topic does not exist/);
  const beyond = openLaneWriter(kafkaSettings(), {
    id: "x",
    targets: [{ topic, partition: 9 }],
    openDeadlineMs: 2_000,
  });
  await expect(beyond).rejects.toThrow(/UNKNOWN_TOPIC_OR_PARTITION/);
});

test("logs nothing above debug in a takeover", async () => {
  const topic = await freshTopic(1);
  const lines: LogLine[] = [];
  for (let i = 0; i < 5; i++) {
    const targets = [{ topic, partition: 0 }];
    const writer = closing(await openLaneWriter(kafkaSettings(lines), { id: `writer-${topic}`, targets }));
    await writer.append(topic, one("a"));
  }
  expect(lines.filter(({ level }) => level !== "debug")).toEqual([]);
});

// ---- tails -------------------------------------------------------------------------------------------------------

test("tail of a partition that was never written", async () => {
  const admin = await testAdmin();
  expect(await admin.tail(await freshTopic(1), 0)).toEqual({ low: 0n, end: 0n, record: null });
});

test("tail of plain records", async () => {
  const topic = await freshTopic(1);
  const writer = await openWriter(topic);
  for (let i = 0; i < 20; i++) await writer.append(topic, numbered(i * 1_000, 1_000));
  const tail = await (await testAdmin()).tail(topic, 0);
  expect(String(tail.record?.value)).toBe("19999");
  expect(tail.end).toBe((tail.record?.offset ?? 0n) + 1n);
});

test("tail behind markers: the last record before them", async () => {
  const topic = await freshTopic(1);
  const writer = await openWriter(topic);
  await writer.append(topic, numbered(0, 3));
  // Every opening leaves a marker.
  for (let i = 0; i < 12; i++) await (await openWriter(topic)).close();
  const last = await openWriter(topic);
  const tail = last.tails.get(topic);
  expect(String(tail?.record?.value)).toBe("2");
  expect(tail?.end).toBe((tail?.record?.offset ?? 0n) + 14n);
});

test("tail of markers alone, and of everything deleted", async () => {
  const topic = await freshTopic(1);
  await (await openWriter(topic)).close();
  const admin = await testAdmin();
  expect(await admin.tail(topic, 0)).toEqual({ low: 0n, end: 1n, record: null });
  const writer = await openWriter(topic);
  await writer.append(topic, numbered(0, 100));
  await deleteBefore(topic, 0, 102n);
  expect(await admin.tail(topic, 0)).toEqual({ low: 102n, end: 102n, record: null });
});

test("tail of one large batch", async () => {
  const topic = await freshTopic(1);
  const writer = await openWriter(topic);
  const large = numbered(0, 900).map(({ key, value }) => ({ key, value: Buffer.concat([value, Buffer.alloc(1_000)]) }));
  await writer.append(topic, large);
  const { record } = await (await testAdmin()).tail(topic, 0);
  expect(record?.value?.toString("utf8", 0, 3)).toBe("899");
});

test("tail behind aborted records, and before an open Kafka transaction", async () => {
  const topic = await freshTopic(1);
  const producer = strangersKafka().producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  const messages = numbers(50).map((value) => ({ partition: 0, value }));
  const committed = await producer.transaction();
  await committed.send({ topic, messages });
  await committed.commit();
  for (let i = 0; i < 5; i++) {
    const aborted = await producer.transaction();
    await aborted.send({ topic, messages });
    await aborted.abort();
  }
  const admin = await testAdmin();
  expect(await admin.tail(topic, 0)).toMatchObject({ end: 306n, record: { offset: 49n } });
  const open = await producer.transaction();
  await open.send({ topic, messages });
  expect(await admin.tail(topic, 0)).toMatchObject({ end: 306n, record: { offset: 49n } });
  await open.commit();
  // A commit is answered before its marker is written.
  await vi.waitFor(async () =>
    expect(await admin.tail(topic, 0)).toMatchObject({ end: 357n, record: { offset: 355n } }),
  );
});
