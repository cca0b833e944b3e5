// Kafka in, one dbTransaction a block, Postgres out: the lanes that this process owns, from taking to giving back.

import { AssertionFailed } from "../domain/assert.ts";
import type { HaltCause } from "../domain/halts.ts";
import { reach } from "../failpoints.ts";
import { KafkaRefused, KafkaUnreachable, type Reader, type TopicAdmin } from "../kafka/port.ts";
import {
  type Connection,
  ConnectionLost,
  connect,
  type DatabaseSettings,
  DatabaseUnreachable,
  sqlState,
} from "../store/database.ts";
import { type AcceptedPosition, markApplied, recordHalt, type Tick } from "../store/lanes.ts";
import type { Batch } from "./block.ts";
import { Lane, type LaneEnd, type LaneParts } from "./lane.ts";
import { type LeaseSettings, Leases } from "./leases.ts";
import type { ProcessorEvents } from "./ports.ts";
import { judgePartitions, type Taken, takeLane } from "./take.ts";

export type ProcessorParts = Omit<LaneParts, "wakeReader" | "committer"> & {
  readonly committerOf: (process: bigint) => LaneParts["committer"];
  readonly reader: Reader;
  readonly admin: TopicAdmin;
  readonly database: DatabaseSettings;
  readonly leases: LeaseSettings;
  readonly drainMs: number;
  readonly events: ProcessorEvents & { leaseTrouble(error: unknown): void };
  /** an assertion of our own failed: the process must stop, it does not write any more */
  readonly crash: (error: unknown) => void;
};

type TakenLane = Extract<Taken, { kind: "taken" }>;

/** `epoch` is the fence that we raised; null until then. */
type Held = {
  lane: Lane | null;
  epoch: bigint | null;
  ending: Promise<void> | null;
  cancelled: boolean;
  /** what the relay found while the lane was still being taken */
  halting: Pick<Extract<LaneEnd, { kind: "halted" }>, "cause" | "evidence"> | null;
  /** it has come to its end by itself: a halt of it is our own */
  ended: boolean;
};

export class Processor {
  readonly #parts: ProcessorParts;
  readonly #held = new Map<number, Held>();
  #leases: Leases | null = null;
  #lastTick: Tick | null = null;
  #skewMs = 0;

