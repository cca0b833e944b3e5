// The running service in this process, on a database and topics of its own: what integration tests start.
//
//     const system = await startTestService();
//     await system.publish([{ type: "account_open", … }]);
//     const [opened] = await system.readOutcomes({ until: 1 });
//     await system.stop();
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import pg from "pg";
import { type Config, loadConfig, type TopicNames, topicNames } from "../../src/config/config.ts";
import { loadDeclared } from "../../src/declared/load.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { type Codec, createCodec } from "../../src/kafka/codec.ts";
import type { DeadLetterMessage, NewIntent, OfBlock, OutcomeMessage } from "../../src/kafka/codec-messages.ts";
import { openPartitionReader } from "../../src/kafka/partitions.ts";
import type { KafkaSettings, OutgoingRecord, PartitionReader, Producer } from "../../src/kafka/port.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { openRegistry } from "../../src/kafka/registry.ts";
import { type Addresses, topicSchemas } from "../../src/service/dependencies.ts";
import { type Service, startService } from "../../src/service/service.ts";
import { setUp } from "../../src/service/set-up.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { freshDatabase, testStack } from "./stack.ts";
import { waitFor } from "./wait.ts";

export { waitFor } from "./wait.ts";

export type TestServiceOptions = {
  /** begins the topics' names; a random part is put behind it */
  readonly prefix?: string;
  /** 4 when left out */
  readonly lanes?: number;
  readonly config?: Partial<Config>;
  /** addresses other than the stack's: a proxy before the registry, say */
  readonly addresses?: Partial<Addresses>;
};

export type LogLine = { readonly level: string; readonly message: string } & Readonly<Record<string, unknown>>;
export type TestOutcome = OfBlock<OutcomeMessage>;
export type TestDeadLetter = OfBlock<DeadLetterMessage>;

export type Instance = {
  readonly httpPort: number;
  /** everything that it logged from `debug` on, as parsed JSON */
  readonly log: readonly LogLine[];
  stop(): Promise<void>;
};

/** When reading ends: after so many, or when it returns true for all that were read. */
export type Until<Message = TestOutcome> = number | ((read: readonly Message[]) => boolean);

