// CRC-32C (Castagnoli), which guards every record batch. Node's zlib offers the other CRC-32 only. Eight tables let eight
// bytes go in one step: about five times the speed of one table.

const POLYNOMIAL = 0x82f63b78;
const TABLES = buildTables();

function buildTables(): Int32Array[] {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  const [first = new Int32Array(256)] = tables;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc;
  }
  for (let level = 1; level < 8; level++) {
    const below = tables[level - 1] as Int32Array;
    const table = tables[level] as Int32Array;
    for (let byte = 0; byte < 256; byte++) {
      const crc = below[byte] as number;
      table[byte] = (crc >>> 8) ^ (first[crc & 0xff] as number);
    }
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** @returns the checksum of `bytes` from `start` to `end`, unsigned */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    crc ^= octet(bytes, at) | (octet(bytes, at + 1) << 8) | (octet(bytes, at + 2) << 16) | (octet(bytes, at + 3) << 24);
    crc =
      word(T7, crc & 0xff) ^
      word(T6, (crc >>> 8) & 0xff) ^
      word(T5, (crc >>> 16) & 0xff) ^
      word(T4, crc >>> 24) ^
      word(T3, octet(bytes, at + 4)) ^
      word(T2, octet(bytes, at + 5)) ^
      word(T1, octet(bytes, at + 6)) ^
      word(T0, octet(bytes, at + 7));
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ word(T0, (crc ^ octet(bytes, at)) & 0xff);
  return (crc ^ -1) >>> 0;
}

function octet(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function word(table: Int32Array, at: number): number {
  return table[at] as number;
}
