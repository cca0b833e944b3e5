// Read-ahead of a lane: order, positions, bounds, and what the watermark may say.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { InputRecord } from "../../src/kafka/port.ts";
import { InputQueue } from "../../src/processor/queue.ts";

function record(offset: bigint, bytes = 10, appendedAtMs = 1000): InputRecord {
  return { offset, appendedAtMs, key: Buffer.from("k"), value: Buffer.alloc(bytes - 1) };
}

function run(from: bigint, count: number, nextOffset = from + BigInt(count), logEnd = nextOffset) {
  return { records: Array.from({ length: count }, (_, index) => record(from + BigInt(index))), nextOffset, logEnd };
}

function offsets(queue: InputQueue, recordsMax = 1000, bytesMax = 1_000_000): bigint[] {
  return queue.peek(recordsMax, bytesMax).records.map(({ offset }) => offset);
}

describe("the input queue", () => {
  test("hands records out in order, and again until they are dropped", () => {
    const queue = new InputQueue(5n);
    queue.push(run(5n, 3));
    expect(offsets(queue)).toEqual([5n, 6n, 7n]);
    expect(offsets(queue)).toEqual([5n, 6n, 7n]);
    expect([queue.length, queue.bytes]).toEqual([3, 30]);
    queue.drop(queue.peek(2, 1000));
    expect(offsets(queue)).toEqual([7n]);
    expect([queue.length, queue.bytes]).toEqual([1, 10]);
  });

  test("is bounded by records and by bytes, and always lets one through", () => {
    const queue = new InputQueue(0n);
    queue.push(run(0n, 5));
    expect(offsets(queue, 2)).toEqual([0n, 1n]);
    expect(offsets(queue, 5, 30)).toEqual([0n, 1n, 2n]);
    expect(offsets(queue, 5, 29)).toEqual([0n, 1n]);
    expect(offsets(queue, 5, 1)).toEqual([0n]);
    expect(offsets(queue, 0)).toEqual([]);
  });

  test("gives the position behind what was taken; behind the last record, behind what the log skipped too", () => {
    const queue = new InputQueue(0n);
    queue.push(run(0n, 3, 7n)); // 3 to 6 are markers
    expect(queue.peek(2, 1000)).toMatchObject({ next: 2n, last: { offset: 1n } });
    expect(queue.peek(3, 1000)).toMatchObject({ next: 7n, last: { offset: 2n } });
    queue.drop(queue.peek(3, 1000));
    expect(queue.peek(3, 1000)).toEqual({ records: [], next: 7n, last: null });
  });

  test("stays where it was when nothing is taken of what is there", () => {
    const queue = new InputQueue(4n);
    queue.push(run(4n, 2));
    expect(queue.peek(0, 1000)).toEqual({ records: [], next: 4n, last: null });
    queue.drop(queue.peek(1, 1000));
    expect(queue.peek(0, 1000)).toEqual({ records: [], next: 5n, last: null });
  });

  test("moves its position over markers alone", () => {
    const queue = new InputQueue(0n);
    queue.push({ records: [], nextOffset: 3n, logEnd: 3n });
    expect(queue.peek(1, 1).next).toBe(3n);
    queue.caughtUp(4n, 1000);
    expect(queue.peek(1, 1).next).toBe(4n);
    queue.caughtUp(3n, 2000); // an answer from before what came since
    expect([queue.peek(1, 1).next, queue.watermarkMs(0)]).toEqual([4n, 1000]);
  });

  test("knows how far the log goes", () => {
    const queue = new InputQueue(2n);
    expect(queue.logEnd).toBe(2n);
    queue.push(run(2n, 3, 5n, 50n));
    expect(queue.logEnd).toBe(50n);
    queue.push(run(5n, 1, 6n, 3n)); // never before what was received
    expect([queue.logEnd, queue.receivedTo]).toEqual([6n, 6n]);
  });

  test("with a record waiting, the watermark is its append time: broker's clock, no margin", () => {
    const queue = new InputQueue(0n);
    queue.caughtUp(0n, 900);
    queue.push({ records: [record(0n, 10, 1234), record(1n, 10, 1300)], nextOffset: 2n, logEnd: 2n });
    expect([queue.watermarkMs(100), queue.oldestMs()]).toEqual([1234, 1234]);
    queue.drop(queue.peek(1, 1000));
    expect(queue.watermarkMs(100)).toBe(1300);
    queue.drop(queue.peek(1, 1000));
    expect([queue.watermarkMs(100), queue.oldestMs()]).toEqual([800, null]);
  });

  test("never says that a moment has passed before the first empty fetch", () => {
    expect(new InputQueue(0n).watermarkMs(5000)).toBeLessThan(0);
  });

  test("loses, doubles and reorders nothing over any pushes, takes and drops", () => {
    const step = fc.record({ pushed: fc.nat(2000), taken: fc.nat(1500), isDropped: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const queue = new InputQueue(0n);
        let next = 0n;
        const got: bigint[] = [];
        for (const { pushed, taken, isDropped } of steps) {
          queue.push(run(next, pushed));
          next += BigInt(pushed);
          const batch = queue.peek(taken, 1_000_000);
          if (!isDropped) continue;
          queue.drop(batch);
          got.push(...batch.records.map(({ offset }) => offset));
          expect(batch.next).toBe(BigInt(got.length));
        }
        got.push(...offsets(queue, 100_000));
        expect(got).toEqual(Array.from({ length: Number(next) }, (_, index) => BigInt(index)));
        expect(queue.bytes).toBe(queue.length * 10);
      }),
      { numRuns: 50 },
    );
  });
});
