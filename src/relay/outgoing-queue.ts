// Messages of one lane and topic that are committed and not yet published, without a gap in their sequence.

import { assert, failed } from "../domain/assert.ts";

export type OutgoingMessage = { readonly sequence: bigint; readonly key: string; readonly value: Buffer };

export class OutgoingQueue {
  #messages: OutgoingMessage[] = [];
  #head = 0;
  /** sequence of the first message here, or of the next to come */
  #begin: bigint;
  #wake: (() => void) | null = null;
  #oldestSinceMs: number | null = null;
  publishedTo: bigint;
  publishedOffset = -1n;
  /** last sequence that the broker acknowledged to this queue; -1n: none yet */
  acknowledged = -1n;
  /** sequence that the database's hint holds */
  marked = -2n;

  /** @param next sequence of the first message that the owner will hand over */
  constructor(next: bigint) {
    this.#begin = next;
    this.publishedTo = next - 1n;
  }

  get length(): number {
    return this.#messages.length - this.#head;
  }

  get begin(): bigint {
    return this.#begin;
  }

  /** sequence behind the last message */
  get end(): bigint {
    return this.#begin + BigInt(this.length);
  }

  get oldestSinceMs(): number | null {
    return this.length === 0 ? null : this.#oldestSinceMs;
  }

  push(message: OutgoingMessage): void {
    if (message.sequence !== this.end) failed(`message ${message.sequence} comes after ${this.end - 1n}`);
    if (this.length === 0) this.#oldestSinceMs = performance.now();
    this.#messages.push(message);
  }

  /** Puts older messages, committed by earlier owners, before those here. */
  prepend(older: readonly OutgoingMessage[]): void {
    if (older.length === 0) return;
    assert((older.at(-1) as OutgoingMessage).sequence + 1n === this.#begin, "older messages join without a gap");
    this.#messages = [...older, ...this.#messages.slice(this.#head)];
    this.#head = 0;
    this.#begin = (older[0] as OutgoingMessage).sequence;
    this.#oldestSinceMs ??= performance.now();
  }

  /** Drops what a tail proves to be published. */
  forgetBefore(sequence: bigint): void {
    while (this.length > 0 && this.#begin < sequence) this.#advance(1);
    this.publishedTo = sequence - 1n;
  }

  peek(recordsMax: number, bytesMax: number): OutgoingMessage[] {
    const batch: OutgoingMessage[] = [];
    let bytes = 0;
    for (let at = this.#head; at < this.#messages.length && batch.length < recordsMax; at++) {
      const message = this.#messages[at] as OutgoingMessage;
      bytes += message.value.length + message.key.length + RECORD_OVERHEAD_BYTES;
      if (batch.length > 0 && bytes > bytesMax) break;
      batch.push(message);
    }
    return batch;
  }

  published(count: number, baseOffset: bigint): void {
    this.#advance(count);
    this.publishedTo = this.#begin - 1n;
    this.acknowledged = this.publishedTo;
    this.publishedOffset = baseOffset + BigInt(count) - 1n;
    this.#oldestSinceMs = this.length === 0 ? null : performance.now();
  }

  #advance(count: number): void {
    this.#head += count;
    this.#begin += BigInt(count);
    if (this.#head === this.#messages.length) {
      this.#messages = [];
      this.#head = 0;
    } else if (this.#head > 4096) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
  }

  rouse(): void {
    if (this.length > 0) this.#wake?.();
  }

  /** Ends a wait although nothing is there. */
  letGo(): void {
    this.#wake?.();
  }

  /** Until something is there, at most `ms`. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }
}

/** what a record adds to its key and value, at most */
const RECORD_OVERHEAD_BYTES = 32;

/** Messages that were read are to be published or sent as they follow each other: a partition of the outbox may have gone
 *  from their midst.
 *  @returns the first sequence from `from` on that is not there; null when they follow each other, and there is one */
export function missingIn(messages: readonly OutgoingMessage[], from: bigint): bigint | null {
  let expected = from;
  for (const { sequence } of messages) {
    if (sequence !== expected) return expected;
    expected += 1n;
  }
  return messages.length === 0 ? from : null;
}
