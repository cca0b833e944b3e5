// The fenced writer of one lane's output partitions. Appends are plain idempotent batches, no Kafka transaction in the
// hot path; but producer id and epoch belong to a transactional id, and opening makes every output partition know the
// new epoch:
//
//   InitProducerId       the epoch goes up at the coordinator; a predecessor's open Kafka transaction is aborted
//   AddPartitionsToTxn   all output partitions: one that is left out is not fenced
//   EndTxn (abort)       writes an abort marker with the new epoch to each; answers before they are written
//   InitProducerId       the barrier: it answers only when the markers are written. Without it 11 appends of old owners
//                        slipped in during 30 takeovers; with it none in 100
//   tails                nobody else can append any more, so what is last stays last
import { setTimeout as sleep } from "node:timers/promises";
import { assert } from "../domain/assert.ts";
import { reach } from "../failpoints.ts";
import { Appender } from "./appender.ts";
import { connectClient, type KafkaClient } from "./client.ts";
import { asPortError, describeKafkaError, isCoordinatorBusy, isFencing } from "./errors.ts";
import {
  Fenced,
  type KafkaSettings,
  type LaneWriter,
  type OutgoingRecord,
  type OutputPartition,
  type Tail,
  WriterBroken,
} from "./port.ts";
import { readTail } from "./tail.ts";
import type { ProducerIdentity, TopicPartitions, WireBroker } from "./wire-types.ts";

export type LaneWriterOptions = {
  /** the transactional id: the same for every owner of the lane */
  readonly id: string;
  /** the lane's output partitions, all of them, one a topic */
  readonly targets: readonly OutputPartition[];
  /** of opening as a whole */
  readonly openDeadlineMs?: number;
  /** of one append, repeats included */
  readonly appendDeadlineMs?: number;
};

const OPEN_DEADLINE_MS = 15_000;
const APPEND_DEADLINE_MS = 20_000;
const KAFKA_TRANSACTION_TIMEOUT_MS = 10_000;
const COORDINATOR_OF_KAFKA_TRANSACTIONS = 1;
const BUSY_PAUSE_MS = 2;

/** Fences every earlier owner of `id` and reads the tails. The caller must hold the lane's lease, and must ask it again
 *  before a second try: a process that was stopped for a while would otherwise fence its successor.
 *  @throws KafkaUnreachable | KafkaRefused | Fenced when another opens it at the same time */
export async function openLaneWriter(settings: KafkaSettings, options: LaneWriterOptions): Promise<LaneWriter> {
  const { id, targets, openDeadlineMs = OPEN_DEADLINE_MS, appendDeadlineMs = APPEND_DEADLINE_MS } = options;
  const topics = targets.map(({ topic }) => topic);
  assert(targets.length > 0 && new Set(topics).size === topics.length, `writer ${id}: one partition a topic`);
  const until = performance.now() + openDeadlineMs;
  const client = await connectClient(settings, { topics }, openDeadlineMs);
  try {
    const identity = await fence(client, id, targets, until);
    reach("writer.fenced");
    const tails = new Map<string, Tail>();
    const readOne = async ({ topic, partition }: OutputPartition): Promise<void> => {
      const read = (): Promise<Tail> => readTail(client, topic, partition);
      tails.set(topic, await client.repeating(`tail of ${topic}/${partition}`, until - performance.now(), read));
    };
    await Promise.all(targets.map(readOne));
    reach("tails.read");
    const producerId = BigInt(identity.producerId);
    const { producerEpoch } = identity;
    const appender = new Appender(client, { name: id, producerId, producerEpoch, firstSequence: 0 }, appendDeadlineMs);
    return new FencedWriter(client, appender, { producerId, producerEpoch, tails }, targets);
  } catch (error) {
    await client.close();
    if (isFencing(error)) throw new Fenced(`${id}: opened by another at the same time`, { cause: error });
    throw asPortError(error, `opening writer ${id}`);
  }
}

async function fence(
  client: KafkaClient,
  id: string,
  targets: readonly OutputPartition[],
  until: number,
): Promise<ProducerIdentity> {
  const ask = coordinatorOf(client, id, until);
  const init = (): Promise<ProducerIdentity> =>
    ask((broker) => broker.initProducerId({ transactionalId: id, transactionTimeout: KAFKA_TRANSACTION_TIMEOUT_MS }));
  const opened = await init();
  const ours = { transactionalId: id, producerId: opened.producerId, producerEpoch: opened.producerEpoch };
  await ask((broker) => broker.addPartitionsToTxn({ ...ours, topics: byTopic(targets) }));
  reach("writer.begun");
  await ask((broker) => broker.endTxn({ ...ours, transactionResult: false }));
  return init();
}

type AskCoordinator = <Answer>(method: (coordinator: WireBroker) => Promise<Answer>) => Promise<Answer>;

/** Asks the coordinator of `id`, and again while it is starting, moving or busy with our predecessor. A lost connection
 *  is not repeated here: the lease has to be asked first. */
function coordinatorOf(client: KafkaClient, id: string, until: number): AskCoordinator {
  const question = { groupId: id, coordinatorType: COORDINATOR_OF_KAFKA_TRANSACTIONS };
  let nodeId: number | null = null;
  return async (method) => {
    for (;;) {
      try {
        nodeId ??= (await client.call(client.anyNode(), (broker) => broker.findGroupCoordinator(question))).coordinator
          .nodeId;
        return await client.call(nodeId, method);
      } catch (error) {
        if (!isCoordinatorBusy(error) || performance.now() > until) throw error;
        // Only a busy one stays the coordinator; for the other answers it has to be looked up anew.
        if (describeKafkaError(error).type !== "CONCURRENT_TRANSACTIONS") nodeId = null;
      }
      await sleep(BUSY_PAUSE_MS);
    }
  };
}

function byTopic(targets: readonly OutputPartition[]): TopicPartitions[] {
  return targets.map(({ topic, partition }) => ({ topic, partitions: [partition] }));
}

class FencedWriter implements LaneWriter {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly tails: ReadonlyMap<string, Tail>;
  readonly #client: KafkaClient;
  readonly #appender: Appender;
  readonly #partitions: ReadonlyMap<string, number>;

  constructor(
    client: KafkaClient,
    appender: Appender,
    opened: { producerId: bigint; producerEpoch: number; tails: ReadonlyMap<string, Tail> },
    targets: readonly OutputPartition[],
  ) {
    this.producerId = opened.producerId;
    this.producerEpoch = opened.producerEpoch;
    this.tails = opened.tails;
    this.#client = client;
    this.#appender = appender;
    this.#partitions = new Map(targets.map(({ topic, partition }) => [topic, partition]));
  }

  async append(topic: string, records: readonly OutgoingRecord[]): Promise<{ baseOffset: bigint }> {
    const partition = this.#partitions.get(topic);
    assert(partition !== undefined, `${topic} is an output of this writer`);
    return this.#appender.append(topic, partition, records);
  }

  async close(): Promise<void> {
    this.#appender.end(new WriterBroken("the writer was closed"));
    await this.#client.close();
  }
}
