// A producer for tools: idempotent appends under a producer id of its own, many partitions side by side on one client,
// those of one broker in one request.
// KafkaJS's producer is not used: when a leader moves or an answer is lost it can lose, double or reorder records even
// with `idempotent: true`.
import { Appender, BATCH_BYTES_MAX, bytesInBatch } from "./appender.ts";
import { connectClient, type KafkaClient } from "./client.ts";
import { sendGathered } from "./gather.ts";
import { KafkaRefused, type KafkaSettings, type Producer, type RawRecord, WriterBroken } from "./port.ts";

export type ProducerOptions = {
  /** of one send, repeats included */
  readonly deadlineMs?: number;
  /** of one send as a whole; the brokers' usual limit when left out */
  readonly batchBytesMax?: number;
};

const DEADLINE_MS = 60_000;
const CONNECT_DEADLINE_MS = 10_000;

/** @throws KafkaUnreachable within 10 s */
export async function openProducer(settings: KafkaSettings, options: ProducerOptions = {}): Promise<Producer> {
  const { deadlineMs = DEADLINE_MS, batchBytesMax = BATCH_BYTES_MAX } = options;
  const client = await connectClient(settings, { topics: [] }, CONNECT_DEADLINE_MS);
  try {
    const identity = await client.repeating("asking for a producer id", CONNECT_DEADLINE_MS, () =>
      client.call(client.anyNode(), (broker) =>
        broker.initProducerId({ transactionalId: null, transactionTimeout: 0 }),
      ),
    );
    const producerId = BigInt(identity.producerId);
    const { producerEpoch } = identity;
    const as = { name: `producer ${settings.clientId}`, producerId, producerEpoch, firstSequence: 0 };
    const appender = new Appender(client, as, deadlineMs, { batchBytesMax, send: sendGathered(client) });
    return new ToolProducer(client, appender, batchBytesMax);
  } catch (error) {
    await client.close();
    throw error;
  }
}

class ToolProducer implements Producer {
  readonly #client: KafkaClient;
  readonly #appender: Appender;
  readonly #batchBytesMax: number;
  readonly #knowing = new Map<string, Promise<void>>();

  constructor(client: KafkaClient, appender: Appender, batchBytesMax: number) {
    this.#batchBytesMax = batchBytesMax;
    this.#client = client;
    this.#appender = appender;
  }

  async send(topic: string, partition: number, records: readonly RawRecord[]): Promise<{ baseOffset: bigint }> {
    const bytes = bytesInBatch(records);
    if (bytes > this.#batchBytesMax) {
      throw new KafkaRefused(`a batch of ${bytes} bytes; brokers take ${this.#batchBytesMax}`, "MESSAGE_TOO_LARGE");
    }
    await this.#know(topic);
    return this.#appender.append(topic, partition, records);
  }

  #know(topic: string): Promise<void> {
    const knowing =
      this.#knowing.get(topic) ??
      this.#client.repeating("looking up a topic", CONNECT_DEADLINE_MS, () => this.#client.know([topic]));
    this.#knowing.set(topic, knowing);
    knowing.catch(() => this.#knowing.delete(topic));
    return knowing;
  }

  async close(): Promise<void> {
    this.#appender.end(new WriterBroken("the producer was closed"));
    await this.#client.close();
  }
}
