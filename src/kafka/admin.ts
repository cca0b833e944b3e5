// Questions to the cluster and one-off acts. All may be asked twice, so what fails in passing is repeated for 10 s.
import { setTimeout as sleep } from "node:timers/promises";
import { connectClient, type KafkaClient } from "./client.ts";
import { asPortError, isCoordinatorBusy } from "./errors.ts";
import {
  type ClusterShown,
  type GroupOffset,
  type InputRecord,
  KafkaRefused,
  type KafkaSettings,
  KafkaUnreachable,
  type OutputPartition,
  type PartitionBounds,
  type PartitionCopies,
  type Tail,
  type TopicAdmin,
  type TopicSpec,
} from "./port.ts";
import { readBounds, readFirst, readOffsetAt, readRecordAt, readTail } from "./tail.ts";

const DEADLINE_MS = 10_000;
const LEADERS_POLL_MS = 50;
const REPLICAS_WANTED = 3;
const TOPIC_RESOURCE = 2;
const BROKER_RESOURCE = 4;
const GROUP_COORDINATOR = 0;
const FETCH_REQUEST = 1;
/** Kafka 4.0 took away versions 0 to 3 of fetching (KIP-896). */
const FETCH_OLDEST_OF_FOUR = 4;
const NO_GENERATION = -1;

/** @throws KafkaUnreachable within about `connectDeadlineMs` when no broker answers */
export async function openAdmin(settings: KafkaSettings): Promise<TopicAdmin> {
  const { connectDeadlineMs = DEADLINE_MS } = settings;
  return new ClusterAdmin(await connectClient(settings, { topics: [] }, connectDeadlineMs));
}

class ClusterAdmin implements TopicAdmin {
  readonly #client: KafkaClient;

  constructor(client: KafkaClient) {
    this.#client = client;
  }

