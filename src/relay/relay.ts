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
    this.#of(lane, block.rows.after.epoch)?.add(block.messages);
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

  async drain(lane: number, epoch: bigint, deadlineMs: number): Promise<void> {
    await this.#of(lane, epoch)?.drain(deadlineMs);
  }

  /** Whoever held the lane before may be late to close what was theirs. A lane that is being taken and given back is closed by
   *  both: neither may go on before its writer, which may be opening still, is closed. */
  async close(lane: number, epoch: bigint): Promise<void> {
    const relay = this.#of(lane, epoch);
    await relay?.close();
    if (this.#lanes.get(lane) === relay) this.#lanes.delete(lane);
  }

  #of(lane: number, epoch: bigint): LaneRelay | undefined {
    const relay = this.#lanes.get(lane);
    return relay?.epoch === epoch ? relay : undefined;
  }
}
