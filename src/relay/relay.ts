// Postgres out, Kafka out: carries every committed block's messages to their topics, in block order, each once.
//
// One LaneRelay a lane, because a writer is fenced per lane; the relay itself only keeps them by number.

import type { Head } from "../domain/head.ts";
import type { OutgoingMessages } from "../store/blocks.ts";
import { LaneRelay, type LaneRelayParts } from "./lane-relay.ts";

export type RelayedBlock = { readonly messages: OutgoingMessages; readonly rows: { readonly after: Head } };

export class Relay {
  readonly #parts: LaneRelayParts;
  readonly #lanes = new Map<number, LaneRelay>();

  constructor(parts: LaneRelayParts) {
    this.#parts = parts;
  }

  /** @returns whether the lane may commit: the tails of its topics agree with its head. False when it is halted or closed */
  open(lane: number, head: Head): Promise<boolean> {
    void this.#lanes.get(lane)?.close();
    const relay = new LaneRelay(lane, head, this.#parts);
    this.#lanes.set(lane, relay);
    relay.start();
    return relay.opened;
  }

  /** A block of an earlier time that we owned the lane may be announced late: the relay of now loads it from the outbox. */
  committed(lane: number, block: RelayedBlock): void {
    const relay = this.#lanes.get(lane);
    if (relay?.epoch === block.rows.after.epoch) relay.add(block.messages);
  }

  backlog(lane: number): number {
    return this.#lanes.get(lane)?.backlog ?? 0;
  }

  /** Age of the oldest message not yet published, in milliseconds. */
  ageMs(lane: number): number {
    return this.#lanes.get(lane)?.ageMs() ?? 0;
  }

  get lanes(): readonly number[] {
    return [...this.#lanes.keys()];
  }

  async drain(lane: number, deadlineMs: number): Promise<void> {
    await this.#lanes.get(lane)?.drain(deadlineMs);
  }

  async close(lane: number): Promise<void> {
    const relay = this.#lanes.get(lane);
    this.#lanes.delete(lane);
    await relay?.close();
  }
}
