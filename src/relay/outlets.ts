// Carries a lane's messages to the lanes that they are for: straight into the receiver's partition of the topic of reports.
//
// Nothing fences these appends, and nothing has to: each outlet begins at or below what its receiver takes next (`seen`,
// read from the database, and only ever from there), sends in order and one batch at a time, and the receiver drops what it
// has taken. So whoever sends, however late, twice or in turn with another, leaves no gap. A lane that nobody reads only
// lets its own messages wait: they are in the topic, and in the outbox until it has taken them.

import type { HaltCause } from "../domain/halts.ts";
import { reach } from "../failpoints.ts";
import type { OutgoingRecord } from "../kafka/port.ts";
import type { CrossingMessages } from "../store/blocks.ts";
import type { CrossingMessage, Outlet as OutletRow } from "../store/crossing.ts";
import { isOutage } from "./outage.ts";
import { missingIn, OutgoingQueue } from "./outgoing-queue.ts";

export type OutletsParts = {
  /** where each outlet of the lane stands, by the database */
  readonly outlets: (lane: number) => Promise<readonly OutletRow[]>;
  /** messages with `from <= sequence < until`, in order, at most `limit` */
  readonly messages: (
    lane: number,
    toLane: number,
    span: { readonly from: bigint; readonly until: bigint; readonly limit: number },
  ) => Promise<readonly CrossingMessage[]>;
  /** appends to the receiver's partition; resolves once the brokers have it */
  readonly send: (toLane: number, records: readonly OutgoingRecord[]) => Promise<void>;
  readonly sent: (lane: number, toLane: number, messages: number) => void;
  readonly waits: (lane: number, toLane: number, reason: string) => void;
  readonly halt: (lane: number, cause: HaltCause, evidence: Record<string, unknown>) => void;
  readonly batchRecordsMax: number;
  readonly batchBytesMax: number;
};

/** Of what an earlier owner, or an earlier life of this one, left. */
const PAGE = 1_000;

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 2_000;

type Outlet = { readonly toLane: number; readonly queue: OutgoingQueue; nextToSend: bigint; isBusy: boolean };

export class Outlets {
  readonly #lane: number;
  readonly #parts: OutletsParts;
  readonly #outlets = new Map<number, Outlet>();
  #isOpen = false;
  #closed = false;
  /** the first opening has made the outlets that there were */
  #isMade = false;
  /** counts how often they were opened: what an earlier life still waits for changes nothing any more */
  #life = 0;
  #fail: (error: unknown) => void = () => undefined;

  constructor(lane: number, parts: OutletsParts) {
    this.#lane = lane;
    this.#parts = parts;
  }

