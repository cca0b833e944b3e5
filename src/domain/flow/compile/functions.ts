// The functions of expressions, each as a maker of closures. What they promise is in ../functions.ts.

import { assert } from "../../assert.ts";
import { type Conversion, type Cost, convert, cost, lockSecondsOf } from "../../fx/fx.ts";
import { convertByQuote, type Quote, type QuoteRefusal, quoteFor } from "../../fx/quotes.ts";
import { feeOf, partDown, partUp, shareOf } from "../../shares.ts";
import type { ExpressionNode } from "../expression.ts";
import type { Figures, Get, Names, Scope } from "../scope.ts";

type Arguments = readonly ExpressionNode[];
/** Makes the closure of an argument. */
export type Compile = (node: ExpressionNode) => Get;
type Making = { readonly names: Names; readonly compile: Compile };
type Amount = (scope: Scope) => bigint;
type Text = (scope: Scope) => string;
export type GetFigures = (scope: Scope) => Figures;

/** More than any account holds: what can be taken of one without floor. */
export const WITHOUT_FLOOR = 10n ** 38n - 1n;

export function compileFunction(names: Names, compile: Compile, name: string, given: Arguments): Get {
  const make = MAKERS[name];
  assert(make !== undefined, `there is no function ${name} that gives a single value`);
  return make({ names, compile }, given);
}

/** Those that give several amounts at once, for `let`.
 *  @returns null when `node` is no call of such a function */
export function compileFigures(names: Names, compile: Compile, node: ExpressionNode): GetFigures | null {
  if (node.kind !== "call") return null;
  const make = FIGURES[node.name];
  return make === undefined ? null : make({ names, compile }, node.arguments);
}

const MAKERS: Readonly<Record<string, (making: Making, given: Arguments) => Get>> = {
  min: (making, given) => {
    const [a, b] = numbers(making, given, 2);
    return (scope) => smaller(a(scope), b(scope));
  },
  max: (making, given) => {
    const [a, b] = numbers(making, given, 2);
    return (scope) => {
      const one = a(scope);
      const other = b(scope);
      return one > other ? one : other;
    };
  },
  "fee.of": (making, given) => {
    const [x, bps, fixed] = numbers(making, given, 3);
    return (scope) => feeOf(x(scope), bps(scope), fixed(scope));
  },
  "share.of": (making, given) => {
    const [x, bps] = numbers(making, given, 2);
    return (scope) => shareOf(x(scope), bps(scope));
  },
  "part.up": (making, given) => {
    const [x, n, d] = numbers(making, given, 3);
    return (scope) => partUp(x(scope), n(scope), d(scope));
  },
  "part.down": (making, given) => {
    const [x, n, d] = numbers(making, given, 3);
    return (scope) => partDown(x(scope), n(scope), d(scope));
  },
  lookup: (making, given) => {
    const table = tableOf(making, given[0]);
    const word = text(making, given[1]);
    const otherwise = number(making, given[2]);
    return (scope) => entryOf(table(scope), word(scope)) ?? otherwise(scope);
  },
  "fx.usable": (making, given) => {
    const [from, to] = pair(making, given);
    return (scope) => from(scope) === to(scope) || scope.rateOf(from(scope), to(scope)) !== null;
  },
  "fx.lock": (making, given) => {
    const [from, to] = pair(making, given);
    return (scope) => lockSecondsOf(scope.rateOf(from(scope), to(scope)));
  },
  "fx.spread": (making, given) => {
    const table = tableOf(making, given[0]);
    const [from, to] = pair(making, given.slice(1));
    return (scope) => spreadOf(table(scope), from(scope), to(scope));
  },
  "quote.usable": (making, given) => {
    const id = text(making, given[0]);
    const x = number(making, given[1]);
    const [from, to] = pair(making, given.slice(2));
    return (scope) => typeof quoteAt(scope, id(scope), x(scope), from(scope), to(scope)) !== "string";
  },
  "route.has": (making, given) => {
    const route = routeOf(making, given);
    return (scope) => route(scope) !== null;
  },
  "route.provider": (making, given) => {
    const route = routeOf(making, given);
    return (scope) => {
      const provider = route(scope);
      if (provider === null) scope.refuse("route_missing");
      return provider ?? "";
    };
  },
  spendable: (making, given) => {
    const path = accountOf(making, given[0]);
    return (scope) => scope.spendable(path(scope));
  },
  home: (making, given) => {
    const path = text(making, given[0]);
    return (scope) => {
      const place = scope.placeOf(path(scope));
      return place !== null && (place.kind === "house" || place.holderId === scope.holderId);
    };
  },
  "holder.of": (making, given) => {
    const path = text(making, given[0]);
    return (scope) => {
      const place = scope.placeOf(path(scope));
      if (place === null) scope.refuse("unknown_account");
      return place?.kind === "holder" ? place.holderId : "house";
    };
  },
  has: (_making, given) => {
    const [field] = given;
    assert(field?.kind === "name" && field.path[0] === "intent", "`has` asks for a field of the intent");
    const name = (field.path[1] as string) === "amount" ? "amount" : (field.path[1] as "reference");
    return (scope) => scope.intent !== null && scope.intent[name] !== null;
  },
};

