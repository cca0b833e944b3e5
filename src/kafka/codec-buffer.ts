// All messages of one block, one after another in one buffer: the digest is computed over it in one pass and Postgres
// takes it as one parameter.

import { assert, failed } from "../domain/assert.ts";
import { WriteTap } from "./codec-write-tap.ts";

/** Where the block's digest lies in every message of a block: behind the Confluent header, first field of the record. */
export const BLOCK_DIGEST_OFFSET = 5;
export const BLOCK_DIGEST_BYTES = 8;

const CAPACITY_BYTES = 65_536;

/** What a message is written by. */
export type Writes = { write(tap: WriteTap, value: unknown): void };

/** Messages in the order in which encoders added them. Views that it hands out are valid until the next message is
 *  added or the buffer is cleared. */
export class MessageBuffer {
  readonly #tap: WriteTap;
  readonly #ends: number[] = [];

  /** @param capacityBytes what to start with; it doubles when that is not enough */
  constructor(capacityBytes: number = CAPACITY_BYTES) {
    this.#tap = new WriteTap(capacityBytes);
  }

  get count(): number {
    return this.#ends.length;
  }

  /** Bytes of all messages. */
  get length(): number {
    return this.#tap.length;
  }

  /** Where each message ends; each begins where the one before it ends. */
  get ends(): readonly number[] {
    return this.#ends;
  }

  start(index: number): number {
    return index === 0 ? 0 : this.end(index - 1);
  }

  end(index: number): number {
    const end = this.#ends[index];
    if (end === undefined) failed(`message ${index} of ${this.#ends.length} does not exist`);
    return end;
  }

  /** All messages, a view. */
  bytes(): Buffer {
    return this.#tap.buffer.subarray(0, this.#tap.length);
  }

  /** One message with its header, a view. */
  message(index: number): Buffer {
    return this.#tap.buffer.subarray(this.start(index), this.end(index));
  }

  /** Puts the first bytes of the block's digest into every message. Only for messages whose schema begins with it. */
  stampDigest(digest: Buffer): void {
    if (digest.length < BLOCK_DIGEST_BYTES) failed(`a digest of ${digest.length} bytes is too short`);
    let start = 0;
    for (const end of this.#ends) {
      assert(end - start >= BLOCK_DIGEST_OFFSET + BLOCK_DIGEST_BYTES, "a message is too short to hold a digest");
      digest.copy(this.#tap.buffer, start + BLOCK_DIGEST_OFFSET, 0, BLOCK_DIGEST_BYTES);
      start = end;
    }
  }

  clear(): void {
    this.#tap.truncate(0);
    this.#ends.length = 0;
  }

  /** Adds one message; when `type` cannot write the value nothing has been added.
   *  For encoders: everything else goes through them. */
  append(schemaId: number, type: Writes, value: unknown): void {
    const start = this.#tap.length;
    try {
      this.#tap.writeHeader(schemaId);
      type.write(this.#tap, value);
    } catch (error) {
      this.#tap.truncate(start);
      throw error;
    }
    this.#ends.push(this.#tap.length);
  }
}
