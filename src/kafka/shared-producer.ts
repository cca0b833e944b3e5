// One producer for all lanes of a process, to the partitions of one topic. What several lanes send to one partition while a
// batch is on its way there goes with the next one, together: one batch in flight per partition, and each sender's own
// records in their order.
//
// After an error that its producer cannot get over everything waiting is rejected and a new producer is opened for what
// comes next. What was in flight then may be in the topic or not, so whoever sends must bear repeats.

import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX, bytesInBatch } from "./appender.ts";
import { type KafkaSettings, type OutgoingRecord, type Producer, WriterBroken } from "./port.ts";
import { openProducer } from "./producer.ts";

type Waiting = {
  readonly records: readonly OutgoingRecord[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

/** A partition without a leader holds up its own records only, for so long; then they are sent by a new producer. */
const SEND_DEADLINE_MS = 300_000;

export class SharedProducer {
  readonly #open: () => Promise<Producer>;
  readonly #topic: string;
  #producer: Promise<Producer> | null = null;
  #closed = false;
  readonly #waiting = new Map<number, Waiting[]>();
  readonly #busy = new Set<number>();

  /** @param open is called when something is to be sent, and again after a producer has broken */
  constructor(topic: string, open: () => Promise<Producer>) {
    this.#topic = topic;
    this.#open = open;
  }

  /** Resolves when all in-sync replicas have the records.
   *  @throws KafkaUnreachable | KafkaRefused | WriterBroken: they may be there or not */
  send(partition: number, records: readonly OutgoingRecord[]): Promise<void> {
    if (this.#closed) return Promise.reject(new WriterBroken("the producer was closed"));
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(partition) ?? [];
      this.#waiting.set(partition, waiting);
      waiting.push({ records, bytes: bytesInBatch(records), resolve, reject });
      if (!this.#busy.has(partition)) void this.#sendAll(partition, waiting);
    });
  }

  async #sendAll(partition: number, waiting: Waiting[]): Promise<void> {
    this.#busy.add(partition);
    while (waiting.length > 0) {
      const group = takeBatch(waiting);
      const all = group.flatMap(({ records }) => records);
      this.#producer ??= this.#open();
      const used = this.#producer;
      try {
        await (await used).send(this.#topic, partition, all);
        for (const { resolve } of group) resolve();
      } catch (error) {
        await this.#forget(used);
        for (const { reject } of [...group, ...waiting.splice(0)]) reject(error);
      }
    }
    this.#busy.delete(partition);
  }

  /** The one that broke, and not the one that another partition may have opened since. */
  async #forget(broken: Promise<Producer> | null): Promise<void> {
    if (this.#producer === broken) this.#producer = null;
    await broken?.then((producer) => producer.close()).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#forget(this.#producer);
  }
}

function takeBatch(waiting: Waiting[]): Waiting[] {
  let records = 0;
  let bytes = 0;
  let count = 0;
  for (const one of waiting) {
    records += one.records.length;
    bytes += one.bytes;
    if (count > 0 && (records > BATCH_RECORDS_MAX || bytes > BATCH_BYTES_MAX)) break;
    count += 1;
  }
  return waiting.splice(0, count);
}

export function sharedProducer(settings: KafkaSettings, topic: string): SharedProducer {
  return new SharedProducer(topic, () => openProducer(settings, { deadlineMs: SEND_DEADLINE_MS }));
}
