// What the names in an expression stand for while a case takes an event in, and which currency an amount is in.

import type { Value } from "./evaluate.ts";
import type { Node } from "./expressions.ts";
import { fieldsOf, type SecondFlow } from "./flows.ts";
import type { SecondIntent } from "./intent.ts";
import { at, entriesOf, itemsOf, type Tree } from "./tree.ts";

/** What an event brings, its fields by name. */
export type EventGiven = {
  /** as the flow file calls it: `psp.auth.approved` */
  readonly name: string;
  readonly fields: ReadonlyMap<string, Value>;
  /** of fields that are amounts */
  readonly currencies: ReadonlyMap<string, string>;
  readonly atMs: bigint;
};

/** What `let` has named. */
export type Known = { readonly value: Value; readonly symbol: string | null };

export type Around = {
  readonly flow: SecondFlow;
  readonly holderId: string;
  /** as it is written for people */
  readonly caseId: () => string;
  readonly intent: SecondIntent | null;
  readonly event: EventGiven;
  readonly currencies: ReadonlyMap<string, string>;
  readonly values: ReadonlyMap<string, Value>;
  /** with the symbol of the currency that each is in */
  readonly names: ReadonlyMap<string, Known>;
  readonly param: (name: string) => Value | undefined;
};

export function namedIn(around: Around, path: readonly string[]): Value | undefined {
  const [first = "", second = ""] = path;
  const named = around.names.get(first);
  if (named !== undefined) return path.length === 1 ? named.value : partOf(named.value, second);
  switch (first) {
    case "data":
      return around.values.get(second);
    case "params":
      return around.param(second);
    case "event":
      return second === "at" ? around.event.atMs : around.event.fields.get(second);
    case "intent":
      return fieldOf(around.intent, path.slice(1));
    case "case":
      return second === "id" ? around.caseId() : second === "holder" ? around.holderId : undefined;
    default:
      return around.currencies.get(first);
  }
}

function partOf(value: Value, name: string): Value | undefined {
  return value instanceof Map ? value.get(name) : undefined;
}

/** @returns undefined when the intent does not say */
export function fieldOf(intent: SecondIntent | null, path: readonly string[]): Value | undefined {
  let here: unknown = intent;
  for (const name of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, name)) return undefined;
    here = (here as Record<string, unknown>)[name];
  }
  return typeof here === "bigint" || typeof here === "boolean" || typeof here === "string" ? here : undefined;
}

// Currencies --------------------------------------------------------------------------------------------------------------

/** Which arguments of a function say what its amount is in, the first that does. */
const SAID_BY: Readonly<Record<string, readonly number[]>> = {
  min: [0, 1],
  max: [0, 1],
  "fee.of": [0, 2],
  "share.of": [0],
  "part.up": [0],
  "part.down": [0],
  lookup: [1],
  "fx.convert": [2],
  "fx.cost": [2],
  "quote.convert": [3],
};

/** The symbol of the currency that an expression's amount is in; null when it is a plain number. */
export function symbolOf(around: Around, node: Node): string | null {
  switch (node.is) {
    case "name":
      return symbolOfName(around, node.path);
    case "sign":
      return symbolOf(around, node.of);
    case "pair":
      return symbolOf(around, node.left) ?? symbolOf(around, node.right);
    case "either":
      return symbolOf(around, node.whenTrue) ?? symbolOf(around, node.otherwise);
    case "call":
      return symbolOfCall(around, node.name, node.given);
    default:
      return null;
  }
}

function symbolOfName(around: Around, path: readonly string[]): string | null {
  const [first = "", second = ""] = path;
  const named = around.names.get(first);
  if (named !== undefined) return named.symbol;
  if (path.length === 1) return around.currencies.has(first) ? first : null;
  const { spec } = around.flow;
  if (first === "data") return moneyOf(at(spec, "data", second));
  if (first === "params") return moneyOf(at(spec, "params", second));
  if (first === "event") return moneyOf(at(fieldsOf(around.flow, around.event.name), second));
  return path.join(".") === "intent.amount.minor" ? symbolOfAsked(around.flow) : null;
}

/** The currency that the amounts of intents are in: that of the amount which opened the case, else the first. */
export function symbolOfAsked({ spec, startsOn }: SecondFlow): string | null {
  const symbols = entriesOf(at(spec, "currencies"));
  const own = symbols.find(([, from]) => from === "intent.amount.currency") ?? (startsOn === null ? symbols[0] : null);
  return own?.[0] ?? null;
}

function symbolOfCall(around: Around, name: string, given: readonly Node[]): string | null {
  const [first] = given;
  if (name === "spendable" && first?.is === "name") return symbolOfAccount(around.flow, first.path.join("."));
  for (const index of SAID_BY[name] ?? []) {
    const said = given[index];
    const symbol = said === undefined ? null : symbolOf(around, said);
    if (symbol !== null) return symbol;
  }
  return null;
}

/** The first that its lines are in. */
function symbolOfAccount({ spec }: SecondFlow, alias: string): string | null {
  for (const [, posting] of entriesOf(at(spec, "postings"))) {
    for (const line of itemsOf(at(posting, "lines"))) {
      const [debit, credit, symbol] = itemsOf(line);
      if ((debit === alias || credit === alias) && typeof symbol === "string") return symbol;
    }
  }
  return null;
}

function moneyOf(type: Tree | undefined): string | null {
  const symbol = at(type, "money");
  return typeof symbol === "string" ? symbol : null;
}
