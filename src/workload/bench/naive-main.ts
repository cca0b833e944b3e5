// The naive consumer's process.

import { connectClient } from "../../kafka/client.ts";
import { createCodec } from "../../kafka/codec.ts";
import { openPartitionReader } from "../../kafka/partitions.ts";
import type { KafkaPlace, KafkaSettings } from "../../kafka/port.ts";
import { openProducer } from "../../kafka/producer.ts";
import { connect, type DatabaseSettings } from "../../store/database.ts";
import { wallMs } from "../load/pump.ts";
import type { BenchTopics, CodecSource } from "./bench.ts";
import { NaiveConsumer } from "./naive-consumer.ts";

export type NaiveOrder = {
  readonly kafka: KafkaPlace;
  readonly database: DatabaseSettings;
  readonly topics: BenchTopics;
  readonly source: CodecSource;
  /** where the transfers begin, by partition, as digits */
  readonly offsets: readonly string[];
  readonly count: number;
  readonly seconds: number;
};

/** `startedAtMs`: everything is connected, nothing is read yet; milliseconds since the epoch */
export type NaiveDone = { readonly count: number; readonly startedAtMs: number };

const GROUP = "naive";
const GROUP_COORDINATOR = 0;
const NO_GENERATION = -1;
const WAIT_MS = 1_000;

process.on("disconnect", () => process.exit(1));
process.once("message", (order: NaiveOrder) => {
  void consume(order).then((done) => {
    process.send?.(done);
    process.disconnect();
  });
});

async function consume({
  kafka: place,
  database,
  topics,
  source,
  offsets,
  count,
  seconds,
}: NaiveOrder): Promise<NaiveDone> {
  const kafka: KafkaSettings = { ...place, clientId: "millrace-bench-naive", log: () => {} };
  const codec = createCodec({ ...source, registry: { schemaById: () => Promise.resolve(null) } });
  const connection = await connect(database, "service");
  const producer = await openProducer(kafka);
  const commitOffset = await offsetCommitter(kafka, topics.intents);
  const consumer = new NaiveConsumer({ codec, connection, producer, outcomesTopic: topics.outcomes, commitOffset });
  const starts = offsets.map((offset, partition) => ({ topic: topics.intents, partition, offset: BigInt(offset) }));
  const startedAtMs = wallMs();
  const reader = await openPartitionReader(kafka, starts);
  let taken = 0;
  const isOver = (): boolean => taken >= count || wallMs() - startedAtMs > seconds * 1000;
  while (!isOver()) {
    for (const { partition, records } of await reader.next(WAIT_MS)) {
      for (const { offset, value } of records) {
        if (isOver()) break;
        await consumer.take(partition, offset, value as Buffer);
        taken += 1;
      }
    }
  }
  await Promise.all([reader.close(), producer.close(), connection.close()]);
  return { count: taken, startedAtMs };
}

/** Commits offsets as a consumer group does, its coordinator looked up once. */
async function offsetCommitter(kafka: KafkaSettings, topic: string) {
  const client = await connectClient(kafka, { topics: [topic] });
  const question = { groupId: GROUP, coordinatorType: GROUP_COORDINATOR };
  const { coordinator } = await client.repeating("looking up the group's coordinator", 20_000, () =>
    client.call(client.anyNode(), (broker) => broker.findGroupCoordinator(question)),
  );
  return async (partition: number, next: bigint): Promise<void> => {
    const topics = [{ topic, partitions: [{ partition, offset: next.toString() }] }];
    const offsets = { groupId: GROUP, groupGenerationId: NO_GENERATION, memberId: "", retentionTime: -1, topics };
    await client.repeating("committing an offset", 20_000, () =>
      client.call(coordinator.nodeId, (broker) => broker.offsetCommit(offsets)),
    );
  };
}
