// CEL text as an expression of our own. The library parses and nothing more: what it knows beyond the language of
// docs/flow-language.md (loops, text, times, floats) is refused here with a sentence that names it.

import { type ASTNode, Environment, ParseError } from "@marcbachmann/cel-js";
import type { ExpressionNode, Operator, ParseExpression } from "../domain/flow/expression.ts";
import { FUNCTIONS } from "../domain/flow/functions.ts";

const TEXT_CHARS_MAX = 2000;

/** Above what `types` lets through (100 parts, a name of three words being one), so that this refuses only what no walk
 *  over the tree should meet. */
const cel = new Environment({
  unlistedVariablesAreDyn: true,
  limits: { maxAstNodes: 400, maxDepth: 50, maxListElements: 100, maxMapEntries: 100, maxCallArguments: 20 },
});

/** What the library understands and the language does not have. */
class NotOurs extends Error {}

export const parseExpression: ParseExpression = (text) => {
  if (text.length > TEXT_CHARS_MAX) return { wrong: `it has more than ${TEXT_CHARS_MAX} characters` };
  try {
    return convert(cel.parse(text).ast);
  } catch (error) {
    if (error instanceof NotOurs) return { wrong: error.message };
    if (error instanceof ParseError) return { wrong: wordsOf(error) };
    if (error instanceof RangeError) return { wrong: "it is nested too deeply" };
    throw error;
  }
};

function wordsOf(error: ParseError): string {
  if (error.code === "limit_exceeded") return "it is larger, or nested deeper, than an expression may be";
  const at = error.range === undefined ? "" : ` (character ${error.range.start + 1})`;
  return `${error.summary.charAt(0).toLowerCase()}${error.summary.slice(1)}${at}`;
}

function convert(node: ASTNode): ExpressionNode {
  switch (node.op) {
    case "value":
      return { kind: "literal", value: literalOf(node.args) };
    case "id":
    case ".":
      return { kind: "name", path: pathOf(node) };
    case "call":
      return callOf(node.args[0], node.args[1]);
    case "rcall":
      return methodOf(node.args[0], node.args[1], node.args[2]);
    case "list":
      return { kind: "list", items: node.args.map(convert) };
    case "?:": {
      const [test, then, otherwise] = node.args;
      // oxlint-disable-next-line no-thenable -- a branch, which nobody awaits
      return { kind: "choice", test: convert(test), then: convert(then), otherwise: convert(otherwise) };
    }
    case "!_":
      return { kind: "not", operand: convert(node.args) };
    case "-_":
      return minusOf(convert(node.args));
    case "[]":
    case "[?]":
      throw new NotOurs("it picks by [ ]: tables are read by lookup(table, word, otherwise)");
    case "map":
      throw new NotOurs("it has a map { }: the language has none");
    case ".?":
      throw new NotOurs("it has an optional .?: ask has(intent.field) first");
    default:
      return binaryOf(node.op, node.args);
  }
}

function binaryOf(operator: Operator, [left, right]: readonly [ASTNode, ASTNode]): ExpressionNode {
  return { kind: "binary", operator, left: convert(left), right: convert(right) };
}

/** `-5` is a number and not an operation on one. */
function minusOf(operand: ExpressionNode): ExpressionNode {
  if (operand.kind === "literal" && typeof operand.value === "bigint")
    return { kind: "literal", value: -operand.value };
  return { kind: "minus", operand };
}

function literalOf(value: unknown): bigint | boolean | string | null {
  if (typeof value === "number") throw new NotOurs(`${value} is a float: numbers are whole here`);
  if (typeof value === "bigint" || typeof value === "boolean" || typeof value === "string" || value === null)
    return value;
  throw new NotOurs(
    value instanceof Uint8Array ? "it has bytes: the language has none" : `${String(value)}u: leave the "u" out`,
  );
}

function pathOf(node: ASTNode): string[] {
  if (node.op === "id") return [node.args];
  if (node.op === ".") return [...pathOf(node.args[0]), node.args[1]];
  throw new NotOurs("it picks a field out of a result: name the result by let first");
}

function callOf(name: string, given: readonly ASTNode[]): ExpressionNode {
  if (!Object.hasOwn(FUNCTIONS, name)) throw new NotOurs(unknownFunction(name));
  return { kind: "call", name, arguments: given.map(convert) };
}

/** `fx.convert(…)` looks like a method of something called fx. */
function methodOf(method: string, receiver: ASTNode, given: readonly ASTNode[]): ExpressionNode {
  const name = receiver.op === "id" ? `${receiver.args}.${method}` : method;
  if (receiver.op === "id" && Object.hasOwn(FUNCTIONS, name)) return callOf(name, given);
  throw new NotOurs(unknownFunction(Object.hasOwn(ELSEWHERE, method) ? method : name));
}

const MACRO = "goes over a list, and expressions have no loops";
const TEXT = "works on text, which is only compared here";
const KIND = "turns one type into another, and every value has one type here";
const TIME = "works on times, which timers and event.at stand for here";

/** What CEL has and the language has not. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...whyOf(MACRO, "all exists exists_one existsOne map filter bind sort sortBy distinct flatten range transformList"),
  ...whyOf(TEXT, "size contains startsWith endsWith matches lowerAscii upperAscii trim split join substring indexOf"),
  ...whyOf(TEXT, "lastIndexOf charAt replace format quote reverse string"),
  ...whyOf(KIND, "int uint double bytes bool dyn type"),
  ...whyOf(
    TIME,
    "timestamp duration now getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours",
  ),
  ...whyOf(TIME, "getMinutes getSeconds getMilliseconds"),
};

function whyOf(why: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(" ").map((name) => [name, why]));
}

function unknownFunction(name: string): string {
  const why = Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name] : undefined;
  if (why !== undefined) return `${name}() ${why}`;
  return `there is no function ${name}; there are: ${Object.keys(FUNCTIONS).join(", ")}`;
}