  /** Messages of blocks that were handed over and are not in the topic yet. What earlier owners left lies in the outbox and
   *  is read page by page. */
  get backlog(): number {
    let messages = 0;
    for (const { queue } of this.#outlets.values()) messages += queue.length;
    return messages;
  }

  oldestSinceMs(): number | null {
    const since = [...this.#outlets.values()].flatMap(({ queue }) => queue.oldestSinceMs ?? []);
    return since.length === 0 ? null : Math.min(...since);
  }

  add({ toLanes, sequences, keys, starts, sizes }: CrossingMessages, bytes: Buffer): void {
    const touched = new Set<Outlet>();
    toLanes.forEach((toLane, index) => {
      const sequence = sequences[index] as bigint;
      const outlet = this.#outlets.get(toLane) ?? this.#make(toLane, sequence, sequence);
      const start = starts[index] as number;
      const value = bytes.subarray(start, start + (sizes[index] as number));
      outlet.queue.push({ sequence, key: keys[index] as string, value });
      touched.add(outlet);
    });
    for (const outlet of touched) this.#carry(outlet);
  }

  #make(toLane: number, next: bigint, nextToSend: bigint): Outlet {
    const outlet = { toLane, queue: new OutgoingQueue(next), nextToSend, isBusy: false };
    this.#outlets.set(toLane, outlet);
    return outlet;
  }

  /** Finds out where to go on. To be called by the lane's owner only, once its tails are judged.
   *  @returns false when the lane had to be halted, or was closed */
  async open(): Promise<boolean> {
    this.#isOpen = false;
    this.#life += 1;
    const rows = await this.#parts.outlets(this.#lane);
    if (this.#closed) return false;
    for (const { toLane, next, seen } of rows) {
      // Taken and not sent: the database has lost blocks of this lane and not of the other.
      if (seen >= next) return this.#halted("tail_ahead_of_head", { toLane, seenSequence: seen, committedNext: next });
      const known = this.#outlets.get(toLane);
      // New since the first opening: its block is committed and not handed over yet, and `add` makes it where it begins.
      if (known === undefined && this.#isMade) continue;
      const outlet = known ?? this.#make(toLane, next, seen + 1n);
      outlet.nextToSend = seen + 1n;
      outlet.isBusy = false;
      outlet.queue.forgetBefore(outlet.nextToSend);
    }
    this.#isMade = true;
    reach("outlets.read");
    return true;
  }

  /** Carries until it is told to rest. What is in flight then may arrive or not; it is sent again after the next opening.
   *  @throws what the database or a bug of our own says; that a partition cannot be reached is waited for here */
  async run(until: Promise<void>): Promise<void> {
    const failed = new Promise<never>((_resolve, reject) => {
      this.#fail = reject;
    });
    this.#isOpen = true;
    for (const outlet of this.#outlets.values()) this.#carry(outlet);
    try {
      await Promise.race([until, failed]);
    } finally {
      this.#isOpen = false;
    }
  }

  close(): void {
    this.#closed = true;
    this.#isOpen = false;
  }

  #carry(outlet: Outlet): void {
    if (!this.#isOpen || outlet.isBusy || outlet.nextToSend >= outlet.queue.end) return;
    const life = this.#life;
    outlet.isBusy = true;
    void this.#carryAll(outlet, life).catch((error) => {
      if (life === this.#life) this.#fail(error);
    });
  }

  /** Whatever ends it before all is carried ends carrying altogether; the next opening finds every outlet at rest. */
  async #carryAll(outlet: Outlet, life: number): Promise<void> {
    const { queue, toLane } = outlet;
    const isOver = (): boolean => !this.#isOpen || life !== this.#life;
    while (outlet.nextToSend < queue.end) {
      const isOld = outlet.nextToSend < queue.begin;
      const batch = isOld
        ? await this.#page(outlet)
        : queue.peek(this.#parts.batchRecordsMax, this.#parts.batchBytesMax);
      if (isOver()) return;
      const missing = missingIn(batch, outlet.nextToSend);
      if (missing !== null) {
        this.#halted("outbox_gap", { toLane, missingSequence: missing, until: queue.begin });
        return;
      }
      reach("outlet.due");
      await this.#sendUntilAcknowledged(toLane, batch.map(toRecord), isOver);
      reach("outlet.acknowledged");
      if (isOver()) return;
      outlet.nextToSend += BigInt(batch.length);
      if (!isOld) queue.published(batch.length, -1n);
      this.#parts.sent(this.#lane, toLane, batch.length);
    }
    // Here alone, with the loop's last look: what is added from here on has to wake it, and by a later moment it has.
    outlet.isBusy = false;
  }

  async #sendUntilAcknowledged(
    toLane: number,
    records: readonly OutgoingRecord[],
    isOver: () => boolean,
  ): Promise<void> {
    for (let pauseMs = RETRY_FIRST_MS; !isOver(); pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS)) {
      try {
        return await this.#parts.send(toLane, records);
      } catch (error) {
        if (!isOutage(error)) throw error;
        this.#parts.waits(this.#lane, toLane, (error as Error).message);
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async #page({ toLane, nextToSend, queue }: Outlet): Promise<readonly CrossingMessage[]> {
    const limit = Math.min(PAGE, this.#parts.batchRecordsMax);
    const page = await this.#parts.messages(this.#lane, toLane, { from: nextToSend, until: queue.begin, limit });
    let bytes = 0;
    const fitting = page.findIndex(
      ({ key, value }) => (bytes += key.length + value.length + 32) > this.#parts.batchBytesMax,
    );
    return fitting === -1 ? page : page.slice(0, Math.max(1, fitting));
  }

  #halted(cause: HaltCause, evidence: Record<string, unknown>): false {
    this.#isOpen = false;
    if (!this.#closed) this.#parts.halt(this.#lane, cause, evidence);
    return false;
  }
}

function toRecord({ key, value }: CrossingMessage): OutgoingRecord {
  return { key: Buffer.from(key, "utf8"), value };
}
