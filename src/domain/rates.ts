// Rates as a block reads them: one version, whole and unchanging, that the block records.

import type { Rate } from "./fx.ts";

export interface RateBook {
  readonly version: bigint;
  /** The mid rate of a pair if it is good enough for a conversion at that time, else null. */
  usable(from: string, to: string, nowMs: number): Rate | null;
}

/** Knows no rate: every conversion waits for one. */
export const NO_RATES: RateBook = { version: 0n, usable: () => null };
