// A client of the whole cluster: who leads which partition, one set of connections per broker, and what to do when one
// breaks. KafkaJS's own cluster object is not used: its metadata fails for all topics when one partition has no leader,
// and its nested retries hide for seconds what a caller with a deadline wants to know.
//
// A broker object is never repaired. When a connection breaks, the object is dropped and a new one takes its place, so
// that nobody meets it half disconnected.
import { setTimeout as sleep } from "node:timers/promises";
import { asPortError, describeKafkaError, isConnectionLoss, isTransient, isTurnedAway } from "./errors.ts";
import type { FetchAnswer } from "./fetch-answer.ts";
import { logSink } from "./logs.ts";
import { KafkaRefused, type KafkaSettings, KafkaUnreachable, type PartitionCopies } from "./port.ts";
import {
  type BrokerAddress,
  type BrokerOptions,
  createBroker,
  createWireLogger,
  dropBroker,
  type FetchArgs,
  fetchRequest,
  metadataRequest,
  produceRequest,
  protocolError,
} from "./wire.ts";
import type { MetadataAnswer, ProduceAnswer, ProtocolRequest, WireBroker, WireConnection } from "./wire-types.ts";

export type ClientOptions = {
  /** kept fresh in the metadata; others are not known */
  readonly topics: readonly string[];
  readonly requestTimeoutMs?: number;
};

const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;
const COMMON_CONNECTION = 0;
const FETCH_CONNECTION = 1;
const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 400;
const NO_LEADER = -1;
const UNKNOWN_TOPIC = 3;
const NEW_TOPIC_PAUSE_MS = 100;

export class KafkaClient {
  readonly settings: KafkaSettings;
  readonly #options: BrokerOptions;
  readonly #topics: Set<string>;
  readonly #brokers = new Map<number, WireBroker>();
  readonly #leaders = new Map<string, readonly number[]>();
  readonly #copies = new Map<string, readonly PartitionCopies[]>();
  readonly #topicErrors = new Map<string, number>();
  readonly #turns = new WeakMap<WireBroker, Promise<unknown>>();
  #controllerId = NO_LEADER;
  #refreshing: Promise<void> | null = null;
  #closed = false;

