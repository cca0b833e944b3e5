// The type of an expression from the types of what it reads, or a sentence that says why it has none.

import type { ExpressionNode, Operator, ValueType } from "../expression.ts";
import { printExpression } from "../print.ts";
import { typeOfCall } from "./call.ts";
import { BOOL, type ExpressionType, INT, isOrdered, NUMBER, printType, TEXT, TIME, unite } from "./kinds.ts";
import { isWrong, type Scope, typeOfName, type Wrong, wrong } from "./scope.ts";

export function typeOf(scope: Scope, node: ExpressionNode): ExpressionType | Wrong {
  switch (node.kind) {
    case "literal":
      return typeOfLiteral(node.value);
    case "name":
      return typeOfName(scope, node.path);
    case "call":
      return typeOfCall(scope, node, (argument) => typeOf(scope, argument));
    case "not": {
      const operand = typeOf(scope, node.operand);
      return isWrong(operand) || operand.kind === "bool" ? operand : notA(node.operand, operand, BOOL);
    }
    case "minus": {
      const operand = typeOf(scope, node.operand);
      if (isWrong(operand) || unite(operand, NUMBER) !== null || operand.kind === "duration") return operand;
      return notA(node.operand, operand, NUMBER);
    }
    case "list":
      return typeOfList(scope, node.items);
    case "choice":
      return typeOfChoice(scope, node);
    case "binary":
      return typeOfBinary(scope, node);
  }
}

function typeOfLiteral(value: bigint | boolean | string | null): ExpressionType {
  if (value === null) return { kind: "null" };
  if (typeof value === "bigint") return NUMBER;
  return typeof value === "boolean" ? BOOL : TEXT;
}

function notA(node: ExpressionNode, found: ExpressionType, wanted: ExpressionType): Wrong {
  return wrong("types", `${printExpression(node)} is ${printType(found)}; ${printType(wanted)} is wanted`);
}

function typeOfList(scope: Scope, nodes: readonly ExpressionNode[]): ExpressionType | Wrong {
  const items: ExpressionType[] = [];
  for (const node of nodes) {
    const item = typeOf(scope, node);
    if (isWrong(item)) return item;
    items.push(item);
  }
  return items.length > 0 ? { kind: "list", items } : wrong("types", "a list has at least one value");
}

function typeOfChoice(scope: Scope, node: ExpressionNode & { readonly kind: "choice" }): ExpressionType | Wrong {
  const test = typeOf(scope, node.test);
  if (isWrong(test)) return test;
  if (test.kind !== "bool") return notA(node.test, test, BOOL);
  const then = typeOf(scope, node.then);
  if (isWrong(then)) return then;
  const otherwise = typeOf(scope, node.otherwise);
  if (isWrong(otherwise)) return otherwise;
  return unite(then, otherwise) ?? apart("?:", then, otherwise);
}

function apart(operator: string, left: ExpressionType, right: ExpressionType): Wrong {
  return wrong("types", `the two sides of ${operator} do not fit: ${printType(left)} and ${printType(right)}`);
}

type Binary = ExpressionNode & { readonly kind: "binary" };

function typeOfBinary(scope: Scope, node: Binary): ExpressionType | Wrong {
  const left = typeOf(scope, node.left);
  if (isWrong(left)) return left;
  const right = typeOf(scope, node.right);
  if (isWrong(right)) return right;
  switch (node.operator) {
    case "&&":
    case "||":
      if (left.kind !== "bool") return notA(node.left, left, BOOL);
      return right.kind === "bool" ? BOOL : notA(node.right, right, BOOL);
    case "==":
    case "!=":
      return areComparable(node.left, left, node.right, right) ? BOOL : apart(node.operator, left, right);
    case "in":
      return typeOfIn(node, left, right);
    case "<":
    case "<=":
    case ">":
    case ">=": {
      const both = unite(left, right);
      return both !== null && isOrdered(both) ? BOOL : apart(node.operator, left, right);
    }
    default:
      return typeOfArithmetic(node.operator, left, right) ?? apart(node.operator, left, right);
  }
}

