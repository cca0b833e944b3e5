// What a flow file, an event or a case says a value is: by its declared type, `{money: S}`, `{enum: [a, b]}` and so on.

import type { Value } from "./evaluate.ts";
import { at, entriesOf, itemsOf, type Tree, textOf, Unreadable } from "./tree.ts";

/** A value that stands as itself where one of that type is asked for; undefined when it is an expression. */
export function literalOf(type: Tree | undefined, tree: Tree): Value | undefined {
  if (typeof tree === "number") return BigInt(tree);
  if (typeof tree === "boolean" || tree === null) return tree;
  if (at(type, "amounts") !== undefined)
    return new Map(entriesOf(tree).map(([word, entry]) => [word, tableEntry(entry)]));
  if (typeof tree !== "string") throw new Unreadable("a list or a map is no value");
  if (itemsOf(at(type, "enum")).includes(tree)) return tree;
  if (at(type, "duration") !== undefined) return durationMs(tree);
  if (/^-?\d+$/.test(tree)) return BigInt(tree);
  return undefined;
}

function tableEntry(tree: Tree): bigint {
  return BigInt(textOf(tree, "an entry of a table"));
}

const UNIT_MS: Readonly<Record<string, bigint>> = {
  W: 604_800_000n,
  D: 86_400_000n,
  H: 3_600_000n,
  M: 60_000n,
  S: 1_000n,
};

const DURATION = /^P(?=.)(?:\d+W)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?$/;

/** ISO 8601 without years and months: `P1DT2H` is a day and two hours. Undefined when it is none. */
export function durationMs(text: string): bigint | undefined {
  if (!DURATION.test(text)) return undefined;
  let ms = 0n;
  for (const [, count, unit] of text.matchAll(/(\d+)([WDHMS])/g))
    ms += BigInt(count as string) * (UNIT_MS[unit as string] as bigint);
  return ms;
}

/** Of a parameter, or of what a field holds when an intent is silent: always a value, never an expression. */
export function plainValue(type: Tree | undefined, tree: Tree): Value {
  if (typeof tree === "string" && at(type, "text") !== undefined) return tree;
  const value = literalOf(type, tree);
  if (value === undefined) throw new Unreadable(`${String(tree)} is no value of its type`);
  return value;
}

/** What a message says of a field, by the field's type: digits for numbers. Undefined when it says nothing of the kind. */
export function toldOf(type: Tree | undefined, text: string): Value | undefined {
  switch (kindOf(type)) {
    case "bool":
      return text === "true" || text === "false" ? text === "true" : undefined;
    case "text":
      return text.includes("\0") ? undefined : text;
    case "enum":
      return itemsOf(at(type, "enum")).includes(text) ? text : undefined;
    case "money":
      return /^\d{1,64}$/.test(text) ? BigInt(text) : undefined;
    default:
      return /^-?\d{1,64}$/.test(text) ? BigInt(text) : undefined;
  }
}

/** `{int: true}`, or `int` for short. */
export function kindOf(type: Tree | undefined): string {
  if (typeof type === "string") return type;
  return ["money", "int", "bool", "enum", "text", "time"].find((kind) => at(type, kind) !== undefined) ?? "";
}

/** A moment in milliseconds since the epoch; later than the last one of that year there is none. */
export function notBehind9999(ms: bigint): number {
  const last = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
  return ms > BigInt(last) ? last : Number(ms);
}
