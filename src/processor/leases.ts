// Who owns which lane: leases in Postgres, taken and renewed by a tick on one session of our own. The session's end is
// what tells the others that this process is gone; Kafka's consumer group has no say (measured: a killed owner's lanes
// stand still for a tick or two instead of six seconds and more).

import { reach } from "../failpoints.ts";
import type { Connection } from "../store/database.ts";
import {
  enterProcess,
  leaveProcess,
  reenterProcess,
  releaseLease,
  type Tick,
  takeLeases,
  tickLeases,
} from "../store/lanes.ts";

export type LeaseSettings = {
  readonly label: string;
  readonly tickMs: number;
  readonly ttlMs: number;
  readonly clockSkewMaxMs: number;
};

export type LeaseOwner = {
  /** lanes that we hold, the ones being drained included */
  readonly held: () => readonly number[];
  readonly took: (lanes: readonly number[]) => void;
  /** our lease of this lane is gone: stop at once, somebody else may have it */
  readonly lost: (lane: number) => void;
  /** more than our share: drain this lane and give it back */
  readonly surplus: (lane: number) => void;
  readonly ticked: (tick: Tick, skewMs: number) => void;
  readonly failed: (error: unknown) => void;
};

export class Leases {
  readonly #settings: LeaseSettings;
  readonly #owner: LeaseOwner;
  readonly #open: () => Promise<Connection>;
  #session: Connection;
  readonly process: bigint;
  #stopping = false;
  #taking = true;
  #done: Promise<void> = Promise.resolve();
  #renewedAtMs = performance.now();

  private constructor(
    settings: LeaseSettings,
    owner: LeaseOwner,
    open: () => Promise<Connection>,
    session: Connection,
    process: bigint,
  ) {
    this.#settings = settings;
    this.#owner = owner;
    this.#open = open;
    this.#session = session;
    this.process = process;
  }

  /** @param open gives a direct session of its own: no pooler may stand between, it holds a session lock */
  static async enter(settings: LeaseSettings, owner: LeaseOwner, open: () => Promise<Connection>): Promise<Leases> {
    const session = await open();
    const process = await enterProcess(session, settings.label);
    reach("process.entered");
    return new Leases(settings, owner, open, session, process);
  }

  start(): void {
    this.#done = this.#loop();
  }

  /** The session for taking lanes; the leases' own, because a lane is taken only while its lease is held. */
  get session(): Connection {
    return this.#session;
  }

  /** No further lanes are taken; those held are still renewed while they drain. */
  stopTaking(): void {
    this.#taking = false;
  }

  async release(lane: number): Promise<void> {
    await releaseLease(this.#session, this.process, lane).catch(() => undefined); // else it runs out by itself
  }

  async leave(): Promise<void> {
    this.#stopping = true;
    await this.#done;
    await leaveProcess(this.#session, this.process).catch(() => undefined);
    reach("process.left");
    await this.#session.close();
  }

  async #loop(): Promise<void> {
    while (!this.#stopping) {
      try {
        if (this.#session.broken) await this.#reopen();
        await this.#tick();
      } catch (error) {
        this.#owner.failed(error);
        // Without a renewal for the length of a lease, others may own our lanes. (The fence holds in any case.)
        if (performance.now() - this.#renewedAtMs > this.#settings.ttlMs)
          for (const lane of this.#owner.held()) this.#owner.lost(lane);
      }
      await new Promise((resolve) => setTimeout(resolve, this.#settings.tickMs));
    }
  }

  async #reopen(): Promise<void> {
    const session = await this.#open();
    try {
      await reenterProcess(session, this.process, this.#settings.label);
    } catch (error) {
      await session.close(); // The server may still take our old session for alive; the next tick tries again.
      throw error;
    }
    this.#session = session;
  }

  async #tick(): Promise<void> {
    const held = this.#owner.held();
    const sentAtMs = Date.now();
    const tick = await tickLeases(this.#session, this.process, this.#settings.ttlMs, held);
    this.#renewedAtMs = performance.now();
    reach("lease.renewed");
    this.#owner.ticked(tick, certainSkewMs(tick.clockMs, sentAtMs, Date.now()));
    for (const lane of held) if (!tick.mine.includes(lane)) this.#owner.lost(lane);
    if (!tick.entered) await reenterProcess(this.#session, this.process, this.#settings.label);
    const share = fairShare(tick);
    if (tick.mine.length > share) for (const lane of tick.mine.slice(share)) this.#owner.surplus(lane);
    else if (this.#taking && tick.mine.length < share && tick.free.length > 0) {
      const wanted = tick.free.slice(0, share - tick.mine.length);
      const took = await takeLeases(this.#session, this.process, this.#settings.ttlMs, wanted);
      if (took.length === 0) return;
      reach("lease.taken");
      this.#owner.took(took);
    }
  }
}

/** How far the database's clock is ahead of ours for certain: its answer was written at some time between asking and
 *  hearing, and a slow answer proves nothing. */
export function certainSkewMs(clockMs: number, sentAtMs: number, heardAtMs: number): number {
  if (clockMs > heardAtMs) return clockMs - heardAtMs;
  return clockMs < sentAtMs ? clockMs - sentAtMs : 0;
}

/** Lanes that can be worked, divided evenly; the processes with the smallest numbers take one more each. */
export function fairShare(tick: Pick<Tick, "lanes" | "processes" | "rank">): number {
  const processes = Math.max(tick.processes, 1);
  return Math.floor(tick.lanes / processes) + (tick.rank < tick.lanes % processes ? 1 : 0);
}
