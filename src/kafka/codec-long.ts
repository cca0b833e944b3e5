// Eight bytes through which every 64-bit integer passes, in both directions: the Avro library hands such integers over as
// bytes, and a fresh buffer for each would cost more than all the rest of reading one.

/** The eight bytes, little-endian, through which 64-bit integers pass; each use ends before the next begins. */
export const LONG_BYTES = Buffer.from(new ArrayBuffer(8));
/** The same bytes as words. */
export const LONG = new DataView(LONG_BYTES.buffer);

export function longOfBytes(): bigint {
  return LONG.getBigInt64(0, true);
}

export function bytesOfLong(value: bigint): Buffer {
  LONG.setBigInt64(0, value, true);
  return LONG_BYTES;
}
