// What a conversion comes to, worked out once more as fractions of whole numbers and without a look at src/domain/fx: who sells
// the base of a pair gets mid x (1-s), who buys it pays mid x (1+s); the client's leg is rounded toward the house, and the leg
// at mid to the nearest, even at a tie.

import { SCALES } from "./card-payment.ts";

export type Fraction = { readonly n: bigint; readonly d: bigint };

const times = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.n, d: a.d * b.d });
export const over = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.d, d: a.d * b.n });
export const floor = ({ n, d }: Fraction): bigint => n / d;
export const ceiling = ({ n, d }: Fraction): bigint => (n + d - 1n) / d;
export const halfUp = ({ n, d }: Fraction): bigint => (2n * n + d) / (2n * d);
function halfEven(x: Fraction): bigint {
  const up = halfUp(x);
  const isTie = 2n * (up * x.d - x.n) === x.d;
  return isTie && up % 2n === 1n ? up - 1n : up;
}
export const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** A pair as it is quoted, `1 base = price quote`, and the table of spreads in basis points by pair. */
export type Market = {
  readonly base: string;
  readonly quote: string;
  readonly mantissa: bigint;
  readonly decimals: number;
  readonly table: Readonly<Record<string, bigint>>;
};

/** The price so many hundredths of what it was. */
export function moved(market: Market, percent: bigint): Market {
  const mantissa = (market.mantissa * percent) / 100n;
  return { ...market, mantissa: mantissa === 0n ? 1n : mantissa };
}

function priceText({ mantissa, decimals }: Market): string {
  const digits = mantissa.toString().padStart(decimals + 1, "0");
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

export const pricesOf = (market: Market): Record<string, string> => ({
  [market.base + market.quote]: priceText(market),
});

function spreadBps({ table }: Market, from: string, to: string): bigint {
  return table[from + to] ?? table[to + from] ?? table["*"] ?? 0n;
}

/** `minor` of `from` in minor units of `to`, when one base costs the price of mid by `tenThousandths`. */
export function exchanged(market: Market, minor: bigint, from: string, to: string, tenThousandths: bigint): Fraction {
  const price = { n: market.mantissa * tenThousandths, d: 10n ** BigInt(market.decimals) * 10_000n };
  const major = { n: minor, d: 10n ** BigInt(SCALES[from] as number) };
  const changed = from === market.base ? times(major, price) : over(major, price);
  return times(changed, { n: 10n ** BigInt(SCALES[to] as number), d: 1n });
}

export const atMid = (market: Market, minor: bigint, from: string, to: string): bigint =>
  halfEven(exchanged(market, minor, from, to, 10_000n));

/** Who gives `minor` of `from` receives this much of `to`. */
export function received(market: Market, minor: bigint, from: string, to: string): bigint {
  const bps = spreadBps(market, from, to);
  return floor(exchanged(market, minor, from, to, from === market.base ? 10_000n - bps : 10_000n + bps));
}

/** Who is to get `minor` of `from` pays this much of `to`. */
export function paid(market: Market, minor: bigint, from: string, to: string): bigint {
  const bps = spreadBps(market, from, to);
  return ceiling(exchanged(market, minor, from, to, from === market.base ? 10_000n + bps : 10_000n - bps));
}
