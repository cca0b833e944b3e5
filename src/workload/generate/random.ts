// Chance that a seed repeats exactly, on every machine.

import { assert } from "../../domain/assert.ts";

const UINT32 = 2 ** 32;

/** The generator sfc32: four words of state, good in statistical tests and cheap.
 *  @source Chris Doty-Humphrey, PractRand (public domain) */
export class Random {
  readonly #words = new Uint32Array(4);

  /** @param seed any whole number */
  constructor(seed: number) {
    assert(Number.isSafeInteger(seed), `a seed is a whole number, not ${seed}`);
    this.#words.set([seed >>> 0, Math.floor(seed / UINT32) >>> 0, 0x9e3779b9, 1]);
    for (let round = 0; round < 16; round++) this.uint32(); // neighbouring seeds begin alike
  }

  uint32(): number {
    const words = this.#words;
    const [a = 0, b = 0, c = 0, counter = 0] = words;
    const result = (a + b + counter) >>> 0;
    words[3] = counter + 1;
    words[0] = b ^ (b >>> 9);
    words[1] = c + (c << 3);
    words[2] = ((c << 21) | (c >>> 11)) + result;
    return result;
  }

  /** 0 <= x < 1 */
  unit(): number {
    return this.uint32() / UINT32;
  }

  /** a whole number, 0 <= x < `limit` */
  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  /** true in `share` of the cases, 0 to 1 */
  happens(share: number): boolean {
    return this.unit() < share;
  }

  fill(bytes: Buffer): void {
    for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.writeUInt32LE(this.uint32(), at);
    for (let at = bytes.length & ~3; at < bytes.length; at++) bytes[at] = this.uint32() & 0xff;
  }
}

/** Picks numbers below `count`: all alike with exponent 0, else number `n` in proportion to `1 / (n + 1) ^ exponent`. */
export function zipfPicker(count: number, exponent: number): (random: Random) => number {
  assert(count > 0, `nothing to pick from ${count}`);
  if (exponent === 0) return (random) => random.below(count);
  const sums = new Float64Array(count);
  let sum = 0;
  for (let at = 0; at < count; at++) {
    sum += 1 / (at + 1) ** exponent;
    sums[at] = sum;
  }
  return (random) => firstAbove(sums, random.unit() * sum);
}

function firstAbove(sums: Float64Array, value: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sums[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
