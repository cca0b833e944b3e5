// The type of a function call, by the table in ../functions.ts.

import type { ExpressionNode } from "../expression.ts";
import type { Flow } from "../flow.ts";
import { type ArgumentKind, FUNCTIONS, type FunctionSignature } from "../functions.ts";
import { printExpression } from "../print.ts";
import { BOOL, type ExpressionType, INT, NUMBER, printType, TEXT, unite } from "./kinds.ts";
import { isWrong, type Scope, standingFor, type Wrong, wrong } from "./scope.ts";

type Call = ExpressionNode & { readonly kind: "call" };

/** What the arguments so far have settled. */
type Settled = {
  amount: ExpressionType;
  share: ExpressionType;
  /** symbol of the target currency */
  to: string | null;
  result: ExpressionType | null;
};

/** Gives the type of an argument. */
type TypeOf = (node: ExpressionNode) => ExpressionType | Wrong;

export function typeOfCall(scope: Scope, call: Call, typeOf: TypeOf): ExpressionType | Wrong {
  const signature = Object.hasOwn(FUNCTIONS, call.name) ? FUNCTIONS[call.name] : undefined;
  if (signature === undefined) return wrong("references", `there is no function ${call.name}`);
  const wanted = signature.arguments.map(({ name }) => name).join(", ");
  if (call.arguments.length !== signature.arguments.length)
    return wrong("types", `${call.name}(${wanted}) is given ${call.arguments.length} values`);
  const settled: Settled = { amount: NUMBER, share: NUMBER, to: null, result: null };
  for (const [at, { name, kind }] of signature.arguments.entries()) {
    const node = call.arguments[at] as ExpressionNode;
    const fault = settle(scope, settled, kind, node, typeOf);
    if (fault !== null) return { ...fault, wrong: `${name} of ${call.name}(${wanted}): ${fault.wrong}` };
  }
  return resultOf(signature, settled);
}

function resultOf({ result }: FunctionSignature, { amount, to, result: own }: Settled): ExpressionType {
  if (result === "amount") return amount;
  if (result === "entry" || result === "alias") return own ?? NUMBER;
  if (result === "int") return INT;
  if (result === "bool") return BOOL;
  if (result === "text") return TEXT;
  const money = { kind: "money", symbol: to ?? "" } as const;
  return { kind: "record", fields: Object.fromEntries(result.map((field) => [field, money])) };
}

/** Takes one argument. @returns what is wrong with it, or null */
function settle(
  scope: Scope,
  settled: Settled,
  kind: ArgumentKind,
  node: ExpressionNode,
  typeOf: TypeOf,
): Wrong | null {
  switch (kind) {
    case "alias":
      return settleAlias(scope, settled, node);
    case "field":
      return settleField(node, typeOf);
    case "from":
    case "to":
      return settleSymbol(settled, kind, node, typeOf(node));
    default: {
      const type = typeOf(node);
      return isWrong(type) ? type : settleValue(settled, kind, node, type);
    }
  }
}

function settleValue(
  settled: Settled,
  kind: Exclude<ArgumentKind, "alias" | "field" | "from" | "to">,
  node: ExpressionNode,
  type: ExpressionType,
): Wrong | null {
  const refuse = (what: string): Wrong =>
    wrong("types", `${printExpression(node)} is ${printType(type)}; ${what} is wanted`);
  switch (kind) {
    case "int":
      return unite(type, INT)?.kind === "int" ? null : refuse("an int");
    case "text":
      return type.kind === "text" || type.kind === "word" ? null : refuse("a text");
    case "table":
      return type.kind === "amounts" ? null : refuse("a parameter of type amounts");
    case "word":
      if (type.kind === "currency" && type.symbol !== null) settled.amount = { kind: "money", symbol: type.symbol };
      else if (type.kind === "currency" || type.kind === "text" || type.kind === "word") settled.amount = INT;
      else return refuse("a currency, a word or a text");
      settled.result = settled.amount;
      return null;
    case "share": {
      const both = unite(settled.share, type);
      if (both === null || unite(both, NUMBER) === null) return refuse(printType(settled.share));
      settled.share = both;
      return null;
    }
    case "amount":
    case "same": {
      const both = unite(settled.amount, type);
      if (both === null || unite(both, NUMBER) === null)
        return refuse(kind === "amount" ? "an amount" : printType(settled.amount));
      settled.amount = both;
      return null;
    }
  }
}

function settleSymbol(
  settled: Settled,
  kind: "from" | "to",
  node: ExpressionNode,
  type: ExpressionType | Wrong,
): Wrong | null {
  if (isWrong(type)) return type;
  if (type.kind !== "currency" || type.symbol === null)
    return wrong("types", `${printExpression(node)} is ${printType(type)}; a currency symbol is wanted`);
  if (kind === "to") settled.to = type.symbol;
  else if (settled.amount.kind === "money" && settled.amount.symbol !== type.symbol)
    return wrong("types", `the amount is ${printType(settled.amount)}, not of ${type.symbol}`);
  else if (settled.amount.kind === "int") return wrong("types", "the amount is an int; money is wanted");
  return null;
}

function settleAlias(scope: Scope, settled: Settled, node: ExpressionNode): Wrong | null {
  const alias = node.kind === "name" ? node.path.join(".") : printExpression(node);
  if (!scope.flow.accounts.some((account) => account.alias === alias)) {
    const known = scope.flow.accounts.map((account) => account.alias).join(", ") || "none";
    return wrong("references", `account "${alias}" is not declared; declared: ${known}`);
  }
  if (!scope.reach.data) return wrong("context", `account ${alias} cannot be asked before the case is open`);
  settled.result = standingFor(scope.same, moneyOfAccount(scope.flow, alias));
  return null;
}

/** Money of the currency that an account's lines are in; a number that fits any where they are in several. */
function moneyOfAccount(flow: Flow, alias: string): ExpressionType {
  const lines = flow.postings.flatMap((posting) => posting.lines);
  const own = lines.filter(({ debit, credit }) => debit === alias || credit === alias);
  const symbols = new Set(own.map(({ currency }) => currency));
  const [symbol] = symbols;
  return symbol !== undefined && symbols.size === 1 ? { kind: "money", symbol } : NUMBER;
}

function settleField(node: ExpressionNode, typeOf: TypeOf): Wrong | null {
  if (node.kind !== "name" || node.path[0] !== "intent")
    return wrong("types", `${printExpression(node)} is no field of the intent, such as intent.quoteId`);
  const whole = node.path.join(".") === "intent.amount" ? ["intent", "amount", "currency"] : node.path;
  const type = typeOf({ kind: "name", path: whole });
  return isWrong(type) ? type : null;
}
