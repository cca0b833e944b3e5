// Fees and shares of amounts, as flow files ask for them: whole numbers in, whole numbers out, each rounded by its policy.

import { assert } from "./assert.ts";
import { BPS } from "./fx/fx.ts";
import { quotient } from "./fx/rounding.ts";

/** `fee.of(x, bps, fixed)`: the rate's part of `x` and a fixed sum, at most `x`, so that a fee never takes what is not there.
 *  @returns 0n <= fee <= x for x >= 0n; a negative rate or fixed sum counts as none */
export function feeOf(x: bigint, bps: bigint, fixed: bigint): bigint {
  assert(x >= 0n, "a fee is taken of an amount that is not negative");
  return clamp(quotient("fee", x * atLeastNone(bps), BPS) + atLeastNone(fixed), x);
}

/** `share.of(x, bps)`: half-up, at most `x`.
 *  @returns 0n <= share <= x for x >= 0n */
export function shareOf(x: bigint, bps: bigint): bigint {
  assert(x >= 0n, "a share is taken of an amount that is not negative");
  return clamp(quotient("reserve", x * atLeastNone(bps), BPS), x);
}

/** `part.up(x, n, d)`: `ceil(x·n/d)`, `null` when there is nothing to divide by. */
export function partUp(x: bigint, n: bigint, d: bigint): bigint | null {
  return d > 0n ? quotient("fx_debit", x * n, d) : null;
}

/** `part.down(x, n, d)`: `floor(x·n/d)`, `null` when there is nothing to divide by. */
export function partDown(x: bigint, n: bigint, d: bigint): bigint | null {
  return d > 0n ? quotient("fx_credit", x * n, d) : null;
}

function clamp(value: bigint, most: bigint): bigint {
  return value < most ? value : most;
}

function atLeastNone(value: bigint): bigint {
  return value > 0n ? value : 0n;
}
