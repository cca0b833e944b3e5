// What a block took, and what its records are read by.

import type { InputRecord } from "../../kafka/port.ts";
import type { SecondTimer } from "./ledger.ts";
import type { SchemaBook } from "./schemas.ts";

export type DecodedBy = { readonly intents: SchemaBook; readonly reports: SchemaBook };

/** What a block took, as its row, the topics and its quarantine say. */
export type BlockTaken = {
  readonly block: bigint;
  /** the block's `now` */
  readonly nowMs: number;
  readonly timers: number;
  /** numbers of the flow versions that it decided by */
  readonly flows: readonly number[];
  readonly reports: readonly InputRecord[];
  readonly intents: readonly InputRecord[];
  /** what was put aside, by offset */
  readonly putAside: ReadonlyMap<bigint, PutAside>;
  /** timers that its outcomes name, in order */
  readonly timersTold: readonly SecondTimer[];
  /** the flow that the outcome of an offset names */
  readonly flowTold: (offset: bigint) => string | null;
  /** lanes that it sent to or took from */
  readonly pairs: ReadonlySet<number>;
};

export type PutAside = { readonly reason: string; readonly detail: string };
