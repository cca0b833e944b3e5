// The bytes under the Avro library, when writing. Its own tap writes into a buffer of a given size and says afterwards how
// much was missing, and writes a lone surrogate as bytes that are not UTF-8. This one grows, so that many messages share
// one buffer, and a lone surrogate becomes U+FFFD, as everywhere else in Node.

import { UTF8_BYTES_MAX, writeUtf8 } from "../domain/utf8.ts";
import { LONG } from "./codec-long.ts";

/** Below so many bytes a string's length fits one byte. */
const SHORT_STRING = 64;
const LONG_BYTES_MAX = 10;

/** Writes one message after another into a buffer that grows. */
export class WriteTap {
  #buffer: Buffer;
  #at = 0;

  constructor(capacityBytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(capacityBytes, 64));
  }

  get length(): number {
    return this.#at;
  }

  /** The buffer itself, longer than what has been written; another one once it has grown. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  truncate(length: number): void {
    this.#at = length;
  }

  /** Makes room for `size` bytes and returns where to put them; the caller moves on by what it used. It may replace the
   *  buffer, so it is a statement of its own: within an expression the old buffer would already have been looked up. */
  #reserve(size: number): number {
    const needed = this.#at + size;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#at);
      this.#buffer = grown;
    }
    return this.#at;
  }

  isValid(): boolean {
    return true;
  }

  /** Zero and the schema id, big-endian: the Confluent header. */
  writeHeader(schemaId: number): void {
    const at = this.#reserve(5);
    this.#buffer[at] = 0;
    this.#at = this.#buffer.writeInt32BE(schemaId, at + 1);
  }

  writeBoolean(value: boolean): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value ? 1 : 0;
    this.#at = at + 1;
  }

  writeInt(value: number): void {
    this.writeLong(value);
  }

  /** For ints, lengths and union branches: all within 32 bits. */
  writeLong(value: number): void {
    this.#writeWords((value << 1) ^ (value >> 31), 0);
  }

  /** Writes the integer that bytesOfLong has put into LONG_BYTES. */
  packLongBytes(): void {
    const low = LONG.getInt32(0, true);
    const high = LONG.getInt32(4, true);
    const sign = high >> 31;
    this.#writeWords((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
  }

  #writeWords(lowWord: number, highWord: number): void {
    let at = this.#reserve(LONG_BYTES_MAX);
    let low = lowWord >>> 0;
    let high = highWord >>> 0;
    while (high !== 0 || low > 0x7f) {
      this.#buffer[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[at++] = low;
    this.#at = at;
  }

  writeFloat(value: number): void {
    const at = this.#reserve(4);
    this.#at = this.#buffer.writeFloatLE(value, at);
  }

  writeDouble(value: number): void {
    const at = this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, at);
  }

  writeFixed(bytes: Buffer): void {
    const at = this.#reserve(bytes.length);
    this.#at = at + bytes.copy(this.#buffer, at);
  }

  writeBytes(bytes: Buffer): void {
    this.writeLong(bytes.length);
    this.writeFixed(bytes);
  }

  writeString(text: string): void {
    if (text.length < SHORT_STRING && this.#writeShort(text)) return;
    const size = Buffer.byteLength(text);
    this.writeLong(size);
    const at = this.#reserve(size);
    this.#at = at + this.#buffer.write(text, at, size, "utf8");
  }

  /** Nearly every string is short: written behind the byte for its length, it need not be measured first.
   *  @returns false, and nothing is written, when it takes more bytes */
  #writeShort(text: string): boolean {
    const at = this.#reserve(1 + UTF8_BYTES_MAX * SHORT_STRING);
    const end = writeUtf8(this.#buffer, text, at + 1);
    const size = end - at - 1;
    if (size >= SHORT_STRING) return false;
    this.#buffer[at] = size << 1;
    this.#at = end;
    return true;
  }

  /** Defaults, which the library keeps encoded with one character a byte. */
  writeBinary(text: string, size: number): void {
    const at = this.#reserve(size);
    this.#at = at + this.#buffer.write(text, at, size, "latin1");
  }
}
