// Gathers batches that are sent in one turn of the event loop and led by one broker into one Produce request, as the usual
// producers do. A broker pays for each request much more than for each batch in it: with a request for every partition
// the load generator alone kept it busier than all the rest (docs/benchmarks.md, `echo`).
//
// Partitions share a request, not a fate. Each has its own place in the answer; when no answer comes, each of them is sent
// again by its own Appender, as the same bytes with the same sequence, in whatever request comes next.
import { answerFor, REPLICAS_TIMEOUT_MS, type SendBatch } from "./appender.ts";
import { type ProducePart, writeProduceBody } from "./batch-write.ts";
import type { KafkaClient } from "./client.ts";
import type { ProducedPartition } from "./wire-types.ts";

/** As Java's `max.request.size`; a batch that is larger by itself goes alone. */
const REQUEST_BYTES_MAX = 1 << 20;

type Waiting = {
  readonly part: ProducePart;
  readonly resolve: (answer: ProducedPartition) => void;
  readonly reject: (error: unknown) => void;
};

export function sendGathered(client: KafkaClient): SendBatch {
  const waiting = new Map<number, Waiting[]>();
  const flush = (nodeId: number): void => {
    const gathered = waiting.get(nodeId) ?? [];
    waiting.delete(nodeId);
    for (const group of inRequests(gathered)) void send(client, nodeId, group);
  };
  return async (part) => {
    const nodeId = client.leaderOrThrow(part.topic, part.partition);
    return new Promise((resolve, reject) => {
      const gathered = waiting.get(nodeId) ?? [];
      waiting.set(nodeId, gathered);
      // After everything that is ready now has been handed in, and before the loop waits for the outside again.
      if (gathered.length === 0) setImmediate(flush, nodeId);
      gathered.push({ part, resolve, reject });
    });
  };
}

function inRequests(gathered: readonly Waiting[]): Waiting[][] {
  const requests: Waiting[][] = [];
  let bytes = REQUEST_BYTES_MAX;
  for (const one of gathered) {
    const size = one.part.batch.length;
    if (bytes + size > REQUEST_BYTES_MAX) {
      requests.push([]);
      bytes = 0;
    }
    bytes += size;
    requests.at(-1)?.push(one);
  }
  return requests;
}

async function send(client: KafkaClient, nodeId: number, group: readonly Waiting[]): Promise<void> {
  try {
    const body = writeProduceBody(
      group.map(({ part }) => part),
      REPLICAS_TIMEOUT_MS,
    );
    const answer = await client.produce(nodeId, body);
    for (const one of group) settle(one, () => answerFor(one.part, answer));
  } catch (error) {
    for (const { reject } of group) reject(error);
  }
}

function settle({ resolve, reject }: Waiting, read: () => ProducedPartition): void {
  try {
    resolve(read());
  } catch (error) {
    reject(error);
  }
}
