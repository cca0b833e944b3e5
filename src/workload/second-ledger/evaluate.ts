// What an expression gives: looked up and computed by walking its tree, each time anew. Numbers are bigints; money, times and
// durations are numbers too, and currencies and words are texts.

import type { Node } from "./expressions.ts";
import { Unreadable } from "./tree.ts";

/** A time that is not known is null. What has names (a conversion, a table of amounts) is a Map. */
export type Value = bigint | boolean | string | null | ReadonlyMap<string, Value> | readonly Value[];

/** What is around an expression. */
export type Scope = {
  /** of a name such as `data.held`; undefined when there is none */
  readonly named: (path: readonly string[]) => Value | undefined;
  /** what a function that looks at the world gives; undefined when there is none of that name */
  readonly asked: (name: string, given: readonly Value[]) => Value | undefined;
};

/** An amount that no arithmetic can make: a case or a file says something that cannot be. */
export class NoResult extends Error {
  override name = "NoResult";
}

/** Functions whose first word is a name and not a value: an alias or a path. */
const BY_NAME = ["has", "spendable"];

/** @throws Unreadable | NoResult */
export function evaluate(node: Node, scope: Scope): Value {
  switch (node.is) {
    case "value":
      return node.value;
    case "list":
      return node.items.map((item) => evaluate(item, scope));
    case "name":
      return named(node.path, scope);
    case "either":
      return evaluate(isTrue(evaluate(node.test, scope)) ? node.whenTrue : node.otherwise, scope);
    case "sign": {
      const value = evaluate(node.of, scope);
      return node.sign === "!" ? !isTrue(value) : -whole(value);
    }
    case "pair":
      return pair(node, scope);
    case "call":
      return call(node.name, node.given, scope);
  }
}

function named(path: readonly string[], scope: Scope): Value {
  const value = scope.named(path);
  if (value === undefined) throw new Unreadable(`there is no ${path.join(".")}`);
  return value;
}

function pair(node: Extract<Node, { is: "pair" }>, scope: Scope): Value {
  const left = evaluate(node.left, scope);
  if (node.sign === "&&") return isTrue(left) && isTrue(evaluate(node.right, scope));
  if (node.sign === "||") return isTrue(left) || isTrue(evaluate(node.right, scope));
  const right = evaluate(node.right, scope);
  switch (node.sign) {
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case "in":
      return Array.isArray(right) && right.includes(left);
    case "<":
      return whole(left) < whole(right);
    case "<=":
      return whole(left) <= whole(right);
    case ">":
      return whole(left) > whole(right);
    case ">=":
      return whole(left) >= whole(right);
    case "+":
      return whole(left) + whole(right);
    case "-":
      return whole(left) - whole(right);
    case "*":
      return whole(left) * whole(right);
    default:
      return divided(node.sign, whole(left), whole(right));
  }
}

/** Toward zero, as bigints divide. */
function divided(sign: string, left: bigint, right: bigint): bigint {
  if (right === 0n) throw new NoResult(`${left} ${sign} 0`);
  return sign === "/" ? left / right : left % right;
}

function call(name: string, given: readonly Node[], scope: Scope): Value {
  if (BY_NAME.includes(name)) {
    const [word] = given;
    if (word?.is !== "name") throw new Unreadable(`${name} wants a name`);
    return scope.asked(name, [word.path.join(".")]) ?? unknown(name);
  }
  const values = given.map((one) => evaluate(one, scope));
  return plain(name, values) ?? scope.asked(name, values) ?? unknown(name);
}

function unknown(name: string): never {
  throw new Unreadable(`there is no function ${name}`);
}

/** Functions that look at nothing but what they are given. */
function plain(name: string, given: readonly Value[]): Value | undefined {
  const [one, two, three] = given;
  switch (name) {
    case "min":
      return whole(one) < whole(two) ? whole(one) : whole(two);
    case "max":
      return whole(one) > whole(two) ? whole(one) : whole(two);
    case "fee.of":
      return atMost(whole(one), halfUp(whole(one) * whole(two), 10_000n) + whole(three));
    case "share.of":
      return halfUp(whole(one) * whole(two), 10_000n);
    case "part.up":
      return ceiling(whole(one) * whole(two), whole(three));
    case "part.down":
      return floor(whole(one) * whole(two), whole(three));
    case "lookup":
      return tableOf(one).get(wordOf(two)) ?? whole(three);
    case "fx.spread":
      return spreadOf(tableOf(one), wordOf(two), wordOf(three));
    default:
      return undefined;
  }
}

function spreadOf(table: ReadonlyMap<string, Value>, from: string, to: string): Value {
  const found = table.get(from + to) ?? table.get(to + from) ?? table.get("*");
  return found ?? unknown(`spread of ${from} and ${to}`);
}

// Numbers -----------------------------------------------------------------------------------------------------------------

export function whole(value: Value | undefined): bigint {
  if (typeof value === "bigint") return value;
  throw new Unreadable(`${String(value)} is no number`);
}

function isTrue(value: Value): boolean {
  if (typeof value === "boolean") return value;
  throw new Unreadable(`${String(value)} is neither true nor false`);
}

export function wordOf(value: Value | undefined): string {
  if (typeof value === "string") return value;
  throw new Unreadable(`${String(value)} is no word`);
}

function tableOf(value: Value | undefined): ReadonlyMap<string, Value> {
  if (value instanceof Map) return value;
  throw new Unreadable(`${String(value)} is no table`);
}

function atMost(limit: bigint, value: bigint): bigint {
  return value < limit ? value : limit;
}

/** The largest whole number that is not above n/d. @param d > 0n */
export function floor(n: bigint, d: bigint): bigint {
  if (d === 0n) throw new NoResult(`${n} / 0`);
  if (d < 0n) return floor(-n, -d);
  return n >= 0n ? n / d : -((-n + d - 1n) / d);
}

export function ceiling(n: bigint, d: bigint): bigint {
  return -floor(-n, d);
}

/** The nearest, and of two the one above. */
function halfUp(n: bigint, d: bigint): bigint {
  return floor(2n * n + d, 2n * d);
}

/** The nearest, and of two the even one. */
export function halfEven(n: bigint, d: bigint): bigint {
  const below = floor(n, d);
  const rest = 2n * (n - below * d) - d;
  if (rest < 0n) return below;
  return rest > 0n || below % 2n !== 0n ? below + 1n : below;
}
