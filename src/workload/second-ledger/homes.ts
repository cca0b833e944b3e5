// Where a holder is at home: the partition that Kafka's default partitioner gives its id. Murmur2 with 32-bit numbers as
// bigints, so that nothing can overflow unseen.
// @source org.apache.kafka.common.utils.Utils.murmur2

const BITS_32 = 0xffff_ffffn;
const MIX = 0x5bd1e995n;
const SEED = 0x9747b28cn;

export function isHolder(text: string): boolean {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(text) && text !== "house";
}

export function homeOf(holderId: string, lanes: number): number {
  return Number((murmur(Buffer.from(holderId, "utf8")) & 0x7fff_ffffn) % BigInt(lanes));
}

function murmur(bytes: Buffer): bigint {
  let hash = SEED ^ BigInt(bytes.length);
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    let word = times(BigInt(bytes.readUInt32LE(at)));
    word = times(word ^ (word >> 24n));
    hash = times(hash) ^ word;
  }
  if (at < bytes.length) {
    let rest = 0n;
    for (let last = bytes.length - 1; last >= at; last--) rest = (rest << 8n) | BigInt(bytes[last] as number);
    hash = times(hash ^ rest);
  }
  hash = times(hash ^ (hash >> 13n));
  return hash ^ (hash >> 15n);
}

function times(value: bigint): bigint {
  return (value * MIX) & BITS_32;
}