export type TestService = {
  readonly config: Config;
  readonly addresses: Addresses;
  readonly topics: TopicNames;
  readonly lanes: number;
  readonly kafka: KafkaSettings;
  readonly codec: Codec;
  readonly producer: Producer;
  /** Starts one more instance on the same database and topics; the first one runs when `startTestService` resolves. */
  start(name?: string, config?: Partial<Config>): Promise<Instance>;
  /** those that run, the oldest first */
  readonly instances: readonly Instance[];
  /** Sends each intent to its holder's home lane, in order per holder; resolves when all are acknowledged. */
  publish(intents: readonly NewIntent[]): Promise<void>;
  /** Sends raw records to the intents topic.
   *  @returns offset of the first */
  send(lane: number, records: readonly OutgoingRecord[]): Promise<bigint>;
  /** Waits for outcomes, all since the beginning counted; their sequences are proven to go up by one from 0.
   *  @returns all that were read, in lane order
   *  @throws Error naming what is missing at the deadline (20 s) */
  readOutcomes(wait: { readonly until: Until; readonly deadlineMs?: number }): Promise<readonly TestOutcome[]>;
  /** As `readOutcomes`, for dead letters. */
  readDeadLetters(until: Until<TestDeadLetter>, deadlineMs?: number): Promise<readonly TestDeadLetter[]>;
  /** Asks the database as its owner, tables of `millrace` by their bare names. Numbers beyond 2^53 come as text. */
  query(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Ends every instance and all connections.
   *  @throws Error when an instance would have ended its process because an assertion failed */
  stop(): Promise<void>;
};

const DEADLINE_MS = 20_000;
const LANES = 4;

/** A service on a fresh database with topics of its own, one instance running. Call `stop` in the end. */
export async function startTestService(options: TestServiceOptions = {}): Promise<TestService> {
  const system = await setUpTestService(options);
  await system.start();
  return system;
}

/** As `startTestService`, without an instance: set up and nothing running. */
export async function setUpTestService(options: TestServiceOptions = {}): Promise<TestService> {
  const config = testConfig(options);
  const stack = testStack();
  const addresses: Addresses = {
    kafkaBrokers: stack.kafkaBrokers.split(","),
    databaseUrl: await freshDatabase(),
    schemaRegistryUrl: stack.schemaRegistryUrl,
    ...options.addresses,
  };
  const kafka: KafkaSettings = { brokers: addresses.kafkaBrokers, clientId: "test", log: () => undefined };
  const { lanes } = await setUp(config, addresses, options.lanes ?? LANES, kafka);
  const database = new pg.Pool({ connectionString: addresses.databaseUrl, max: 2, options: "-c search_path=millrace" });
  database.on("error", () => undefined); // The test that cuts connections looks for what follows from it.
  const codec = await openCodec(config, addresses);
  const producer = await openProducer(kafka);
  const topics = topicNames(config);
  const outcomes = await Collector.open(kafka, topics.outcomes, lanes, codec.decoders.outcome);
  const deadLetters = await Collector.open(kafka, topics.deadLetters, lanes, codec.decoders.deadLetter);
  const instances: Instance[] = [];
  const crashes: unknown[] = [];
  const send = async (lane: number, records: readonly OutgoingRecord[]): Promise<bigint> =>
    (await producer.send(topics.intents, lane, records)).baseOffset;
  return {
    config,
    addresses,
    topics,
    lanes,
    kafka,
    codec,
    producer,
    instances,
    send,
    start: async (name = `test-${instances.length}`, over = {}) => {
      const started = await startInstance({ ...config, ...over, instance: name }, { addresses, kafka, crashes });
      const instance: Instance = {
        ...started,
        stop: async () => {
          if (instances.includes(instance)) instances.splice(instances.indexOf(instance), 1);
          await started.stop();
        },
      };
      instances.push(instance);
      return instance;
    },
    publish: async (intents) => {
      await Promise.all([...byLane(intents, lanes, codec)].map(([lane, records]) => send(lane, records)));
    },
    readOutcomes: ({ until, deadlineMs = DEADLINE_MS }) => outcomes.wait("outcomes", until, deadlineMs),
    readDeadLetters: (until, deadlineMs = DEADLINE_MS) => deadLetters.wait("dead letters", until, deadlineMs),
    query: async (sql, values = []) => (await database.query(sql, values as unknown[])).rows,
    stop: async () => {
      await Promise.all(instances.splice(0).map((instance) => instance.stop()));
      await Promise.all([outcomes.close(), deadLetters.close(), producer.close(), database.end()]);
      if (crashes.length > 0) throw new Error("an assertion of the service failed", { cause: crashes[0] });
    },
  };
}

function testConfig({ prefix = "test", config = {} }: TestServiceOptions): Config {
  const loaded = loadConfig({ file: null, environment: {}, flags: [], workingDir: tmpdir() });
  if (loaded.kind === "invalid") throw new Error("the defaults are no valid configuration");
  const topicPrefix = `${prefix}-${randomBytes(5).toString("hex")}.`;
  // Tests live for minutes, and a partition costs as much time to make as a small test.
  return { ...loaded.config, topicPrefix, partitionsAheadHours: 2, logLevel: "debug", ...config };
}

async function openCodec(config: Config, addresses: Addresses): Promise<Codec> {
  const registry = openRegistry({ url: addresses.schemaRegistryUrl, timeoutMs: 5_000 });
  const schemas = topicSchemas(topicNames(config), loadDeclared(config.schemasDir, config.flowsDir));
  const ids = await registry.findSchemas(Object.values(schemas));
  const of = <T>(pick: (one: { topic: string; schema: string }) => T) => ({
    intent: pick(schemas.intent),
    outcome: pick(schemas.outcome),
    deadLetter: pick(schemas.deadLetter),
    command: pick(schemas.command),
    report: pick(schemas.report),
  });
  return createCodec({
    registry,
    schemas: of(({ schema }) => schema),
    ids: of(({ topic }) => ids.get(topic) as number),
  });
}

type Shared = { readonly addresses: Addresses; readonly kafka: KafkaSettings; readonly crashes: unknown[] };

async function startInstance(config: Config, { addresses, kafka, crashes }: Shared): Promise<Instance> {
  const log: LogLine[] = [];
  const logger = createLogger(config, { write: (line) => void log.push(JSON.parse(line) as LogLine) });
  const metrics = createMetrics({ instance: config.instance, version: "test" });
  const crash = (error: unknown): void => void crashes.push(error);
  const service: Service = await startService({ config, addresses, kafka, logger, metrics, crash });
  return { httpPort: service.httpPort, log, stop: () => service.stop() };
}

function byLane(intents: readonly NewIntent[], lanes: number, codec: Codec): Map<number, OutgoingRecord[]> {
  const records = new Map<number, OutgoingRecord[]>();
  for (const intent of intents) {
    const lane = homeLane(intent.holderId, lanes);
    const record = { key: Buffer.from(intent.holderId), value: codec.encoders.intent.encode(intent) };
    records.set(lane, [...(records.get(lane) ?? []), record]);
  }
  return records;
}

type Sequenced = { readonly sequence: bigint };

/** Reads an output topic from its beginning for as long as the test runs. */
class Collector<Message extends Sequenced> {
  readonly #reader: PartitionReader;
  readonly #decoder: { read(value: Buffer): Promise<Message> };
  readonly #next = new Map<number, bigint>();
  readonly #read: Message[] = [];
  readonly #done: Promise<void>;
  #closed = false;
  #failure: unknown = null;

  private constructor(reader: PartitionReader, decoder: { read(value: Buffer): Promise<Message> }) {
    this.#reader = reader;
    this.#decoder = decoder;
    this.#done = this.#collect().catch((error: unknown) => {
      this.#failure = error;
    });
  }

  static async open<Message extends Sequenced>(
    kafka: KafkaSettings,
    topic: string,
    lanes: number,
    decoder: { read(value: Buffer): Promise<Message> },
  ): Promise<Collector<Message>> {
    const starts = Array.from({ length: lanes }, (_, partition) => ({ topic, partition, offset: 0n }));
    return new Collector(await openPartitionReader(kafka, starts), decoder);
  }

  async #collect(): Promise<void> {
    while (!this.#closed) {
      for (const { topic, partition, records } of await this.#reader.next(100)) {
        for (const { value } of records) {
          const message = await this.#decoder.read(value as Buffer);
          const expected = this.#next.get(partition) ?? 0n;
          if (message.sequence !== expected) {
            throw new Error(`${topic}/${partition} has sequence ${message.sequence} where ${expected} belongs`);
          }
          this.#next.set(partition, expected + 1n);
          this.#read.push(message);
        }
      }
    }
  }

  async wait(what: string, until: Until<Message>, deadlineMs: number): Promise<readonly Message[]> {
    const isEnough = typeof until === "number" ? () => this.#read.length >= until : () => until(this.#read);
    const told = (): string =>
      `${typeof until === "number" ? until : "enough"} ${what}; ${this.#read.length} came, the last ` +
      JSON.stringify(this.#read.slice(-3), (_, value) => (typeof value === "bigint" ? String(value) : value));
    await waitFor(told, () => this.#failure !== null || isEnough(), deadlineMs);
    if (this.#failure !== null) throw this.#failure;
    return [...this.#read];
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#reader.close();
    await this.#done;
  }
}
