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
    // Also when it is handed out now: until a block has moved the position behind it, it is to be asked for again. A
    // block that is tried again would otherwise leave its timers out, and they would lie there until the lane is taken anew.
    this.#earliestMs = next[0]?.dueMs ?? Number.POSITIVE_INFINITY;
    return next.filter((timer) => timer.dueMs <= watermarkMs).map((timer) => ({ kind: "timer", timer }));
  }
}
