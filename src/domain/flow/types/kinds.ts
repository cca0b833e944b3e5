// What an expression can be: the types that are declared, and those that only expressions have.

import type { ValueType } from "../expression.ts";

export type ExpressionType =
  | ValueType
  /** a number as it is written: fits an int and money of any currency */
  | { readonly kind: "number" }
  /** a currency itself; `symbol` null where it is read from an intent */
  | { readonly kind: "currency"; readonly symbol: string | null }
  /** a time that is not known */
  | { readonly kind: "null" }
  /** what a conversion gives: money by name */
  | { readonly kind: "record"; readonly fields: Readonly<Record<string, ValueType>> }
  | { readonly kind: "list"; readonly items: readonly ExpressionType[] };

export const BOOL: ExpressionType = { kind: "bool" };
export const INT: ExpressionType = { kind: "int" };
export const TEXT: ExpressionType = { kind: "text" };
export const TIME: ExpressionType = { kind: "time" };
export const NUMBER: ExpressionType = { kind: "number" };

/** A type in the words of the file. */
export function printType(type: ExpressionType): string {
  switch (type.kind) {
    case "money":
      return `money of ${type.symbol}`;
    case "word":
      return `one of ${type.words.join(", ")}`;
    case "int":
      return "an int";
    case "bool":
      return "true or false";
    case "amounts":
      return "a table of amounts";
    case "currency":
      return "a currency";
    case "null":
      return "null";
    case "record":
      return `a record of ${Object.keys(type.fields).join(", ")}`;
    default:
      return `a ${type.kind}`;
  }
}

/** The type that two values have together, such as the two sides of a comparison.
 *  @returns null when they have nothing in common */
export function unite(one: ExpressionType, other: ExpressionType): ExpressionType | null {
  if (one.kind === "number") return isCount(other) ? other : null;
  if (other.kind === "number") return isCount(one) ? one : null;
  if (one.kind === "null" || other.kind === "null") return uniteNull(one, other);
  if (one.kind === "money" && other.kind === "money") return one.symbol === other.symbol ? one : null;
  if (one.kind === "word" && other.kind === "word") {
    const shared = one.words.some((word) => other.words.includes(word));
    return shared ? { kind: "word", words: [...new Set([...one.words, ...other.words])] } : null;
  }
  if (isTextual(one) && isTextual(other)) return one.kind === other.kind ? one : TEXT;
  if (one.kind !== other.kind || one.kind === "record" || one.kind === "list" || one.kind === "amounts") return null;
  return one;
}

function uniteNull(one: ExpressionType, other: ExpressionType): ExpressionType | null {
  if (one.kind === "null" && other.kind === "null") return one;
  return one.kind === "time" || other.kind === "time" ? TIME : null;
}

/** Whether a written number fits. */
function isCount(type: ExpressionType): boolean {
  return type.kind === "number" || type.kind === "int" || type.kind === "money";
}

function isTextual(type: ExpressionType): boolean {
  return type.kind === "text" || type.kind === "word" || type.kind === "currency";
}

/** Whether one value can be below another. */
export function isOrdered(type: ExpressionType): boolean {
  return isCount(type) || type.kind === "time" || type.kind === "duration";
}