  constructor(parts: ProcessorParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const open = (): Promise<Connection> => connect(this.#parts.database, "service");
    const owner = {
      held: () => [...this.#held.keys()],
      took: (lanes: readonly number[]) => lanes.forEach((lane) => this.#take(lane)),
      lost: (lane: number) => this.#lose(lane),
      surplus: (lane: number) => void this.#giveBack(lane, "share"),
      ticked: (tick: Tick, skewMs: number) => {
        this.#lastTick = tick;
        this.#skewMs = skewMs;
        if (Math.abs(skewMs) > this.#parts.leases.clockSkewMaxMs) this.#haltForClocks(skewMs);
        for (const lane of tick.halted) this.#haltedByAnother(lane);
      },
      failed: (error: unknown) => this.#parts.events.leaseTrouble(error),
    };
    this.#leases = await Leases.enter(this.#parts.leases, owner, open);
    this.#leases.start();
  }

  get process(): bigint {
    return this.#leases?.process ?? 0n;
  }

  get lanes(): readonly Lane[] {
    return [...this.#held.values()].flatMap((held) => (held.lane === null ? [] : [held.lane]));
  }

  /** lanes of the whole system that are halted, and what the last heartbeat saw */
  get lastTick(): Tick | null {
    return this.#lastTick;
  }

  /** database clock minus process clock */
  get skewMs(): number {
    return this.#skewMs;
  }

  /** Takes in nothing more, finishes the blocks in hand, publishes them, gives every lane back. */
  async stop(): Promise<void> {
    this.#leases?.stopTaking();
    await Promise.all([...this.#held.keys()].map((lane) => this.#giveBack(lane, "stop")));
    await this.#leases?.leave();
  }

  // A lane's life --------------------------------------------------------------------------------------------------------

  #take(number: number): void {
    if (this.#held.has(number)) return;
    const held: Held = { lane: null, epoch: null, ending: null, cancelled: false, halting: null, ended: false };
    this.#held.set(number, held);
    void this.#live(number, held).catch((error) => this.#parts.crash(error));
  }

  async #live(number: number, held: Held): Promise<void> {
    const end = await this.#takeAndRun(number, held);
    held.ended = true;
    // A lane that was lost and taken again meanwhile has another holding: reader and publisher are that one's now.
    if (this.#held.get(number) !== held) return;
    this.#parts.reader.close(number);
    if (end.kind === "stopped") {
      // By itself, because database or broker could not be reached: give it back as far as that is possible.
      // As long as that lasts it cannot be taken anew: its publishing would be closed behind it.
      held.ending ??= this.#finish(number, held, "lost");
      return await held.ending;
    }
    // Recorded first: the relay may still be opening, and that waits for a broker.
    const isHalted = end.kind === "halted" && (await this.#halt(number, held, end));
    await this.#closeRelay(number, held);
    if (this.#held.get(number) !== held) return; // lost while that was written down, which was told then
    this.#held.delete(number);
    if (isHalted) await this.#leases?.release(number);
    this.#parts.events.gaveBack(number, isHalted ? "halted" : "fenced");
  }

  async #takeAndRun(number: number, held: Held): Promise<LaneEnd> {
    const leases = this.#leases as Leases;
    const parts = this.#parts;
    let opened: Promise<boolean> = Promise.resolve(false);
    try {
      const taken = await takeLane(
        {
          session: leases.session,
          process: leases.process,
          admin: parts.admin,
          ...this.#topics(),
          lanes: parts.rules.lanes,
          isCancelled: () => held.cancelled,
          raised: (head) => {
            held.epoch = head.epoch;
            // Beside the look at the positions: each of the two takes as long as the other, and the lane stands still.
            if (!held.cancelled) opened = parts.publisher.open(number, head);
          },
        },
        number,
      );
      if (taken.kind === "lost" || held.cancelled) return { kind: "fenced" };
      if (taken.kind === "halt") return { kind: "halted", cause: taken.cause, evidence: taken.evidence };
      return await this.#runTaken(number, held, taken, opened);
    } catch (error) {
      if (error instanceof AssertionFailed) throw error;
      if (isOutage(error)) {
        parts.events.triedAgain(number, `taking it: ${(error as Error).message}`, 1);
        // Nothing was committed yet, so there is nothing to drain: the lane goes at once.
        if (held.lane === null) await this.#closeRelay(number, held);
        return { kind: "stopped" };
      }
      throw error;
    }
  }

  /** @param opened whether the relay's topics agree with the head. No block before that: a database that was put back
   *         would write the blocks that it lost once more, and nobody would know */
  async #runTaken(number: number, held: Held, taken: TakenLane, opened: Promise<boolean>): Promise<LaneEnd> {
    const parts = this.#parts;
    const committer = parts.committerOf(this.process);
    const lane = new Lane(number, { ...parts, committer, wakeReader: () => parts.reader.wake() }, taken.memory);
    this.#hold(held, lane);
    parts.events.took(number, taken.memory.head);
    let running = lane;
    if (taken.accepted !== null) {
      if (!(await opened)) return unopened(held);
      const moved = await this.#acceptPosition(lane, taken.accepted);
      if (moved !== null) return moved;
      running = lane.atHead(); // its queues begin where the position block has moved the head to
      this.#hold(held, running);
    }
    if (held.cancelled) return { kind: "stopped" };
    const { intents, reports } = running.head;
    const offsets = new Map([
      [parts.intentsTopic, intents.next],
      [parts.reportsTopic, reports.next],
    ]);
    parts.reader.open(number, offsets, running);
    if (!(await opened)) return unopened(held); // it was read ahead meanwhile
    reach("lane.opened");
    return await running.run();
  }

  #hold(held: Held, lane: Lane): void {
    held.lane = lane;
    if (held.halting !== null) lane.halt(held.halting.cause, held.halting.evidence);
  }

  #topics(): { intentsTopic: string; reportsTopic: string } {
    return { intentsTopic: this.#parts.intentsTopic, reportsTopic: this.#parts.reportsTopic };
  }

  /** A block of its own takes the position over that an operator accepted, so that the chain says who moved it and why. */
  async #acceptPosition(lane: Lane, accepted: AcceptedPosition): Promise<LaneEnd | null> {
    const { head } = lane;
    const batch: Batch = {
      timers: [],
      reports: [],
      reportsLast: null,
      messages: [],
      intents: [],
      intentsLast: null,
      nowMs: null,
      accepted,
      reportsNext: accepted.reportsAt ?? head.reports.next,
      intentsNext: accepted.intentsAt ?? head.intents.next,
    };
    const result = await lane.commit(() => batch);
    if (result.kind === "halt") return { kind: "halted", cause: result.cause, evidence: result.evidence };
    if (result.kind !== "committed") return { kind: "stopped" };
    reach("position.committed");
    await markApplied((this.#leases as Leases).session, accepted.halt);
    reach("position.applied");
    return null;
  }

  /** Somebody else may own the lane now: nothing more is written or published, nothing is drained. */
  #lose(number: number): void {
    const held = this.#held.get(number);
    if (held === undefined || held.ending !== null) return;
    held.cancelled = true;
    held.lane?.stop();
    this.#parts.reader.close(number);
    this.#held.delete(number);
    void this.#closeRelay(number, held);
    this.#parts.events.gaveBack(number, "lost");
  }

  /** Its own alone, told by the epoch: a lane that was lost and taken again meanwhile has another one. */
  async #closeRelay(number: number, { epoch }: Held): Promise<void> {
    if (epoch !== null) await this.#parts.publisher.close(number, epoch);
  }

  #giveBack(number: number, why: "share" | "stop"): Promise<void> {
    const held = this.#held.get(number);
    if (held === undefined) return Promise.resolve();
    held.ending ??= this.#finish(number, held, why);
    return held.ending;
  }

  async #finish(number: number, held: Held, why: "share" | "stop" | "lost"): Promise<void> {
    held.cancelled = true;
    held.lane?.stop();
    this.#parts.reader.close(number);
    const until = performance.now() + this.#parts.drainMs;
    while (held.lane?.isBusy && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 2));
    reach("return.idle");
    if (held.epoch !== null) await this.#parts.publisher.drain(number, held.epoch, this.#parts.drainMs);
    reach("return.drained");
    await this.#closeRelay(number, held);
    reach("return.closed");
    if (this.#held.get(number) === held) this.#held.delete(number);
    await this.#leases?.release(number);
    reach("return.released");
    this.#parts.events.gaveBack(number, why);
  }

  /** @returns false when the lane has a newer owner: what looks wrong to us is not so for it (a process that stood still
   *           for long finds its inputs expired), and must not stop it */
  async #halt(number: number, held: Held, end: Extract<LaneEnd, { kind: "halted" }>): Promise<boolean> {
    const { events, database } = this.#parts;
    const halt = { epoch: held.epoch ?? -1n, cause: end.cause, evidence: end.evidence };
    reach("halt.decided");
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      try {
        const session = await connect(database, "service");
        const isOurs = await recordHalt(session, number, halt).finally(() => session.close());
        if (!isOurs) return false;
        reach("halt.recorded");
        events.halted(number, end.cause, end.evidence);
        return true;
      } catch (error) {
        if (pauseMs >= 2_000) {
          // Until it is written down others would take the lane and halt in turn; that is harmless, only noisy.
          events.leaseTrouble(error);
          events.halted(number, end.cause, end.evidence);
          return true;
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  /** Halts a lane from outside: its relay found that the database has lost committed blocks, or its gateways that its
   *  commands cannot be read. */
  haltLane(number: number, cause: HaltCause, evidence: Record<string, unknown>): void {
    const held = this.#held.get(number);
    if (held === undefined) return;
    held.halting ??= { cause, evidence };
    held.lane?.halt(cause, evidence);
  }

  /** Timers go by the process's clock (when a fetch began) and by the database's: apart, they could overtake inputs. */
  #haltForClocks(skewMs: number): void {
    for (const lane of this.lanes) lane.halt("clocks_apart", { databaseAheadMs: Math.round(skewMs) });
  }

  /** Partitions can be added while we run. Those who publish find out some time later, so that it is soon enough to ask
   *  now and then; a topic that is away altogether is an outage, or is made anew: its readers see that. */
  async checkPartitions(): Promise<void> {
    const { admin, rules } = this.#parts;
    const wrong = await judgePartitions({ admin, ...this.#topics(), lanes: rules.lanes });
    if (wrong === null || wrong.evidence["partitions"] === 0) return;
    for (const lane of this.lanes) lane.halt(wrong.cause, wrong.evidence);
  }

  /** The auditor halts a lane that it does not own, and fences us with it. A busy lane finds that out by its next block; an
   *  idle one would go on holding what it may not write. */
  #haltedByAnother(number: number): void {
    if (this.#held.get(number)?.ended === false) this.#lose(number);
  }

  /** The relay was fenced: a newer owner writes this lane. */
  fencedAt(number: number): void {
    this.#lose(number);
  }
}

/** A relay that never came to agree with the head has said why, or was closed because the lane is somebody else's. */
function unopened({ halting }: Held): LaneEnd {
  return halting === null ? { kind: "stopped" } : { kind: "halted", ...halting };
}

/** Something around us does not answer, or says not now (a lane row that a stopped owner still holds): nothing of ours is
 *  wrong, and the lane is tried again later. */
function isOutage(error: unknown): boolean {
  return (
    error instanceof ConnectionLost ||
    error instanceof DatabaseUnreachable ||
    error instanceof KafkaUnreachable ||
    error instanceof KafkaRefused ||
    sqlState(error) !== null
  );
}
