// In which currency an amount is that an outcome names: the symbol of the money that its expression is made of.

import type { ExpressionNode } from "../expression.ts";
import { FUNCTIONS } from "../functions.ts";

/** Symbols by name: `data.held`, `event.approved`, `intent.amount.minor`, aliases of accounts, symbols themselves, and names
 *  bound by `let`. */
export type Symbols = ReadonlyMap<string, string>;

/** @returns null where nothing in it has a currency, as in a bare number */
export function symbolOf(symbols: Symbols, node: ExpressionNode): string | null {
  switch (node.kind) {
    case "literal":
    case "not":
    case "list":
      return null;
    case "name":
      return symbols.get(node.path.join(".")) ?? symbols.get(node.path[0] as string) ?? null;
    case "minus":
      return symbolOf(symbols, node.operand);
    case "binary":
      return symbolOf(symbols, node.left) ?? symbolOf(symbols, node.right);
    case "choice":
      return symbolOf(symbols, node.then) ?? symbolOf(symbols, node.otherwise);
    case "call":
      return symbolOfCall(symbols, node.name, node.arguments);
  }
}

/** Most functions give what their first amount is in; conversions what they convert to. */
function symbolOfCall(symbols: Symbols, name: string, given: readonly ExpressionNode[]): string | null {
  const signature = FUNCTIONS[name];
  const to = signature?.arguments.findIndex(({ kind }) => kind === "to") ?? -1;
  if (to !== -1) return symbolOf(symbols, given[to] as ExpressionNode);
  const wanted = signature?.result === "entry" ? ["word"] : ["amount", "same", "alias"];
  for (const [index, argument] of (signature?.arguments ?? []).entries()) {
    const found = wanted.includes(argument.kind) ? symbolOf(symbols, given[index] as ExpressionNode) : null;
    if (found !== null) return found;
  }
  return null;
}
