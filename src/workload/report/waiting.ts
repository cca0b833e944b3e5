// The intents that wait for their answer, each with the time at which it was due. A table in flat arrays with open
// addressing: 16 bytes a slot, at most half of the slots in use, so at most 128 MiB for WAITING_MAX intents.

/** More than this many at a time are not kept track of: 800 seconds of a service that stands still at 5,000 a second. */
export const WAITING_MAX = 4_194_304;

const SLOTS_FIRST = 1 << 12;
const EMPTY = 0;

export class Waiting {
  readonly #max: number;
  #low = new Uint32Array(SLOTS_FIRST);
  #high = new Uint32Array(SLOTS_FIRST);
  #dueMs = new Float64Array(SLOTS_FIRST);
  #count = 0;

  constructor(max = WAITING_MAX) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** The same identity may wait several times: a repeat.
   *  @param dueMs above 0
   *  @returns false when there is no room, and it is not kept */
  add(low: number, high: number, dueMs: number): boolean {
    if (this.#count >= this.#max) return false;
    if (this.#count * 2 >= this.#dueMs.length) this.#grow();
    this.#put(low, high, dueMs);
    this.#count += 1;
    return true;
  }

  /** Takes out the one of this identity that was due first: a lane answers in the order in which it was asked.
   *  @returns its due time; null when none waits */
  take(low: number, high: number): number | null {
    const mask = this.#dueMs.length - 1;
    let found = -1;
    for (let at = low & mask; this.#dueMs[at] !== EMPTY; at = (at + 1) & mask) {
      if (this.#low[at] !== low || this.#high[at] !== high) continue;
      if (found === -1 || this.#due(at) < this.#due(found)) found = at;
    }
    if (found === -1) return null;
    const dueMs = this.#due(found);
    this.#remove(found);
    this.#count -= 1;
    return dueMs;
  }

  /** null when nothing waits */
  firstDueMs(): number | null {
    let first = Number.POSITIVE_INFINITY;
    for (const dueMs of this.#dueMs) if (dueMs !== EMPTY && dueMs < first) first = dueMs;
    return this.#count === 0 ? null : first;
  }

  #due(at: number): number {
    return this.#dueMs[at] ?? EMPTY;
  }

  #put(low: number, high: number, dueMs: number): void {
    const mask = this.#dueMs.length - 1;
    let at = low & mask;
    while (this.#dueMs[at] !== EMPTY) at = (at + 1) & mask;
    this.#low[at] = low;
    this.#high[at] = high;
    this.#dueMs[at] = dueMs;
  }

  /** Moves those behind up that would not be found across the hole. */
  #remove(removed: number): void {
    const mask = this.#dueMs.length - 1;
    let hole = removed;
    for (let at = (hole + 1) & mask; this.#dueMs[at] !== EMPTY; at = (at + 1) & mask) {
      const home = (this.#low[at] ?? 0) & mask;
      const isBetween = hole <= at ? hole < home && home <= at : hole < home || home <= at;
      if (isBetween) continue;
      this.#low[hole] = this.#low[at] ?? 0;
      this.#high[hole] = this.#high[at] ?? 0;
      this.#dueMs[hole] = this.#due(at);
      hole = at;
    }
    this.#dueMs[hole] = EMPTY;
  }

  #grow(): void {
    const [low, high, dueMs] = [this.#low, this.#high, this.#dueMs];
    this.#low = new Uint32Array(low.length * 2);
    this.#high = new Uint32Array(low.length * 2);
    this.#dueMs = new Float64Array(low.length * 2);
    for (const [at, due] of dueMs.entries()) if (due !== EMPTY) this.#put(low[at] ?? 0, high[at] ?? 0, due);
  }
}