const FIGURES: Readonly<Record<string, (making: Making, given: Arguments) => GetFigures>> = {
  "fx.convert": (making, given) => {
    const x = number(making, given[0]);
    const [from, to] = pair(making, given.slice(1));
    const bps = number(making, given[3]);
    return (scope) => converted(scope, x(scope), from(scope), to(scope), bps(scope));
  },
  "fx.cost": (making, given) => {
    const x = number(making, given[0]);
    const [from, to] = pair(making, given.slice(1));
    const bps = number(making, given[3]);
    return (scope) => costing(scope, x(scope), from(scope), to(scope), bps(scope));
  },
  "quote.convert": (making, given) => {
    const id = text(making, given[0]);
    const x = number(making, given[1]);
    const [from, to] = pair(making, given.slice(2));
    return (scope) => quoted(scope, id(scope), x(scope), from(scope), to(scope));
  },
};

// Conversions -------------------------------------------------------------------------------------------------------------

const NO_CONVERSION: Conversion = { net: 0n, mid: 0n, spread: 0n };
const NO_COST: Cost = { cost: 0n, mid: 0n, spread: 0n };

function converted(scope: Scope, minor: bigint, from: string, to: string, bps: bigint): Conversion {
  if (from === to) return { net: minor, mid: minor, spread: 0n };
  const rate = scope.rateOf(from, to);
  if (rate === null) {
    scope.refuse("fx_rate_unavailable");
    return NO_CONVERSION;
  }
  return wanted(scope, minor, convert(minor, rate, { from: scope.scaleOf(from), to: scope.scaleOf(to) }, bps));
}

/** A wish that would give nothing is refused; of a fact nothing is what it gives. */
function wanted(scope: Scope, minor: bigint, made: Conversion): Conversion {
  if (scope.intent !== null && minor > 0n && made.net === 0n) scope.refuse("amount_too_small");
  return made;
}

function costing(scope: Scope, minor: bigint, from: string, to: string, bps: bigint): Cost {
  if (from === to) return { cost: minor, mid: minor, spread: 0n };
  const rate = scope.rateOf(from, to);
  if (rate === null) {
    scope.refuse("fx_rate_unavailable");
    return NO_COST;
  }
  return cost(minor, rate, { from: scope.scaleOf(from), to: scope.scaleOf(to) }, bps);
}

function quoted(scope: Scope, id: string, minor: bigint, from: string, to: string): Conversion {
  const quote = quoteAt(scope, id, minor, from, to);
  if (typeof quote !== "string") return wanted(scope, minor, convertByQuote(quote, minor));
  scope.refuse(quote);
  return NO_CONVERSION;
}

function quoteAt(scope: Scope, id: string, minor: bigint, from: string, to: string): Quote | QuoteRefusal {
  return quoteFor(scope.quoteCase(id), { holderId: scope.holderId, by: scope.caseUuid, minor, from, to });
}

/** Basis points for a pair: `EURUSD`, else `USDEUR`, else `*`; none without any of them. */
function spreadOf(table: Readonly<Record<string, bigint>>, from: string, to: string): bigint {
  return entryOf(table, from + to) ?? entryOf(table, to + from) ?? entryOf(table, "*") ?? 0n;
}

/** The n-th choice for a payment of this case; null when there are fewer. */
function routeOf(making: Making, given: Arguments): (scope: Scope) => string | null {
  const method = text(making, given[0]);
  const n = number(making, given[1]);
  const minor = number(making, given[2]);
  const currency = text(making, given[3]);
  return (scope) => scope.routeOf({ method: method(scope), currency: currency(scope), minor: minor(scope) }, n(scope));
}

// Arguments ---------------------------------------------------------------------------------------------------------------

function number({ compile }: Making, node: ExpressionNode | undefined): Amount {
  assert(node !== undefined, "a function lacks an argument");
  const get = compile(node);
  return (scope) => {
    const value = get(scope);
    assert(typeof value === "bigint", "a function was given something else than a number");
    return value;
  };
}

function text({ compile }: Making, node: ExpressionNode | undefined): Text {
  assert(node !== undefined, "a function lacks an argument");
  return compile(node) as Text;
}

function numbers(making: Making, given: Arguments, count: number): [Amount, Amount, Amount] {
  const made = given.slice(0, count).map((node) => number(making, node));
  assert(made.length === count, `a function takes ${count} arguments`);
  return made as [Amount, Amount, Amount];
}

function pair(making: Making, given: Arguments): [Text, Text] {
  return [text(making, given[0]), text(making, given[1])];
}

function tableOf(
  { names }: Making,
  node: ExpressionNode | undefined,
): (scope: Scope) => Readonly<Record<string, bigint>> {
  assert(node?.kind === "name" && node.path[0] === "params", "a table is a parameter");
  const name = node.path[1] as string;
  const otherwise = names.params.get(name);
  assert(otherwise !== undefined, `parameter ${name} is not declared`);
  return (scope) => scope.param(name, otherwise) as Readonly<Record<string, bigint>>;
}

function accountOf({ names }: Making, node: ExpressionNode | undefined): Text {
  assert(node?.kind === "name", "an account is named by its alias");
  const path = names.accounts.get(node.path.join("."));
  assert(path !== undefined, `account ${node.path.join(".")} is not declared`);
  return path;
}

function entryOf(table: Readonly<Record<string, bigint>>, word: string): bigint | null {
  return Object.hasOwn(table, word) ? (table[word] as bigint) : null;
}

function smaller(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
