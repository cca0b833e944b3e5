// Timers are inputs with a position of their own. Which are due is read from the table when they may be; in between only
// the earliest due time is known, so a lane without timers costs nothing.

import type { TimerInput, TimerKey } from "../domain/books.ts";
import type { TimerPosition } from "../domain/head.ts";
import type { ConnectionPool } from "../store/database.ts";
import { nextTimers } from "../store/lanes.ts";

export class LaneTimers {
  readonly #lane: number;
  readonly #pool: ConnectionPool;
  readonly #max: number;
  /** no timer is due before this; 0 until the table was read once */
  #earliestMs = 0;

  constructor(lane: number, pool: ConnectionPool, max: number) {
    this.#lane = lane;
    this.#pool = pool;
    this.#max = max;
  }

  mayBeDue(watermarkMs: number): boolean {
    return this.#earliestMs <= watermarkMs;
  }

  learn(armed: readonly TimerKey[]): void {
    for (const timer of armed) this.#earliestMs = Math.min(this.#earliestMs, timer.dueMs);
  }

  /** The timers due at or before the watermark, in order, at most the bound. */
  async due(position: TimerPosition, watermarkMs: number): Promise<TimerInput[]> {
    const next = await this.#pool.lend((connection) => nextTimers(connection, this.#lane, position, this.#max));
    const due = next.filter((timer) => timer.dueMs <= watermarkMs);
    const later = next[due.length];
    // With all of them due there may be more behind the limit: then they are asked for again with the next block.
    this.#earliestMs = later?.dueMs ?? (next.length === this.#max ? 0 : Number.POSITIVE_INFINITY);
    return due.map((timer) => ({ kind: "timer", timer }));
  }
}
