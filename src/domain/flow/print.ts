// An expression as text again: with as few brackets as its meaning needs, in the way that the files are written.

import type { ExpressionNode, Operator } from "./expression.ts";

/** How tightly an operator binds; what binds less tightly than its place needs brackets. */
const BINDS: Readonly<Record<Operator, number>> = {
  "||": 2,
  "&&": 3,
  "==": 4,
  "!=": 4,
  "<": 5,
  "<=": 5,
  ">": 5,
  ">=": 5,
  in: 5,
  "+": 6,
  "-": 6,
  "*": 7,
  "/": 7,
  "%": 7,
};
const CHOICE = 1;
const UNARY = 8;
const WHOLE = 9;

export function printExpression(node: ExpressionNode): string {
  return print(node, 0);
}

function print(node: ExpressionNode, needed: number): string {
  const [text, binds] = parts(node);
  return binds < needed ? `(${text})` : text;
}

/** The text without brackets around it, and how tightly it binds. */
function parts(node: ExpressionNode): readonly [text: string, binds: number] {
  const list = (nodes: readonly ExpressionNode[]): string => nodes.map((item) => print(item, 0)).join(", ");
  switch (node.kind) {
    case "literal":
      return typeof node.value === "bigint" && node.value < 0n
        ? [String(node.value), UNARY]
        : [typeof node.value === "string" ? quote(node.value) : String(node.value), WHOLE];
    case "name":
      return [node.path.join("."), WHOLE];
    case "call":
      return [`${node.name}(${list(node.arguments)})`, WHOLE];
    case "list":
      return [`[${list(node.items)}]`, WHOLE];
    case "not":
      return [`!${print(node.operand, UNARY)}`, UNARY];
    case "minus":
      return [`-${print(node.operand, UNARY)}`, UNARY];
    case "binary": {
      const binds = BINDS[node.operator];
      return [`${print(node.left, binds)} ${node.operator} ${print(node.right, binds + 1)}`, binds];
    }
    case "choice":
      return [
        `${print(node.test, CHOICE + 1)} ? ${print(node.then, CHOICE)} : ${print(node.otherwise, CHOICE)}`,
        CHOICE,
      ];
  }
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function quote(text: string): string {
  return `'${text.replace(/[\\'\n\r\t]/g, (char) => ESCAPES[char] ?? char)}'`;
}
