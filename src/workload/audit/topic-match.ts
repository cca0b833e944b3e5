// Lays what a lane committed beside what its partition of a topic holds, message by message: the same bytes, in order,
// each once, contiguous from 0 or from where the topic's retention begins.

import type { InputRecord } from "../../kafka/port.ts";
import type { MessageRow } from "../../store/audit.ts";
import type { Findings, Invariant } from "./findings.ts";
import type { Stream } from "./stream.ts";

export type Published = {
  readonly records: Stream<InputRecord>;
  /** first offset that the partition still has; 0n: nothing has expired */
  readonly low: bigint;
  /** last sequence that the relay wrote down as published, before the partition's end was asked for; -1n: none */
  readonly marked: bigint;
  /** sequence of a message; null when it is none of ours */
  readonly sequenceOf: (value: Buffer | null) => Promise<bigint | null>;
  /** the committed message of a sequence, for a repeat */
  readonly committed: (sequence: bigint) => Promise<Buffer | null>;
};

export type MatchPlace = {
  readonly findings: Findings;
  readonly invariant: Invariant;
  /** for people: topic and partition */
  readonly name: string;
  /** messages before this sequence are of blocks that are not audited */
  readonly from: bigint;
  /** messages from this sequence on came after the cut */
  readonly until: bigint;
};

export class TopicMatch {
  readonly #published: Published;
  readonly #place: MatchPlace;
  #isAligned = false;
  /** sequence behind the last that was looked for */
  #next: bigint;
  /** committed and not found in the topic, nor anything behind it */
  #missingFrom: bigint | null = null;
  /** offset of the last message that was compared; null: none was */
  comparedTo: bigint | null = null;

  constructor(published: Published, place: MatchPlace) {
    this.#published = published;
    this.#place = place;
    this.#next = place.from;
  }

  /** Passes over what is of blocks before the audited ones. */
  async begin(): Promise<void> {
    const { records } = this.#published;
    if (this.#place.from === 0n) return;
    for (let record = await records.peek(); record !== null; record = await records.peek()) {
      const found = await this.#sequenceOf(record);
      if (found !== null && found >= this.#place.from) return;
      this.#isAligned = true;
      records.advance();
    }
  }

  /** How many messages before the cut are not yet published. */
  get backlog(): bigint {
    return this.#missingFrom === null ? 0n : this.#place.until - this.#missingFrom;
  }

  /** The first message that was not published yet; null: all were. */
  get unpublishedFrom(): bigint | null {
    return this.#missingFrom;
  }

  /** The next sequence of the lane, with its row, or null where the outbox has let go of it.
   *  @returns what the topic holds under that sequence; null when nothing */
  async match(sequence: bigint, row: MessageRow | null): Promise<Buffer | null> {
    const { records } = this.#published;
    this.#next = sequence + 1n;
    for (let record = await records.peek(); record !== null; record = await records.peek()) {
      if (row !== null && isSame(row, record)) return this.#matched(record);
      const found = await this.#sequenceOf(record);
      if (found === sequence) {
        if (row !== null) this.#differs(sequence, row, record);
        return this.#matched(record);
      }
      if (found !== null && found > sequence) {
        this.#skipped(sequence, found);
        return null;
      }
      if (found !== null) await this.#repeated(found, sequence, record);
      records.advance();
    }
    this.#absent(sequence);
    return null;
  }

  /** Nothing is left in the partition: not yet published, expired, or lost. */
  #absent(sequence: bigint): void {
    const { low, marked } = this.#published;
    if (sequence > marked) this.#missingFrom ??= sequence;
    else if (this.#isAligned || low === 0n) this.#problem(`sequence ${sequence} was published and is gone`);
  }

  /** The next block begins at `sequence`: what the topic holds before that belongs to no block. */
  async passOver(sequence: bigint): Promise<void> {
    if (sequence <= this.#next) return;
    await this.#rest(sequence);
  }

  /** After the last sequence of any block: what is left may only be newer than the cut.
   *  @returns the newest sequence behind the cut; null when there is none */
  async finish(): Promise<bigint | null> {
    await this.#rest(this.#place.until);
    const { records } = this.#published;
    let newest: bigint | null = null;
    for (let record = await records.peek(); record !== null; record = await records.peek()) {
      const found = await this.#sequenceOf(record);
      if (found !== null && found < this.#place.until) await this.#repeated(found, this.#place.until, record);
      else if (found !== null && (newest === null || found > newest)) newest = found;
      records.advance();
    }
    return newest;
  }

  async #rest(until: bigint): Promise<void> {
    const { records } = this.#published;
    for (let record = await records.peek(); record !== null; record = await records.peek()) {
      const found = await this.#sequenceOf(record);
      if (found !== null && found >= until) break;
      if (found !== null && found < this.#next) await this.#repeated(found, this.#next, record);
      else if (found !== null) this.#problem(`offset ${record.offset} holds sequence ${found}, which no block has`);
      records.advance();
    }
    this.#next = until;
  }

  #matched(record: InputRecord): Buffer | null {
    this.#isAligned = true;
    this.comparedTo = record.offset;
    this.#place.findings.checked(this.#place.invariant);
    this.#place.findings.checked("sequences_unique_content");
    this.#published.records.advance();
    return record.value;
  }

  async #sequenceOf(record: InputRecord): Promise<bigint | null> {
    const sequence = await this.#published.sequenceOf(record.value);
    if (sequence === null) this.#problem(`offset ${record.offset} holds no message of ours`);
    return sequence;
  }

  #differs(sequence: bigint, row: MessageRow, record: InputRecord): void {
    const what = record.value !== null && row.value.equals(record.value) ? "key" : "bytes";
    this.#problem(`offset ${record.offset}: sequence ${sequence} has other ${what} than its outbox row`);
    this.#twoContents(sequence, `offset ${record.offset} and its outbox row`);
  }

  #skipped(sequence: bigint, found: bigint): void {
    // Before the first record that is kept, messages have expired; behind it none may be missing.
    if (!this.#isAligned && this.#published.low > 0n) return;
    this.#problem(`sequence ${sequence} is missing; ${found} comes instead`);
  }

  async #repeated(found: bigint, expected: bigint, record: InputRecord): Promise<void> {
    this.#problem(`offset ${record.offset} holds sequence ${found} again, where ${expected} was to come`);
    const committed = await this.#published.committed(found);
    if (committed === null || record.value === null || committed.equals(record.value)) return;
    this.#twoContents(found, `offset ${record.offset} and its outbox row`);
  }

  #problem(text: string): void {
    this.#place.findings.problem(this.#place.invariant, `${this.#place.name} ${text}`);
  }

  #twoContents(sequence: bigint, where: string): void {
    const text = `${this.#place.name} sequence ${sequence} has two contents: ${where}`;
    this.#place.findings.problem("sequences_unique_content", text);
  }
}

function isSame(row: MessageRow, record: InputRecord): boolean {
  return record.value !== null && row.value.equals(record.value) && (record.key?.toString("utf8") ?? "") === row.key;
}
