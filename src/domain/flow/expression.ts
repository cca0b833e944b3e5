// An expression of a flow file (a guard, an amount, a value) as its CEL text was parsed: a tree of our own, so that what
// runs hangs on no library. `types` gives each its type when the flow is checked, `compile` makes a closure of it.

import type { Place } from "../located.ts";

/** What a case variable, a parameter, a field of an event or an expression holds.
 *
 *  In memory: `money`, `int`, `time` and `duration` are bigint (minor units; milliseconds since the epoch; milliseconds),
 *  `bool` is boolean, `word` and `text` are strings. A time that is not known yet is null. */
export type ValueType =
  /** minor units of the currency that the symbol is bound to */
  | { readonly kind: "money"; readonly symbol: string }
  | { readonly kind: "int" }
  | { readonly kind: "bool" }
  /** one of a closed set of words */
  | { readonly kind: "word"; readonly words: readonly string[] }
  | { readonly kind: "text" }
  | { readonly kind: "time" }
  | { readonly kind: "duration" }
  /** whole numbers by a word, such as a fixed fee by currency; read by `lookup(params.fee_fixed, S, 0)` */
  | { readonly kind: "amounts" };

export type Value = bigint | boolean | string | null;

export type Operator = "+" | "-" | "*" | "/" | "%" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "&&" | "||" | "in";

export type ExpressionNode =
  | { readonly kind: "literal"; readonly value: Value }
  /** `data.held`, `params.poll_limit`, `event.approved`, `intent.amount.minor`, a name bound by `let` (`rel`, `fx.net`), or
   *  a currency symbol (`S`) */
  | { readonly kind: "name"; readonly path: readonly string[] }
  /** one of the functions of functions.ts: `min`, `fx.convert` … */
  | { readonly kind: "call"; readonly name: string; readonly arguments: readonly ExpressionNode[] }
  | { readonly kind: "not"; readonly operand: ExpressionNode }
  | { readonly kind: "minus"; readonly operand: ExpressionNode }
  | {
      readonly kind: "binary";
      readonly operator: Operator;
      readonly left: ExpressionNode;
      readonly right: ExpressionNode;
    }
  | {
      readonly kind: "choice";
      readonly test: ExpressionNode;
      readonly then: ExpressionNode;
      readonly otherwise: ExpressionNode;
    }
  | { readonly kind: "list"; readonly items: readonly ExpressionNode[] };

/** @param text as it stands in the file, for people; digits for a bare number */
export type Expression = { readonly place: Place; readonly text: string; readonly root: ExpressionNode };

/** @returns the tree, or a sentence that says what is wrong with the text */
export type ParseExpression = (text: string) => ExpressionNode | { readonly wrong: string };

/** Every node of an expression, itself first. */
export function nodesOf(node: ExpressionNode): ExpressionNode[] {
  return [node, ...partsOf(node).flatMap(nodesOf)];
}

export function partsOf(node: ExpressionNode): readonly ExpressionNode[] {
  switch (node.kind) {
    case "literal":
    case "name":
      return [];
    case "call":
      return node.arguments;
    case "list":
      return node.items;
    case "not":
    case "minus":
      return [node.operand];
    case "binary":
      return [node.left, node.right];
    case "choice":
      return [node.test, node.then, node.otherwise];
  }
}

/** Every name that an expression reads, such as `data.held`. */
export function namesIn(node: ExpressionNode): string[] {
  return nodesOf(node).flatMap((one) => (one.kind === "name" ? [one.path.join(".")] : []));
}
