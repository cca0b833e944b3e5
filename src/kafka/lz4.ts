// Reads the LZ4 frame format, as Kafka's clients write it: a header, then blocks behind their length, the highest bit of
// which says "stored as it is". Checksums inside the frame are skipped: the record batch has its own.

const MAGIC = 0x184d2204;
const STORED_BIT = 0x80000000;
const MIN_MATCH = 4;

/** @throws RangeError when the bytes are not an LZ4 frame */
export function lz4Frame(bytes: Buffer): Buffer {
  if (bytes.readUInt32LE(0) !== MAGIC) throw new RangeError("not an LZ4 frame");
  const flags = bytes.readUInt8(4);
  const hasBlockChecksum = (flags & 0x10) !== 0;
  const hasContentSize = (flags & 0x08) !== 0;
  const hasDictionary = (flags & 0x01) !== 0;
  const out = new Growing(bytes.length * 4);
  let at = 6 + (hasContentSize ? 8 : 0) + (hasDictionary ? 4 : 0) + 1;
  for (;;) {
    const head = bytes.readUInt32LE(at);
    at += 4;
    if (head === 0) return out.taken();
    const length = head & 0x7fffffff;
    if (at + length > bytes.length) throw new RangeError("a block ends behind the frame");
    const block = bytes.subarray(at, at + length);
    if (head & STORED_BIT) out.append(block);
    else readBlock(block, out);
    at += length + (hasBlockChecksum ? 4 : 0);
  }
}

function readBlock(block: Buffer, out: Growing): void {
  let at = 0;
  const extended = (nibble: number): number => {
    if (nibble < 15) return nibble;
    let length = nibble;
    for (;;) {
      const byte = block.readUInt8(at++);
      length += byte;
      if (byte < 255) return length;
    }
  };
  while (at < block.length) {
    const token = block.readUInt8(at++);
    const literals = extended(token >>> 4);
    if (at + literals > block.length) throw new RangeError("literals end behind the block");
    out.append(block.subarray(at, at + literals));
    at += literals;
    if (at === block.length) return;
    const distance = block.readUInt16LE(at);
    at += 2;
    out.repeat(distance, extended(token & 15) + MIN_MATCH);
  }
}

class Growing {
  #bytes: Buffer;
  #length = 0;

  constructor(sizeBytes: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(sizeBytes, 64));
  }

  append(piece: Buffer): void {
    this.#reserve(piece.length);
    piece.copy(this.#bytes, this.#length);
    this.#length += piece.length;
  }

  repeat(distance: number, length: number): void {
    if (distance === 0 || distance > this.#length) throw new RangeError("a match begins before the frame");
    this.#reserve(length);
    // Byte by byte: source and target overlap when a short pattern repeats.
    for (let i = 0; i < length; i++, this.#length++) {
      this.#bytes.writeUInt8(this.#bytes.readUInt8(this.#length - distance), this.#length);
    }
  }

  taken(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const wider = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(wider, 0, 0, this.#length);
    this.#bytes = wider;
  }
}
