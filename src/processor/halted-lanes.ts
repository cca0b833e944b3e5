// Lanes that are halted, as every instance tells of them: a halted lane has no owner, so its own process would fall
// silent about it just when somebody has to look.

import { type LogPosition, readFirstExpiryMs } from "../kafka/expiry.ts";
import type { TopicAdmin } from "../kafka/port.ts";
import type { ConnectionPool } from "../store/database.ts";
import { type LaneShown, readLanes } from "../store/reads-lanes.ts";
import type { Logger } from "../telemetry/logger.ts";

export type HaltedLane = {
  readonly lane: number;
  readonly cause: string;
  /** when its first input that was not taken may leave the log; null: nothing waits, or it is kept for ever */
  readonly expireAtMs: number | null;
};

export type HaltedLanesParts = {
  readonly pool: Pick<ConnectionPool, "lend">;
  readonly admin: TopicAdmin;
  readonly topics: readonly [intents: string, reports: string];
  readonly logger: Logger;
};

/** Retention may be changed meanwhile, and inputs go on arriving. */
const AGAIN_AFTER_MS = 60_000;

export class HaltedLanes {
  readonly #parts: HaltedLanesParts;
  #lanes: readonly HaltedLane[] = [];
  #seen = "";
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading = false;

  constructor(parts: HaltedLanesParts) {
    this.#parts = parts;
  }

  get lanes(): readonly HaltedLane[] {
    return this.#lanes;
  }

  /** Called often with the lanes that the heartbeat saw halted; asks only when they are others, or a minute has passed. */
  async follow(halted: readonly number[]): Promise<void> {
    const seen = halted.toSorted((one, other) => one - other).join(",");
    if (seen === "") [this.#lanes, this.#seen] = [[], ""];
    const isKnown = seen === this.#seen && performance.now() - this.#readAtMs < AGAIN_AFTER_MS;
    if (seen === "" || isKnown || this.#reading) return;
    this.#reading = true;
    try {
      this.#lanes = await this.#read();
      this.#seen = seen;
      this.#readAtMs = performance.now();
    } catch (error) {
      this.#parts.logger.warn({ error }, "halted lanes cannot be looked at; asked again in a second");
    } finally {
      this.#reading = false;
    }
  }

  async #read(): Promise<HaltedLane[]> {
    const lanes = await this.#parts.pool.lend((connection) => readLanes(connection, null));
    const halted = lanes.filter(({ halt }) => halt !== null);
    return Promise.all(
      halted.map(async (lane) => ({
        lane: lane.lane,
        cause: lane.halt?.cause ?? "",
        expireAtMs: await this.#expiryOf(lane).catch(() => null), // told without it rather than not at all
      })),
    );
  }

  #expiryOf({ lane, intentsNext, reportsNext }: LaneShown): Promise<number | null> {
    const { admin, topics } = this.#parts;
    const [intents, reports] = topics;
    const positions: LogPosition[] = [
      { topic: intents, partition: lane, next: intentsNext },
      { topic: reports, partition: lane, next: reportsNext },
    ];
    return readFirstExpiryMs(admin, positions);
  }

  /** For the line that says that a lane has halted.
   *  @returns null also when it cannot be told within `withinMs`: the line must not wait for long */
  async expiryWithin(lane: number, withinMs: number): Promise<number | null> {
    const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), withinMs).unref());
    return Promise.race([late, this.#askExpiry(lane).catch(() => null)]);
  }

  async #askExpiry(lane: number): Promise<number | null> {
    const [shown] = await this.#parts.pool.lend((connection) => readLanes(connection, lane));
    return shown === undefined ? null : this.#expiryOf(shown);
  }
}
