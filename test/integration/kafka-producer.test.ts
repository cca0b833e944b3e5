// The tool producer against the real broker: partitions share requests, and nothing else.
import { expect, test } from "vitest";
import { Appender } from "../../src/kafka/appender.ts";
import { connectClient, type KafkaClient } from "../../src/kafka/client.ts";
import { sendGathered } from "../../src/kafka/gather.ts";
import type { ProduceAnswer } from "../../src/kafka/wire-types.ts";
import { closing, freshTopic, kafkaSettings, numbered, testAdmin, valuesIn } from "../support/kafka.ts";
import { seeded } from "../support/workload.ts";

const PARTITIONS = 8;
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const sized = (bytes: number) => [{ key: null, value: Buffer.alloc(bytes) }];

type Ask = () => Promise<ProduceAnswer>;

/** An appender as the tool producer makes it, whose requests pass through `way`.
 *  @param way gets each request with its number, from 0 on */
async function gathering(topics: readonly string[], way: (ask: Ask, request: number) => Promise<ProduceAnswer>) {
  const client: KafkaClient = closing(await connectClient(kafkaSettings(), { topics }));
  await untilLed(topics, client);
  const { producerId, producerEpoch } = await client.repeating("asking for a producer id", 10_000, () =>
    client.call(client.anyNode(), (broker) => broker.initProducerId({ transactionalId: null, transactionTimeout: 0 })),
  );
  const produce = client.produce.bind(client);
  const requests = { count: 0 };
  client.produce = (nodeId, body) => way(() => produce(nodeId, body), requests.count++);
  const identity = { name: "test", producerId: BigInt(producerId), producerEpoch, firstSequence: 0 };
  return { appender: new Appender(client, identity, 20_000, { send: sendGathered(client) }), requests };
}

/** The leader of a new partition may say "not yet"; a repeat because of that is not what these tests count. */
async function untilLed(topics: readonly string[], client: KafkaClient): Promise<void> {
  const admin = await testAdmin();
  for (const topic of topics) {
    const count = client.partitionCount(topic) ?? 0;
    for (let partition = 0; partition < count; partition++) await admin.bounds(topic, partition);
  }
}

function connectionLost(): Error {
  return Object.assign(new Error("the reply was lost"), { name: "KafkaJSConnectionClosedError" });
}

test("partitions that are due together travel in one request, each in its order", async () => {
  const topics = [await freshTopic(PARTITIONS), await freshTopic(PARTITIONS)];
  const { appender, requests } = await gathering(topics, (ask) => ask());
  for (let round = 0; round < 10; round++) {
    const sends = topics.flatMap((topic) =>
      numbers(PARTITIONS).map((partition) => appender.append(topic, Number(partition), numbered(round * 5, 5))),
    );
    expect(await Promise.all(sends)).toEqual(sends.map(() => ({ baseOffset: BigInt(round * 5) })));
  }
  expect(requests.count).toBe(10);
  for (const topic of topics) {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      expect(await valuesIn(topic, partition)).toEqual(numbers(50));
    }
  }
});

test("requests stay within a mebibyte; a batch that is larger by itself goes alone", async () => {
  const topic = await freshTopic(4, { "max.message.bytes": "2000000" });
  const { appender, requests } = await gathering([topic], (ask) => ask());
  const bytes = [600_000, 300_000, 600_000, 1_048_000];
  await Promise.all(bytes.map((size, partition) => appender.append(topic, partition, sized(size))));
  expect(requests.count).toBe(3);
});

test("replies and questions that are lost lose, double and reorder nothing in any partition", async () => {
  const topic = await freshTopic(PARTITIONS);
  const random = seeded(11);
  const lost = { replies: 0, questions: 0 };
  const { appender, requests } = await gathering([topic], async (ask) => {
    const chance = random();
    if (chance < 0.15) {
      lost.questions += 1;
      throw connectionLost();
    }
    const answer = await ask();
    if (chance > 0.3) return answer;
    lost.replies += 1;
    throw connectionLost();
  });
  const rounds = 40;
  const sending = Array.from({ length: PARTITIONS }, async (_, partition) => {
    for (let round = 0; round < rounds; round++) await appender.append(topic, partition, numbered(round * 10, 10));
  });
  await Promise.all(sending);
  expect(lost.replies).toBeGreaterThan(3);
  expect(lost.questions).toBeGreaterThan(3);
  expect(requests.count).toBeLessThan(rounds * PARTITIONS);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    expect(await valuesIn(topic, partition)).toEqual(numbers(rounds * 10));
  }
});

test("a partition whose leader says no for now is sent again alone, and the broker drops the repeat", async () => {
  const topic = await freshTopic(3);
  const NOT_LEADER = 6;
  const answered: number[] = [];
  const { appender } = await gathering([topic], async (ask, request) => {
    const answer = await ask();
    answered.push(answer.topics.flatMap(({ partitions }) => partitions).length);
    if (request > 0) return answer;
    const topics = answer.topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map((one) => (one.partition === 1 ? { ...one, errorCode: NOT_LEADER } : one)),
    }));
    return { topics };
  });
  const sends = [0, 1, 2].map((partition) => appender.append(topic, partition, numbered(0, 10)));
  expect(await Promise.all(sends)).toEqual(sends.map(() => ({ baseOffset: 0n })));
  expect(answered).toEqual([3, 1]);
  for (const partition of [0, 1, 2]) expect(await valuesIn(topic, partition)).toEqual(numbers(10));
});

test("a batch that is refused fails alone: the others of its request are acknowledged and there", async () => {
  const strict = await freshTopic(1, { "max.message.bytes": "1000" });
  const topic = await freshTopic(2);
  const { appender, requests } = await gathering([strict, topic], (ask) => ask());
  const [before, refused, behind] = await Promise.allSettled([
    appender.append(topic, 0, numbered(0, 10)),
    appender.append(strict, 0, sized(2_000)),
    appender.append(topic, 1, numbered(0, 10)),
  ]);
  expect(requests.count).toBe(1);
  expect(before).toMatchObject({ status: "fulfilled", value: { baseOffset: 0n } });
  expect(behind).toMatchObject({ status: "fulfilled", value: { baseOffset: 0n } });
  expect(refused).toMatchObject({ status: "rejected" });
  expect(String((refused as PromiseRejectedResult).reason)).toContain("MESSAGE_TOO_LARGE");
  for (const partition of [0, 1]) expect(await valuesIn(topic, partition)).toEqual(numbers(10));
  expect(await valuesIn(strict, 0)).toEqual([]);
});

test("an answer that leaves a partition out breaks that one, not the rest", async () => {
  const topic = await freshTopic(2);
  const { appender } = await gathering([topic], async (ask) => {
    const { topics } = await ask();
    return {
      topics: topics.map((one) => ({ ...one, partitions: one.partitions.filter(({ partition }) => partition === 0) })),
    };
  });
  const [told, leftOut] = await Promise.allSettled([0, 1].map((at) => appender.append(topic, at, numbered(0, 1))));
  expect(told).toMatchObject({ status: "fulfilled" });
  expect(String((leftOut as PromiseRejectedResult).reason)).toContain(`not for ${topic}/1`);
});