  constructor(settings: KafkaSettings, { topics, requestTimeoutMs = REQUEST_TIMEOUT_MS }: ClientOptions) {
    this.settings = settings;
    this.#topics = new Set(topics);
    this.#options = {
      clientId: settings.clientId,
      logger: createWireLogger(logSink(settings)),
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      requestTimeoutMs,
      access: settings.access,
    };
  }

  /** Ids of the brokers that the cluster says are up. */
  nodeIds(): number[] {
    return [...this.#brokers.keys()];
  }

  /** One that is connected, when there is one.
   *  @throws KafkaUnreachable */
  anyNode(): number {
    const broker = this.#connectedFirst()[0];
    for (const [nodeId, known] of this.#brokers) if (known === broker) return nodeId;
    throw new KafkaUnreachable("the cluster has no broker up", "Start the brokers.");
  }

  controllerId(): number {
    return this.#controllerId;
  }

  /** null while the partition has no leader or is not known */
  leaderOf(topic: string, partition: number): number | null {
    const leader = this.#leaders.get(topic)?.[partition] ?? NO_LEADER;
    return leader === NO_LEADER ? null : leader;
  }

  /** @throws KafkaUnreachable while an election runs (the metadata is to be refreshed) */
  leaderOrThrow(topic: string, partition: number): number {
    const leader = this.leaderOf(topic, partition);
    if (leader !== null) return leader;
    const count = this.partitionCount(topic);
    if (count !== null && partition >= count) {
      throw new KafkaRefused(
        `${topic} has ${count} partitions, none numbered ${partition}`,
        "UNKNOWN_TOPIC_OR_PARTITION",
      );
    }
    throw new KafkaUnreachable(`${topic}/${partition} has no leader`, "See which brokers of the cluster are down.");
  }

  /** null when the topic does not exist */
  partitionCount(topic: string): number | null {
    return this.#leaders.get(topic)?.length ?? null;
  }

  /** Copies of each partition of a known topic; null when it does not exist. */
  copiesOf(topic: string): readonly PartitionCopies[] | null {
    return this.#copies.get(topic) ?? null;
  }

  /** The oldest version of a request that a broker takes: what tells old brokers from new ones.
   *  @returns null for a request that it does not know */
  async oldestVersion(nodeId: number, apiKey: number): Promise<number | null> {
    return this.call(nodeId, async (broker) => broker.versions?.[apiKey]?.minVersion ?? null);
  }

  /** Adds topics to the metadata.
   *  @throws KafkaRefused when one does not exist */
  async know(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.#topics.add(topic);
    // A question that is on its way was put before these topics were added.
    await this.#refreshing?.catch(() => {});
    await this.refresh();
    if (this.#brokers.size > 1 && topics.some((topic) => this.#topicErrors.get(topic) === UNKNOWN_TOPIC)) {
      // One broker hears of a new topic a little later than another.
      await sleep(NEW_TOPIC_PAUSE_MS);
      await this.refresh();
    }
    for (const topic of topics) {
      const code = this.#topicErrors.get(topic) ?? UNKNOWN_TOPIC;
      if (code === UNKNOWN_TOPIC) {
        this.#topics.delete(topic);
        throw new KafkaRefused(`topic ${topic} does not exist`, "UNKNOWN_TOPIC_OR_PARTITION");
      }
      if (code !== 0) throw asPortError(protocolError(code), `topic ${topic}`);
    }
  }

  /** Asks any broker for brokers and leaders; callers at the same time share one question.
   *  @throws KafkaUnreachable when none answers */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refreshOnce().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refreshOnce(): Promise<void> {
    let last: unknown = new Error("no broker is configured");
    for (const broker of this.#connectedFirst()) {
      try {
        return this.#adopt(await this.#ask(broker, (ready) => metadataRequest(ready, [...this.#topics])));
      } catch (error) {
        last = error;
        this.drop(broker, error);
      }
    }
    for (const address of this.settings.brokers) {
      const seed = createBroker(parseAddress(address), this.#options);
      try {
        return this.#adopt(await this.#ask(seed, (ready) => metadataRequest(ready, [...this.#topics])));
      } catch (error) {
        last = error;
      } finally {
        dropBroker(seed, new Error("only asked where the brokers are"));
      }
    }
    throw unreachable(this.settings.brokers, last);
  }

  #connectedFirst(): WireBroker[] {
    const rank = (broker: WireBroker): number => (broker.connectionPool.pool[COMMON_CONNECTION]?.isConnected() ? 0 : 1);
    return [...this.#brokers.values()].sort((a, b) => rank(a) - rank(b));
  }

  #adopt({ brokers, controllerId, topicMetadata }: MetadataAnswer): void {
    if (this.#closed) return;
    this.#controllerId = controllerId;
    for (const [nodeId, broker] of this.#brokers) {
      const { host, port } = broker.connectionPool;
      if (brokers.some((said) => said.nodeId === nodeId && said.host === host && said.port === port)) continue;
      this.#brokers.delete(nodeId);
      dropBroker(broker, connectionLost(broker, "the cluster says that this broker is gone"));
    }
    for (const said of brokers) {
      if (!this.#brokers.has(said.nodeId)) this.#brokers.set(said.nodeId, createBroker(said, this.#options));
    }
    for (const { topic, topicErrorCode, partitionMetadata } of topicMetadata) {
      this.#topicErrors.set(topic, topicErrorCode);
      if (topicErrorCode !== 0) continue;
      const leaders: number[] = Array.from({ length: partitionMetadata.length }, () => NO_LEADER);
      for (const { partitionId, leader } of partitionMetadata) leaders[partitionId] = leader;
      this.#leaders.set(topic, leaders);
      const copies = partitionMetadata.map(({ replicas, isr }) => ({ all: replicas.length, inSync: isr.length }));
      this.#copies.set(topic, copies);
    }
  }

  /** A request by one of KafkaJS's own broker methods. */
  async call<Answer>(nodeId: number, method: (broker: WireBroker) => Promise<Answer>): Promise<Answer> {
    const broker = this.#known(nodeId);
    try {
      await this.#ready(broker, COMMON_CONNECTION);
      return await method(broker);
    } catch (error) {
      if (isConnectionLoss(error)) this.drop(broker, error);
      throw error;
    }
  }

  /** @throws the protocol's error when the broker refuses the whole request */
  async fetch(nodeId: number, args: FetchArgs): Promise<FetchAnswer> {
    const broker = this.#known(nodeId);
    const answer = await this.#asking(broker, (ready) => fetchRequest(ready, args), FETCH_CONNECTION);
    if (answer.errorCode !== 0) throw protocolError(answer.errorCode);
    return answer;
  }

  /** Error codes of the partitions are left in the answer. */
  produce(nodeId: number, body: Buffer): Promise<ProduceAnswer> {
    return this.#asking(this.#known(nodeId), (ready) => produceRequest(ready, body), COMMON_CONNECTION);
  }

  async #asking<Answer>(
    broker: WireBroker,
    build: (broker: WireBroker) => ProtocolRequest<Answer>,
    connection: number,
  ): Promise<Answer> {
    try {
      return await this.#ask(broker, build, connection);
    } catch (error) {
      if (isConnectionLoss(error)) this.drop(broker, error);
      throw error;
    }
  }

  async #ask<Answer>(
    broker: WireBroker,
    build: (broker: WireBroker) => ProtocolRequest<Answer>,
    index = COMMON_CONNECTION,
  ): Promise<Answer> {
    const connection = await this.#ready(broker, index);
    return connection.send(build(broker));
  }

  #known(nodeId: number): WireBroker {
    const broker = this.#brokers.get(nodeId);
    if (broker !== undefined) return broker;
    throw new KafkaUnreachable(`broker ${nodeId} is not in the cluster now`, "See whether this broker is down.");
  }

  /** One caller at a time connects: two at once would open two sockets, one of which nobody closes. */
  async #ready(broker: WireBroker, index: number): Promise<WireConnection> {
    const connection = broker.connectionPool.pool[index];
    if (connection === undefined) throw new Error(`there is no connection ${index}`);
    if (connection.isConnected() && broker.versions !== null) return connection;
    const before = this.#turns.get(broker) ?? Promise.resolve();
    const turn = before.then(async () => {
      if (broker.versions === null) await broker.connect();
      if (!connection.isConnected()) await broker.connectionPool.getConnection(index);
    });
    this.#turns.set(
      broker,
      turn.catch(() => {}),
    );
    await turn;
    return connection;
  }

  /** Ends the connections to a broker and puts a new object in its place. */
  drop(broker: WireBroker, why: unknown): void {
    for (const [nodeId, known] of this.#brokers) {
      if (known !== broker) continue;
      const { host, port } = broker.connectionPool;
      this.#brokers.set(nodeId, createBroker({ nodeId, host, port }, this.#options));
    }
    dropBroker(broker, connectionLost(broker, describeKafkaError(why).message));
  }

  dropNode(nodeId: number, why: Error): void {
    const broker = this.#brokers.get(nodeId);
    if (broker !== undefined) this.drop(broker, why);
  }

  /** Repeats `attempt` while it fails in a way that passes, with fresh metadata each time, until `deadlineMs` from now.
   *  For what may be asked twice.
   *  @throws KafkaUnreachable | KafkaRefused */
  async repeating<Answer>(doing: string, deadlineMs: number, attempt: () => Promise<Answer>): Promise<Answer> {
    const until = performance.now() + deadlineMs;
    for (let pauseMs = RETRY_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS)) {
      try {
        return await attempt();
      } catch (error) {
        const isOver = this.#closed || performance.now() + pauseMs > until;
        if (isOver || !isTransient(error) || isTurnedAway(error)) throw asPortError(error, doing);
        await sleep(pauseMs);
        await this.refresh().catch(() => {});
      }
    }
  }

  /** Ends all connections at once; requests that wait are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const broker of this.#brokers.values()) dropBroker(broker, connectionLost(broker, "the client was closed"));
    this.#brokers.clear();
  }
}

function connectionLost(broker: WireBroker, why: string): Error {
  const { host, port } = broker.connectionPool;
  return Object.assign(new Error(`connection to ${host}:${port} dropped: ${why}`), {
    name: "KafkaJSConnectionClosedError",
    broker: `${host}:${port}`,
  });
}

function unreachable(brokers: readonly string[], last: unknown): KafkaUnreachable {
  const { type, message } = describeKafkaError(last);
  if (isTurnedAway(last)) {
    return new KafkaUnreachable(
      `Kafka at ${brokers.join(", ")} does not let us in (${type === null || message.includes(type) ? message : `${type}: ${message}`})`,
      "Check the login (kafkaSasl, kafkaUser, kafkaPassword or its file) and certificates (kafkaTls, kafkaTlsCaFile).",
      { cause: last },
    );
  }
  return new KafkaUnreachable(
    `no Kafka broker answers at ${brokers.join(", ")} (${type ?? message})`,
    "Start Kafka (`millrace stack up` for a local one) or set KAFKA_BROKERS to brokers that can be reached from here; " +
      "a listener that wants TLS or a login needs kafkaTls and kafkaSasl.",
    { cause: last },
  );
}

function parseAddress(address: string): BrokerAddress {
  const colon = address.lastIndexOf(":");
  return {
    nodeId: null,
    host: address.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(address.slice(colon + 1)),
  };
}

/** A connected client that knows `topics`.
 *  @throws KafkaUnreachable within `deadlineMs` | KafkaRefused when a topic does not exist */
export async function connectClient(
  settings: KafkaSettings,
  options: ClientOptions,
  deadlineMs = 10_000,
): Promise<KafkaClient> {
  const client = new KafkaClient(settings, options);
  try {
    await client.repeating("connecting to Kafka", deadlineMs, () => client.know(options.topics));
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}