  async partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    await this.#client.repeating("asking for topics", DEADLINE_MS, async () => {
      for (const topic of topics) {
        if (await this.#exists(topic)) counts.set(topic, this.#client.partitionCount(topic) ?? 0);
      }
    });
    return counts;
  }

  async #exists(topic: string): Promise<boolean> {
    try {
      await this.#client.know([topic]);
      return true;
    } catch (error) {
      if (error instanceof KafkaRefused && error.code === "UNKNOWN_TOPIC_OR_PARTITION") return false;
      throw error;
    }
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    for (const spec of specs) {
      await this.#client.repeating(`creating ${spec.topic}`, DEADLINE_MS, () => this.#create(spec));
    }
    const until = performance.now() + DEADLINE_MS;
    for (const { topic } of specs) await this.#untilLed(topic, until);
  }

  async #create({ topic, partitions, settings }: TopicSpec): Promise<void> {
    if (await this.#exists(topic)) return;
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const replicationFactor = Math.min(REPLICAS_WANTED, this.#client.nodeIds().length);
    try {
      await this.#client.call(this.#client.controllerId(), (broker) =>
        broker.createTopics({
          topics: [{ topic, numPartitions: partitions, replicationFactor, configEntries }],
          timeout: DEADLINE_MS / 2,
        }),
      );
    } catch (error) {
      const [first = error] = error instanceof Error && "errors" in error ? (error.errors as unknown[]) : [error];
      if ((first as { type?: string }).type !== "TOPIC_ALREADY_EXISTS") throw first;
    }
  }

  async #untilLed(topic: string, until: number): Promise<void> {
    for (;;) {
      const exists = await this.#exists(topic);
      const count = this.#client.partitionCount(topic) ?? 0;
      const partitions = Array.from({ length: count }, (_, partition) => partition);
      if (exists && partitions.every((partition) => this.#client.leaderOf(topic, partition) !== null)) return;
      if (performance.now() > until) {
        throw new KafkaUnreachable(
          `${topic} has partitions without a leader`,
          "See which brokers of the cluster are down.",
        );
      }
      await sleep(LEADERS_POLL_MS);
    }
  }

  async topicSettings(topic: string): Promise<Map<string, string>> {
    return this.#client.repeating(`settings of ${topic}`, DEADLINE_MS, () =>
      this.#settings(this.#client.anyNode(), TOPIC_RESOURCE, topic),
    );
  }

  /** A broker's settings are known to that broker alone. */
  async brokerSettings(): Promise<Map<string, string>> {
    return this.#client.repeating("settings of a broker", DEADLINE_MS, async () => {
      const node = this.#client.anyNode();
      return this.#settings(node, BROKER_RESOURCE, String(node));
    });
  }

  async #settings(node: number, type: number, name: string): Promise<Map<string, string>> {
    const resources = [{ type, name }];
    const answer = await this.#client.call(node, (broker) => broker.describeConfigs({ resources }));
    const entries = answer.resources[0]?.configEntries ?? [];
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue ?? ""]));
  }

  async copies(topic: string): Promise<readonly PartitionCopies[]> {
    return this.#client.repeating(`copies of ${topic}`, DEADLINE_MS, async () =>
      (await this.#exists(topic)) ? (this.#client.copiesOf(topic) ?? []) : [],
    );
  }

  async cluster(): Promise<ClusterShown> {
    return this.#client.repeating("asking for brokers", DEADLINE_MS, async () => {
      await this.#client.refresh();
      const nodes = this.#client.nodeIds();
      const oldest = await Promise.all(nodes.map((node) => this.#client.oldestVersion(node, FETCH_REQUEST)));
      return { brokers: nodes.length, isFour: oldest.every((version) => (version ?? 0) >= FETCH_OLDEST_OF_FOUR) };
    });
  }

  bounds(topic: string, partition: number): Promise<PartitionBounds> {
    return this.#reading(`bounds of ${topic}/${partition}`, topic, () => readBounds(this.#client, topic, partition));
  }

  offsetAt(topic: string, partition: number, timeMs: number): Promise<bigint | null> {
    const doing = `offset of a time in ${topic}/${partition}`;
    return this.#reading(doing, topic, () => readOffsetAt(this.#client, topic, partition, timeMs));
  }

  async setTopicSettings(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const resources = [{ type: TOPIC_RESOURCE, name: topic, configEntries }];
    await this.#client.repeating(`settings of ${topic}`, DEADLINE_MS, () =>
      this.#client.call(this.#client.controllerId(), (broker) => broker.alterConfigs({ resources })),
    );
  }

  recordAt(topic: string, partition: number, offset: bigint): Promise<InputRecord | null> {
    const doing = `reading ${topic}/${partition} at ${offset}`;
    return this.#reading(doing, topic, () => readRecordAt(this.#client, topic, partition, offset));
  }

  tail(topic: string, partition: number): Promise<Tail> {
    return this.#reading(`tail of ${topic}/${partition}`, topic, () => readTail(this.#client, topic, partition));
  }

  first(topic: string, partition: number): Promise<InputRecord | null> {
    return this.#reading(`first of ${topic}/${partition}`, topic, () => readFirst(this.#client, topic, partition));
  }

  #reading<Answer>(doing: string, topic: string, read: () => Promise<Answer>): Promise<Answer> {
    return this.#client.repeating(doing, DEADLINE_MS, async () => {
      if (this.#client.partitionCount(topic) === null) await this.#client.know([topic]);
      return read();
    });
  }

  async publishGroupOffsets(group: string, offsets: readonly (OutputPartition & GroupOffset)[]): Promise<void> {
    const topics = offsets.map(({ topic, partition, offset, note }) => ({
      topic,
      partitions: [{ partition, offset: offset.toString(), metadata: note }],
    }));
    await this.#untilCoordinated(group, () => this.#commitOffsets(group, topics));
  }

  groupOffset(group: string, topic: string, partition: number): Promise<GroupOffset | null> {
    return this.#untilCoordinated(group, async () => {
      const node = await this.#coordinatorOf(group);
      const question = { groupId: group, topics: [{ topic, partitions: [{ partition }] }] };
      const { responses } = await this.#client.call(node, (broker) => broker.offsetFetch(question));
      const found = responses.find((one) => one.topic === topic)?.partitions[0];
      if (found === undefined || BigInt(found.offset) < 0n) return null;
      return { offset: BigInt(found.offset), note: found.metadata ?? "" };
    });
  }

  /** A group's coordinator may be starting or moving. */
  async #untilCoordinated<T>(group: string, ask: () => Promise<T>): Promise<T> {
    const until = performance.now() + DEADLINE_MS;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!isCoordinatorBusy(error) || performance.now() > until)
          throw asPortError(error, `offsets of group ${group}`);
      }
      await sleep(LEADERS_POLL_MS);
    }
  }

  async #coordinatorOf(groupId: string): Promise<number> {
    const question = { groupId, coordinatorType: GROUP_COORDINATOR };
    return (await this.#client.call(this.#client.anyNode(), (broker) => broker.findGroupCoordinator(question)))
      .coordinator.nodeId;
  }

  /** A commit without member and generation is how Kafka stores offsets of a group that nobody has joined. */
  async #commitOffsets(
    groupId: string,
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number; offset: string; metadata: string }[];
    }[],
  ): Promise<void> {
    const commit = { groupId, groupGenerationId: NO_GENERATION, memberId: "", retentionTime: -1, topics };
    await this.#client.call(await this.#coordinatorOf(groupId), (broker) => broker.offsetCommit(commit));
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
