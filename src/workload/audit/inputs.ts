// One input topic of a lane, block by block: which records a block took, and the hash of the last one, which its digest
// holds and its row does not.

import type { InputRecord } from "../../kafka/port.ts";
import { hashOfRecord } from "./hashes.ts";
import type { Stream } from "./stream.ts";

const NO_RECORD = Buffer.alloc(0);

export type InputSpan = {
  readonly from: bigint;
  readonly next: bigint;
  /** the block only took over a position that an operator had accepted */
  readonly isMoved: boolean;
};

export type TakenRecords = {
  readonly records: readonly InputRecord[];
  /** records from this offset on are all known; null: none of this block's are */
  readonly knownFrom: bigint | null;
  /** records that lie before the block and that no block before it took */
  readonly skipped: readonly InputRecord[];
};

/** The last record that was taken: null when it is not known any more. */
export type LastTaken = { readonly hash: Buffer | null; readonly offset: bigint | null };

export const NOTHING_TAKEN: LastTaken = { hash: NO_RECORD, offset: -1n };
const UNKNOWN_TAKEN: LastTaken = { hash: null, offset: null };

export type InputBeginning = {
  /** whether the first audited block already took its records from the topic of today */
  readonly isReadable: boolean;
  /** before the first audited block; null when that is not known */
  readonly last: LastTaken | null;
};

export class InputTrail {
  readonly #stream: Stream<InputRecord>;
  readonly #low: bigint;
  /** false while the topic of these blocks may be another one than the topic of today */
  #isReadable: boolean;
  /** of the last record taken so far; null when it is not known any more */
  lastHash: Buffer | null;
  lastOffset: bigint | null;

  /** @param low where the stream begins */
  constructor(stream: Stream<InputRecord>, low: bigint, begins: InputBeginning) {
    this.#stream = stream;
    this.#low = low;
    this.#isReadable = begins.isReadable;
    const { hash, offset } = begins.last ?? UNKNOWN_TAKEN;
    this.lastHash = hash;
    this.lastOffset = offset;
  }

  async take({ from, next, isMoved }: InputSpan): Promise<TakenRecords> {
    if (isMoved) return this.#jump(from, next);
    if (next <= from) return { records: [], knownFrom: this.#knownFrom(from), skipped: [] };
    const skipped = this.#isReadable ? await this.#stream.takeWhile((record) => record.offset < from) : [];
    const records = this.#isReadable ? await this.#stream.takeWhile((record) => record.offset < next) : [];
    const last = records.at(-1);
    if (last !== undefined) {
      this.lastHash = hashOfRecord(last);
      this.lastOffset = last.offset;
    } else if (!this.#isReadable || this.#low > from) {
      // Gone from the log. Markers alone leave the record before them the last one.
      this.lastHash = null;
      this.lastOffset = null;
    }
    return { records, knownFrom: this.#knownFrom(next), skipped };
  }

  /** What is left when every block is through: records before the cut that no block took. */
  async rest(): Promise<readonly InputRecord[]> {
    return this.#isReadable ? this.#stream.takeWhile(() => true) : [];
  }

  #knownFrom(next: bigint): bigint | null {
    return this.#isReadable && this.#low < next ? this.#low : null;
  }

  #jump(from: bigint, next: bigint): TakenRecords {
    if (next !== from) {
      this.lastHash = NO_RECORD;
      this.lastOffset = -1n;
    }
    return { records: [], knownFrom: null, skipped: [] };
  }

  /** From here on blocks took their records from the topic of today. */
  becomeReadable(): void {
    this.#isReadable = true;
  }
}
