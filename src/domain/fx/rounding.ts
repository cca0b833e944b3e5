// Exact quotients made whole. A mode is never a default: each use names its policy, and the table says what that means.

import { assert } from "../assert.ts";

export type RoundingMode = "floor" | "ceiling" | "half_even" | "half_up";

/** What an amount is rounded for. */
export type RoundingPolicy =
  | "fx_credit"
  | "fx_debit"
  | "fx_mid"
  | "fee"
  | "reserve"
  | "euro_legacy"
  | "split"
  | "report";

const MODES: Record<RoundingPolicy, RoundingMode> = {
  fx_credit: "floor", // what a third party receives from a conversion
  fx_debit: "ceiling", // what a third party pays for a fixed receipt; both round toward the house
  fx_mid: "half_even", // the leg at mid that splits position from spread
  fee: "half_up",
  reserve: "half_up",
  euro_legacy: "half_up", // conversions that Regulation (EC) 1103/97 governs
  split: "floor", // what is left over is then handed out from the first part on
  report: "half_even", // for eyes only
};

/** `numerator / denominator` as a whole number, by the mode of its use.
 *  @param denominator > 0n */
export function quotient(policy: RoundingPolicy, numerator: bigint, denominator: bigint): bigint {
  return roundQuotient(MODES[policy], numerator, denominator);
}

/** @param denominator > 0n
 *  @returns `half_up` takes a half away from zero, as commerce does; `floor` and `ceiling` go by the number line */
export function roundQuotient(mode: RoundingMode, numerator: bigint, denominator: bigint): bigint {
  assert(denominator > 0n, "a quotient is rounded over a positive denominator");
  const floor = floorOf(numerator, denominator);
  const rest = numerator - floor * denominator; // 0 <= rest < denominator
  if (rest === 0n) return floor;
  return isUp(mode, floor, 2n * rest, denominator) ? floor + 1n : floor;
}

function isUp(mode: RoundingMode, floor: bigint, twiceRest: bigint, denominator: bigint): boolean {
  if (mode === "floor") return false;
  if (mode === "ceiling") return true;
  if (twiceRest !== denominator) return twiceRest > denominator;
  return mode === "half_up" ? floor >= 0n : floor % 2n !== 0n;
}

/** bigint division cuts toward zero; this goes down. */
function floorOf(numerator: bigint, denominator: bigint): bigint {
  const cut = numerator / denominator;
  return numerator < 0n && cut * denominator !== numerator ? cut - 1n : cut;
}

/** Splits `total` over `weights` with nothing lost: the parts sum to `total`.
 *  @param total   minor units, >= 0n
 *  @param weights at least one, each >= 0n, not all zero
 *  @returns one part per weight, in their order: the floor each, then the units that are left from the first part on;
 *           a part without weight gets none of them */
export function split(total: bigint, weights: readonly bigint[]): bigint[] {
  const sum = weights.reduce((one, other) => one + other, 0n);
  assert(total >= 0n && sum > 0n && weights.every((weight) => weight >= 0n), "a total is split over weights");
  const parts = weights.map((weight) => quotient("split", total * weight, sum));
  let left = total - parts.reduce((one, other) => one + other, 0n);
  return parts.map((part, index) => {
    if (left === 0n || weights[index] === 0n) return part;
    left -= 1n;
    return part + 1n;
  });
}
