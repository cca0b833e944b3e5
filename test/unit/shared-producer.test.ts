// One producer for all lanes of a process: order, merging, and what happens when it breaks.
import { expect, test } from "vitest";
import { type Producer, type RawRecord, WriterBroken } from "../../src/kafka/port.ts";
import { SharedProducer } from "../../src/kafka/shared-producer.ts";
import { waitFor } from "../support/wait.ts";

type Batch = { readonly partition: number; readonly values: string[]; answer(error?: Error): void };

/** Producers whose batches are answered by hand. */
function brokers() {
  const batches: Batch[] = [];
  let opened = 0;
  let closed = 0;
  const open = async (): Promise<Producer> => {
    opened += 1;
    return {
      send: (_topic, partition, records: readonly RawRecord[]) =>
        new Promise((resolve, reject) => {
          const answer = (error?: Error): void => (error === undefined ? resolve({ baseOffset: 0n }) : reject(error));
          batches.push({ partition, values: records.map(({ value }) => String(value)), answer });
        }),
      close: async () => void (closed += 1),
    };
  };
  return { producer: new SharedProducer("reports", open), batches, counts: () => ({ opened, closed }) };
}

const records = (...values: string[]) => values.map((value) => ({ key: Buffer.from("k"), value: Buffer.from(value) }));

test("what several lanes send to a partition goes together, one batch in flight, in the order of each", async () => {
  const { producer, batches, counts } = brokers();
  const sent = [
    producer.send(1, records("a1", "a2")),
    producer.send(1, records("b1")),
    producer.send(1, records("c1")),
  ];
  const other = producer.send(2, records("d1"));
  await waitFor("two batches", () => batches.length === 2);
  expect(batches.map(({ partition, values }) => [partition, values])).toEqual([
    [1, ["a1", "a2"]],
    [2, ["d1"]],
  ]);
  batches[0]?.answer();
  batches[1]?.answer();
  await waitFor("the third batch", () => batches.length === 3);
  expect(batches[2]?.values).toEqual(["b1", "c1"]);
  batches[2]?.answer();
  await Promise.all([...sent, other]);
  expect(counts()).toEqual({ opened: 1, closed: 0 });
});

test("a partition that does not answer holds up no other", async () => {
  const { producer, batches } = brokers();
  void producer.send(1, records("a1"));
  const other = producer.send(2, records("b1"));
  await waitFor("both", () => batches.length === 2);
  batches.find(({ partition }) => partition === 2)?.answer();
  await other;
});

test("after an error a new one is opened, and everybody who waited hears of it", async () => {
  const { producer, batches, counts } = brokers();
  const first = producer.send(1, records("a1"));
  const second = producer.send(1, records("a2"));
  await waitFor("the first", () => batches.length === 1);
  const told = Promise.allSettled([first, second]);
  batches[0]?.answer(new WriterBroken("late"));
  expect((await told).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  const again = producer.send(1, records("a1", "a2"));
  await waitFor("the repeat", () => batches.length === 2);
  batches[1]?.answer();
  await again;
  expect(counts()).toEqual({ opened: 2, closed: 1 });
});

test("closed, it takes nothing", async () => {
  const { producer } = brokers();
  await producer.close();
  await expect(producer.send(1, records("a1"))).rejects.toThrow(WriterBroken);
});
