// Read-ahead of one lane: what was fetched and taken in, waiting for its block. Bounded by the reader asking `hasRoom`.

import type { IntentInput } from "../domain/books.ts";
import type { InputRecord } from "../kafka/port.ts";
import type { Misfit } from "./intake.ts";

export type Waiting = { readonly record: InputRecord; readonly input: IntentInput | Misfit | null };

export type Taken = { readonly items: readonly Waiting[]; readonly next: bigint; readonly last: InputRecord | null };

/** The records of one input topic in order, with the position behind them. */
export class InputQueue {
  #items: Waiting[] = [];
  #head = 0;
  /** position behind everything received */
  #next: bigint;
  /** position behind everything taken */
  #taken: bigint;
  /** records before this are known not to exist: the last empty fetch began then (process clock) */
  #caughtUpAtMs = 0;
  bytes = 0;

  constructor(next: bigint) {
    this.#next = next;
    this.#taken = next;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  get receivedTo(): bigint {
    return this.#next;
  }

  push(items: readonly Waiting[], next: bigint): void {
    for (const item of items) {
      this.#items.push(item);
      this.bytes += size(item.record);
    }
    this.#next = next;
  }

  caughtUp(next: bigint, startedAtMs: number): void {
    if (next < this.#next) return; // an answer from before what came since
    this.#next = next;
    this.#caughtUpAtMs = startedAtMs;
  }

  /** No record appended before this moment is still to come; `marginMs` covers the difference of the clocks. */
  watermarkMs(marginMs: number): number {
    const first = this.#items[this.#head];
    return first === undefined ? this.#caughtUpAtMs - marginMs : first.record.appendedAtMs;
  }

  oldestMs(): number | null {
    return this.#items[this.#head]?.record.appendedAtMs ?? null;
  }

  /** What a batch could take next; nothing moves until `drop`. */
  peek(itemsMax: number, bytesMax: number): Taken {
    const items: Waiting[] = [];
    let bytes = 0;
    for (let at = this.#head; at < this.#items.length && items.length < itemsMax; at++) {
      const item = this.#items[at] as Waiting;
      bytes += size(item.record);
      if (items.length > 0 && bytes > bytesMax) break;
      items.push(item);
    }
    const last = items.at(-1)?.record ?? null;
    if (items.length === this.length) return { items, next: this.#next, last };
    return { items, next: last === null ? this.#taken : last.offset + 1n, last };
  }

  drop(taken: Taken): void {
    for (const item of taken.items) this.bytes -= size(item.record);
    this.#head += taken.items.length;
    this.#taken = taken.next;
    if (this.#head > 1024 || this.#head === this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Puts another reading of the first item in its place: an intent that the database refuses becomes a misfit. */
  replaceFirst(input: Misfit): void {
    const first = this.#items[this.#head];
    if (first !== undefined) this.#items[this.#head] = { record: first.record, input };
  }
}

function size(record: InputRecord): number {
  return (record.key?.length ?? 0) + (record.value?.length ?? 0);
}
