// Routes as a version in the database has them: which provider is the n-th choice for a payment. Each that takes it draws a
// number for the case: how many binary digits the 256th power of a 64-bit hash has fewer than the longest. Divided by the
// weights the smallest is the first choice, and of two alike the provider whose name comes first.

import { createHash } from "node:crypto";
import { at, entriesOf, itemsOf, type Tree, textOf } from "./tree.ts";

export type SecondPayment = {
  readonly uuid: string;
  readonly method: string;
  readonly minor: bigint;
  readonly currency: string;
};

/** The provider of the n-th choice, from 1; null when there are fewer. */
export type AskRoute = (payment: SecondPayment, n: bigint) => string | null;

/** @param stored null: there were none */
export function routesOf(stored: Tree | null): AskRoute {
  const methods = new Map(stored === null ? [] : entriesOf(stored));
  return (payment, n) => {
    const left = itemsOf(methods.get(payment.method)).filter((route) => isFor(route, payment));
    for (let place = 1n; left.length > 0; place++) {
      const first = left.reduce((best, route) => (isBefore(route, best, payment.uuid) ? route : best));
      if (place === n) return providerOf(first);
      left.splice(left.indexOf(first), 1);
    }
    return null;
  };
}

function isFor(route: Tree, { minor, currency }: SecondPayment): boolean {
  const [currencies, min, max] = [at(route, "currencies"), at(route, "min"), at(route, "max")];
  if (Array.isArray(currencies) && !currencies.includes(currency)) return false;
  if (typeof min === "string" && minor < BigInt(min)) return false;
  return typeof max !== "string" || minor <= BigInt(max);
}

function isBefore(one: Tree, other: Tree, uuid: string): boolean {
  const [mine, its] = [drawn(one, uuid) * weightOf(other), drawn(other, uuid) * weightOf(one)];
  return mine < its || (mine === its && providerOf(one) < providerOf(other));
}

function drawn(route: Tree, uuid: string): bigint {
  const digest = createHash("sha256")
    .update(`${uuid}/${providerOf(route)}`)
    .digest();
  let power = digest.readBigUInt64BE(0);
  if (power % 2n === 0n) power += 1n;
  for (let doubling = 0; doubling < 8; doubling++) power *= power;
  return BigInt(64 * 256 + 1 - power.toString(2).length);
}

function weightOf(route: Tree): bigint {
  return BigInt(textOf(at(route, "weight"), "a weight"));
}

function providerOf(route: Tree): string {
  return textOf(at(route, "provider"), "a provider");
}
