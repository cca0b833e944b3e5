// Conversions, exact: every figure is a quotient of whole numbers until the one rounding at its end. A rate is never
// inverted and never rounded on the way, so 10,000,000 yen at 149.25 are 67,001.68 dollars and not 67,000.00.
//
// The client's leg rounds toward the house and the leg at mid to the nearest, so the spread between them is never negative:
// floor(x(1-s)) <= floor(x) <= half_even(x) and half_even(x) <= ceil(x) <= ceil(x(1+s)).

import { assert } from "../assert.ts";
import { quotient } from "./rounding.ts";

/** Units of `to` per unit of `from`, at mid, in major units, exact. */
export type Rate = {
  readonly numerator: bigint;
  readonly denominator: bigint;
  /** which of the two currencies is the base of the quoted pair; `from` when left out, as for every cross rate. The spread
   *  is a fraction of the quoted price: who sells the base gets mid x (1-s), who buys it pays mid x (1+s). */
  readonly base?: "from" | "to";
  /** comes on top of whatever spread is asked: the rate ages, or the market is closed */
  readonly extraBps?: bigint;
  /** the longest that it may be locked; null, or left out: as long as one likes */
  readonly lockMaxMs?: number | null;
};

export type Scales = { readonly from: number; readonly to: number };

/** In minor units of `to`: `mid === net + spread`, none negative. */
export type Conversion = { readonly net: bigint; readonly mid: bigint; readonly spread: bigint };

/** In minor units of `to`: `cost === mid + spread`, none negative. */
export type Cost = { readonly cost: bigint; readonly mid: bigint; readonly spread: bigint };

export const BPS = 10_000n;

/** The client gives `minor` of `from`: what it receives, what that is worth at mid, and what is ours.
 *  @param minor     >= 0n
 *  @param spreadBps below 0 it counts as 0; with `extraBps` it counts as 9,999 at most */
export function convert(minor: bigint, rate: Rate, scales: Scales, spreadBps: bigint): Conversion {
  const exact = worth(minor, rate, scales);
  const bps = spreadOf(rate, spreadBps);
  const mid = quotient("fx_mid", exact.numerator, exact.denominator);
  const net =
    rate.base === "to"
      ? quotient("fx_credit", exact.numerator * BPS, exact.denominator * (BPS + bps))
      : quotient("fx_credit", exact.numerator * (BPS - bps), exact.denominator * BPS);
  assert(net >= 0n && net <= mid, "a client never receives more than the amount is worth at mid");
  return { net, mid, spread: mid - net };
}

/** The client must receive `minor` of `from` and pays in `to`: what it pays, what that is worth at mid, and what is ours.
 *  @param minor     >= 0n
 *  @param spreadBps below 0 it counts as 0; with `extraBps` it counts as 9,999 at most */
export function cost(minor: bigint, rate: Rate, scales: Scales, spreadBps: bigint): Cost {
  const exact = worth(minor, rate, scales);
  const bps = spreadOf(rate, spreadBps);
  const mid = quotient("fx_mid", exact.numerator, exact.denominator);
  const pays =
    rate.base === "to"
      ? quotient("fx_debit", exact.numerator * BPS, exact.denominator * (BPS - bps))
      : quotient("fx_debit", exact.numerator * (BPS + bps), exact.denominator * BPS);
  assert(pays >= mid, "a client never pays less than the amount is worth at mid");
  return { cost: pays, mid, spread: pays - mid };
}

/** `from` to `to` over a third currency, unrounded: as if the amount in between had never been counted. */
export function cross(first: Rate, second: Rate): Rate {
  return {
    numerator: first.numerator * second.numerator,
    denominator: first.denominator * second.denominator,
    base: "from",
    extraBps: max(first.extraBps ?? 0n, second.extraBps ?? 0n),
    lockMaxMs: shorter(first.lockMaxMs ?? null, second.lockMaxMs ?? null),
  };
}

/** The rate the other way round, exact; the quoted pair stays what it is. */
export function reverse(rate: Rate): Rate {
  return {
    numerator: rate.denominator,
    denominator: rate.numerator,
    base: rate.base === "to" ? "from" : "to",
    extraBps: rate.extraBps ?? 0n,
    lockMaxMs: rate.lockMaxMs ?? null,
  };
}

/** Nobody locks a rate for longer than a week. */
export const LOCK_MAX_MS = 604_800_000;

/** How many whole seconds a rate may be locked for; 0n without one. */
export function lockSecondsOf(rate: Rate | null): bigint {
  if (rate === null) return 0n;
  const ms = shorter(rate.lockMaxMs ?? null, LOCK_MAX_MS) ?? LOCK_MAX_MS;
  return BigInt(Math.floor(ms / 1000));
}

/** A price as it is quoted, `1.0850`: the exact quotient, or null for anything but digits with a point and above zero. */
export function parsePrice(text: string): Pick<Rate, "numerator" | "denominator"> | null {
  const match = PRICE.exec(text);
  if (match === null) return null;
  const [, whole = "", decimals = ""] = match;
  const numerator = BigInt(whole + decimals);
  return numerator === 0n ? null : { numerator, denominator: 10n ** BigInt(decimals.length) };
}

/** As many digits as the database keeps: NUMERIC(24,12). */
const PRICE = /^([0-9]{1,12})(?:\.([0-9]{1,12}))?$/;

/** `minor` of `from` in minor units of `to` at mid, not yet whole. */
function worth(minor: bigint, rate: Rate, scales: Scales): { numerator: bigint; denominator: bigint } {
  assert(minor >= 0n, "what is converted is not negative");
  assert(rate.numerator > 0n && rate.denominator > 0n, "a rate is above zero");
  return {
    numerator: minor * rate.numerator * 10n ** BigInt(scales.to),
    denominator: rate.denominator * 10n ** BigInt(scales.from),
  };
}

/** What is asked and what the rate puts on top, as far as a price can bear it: a spread is a declared number that an
 *  overlay may get wrong, and must neither stop the process nor give anything away. */
function spreadOf(rate: Rate, spreadBps: bigint): bigint {
  const bps = max(spreadBps, 0n) + (rate.extraBps ?? 0n);
  return bps < BPS ? bps : BPS - 1n;
}

function shorter(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
