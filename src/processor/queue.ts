// Read-ahead of one lane: records that were fetched and wait for their block, as bytes: a decoded intent takes ten times
// the memory. Bounded by the reader asking `hasRoom`.

import type { InputRecord, Run } from "../kafka/port.ts";

export type Taken = {
  readonly records: readonly InputRecord[];
  readonly next: bigint;
  readonly last: InputRecord | null;
};

/** The records of one input topic in order, with the position behind them. */
export class InputQueue {
  #items: InputRecord[] = [];
  #head = 0;
  /** position behind everything received */
  #next: bigint;
  /** position behind everything taken */
  #taken: bigint;
  /** records before this are known not to exist: the last empty fetch began then (process clock) */
  #caughtUpAtMs = 0;
  bytes = 0;
  /** end of the log as far as the last fetch told */
  logEnd: bigint;

  constructor(next: bigint) {
    this.logEnd = next;
    this.#next = next;
    this.#taken = next;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  get receivedTo(): bigint {
    return this.#next;
  }

  push({ records, nextOffset, logEnd }: Pick<Run, "records" | "nextOffset" | "logEnd">): void {
    for (const record of records) {
      this.#items.push(record);
      this.bytes += size(record);
    }
    this.#next = nextOffset;
    this.logEnd = logEnd > nextOffset ? logEnd : nextOffset;
  }

  caughtUp(next: bigint, startedAtMs: number): void {
    if (next < this.#next) return; // an answer from before what came since
    this.#next = next;
    this.logEnd = next;
    this.#caughtUpAtMs = startedAtMs;
  }

  /** No record appended before this moment is still to come; `marginMs` covers the difference of the clocks. */
  watermarkMs(marginMs: number): number {
    const first = this.#items[this.#head];
    return first === undefined ? this.#caughtUpAtMs - marginMs : first.appendedAtMs;
  }

  oldestMs(): number | null {
    return this.#items[this.#head]?.appendedAtMs ?? null;
  }

  /** What a batch could take next; nothing moves until `drop`. */
  peek(recordsMax: number, bytesMax: number): Taken {
    let bytes = 0;
    let end = this.#head;
    for (; end < this.#items.length && end - this.#head < recordsMax; end++) {
      bytes += size(this.#items[end] as InputRecord);
      if (end > this.#head && bytes > bytesMax) break;
    }
    const records = this.#items.slice(this.#head, end);
    const last = records.at(-1) ?? null;
    if (end === this.#items.length) return { records, next: this.#next, last };
    return { records, next: last === null ? this.#taken : last.offset + 1n, last };
  }

  drop(taken: Taken): void {
    for (const record of taken.records) this.bytes -= size(record);
    this.#head += taken.records.length;
    this.#taken = taken.next;
    if (this.#head > 1024 || this.#head === this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}

function size(record: InputRecord): number {
  return (record.key?.length ?? 0) + (record.value?.length ?? 0);
}
