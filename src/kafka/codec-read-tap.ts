// The bytes under the Avro library, when reading. Its compiled readers call an object that it names a tap; this one stands
// in for its own, which never fails: reading past the end gives zeroes. A map that claims 2^50 entries in a message of 60
// bytes then keeps the process busy for days, and a block that claims a negative size sends it backwards for ever. Here
// every step is checked against the end, so that hostile bytes cost no more than honest ones.

import { isUtf8 } from "node:buffer";
import { LONG, LONG_BYTES } from "./codec-long.ts";

/** Bytes that do not follow their schema. The message says what and where, and never quotes them. */
export class Malformed extends Error {
  override name = "Malformed";
}

const REPLACEMENT = "\uFFFD";

/** Reads one message; `reset` begins the next. Every method but `reset` throws Malformed. */
export class ReadTap {
  #buffer: Buffer = LONG_BYTES;
  #at = 0;

  reset(buffer: Buffer, at: number): void {
    this.#buffer = buffer;
    this.#at = at;
  }

  get pos(): number {
    return this.#at;
  }

  /** The library moves `pos` itself when it skips a block by its size. */
  set pos(to: number) {
    if (!(to >= this.#at)) throw new Malformed(`a block at byte ${this.#at} has a negative size`);
    this.#take(to - this.#at);
  }

  /** Nothing invalid gets this far: each method has thrown before. */
  isValid(): boolean {
    return true;
  }

  atEnd(): boolean {
    return this.#at === this.#buffer.length;
  }

  /** Steps over `size` bytes and returns where they begin. */
  #take(size: number): number {
    const at = this.#at;
    const end = at + size;
    if (!(size >= 0)) throw new Malformed(`a negative length at byte ${at}`);
    if (end > this.#buffer.length) {
      throw new Malformed(`${size} bytes wanted at byte ${at}, the message ends at ${this.#buffer.length}`);
    }
    this.#at = end;
    return at;
  }

  #byte(): number {
    const byte = this.#buffer[this.#at];
    if (byte === undefined) throw new Malformed(`the message ends at byte ${this.#at}, within a value`);
    this.#at += 1;
    return byte;
  }

  readBoolean(): boolean {
    const byte = this.#byte();
    if (byte > 1) throw new Malformed(`a boolean at byte ${this.#at - 1} is neither 0 nor 1`);
    return byte === 1;
  }

  skipBoolean(): void {
    this.#byte();
  }

  readInt(): number {
    const value = this.readLong();
    if (value !== (value | 0)) throw new Malformed(`an int before byte ${this.#at} is beyond 32 bits`);
    return value;
  }

  /** For lengths, counts and union branches; 64-bit fields come through unpackLongBytes. */
  readLong(): number {
    const first = this.#byte();
    if (first < 0x80) return (first >>> 1) ^ -(first & 1);
    this.#at -= 1;
    this.unpackLongBytes();
    const value = LONG.getInt32(4, true) * 0x1_0000_0000 + LONG.getUint32(0, true);
    if (!Number.isSafeInteger(value)) throw new Malformed(`a length or count before byte ${this.#at} is absurd`);
    return value;
  }

  skipInt(): void {
    this.skipLong();
  }

  skipLong(): void {
    this.unpackLongBytes();
  }

  /** Reads a zigzag variable-length integer of up to 64 bits into LONG_BYTES. */
  unpackLongBytes(): Buffer {
    let low = 0; // bits 0 to 27
    let middle = 0; // bits 28 to 55
    let high = 0; // bits 56 to 63
    let byte = 0x80;
    for (let group = 0; byte >= 0x80; group += 1) {
      byte = this.#byte();
      const bits = byte & 0x7f;
      if (group < 4) low |= bits << (7 * group);
      else if (group < 8) middle |= bits << (7 * (group - 4));
      else if (group === 8) high = bits;
      else if (group === 9 && byte <= 1) high |= bits << 7;
      else throw new Malformed(`an integer before byte ${this.#at} is beyond 64 bits`);
    }
    const lowWord = low | (middle << 28);
    const highWord = (middle >>> 4) | (high << 24);
    const sign = -(lowWord & 1);
    LONG.setInt32(0, ((lowWord >>> 1) | (highWord << 31)) ^ sign, true);
    LONG.setInt32(4, (highWord >>> 1) ^ sign, true);
    return LONG_BYTES;
  }

  readFloat(): number {
    return this.#buffer.readFloatLE(this.#take(4));
  }

  skipFloat(): void {
    this.#take(4);
  }

  readDouble(): number {
    return this.#buffer.readDoubleLE(this.#take(8));
  }

  skipDouble(): void {
    this.#take(8);
  }

  /** A copy, so that a kept value does not keep a whole fetch response. */
  readFixed(size: number): Buffer {
    const at = this.#take(size);
    return Buffer.from(this.#buffer.subarray(at, at + size));
  }

  skipFixed(size: number): void {
    this.#take(size);
  }

  readBytes(): Buffer {
    return this.readFixed(this.readLong());
  }

  skipBytes(): void {
    this.#take(this.readLong());
  }

  readString(): string {
    const size = this.readLong();
    const at = this.#take(size);
    const text = this.#buffer.toString("utf8", at, at + size);
    // Broken UTF-8 shows as U+FFFD, which may also have been sent on purpose: only then is it worth a second look.
    if (text.includes(REPLACEMENT) && !isUtf8(this.#buffer.subarray(at, at + size))) {
      throw new Malformed(`a string at byte ${at} is not UTF-8`);
    }
    return text;
  }

  skipString(): void {
    this.skipBytes();
  }
}
