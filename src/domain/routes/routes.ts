// Which provider takes a payment, as versioned data beside the parameters: by method, currency and amount, and of several
// in an order that is weighted and follows from the case alone. So every repeat decides the same, another instance too.
//
// The order is a weighted rendezvous: each provider draws a number for the case, and the smaller by its weight comes first.
// A route that is added or taken away moves the cases that it takes or took, and no other.

import { hash } from "node:crypto";

export type Route = {
  /** as the chart of accounts names it */
  readonly provider: string;
  /** null: every currency */
  readonly currencies: readonly string[] | null;
  /** minor units of those currencies; null: no limit */
  readonly min: bigint | null;
  readonly max: bigint | null;
  /** 1 to WEIGHT_MAX: how much of the payments it takes first, against the weights beside it */
  readonly weight: bigint;
};

/** By method, those that are open. */
export type Routes = ReadonlyMap<string, readonly Route[]>;

export const NO_ROUTES: Routes = new Map();
export const WEIGHT_MAX = 1_000_000;
/** Of one method: each is drawn for at every decision. */
export const ROUTES_MAX = 16;

export type Payment = {
  /** 32 hex digits */
  readonly caseUuid: string;
  readonly method: string;
  readonly currency: string;
  readonly minor: bigint;
};

/** @param n from 1
 *  @returns the provider of the n-th choice for this payment; null when there are fewer */
export function nthProvider(routes: Routes, payment: Payment, n: bigint): string | null {
  const fitting = (routes.get(payment.method) ?? []).filter((route) => takes(route, payment));
  if (n < 1n || n > BigInt(fitting.length)) return null;
  if (fitting.length === 1) return (fitting[0] as Route).provider;
  const drawn = fitting.map(({ provider, weight }) => ({ provider, weight, draw: drawOf(payment.caseUuid, provider) }));
  drawn.sort((one, other) => {
    const difference = one.draw * other.weight - other.draw * one.weight;
    return difference === 0n ? (one.provider < other.provider ? -1 : 1) : difference < 0n ? -1 : 1;
  });
  return (drawn[Number(n) - 1] as (typeof drawn)[number]).provider;
}

function takes({ currencies, min, max }: Route, { currency, minor }: Payment): boolean {
  if (currencies !== null && !currencies.includes(currency)) return false;
  return (min === null || minor >= min) && (max === null || minor <= max);
}

const LONGEST = 64n * 256n;

/** How many bits short of the longest 256th power of a 64-bit number that of this case's and provider's is: 256 times the
 *  negative binary logarithm of an even share, in whole numbers, which is what a weighted rendezvous divides by the weight.
 *  @returns 1 to 16,384 */
function drawOf(caseUuid: string, provider: string): bigint {
  const share = BigInt(`0x${hash("sha256", `${caseUuid}/${provider}`, "hex").slice(0, 16)}`) | 1n;
  return LONGEST + 1n - bitsOf(share ** 256n);
}

function bitsOf(value: bigint): bigint {
  const hex = value.toString(16);
  return BigInt((hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0] as string, 16))));
}

/** One text for the same routes, however the files were laid out, as a version in the database keeps them:
 *
 *      {"card":[{"provider":"cardco","currencies":["EUR"],"min":"100","max":null,"weight":"3"}]} */
export function writeRoutes(routes: Routes): string {
  const stored = [...routes.keys()].sort().map((method) => {
    const all = (routes.get(method) ?? []).map(
      ({ provider, currencies, min, max, weight }): StoredRoute => ({
        provider,
        currencies: currencies === null ? null : [...currencies].sort(),
        min: min === null ? null : String(min),
        max: max === null ? null : String(max),
        weight: String(weight),
      }),
    );
    const texts = all.map((one) => JSON.stringify(one)).sort();
    return `${JSON.stringify(method)}:[${texts.join(",")}]`;
  });
  return `{${stored.join(",")}}`;
}

/** @param text as `writeRoutes` wrote it */
export function readRoutes(text: string): Routes {
  const stored = JSON.parse(text) as Record<string, readonly StoredRoute[]>;
  return new Map(Object.entries(stored).map(([method, routes]) => [method, routes.map(readRoute)]));
}

type StoredRoute = Readonly<{
  provider: string;
  currencies: readonly string[] | null;
  min: string | null;
  max: string | null;
  weight: string;
}>;

function readRoute({ provider, currencies, min, max, weight }: StoredRoute): Route {
  const limit = (text: string | null): bigint | null => (text === null ? null : BigInt(text));
  return { provider, currencies, min: limit(min), max: limit(max), weight: BigInt(weight) };
}
