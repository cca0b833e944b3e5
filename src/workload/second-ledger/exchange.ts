// Conversions by the arithmetic of the documents: fractions of whole numbers, and one rounding at the end. What a client
// receives is rounded down, what it pays is rounded up, what it is worth at mid goes to the nearest, of two to the even one.

import { ceiling, floor, halfEven, type Value } from "./evaluate.ts";

export type SecondRate = {
  /** major units of what it goes to for one of what it comes from: `n / d` */
  readonly n: bigint;
  readonly d: bigint;
  /** whether the pair is quoted the other way round: who goes this way buys its base */
  readonly buysBase: boolean;
  /** on top of every spread */
  readonly extraBps: bigint;
  /** how long it may be locked at most; null: no bound of its own */
  readonly lockMs: number | null;
};

const WEEK_MS = 7 * 86_400_000;

/** Whole seconds that a rate may be locked for, never more than a week's; none without a rate. */
export function lockOf(rate: SecondRate | null): bigint {
  const ms = rate === null ? 0 : Math.min(rate.lockMs ?? WEEK_MS, WEEK_MS);
  return BigInt(ms) / 1000n;
}

export type Scales = { readonly from: number; readonly to: number };

const WHOLE_BPS = 10_000n;

/** The client gives `minor`: `net` is what it receives. */
export function converted(
  minor: bigint,
  rate: SecondRate,
  scales: Scales,
  spreadBps: bigint,
): ReadonlyMap<string, Value> {
  const { n, d } = worthOf(minor, rate, scales);
  const bps = spreadOf(rate, spreadBps);
  const mid = halfEven(n, d);
  const net = rate.buysBase ? floor(n * WHOLE_BPS, d * (WHOLE_BPS + bps)) : floor(n * (WHOLE_BPS - bps), d * WHOLE_BPS);
  return new Map([
    ["net", net],
    ["mid", mid],
    ["spread", mid - net],
  ]);
}

/** The client must receive `minor`: `cost` is what it pays. */
export function costOf(minor: bigint, rate: SecondRate, scales: Scales, spreadBps: bigint): ReadonlyMap<string, Value> {
  const { n, d } = worthOf(minor, rate, scales);
  const bps = spreadOf(rate, spreadBps);
  const mid = halfEven(n, d);
  // Whoever pays in the base of the pair sells it.
  const cost = rate.buysBase
    ? ceiling(n * WHOLE_BPS, d * (WHOLE_BPS - bps))
    : ceiling(n * (WHOLE_BPS + bps), d * WHOLE_BPS);
  return new Map([
    ["cost", cost],
    ["mid", mid],
    ["spread", cost - mid],
  ]);
}

/** The flow's and the rate's together: at least nothing, and never the whole. */
function spreadOf({ extraBps }: SecondRate, asked: bigint): bigint {
  const bps = (asked > 0n ? asked : 0n) + extraBps;
  return bps < WHOLE_BPS ? bps : WHOLE_BPS - 1n;
}

/** In minor units of the other currency, not yet whole. */
function worthOf(
  minor: bigint,
  { n, d }: SecondRate,
  { from, to }: Scales,
): { readonly n: bigint; readonly d: bigint } {
  return { n: minor * n * 10n ** BigInt(to), d: d * 10n ** BigInt(from) };
}
