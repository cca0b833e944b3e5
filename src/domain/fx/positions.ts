// What conversions have made of the house's currencies: position, cost, and the result that is realised or not yet. Pure:
// deals in their order, and a way to value an amount.
//
// Everything is told in one currency, the home currency. A deal takes in some currencies and gives out others; what it gave
// of the home currency is the cost of what it took in. A deal between two others is valued by the rates of its time, the
// same value for both legs, so that nothing is made or lost by valuing. By weighted average: what is sold takes its part of
// the cost with it, and the difference to its price is realised.

import { assert } from "../assert.ts";
import { roundQuotient } from "./rounding.ts";

/** What one posting of one case did to `fx:position`, in minor units by currency: above zero was taken in. */
export type Deal = { readonly legs: ReadonlyMap<string, bigint>; readonly ratesVersion: bigint };

/** Minor units of a currency in minor units of the home currency; null when there is no rate at all. */
export type Valuation = (minor: bigint, currency: string) => bigint | null;

export type Position = {
  readonly currency: string;
  /** above zero long, below zero short */
  position: bigint;
  /** what the position cost in the home currency, with its sign */
  cost: bigint;
  realised: bigint;
};

export type PositionReport = {
  readonly currency: string;
  readonly position: bigint;
  /** in minor units of the home currency, like all that follow */
  readonly cost: bigint;
  /** at the rates that are asked for; null when there is none */
  readonly value: bigint | null;
  readonly realised: bigint;
  readonly unrealised: bigint | null;
};

export class PositionBook {
  readonly home: string;
  readonly #positions = new Map<string, Position>();
  /** position in the home currency itself */
  #homePosition = 0n;
  /** taken out of the positions by postings in the home currency alone: results that were booked elsewhere */
  #swept = 0n;
  /** deals that could not be valued, because there was no rate for any of their legs */
  readonly unvalued: Deal[] = [];

  constructor(home: string) {
    this.home = home;
  }

  /** @param valueThen by the rates of the deal's block */
  add(deal: Deal, valueThen: Valuation): void {
    const legs = [...deal.legs].filter(([currency, minor]) => currency !== this.home && minor !== 0n);
    const homeLeg = deal.legs.get(this.home) ?? 0n;
    this.#homePosition += homeLeg;
    if (legs.length === 0) {
      this.#swept += homeLeg;
      return;
    }
    const values = valuesOf(legs, homeLeg, valueThen);
    if (values === null) this.unvalued.push(deal);
    legs.forEach(([currency, minor], index) => this.#take(currency, minor, values?.[index] ?? 0n));
  }

  /** @param value what the position's change cost in the home currency, with its sign */
  #take(currency: string, minor: bigint, value: bigint): void {
    const one = this.#positions.get(currency) ?? { currency, position: 0n, cost: 0n, realised: 0n };
    this.#positions.set(currency, one);
    const isClosing = one.position !== 0n && one.position > 0n !== minor > 0n;
    const closed = isClosing ? least(abs(minor), abs(one.position)) : 0n;
    const valueClosed = part(value, closed, abs(minor));
    if (isClosing) {
      const costClosed = part(one.cost, closed, abs(one.position));
      one.realised -= valueClosed + costClosed;
      one.cost -= costClosed;
    }
    one.position += minor;
    one.cost += value - valueClosed;
  }

  /** The home currency first, then the others by their codes. */
  report(valueNow: Valuation): { readonly rows: readonly PositionReport[]; readonly swept: bigint } {
    const home: PositionReport = {
      currency: this.home,
      position: this.#homePosition,
      cost: this.#homePosition,
      value: this.#homePosition,
      realised: 0n,
      unrealised: 0n,
    };
    const others = [...this.#positions.values()].map(({ currency, position, cost, realised }): PositionReport => {
      const value = position === 0n ? 0n : valueNow(position, currency);
      return { currency, position, cost, value, realised, unrealised: value === null ? null : value - cost };
    });
    others.sort((one, other) => (one.currency < other.currency ? -1 : 1));
    return { rows: [home, ...others], swept: this.#swept };
  }
}

/** The identity of the trading-account method: what all positions are worth is the result that was not swept yet.
 *  @returns both sides, or null when a position has no rate */
export function identityOf(
  rows: readonly PositionReport[],
  swept: bigint,
): { readonly worth: bigint; readonly result: bigint } | null {
  let worth = 0n;
  let result = swept;
  for (const { value, realised, unrealised } of rows) {
    if (value === null || unrealised === null) return null;
    worth += value;
    result += realised + unrealised;
  }
  return { worth, result };
}

/** What each leg cost: against the home currency what was given of that; between others the first at the rates of then,
 *  the last whatever makes the deal whole. */
function valuesOf(
  legs: readonly (readonly [currency: string, minor: bigint])[],
  homeLeg: bigint,
  valueThen: Valuation,
): bigint[] | null {
  const values: bigint[] = [];
  let left = -homeLeg;
  for (const [currency, minor] of legs.slice(0, -1)) {
    const value = valueThen(minor, currency);
    if (value === null) return null;
    values.push(value);
    left -= value;
  }
  return [...values, left];
}

function part(whole: bigint, numerator: bigint, denominator: bigint): bigint {
  assert(denominator > 0n, "a part is of something");
  return roundQuotient("half_even", whole * numerator, denominator);
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
