// What the processor needs from its neighbours, which it does not know: who publishes its blocks, and who listens.

import type { HaltCause } from "../domain/halts.ts";
import type { Head } from "../domain/head.ts";
import type { BlockCounts } from "./block.ts";
import type { SentBlock } from "./commit.ts";

/** Carries committed blocks out. The relay does; in a lane's owner the two always run together. */
export interface Publisher {
  /** Fences the lane's earlier writer and finds out what was published.
   *  @returns true once that agrees with the head; false when it does not (the lane is halted) or the lane was closed */
  open(lane: number, head: Head): Promise<boolean>;
  committed(lane: number, block: SentBlock): void;
  /** messages committed and not yet published; intake stops above a bound */
  backlog(lane: number): number;
  /** Resolves when everything handed over is published, or the deadline has passed.
   *  @param epoch that of the head that it was opened with: a lane may have been lost and taken again */
  drain(lane: number, epoch: bigint, deadlineMs: number): Promise<void>;
  /** Does nothing when the lane is open under another epoch. */
  close(lane: number, epoch: bigint): Promise<void>;
}

/** Hears what happens, for logs and metrics. */
export interface ProcessorEvents {
  took(lane: number, head: Head): void;
  gaveBack(lane: number, why: "share" | "stop" | "lost" | "fenced" | "halted"): void;
  halted(lane: number, cause: HaltCause, evidence: Record<string, unknown>): void;
  committed(lane: number, block: number, counts: BlockCounts, facts: BlockFacts): void;
  triedAgain(lane: number, reason: string, attempt: number): void;
  waitsForSchema(lane: number, reason: string): void;
  quarantined(lane: number, offset: bigint, reason: string, detail: string): void;
}

export type BlockFacts = {
  readonly inputs: number;
  readonly lines: number;
  readonly messages: number;
  readonly bytes: number;
  readonly ms: number;
  readonly nowMs: number;
};
