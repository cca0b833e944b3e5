// Reads snappy, plain or in the framing of xerial's snappy-java, which Kafka's Java clients write: a header of 16 bytes,
// then blocks, each behind its length.

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

/** @throws RangeError when the bytes are not snappy */
export function snappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappyBlock(bytes);
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const length = bytes.readInt32BE(at);
    blocks.push(snappyBlock(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

function snappyBlock(bytes: Buffer): Buffer {
  const header = readLength(bytes);
  const out = Buffer.allocUnsafe(header.length);
  let from = header.next;
  let to = 0;
  while (from < bytes.length) {
    const tag = bytes.readUInt8(from++);
    if ((tag & 3) === 0) {
      const literal = literalLength(bytes, tag >>> 2, from);
      check(literal.next + literal.length <= bytes.length && to + literal.length <= out.length);
      bytes.copy(out, to, literal.next, literal.next + literal.length);
      from = literal.next + literal.length;
      to += literal.length;
    } else {
      const copy = copyOf(bytes, tag, from);
      check(copy.distance > 0 && copy.distance <= to && to + copy.length <= out.length);
      // Byte by byte: source and target overlap when a short pattern repeats.
      for (let i = 0; i < copy.length; i++, to++) out.writeUInt8(out.readUInt8(to - copy.distance), to);
      from = copy.next;
    }
  }
  check(to === out.length);
  return out;
}

function readLength(bytes: Buffer): { length: number; next: number } {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = bytes.readUInt8(at);
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return { length, next: at + 1 };
  }
  throw new RangeError("the length is not a number");
}

function literalLength(bytes: Buffer, code: number, at: number): { length: number; next: number } {
  if (code < 60) return { length: code + 1, next: at };
  const width = code - 59;
  return { length: bytes.readUIntLE(at, width) + 1, next: at + width };
}

function copyOf(bytes: Buffer, tag: number, at: number): { length: number; distance: number; next: number } {
  const kind = tag & 3;
  if (kind === 1) {
    return { length: ((tag >>> 2) & 7) + 4, distance: ((tag >>> 5) << 8) | bytes.readUInt8(at), next: at + 1 };
  }
  const length = (tag >>> 2) + 1;
  if (kind === 2) return { length, distance: bytes.readUInt16LE(at), next: at + 2 };
  return { length, distance: bytes.readUInt32LE(at), next: at + 4 };
}

function check(ok: boolean): void {
  if (!ok) throw new RangeError("a piece points outside of the block");
}
