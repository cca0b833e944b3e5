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

/** Functions whose first word is a name and not a value: an alias or a path. */
const BY_NAME = ["has", "spendable"];

/** @throws Unreadable */
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
      if (node.sign === "!") return !isTrue(value);
      return value === null ? null : -whole(value);
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
    case "<=":
    case ">":
    case ">=":
      return left !== null && right !== null && compared(node.sign, whole(left), whole(right));
    default:
      return left === null || right === null ? null : computed(node.sign, whole(left), whole(right));
  }
}

function compared(sign: string, left: bigint, right: bigint): boolean {
  if (sign === "<") return left < right;
  if (sign === "<=") return left <= right;
  return sign === ">" ? left > right : left >= right;
}

function computed(sign: string, left: bigint, right: bigint): bigint | null {
  if (sign === "+") return left + right;
  if (sign === "-") return left - right;
  return sign === "*" ? left * right : divided(sign, left, right);
}

/** Toward zero, as bigints divide; a quotient by nothing is not known. */
function divided(sign: string, left: bigint, right: bigint): bigint | null {
  if (right === 0n) return null;
  return sign === "/" ? left / right : left % right;
}

function call(name: string, given: readonly Node[], scope: Scope): Value {
  if (BY_NAME.includes(name)) {
    const [word] = given;
    if (word?.is !== "name") throw new Unreadable(`${name} wants a name`);
    return scope.asked(name, [word.path.join(".")]) ?? unknown(name);
  }
  const values = given.map((one) => evaluate(one, scope));
  const value = plain(name, values);
  return value === undefined ? (scope.asked(name, values) ?? unknown(name)) : value;
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
      return atMost(whole(one), halfUp(whole(one) * atLeastNone(two), 10_000n) + atLeastNone(three));
    case "share.of":
      return atMost(whole(one), halfUp(whole(one) * atLeastNone(two), 10_000n));
    case "part.up":
      return whole(three) > 0n ? ceiling(whole(one) * whole(two), whole(three)) : null;
    case "part.down":
      return whole(three) > 0n ? floor(whole(one) * whole(two), whole(three)) : null;
    case "lookup":
      return tableOf(one).get(wordOf(two)) ?? whole(three);
    case "fx.spread":
      return spreadOf(tableOf(one), wordOf(two), wordOf(three));
    default:
      return undefined;
  }
}

function spreadOf(table: ReadonlyMap<string, Value>, from: string, to: string): Value {
  return table.get(from + to) ?? table.get(to + from) ?? table.get("*") ?? 0n;
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

function atLeastNone(value: Value | undefined): bigint {
  return whole(value) > 0n ? whole(value) : 0n;
}

function atMost(limit: bigint, value: bigint): bigint {
  return value < limit ? value : limit;
}

/** The largest whole number that is not above n/d. @param d > 0n */
export function floor(n: bigint, d: bigint): bigint {
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