function typeOfIn(node: Binary, left: ExpressionType, right: ExpressionType): ExpressionType | Wrong {
  if (right.kind !== "list" || node.right.kind !== "list")
    return wrong("types", "the right side of in is a list, such as ['a', 'b']");
  for (const [at, item] of node.right.items.entries()) {
    const type = right.items[at] as ExpressionType;
    if (!areComparable(node.left, left, item, type)) return apart("in", left, type);
  }
  return BOOL;
}

/** A text that is written out is compared with a set of words only when it is one of them: else the answer is known. */
function areComparable(
  one: ExpressionNode,
  oneType: ExpressionType,
  other: ExpressionNode,
  otherType: ExpressionType,
): boolean {
  if (oneType.kind === "word" && other.kind === "literal") return oneType.words.includes(String(other.value));
  if (otherType.kind === "word" && one.kind === "literal") return otherType.words.includes(String(one.value));
  return unite(oneType, otherType) !== null;
}

const DURATION: ExpressionType = { kind: "duration" };

/** @returns null when the operator has no meaning for the two */
function typeOfArithmetic(operator: Operator, left: ExpressionType, right: ExpressionType): ExpressionType | null {
  if (operator === "+" || operator === "-") return typeOfSum(operator, left, right);
  const [one, other] = operator === "*" && isFactor(left) ? [right, left] : [left, right];
  if (!isFactor(other)) return null;
  if (isFactor(one)) return one.kind === "number" && other.kind === "number" ? NUMBER : INT;
  return one.kind === "money" || (one.kind === "duration" && operator !== "%") ? one : null;
}

function isFactor(type: ExpressionType): boolean {
  return type.kind === "int" || type.kind === "number";
}

function typeOfSum(operator: "+" | "-", left: ExpressionType, right: ExpressionType): ExpressionType | null {
  if (left.kind === "time" && right.kind === "duration") return TIME;
  if (operator === "+" && left.kind === "duration" && right.kind === "time") return TIME;
  if (operator === "-" && left.kind === "time" && right.kind === "time") return DURATION;
  const both = unite(left, right);
  return both !== null && isOrdered(both) && both.kind !== "time" ? both : null;
}

/** Whether a value goes where `wanted` is asked for.
 *  @returns null when it does */
export function misfit(scope: Scope, node: ExpressionNode, type: ExpressionType, wanted: ValueType): string | null {
  if (wanted.kind === "word") return misfitOfWord(scope, node, wanted.words);
  // A duration that is written out has become its milliseconds when the file was read.
  if (wanted.kind === "duration" && node.kind === "literal" && typeof node.value === "bigint") return null;
  const both = unite(type, wanted);
  return both !== null && both.kind === wanted.kind ? null : `${printType(type)} where ${printType(wanted)} is wanted`;
}

/** Each branch of a choice by itself: a text that is written out is one word, which the type of the whole no longer says. */
function misfitOfWord(scope: Scope, node: ExpressionNode, words: readonly string[]): string | null {
  if (node.kind === "choice")
    return misfitOfWord(scope, node.then, words) ?? misfitOfWord(scope, node.otherwise, words);
  if (node.kind === "literal") return words.includes(String(node.value)) ? null : notOneOf(String(node.value), words);
  const type = typeOf(scope, node);
  if (isWrong(type)) return type.wrong;
  if (type.kind !== "word") return `${printType(type)} where ${printType({ kind: "word", words })} is wanted`;
  const other = type.words.find((word) => !words.includes(word));
  return other === undefined ? null : notOneOf(other, words);
}

function notOneOf(word: string, words: readonly string[]): string {
  return `"${word}" where one of ${words.join(", ")} is wanted`;
}
