// Messages that are committed and not yet published, in one sequence without a gap.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionFailed } from "../../src/domain/assert.ts";
import { type OutgoingMessage, OutgoingQueue } from "../../src/relay/outgoing-queue.ts";

function message(sequence: bigint, bytes = 67): OutgoingMessage {
  return { sequence, key: "k", value: Buffer.alloc(bytes) }; // 100 bytes with key and overhead
}

function messages(from: bigint, count: number): OutgoingMessage[] {
  return Array.from({ length: count }, (_, index) => message(from + BigInt(index)));
}

function sequences(queue: OutgoingQueue, recordsMax = 10_000, bytesMax = 10_000_000): bigint[] {
  return queue.peek(recordsMax, bytesMax).map(({ sequence }) => sequence);
}

describe("the outgoing queue", () => {
  test("begins at the sequence of the first message that will come", () => {
    const queue = new OutgoingQueue(7n);
    expect([queue.begin, queue.end, queue.publishedTo, queue.length]).toEqual([7n, 7n, 6n, 0]);
    expect(queue.oldestSinceMs).toBeNull();
    queue.push(message(7n));
    expect([queue.begin, queue.end, queue.length]).toEqual([7n, 8n, 1]);
    expect(queue.oldestSinceMs).not.toBeNull();
  });

  test.each([6n, 8n])("takes no message out of its sequence: %s after 6", (sequence) => {
    expect(() => new OutgoingQueue(7n).push(message(sequence))).toThrow(AssertionFailed);
  });

  test("puts older messages before, and only such as join", () => {
    const queue = new OutgoingQueue(5n);
    queue.push(message(5n));
    queue.prepend(messages(2n, 3));
    expect([sequences(queue), queue.begin]).toEqual([[2n, 3n, 4n, 5n], 2n]);
    expect(() => queue.prepend([message(0n)])).toThrow(AssertionFailed);
    queue.prepend([]);
    expect(queue.length).toBe(4);
  });

  test("hands out batches bounded by records and bytes, at least one message", () => {
    const queue = new OutgoingQueue(0n);
    for (const one of messages(0n, 5)) queue.push(one);
    expect(sequences(queue, 2)).toEqual([0n, 1n]);
    expect(sequences(queue, 9, 300)).toEqual([0n, 1n, 2n]);
    expect(sequences(queue, 9, 299)).toEqual([0n, 1n]);
    expect(sequences(queue, 9, 1)).toEqual([0n]);
  });

  test("goes on behind what was published", () => {
    const queue = new OutgoingQueue(3n);
    for (const one of messages(3n, 4)) queue.push(one);
    queue.published(3, 100n);
    expect(sequences(queue)).toEqual([6n]);
    expect([queue.publishedTo, queue.acknowledged, queue.publishedOffset]).toEqual([5n, 5n, 102n]);
    queue.published(1, 103n);
    expect([queue.length, queue.oldestSinceMs, queue.end]).toEqual([0, null, 7n]);
  });

  test("forgets what a tail proves to be published, and nothing else is taken for acknowledged", () => {
    const queue = new OutgoingQueue(0n);
    for (const one of messages(0n, 4)) queue.push(one);
    queue.forgetBefore(3n);
    expect([sequences(queue), queue.publishedTo, queue.acknowledged]).toEqual([[3n], 2n, -1n]);
    queue.forgetBefore(1n); // a tail further back: older messages are loaded before those here
    expect([sequences(queue), queue.begin, queue.publishedTo]).toEqual([[3n], 3n, 0n]);
  });

  test("wakes who waits when something is there, and lets go after a while in any case", async () => {
    const queue = new OutgoingQueue(0n);
    const woken = queue.wait(60_000);
    queue.rouse(); // nothing is there yet
    queue.push(message(0n));
    queue.rouse();
    await woken;
    await new OutgoingQueue(0n).wait(5);
    const empty = new OutgoingQueue(0n);
    const left = empty.wait(60_000);
    empty.letGo();
    await left;
  });

  test("keeps the sequence over any pushes and publications", () => {
    const step = fc.record({ pushed: fc.nat(3000), published: fc.nat(5000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 10 }), (steps) => {
        const queue = new OutgoingQueue(0n);
        let [next, done] = [0n, 0n];
        for (const { pushed, published } of steps) {
          for (const one of messages(next, pushed)) queue.push(one);
          next += BigInt(pushed);
          const batch = sequences(queue, published);
          expect(batch).toEqual(Array.from({ length: batch.length }, (_, index) => done + BigInt(index)));
          if (batch.length > 0) queue.published(batch.length, done);
          done += BigInt(batch.length);
          expect([queue.begin, queue.end]).toEqual([done, next]);
        }
      }),
      { numRuns: 30 },
    );
  });
});
