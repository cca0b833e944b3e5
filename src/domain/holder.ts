// Who accounts belong to, and where its money is written. The holder id is the Kafka key, so the home lane is what
// Kafka's default partitioner makes of it; it is computed here too, because a message off its home lane must be noticed.

import { assert } from "./assert.ts";

/** The holder of fees, positions and banks. Reserved: no producer may speak for it. */
export const HOUSE = "house";
export const HOLDER_ID_CHARS_MAX = 64;

/** 1 to 64 of A-Z a-z 0-9 _ . -, by a table: a regular expression takes several times as long, and every account that a
 *  block reads is asked. */
export function isHolderId(text: string): boolean {
  const { length } = text;
  if (length === 0 || length > HOLDER_ID_CHARS_MAX) return false;
  for (let at = 0; at < length; at++) if (IS_ID_CHAR[text.charCodeAt(at)] !== 1) return false;
  return text !== HOUSE;
}

const ID_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
const IS_ID_CHAR = new Uint8Array(128);
for (let at = 0; at < ID_CHARS.length; at++) IS_ID_CHAR[ID_CHARS.charCodeAt(at)] = 1;

/** The partition of every input topic, and so the lane, to which the holder's id hashes. */
export function homeLane(holderId: string, lanes: number): number {
  assert(Number.isInteger(lanes) && lanes > 0, `lanes are counted from 1, not ${lanes}`);
  return (murmur2OfText(holderId) & 0x7fffffff) % lanes;
}

const scratch = new Uint8Array(HOLDER_ID_CHARS_MAX);

function murmur2OfText(text: string): number {
  if (text.length > scratch.length) return murmur2(Buffer.from(text, "utf8"));
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 127) return murmur2(Buffer.from(text, "utf8"));
    scratch[at] = code;
  }
  return hash(scratch, text.length);
}

/** Kafka's 32-bit murmur2 of a key's bytes, signed as in Java.
 *  @source org.apache.kafka.common.utils.Utils.murmur2 (the algorithm is Austin Appleby's, in the public domain) */
export function murmur2(bytes: Uint8Array): number {
  return hash(bytes, bytes.length);
}

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

function hash(bytes: Uint8Array, length: number): number {
  const whole = length & ~3;
  let h = SEED ^ length;
  for (let at = 0; at < whole; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    k = Math.imul(k, MULTIPLIER);
    k ^= k >>> 24;
    h = Math.imul(h, MULTIPLIER) ^ Math.imul(k, MULTIPLIER);
  }
  const rest = length - whole;
  if (rest > 2) h ^= bytes[whole + 2]! << 16;
  if (rest > 1) h ^= bytes[whole + 1]! << 8;
  if (rest > 0) h = Math.imul(h ^ bytes[whole]!, MULTIPLIER);
  h = Math.imul(h ^ (h >>> 13), MULTIPLIER);
  return h ^ (h >>> 15);
}
