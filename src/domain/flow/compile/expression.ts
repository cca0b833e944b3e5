// Expressions become closures: each node one, that calls those of its parts. Which names there are is settled here, so that
// nothing is looked up by the text of the file when an event is decided.
//
// What `types` has proven is not asked again: numbers are bigint, guards are boolean. Null is a time that is not known, or a
// quotient by zero: added to anything it stays so, compared by order it is false, and posted it is a bug.

import { assert, failed, unreachable } from "../../assert.ts";
import type { Intent } from "../../intent.ts";
import type { Expression, ExpressionNode, Operator, Value } from "../expression.ts";
import type { Figures, Get, Names, Scope, Test } from "../scope.ts";
import { compileFunction } from "./functions.ts";
import { slotOf } from "./names.ts";

export function compileTest(names: Names, { root }: Expression): Test {
  const get = compileNode(names, root);
  // What compares or joins tests is true or false already: one call less for nearly every guard there is.
  if (root.kind === "not" || (root.kind === "binary" && IS_TEST.has(root.operator))) return get as Test;
  return (scope) => get(scope) === true;
}

const IS_TEST: ReadonlySet<Operator> = new Set(["&&", "||", "==", "!=", "<", "<=", ">", ">=", "in"]);

export function compileNode(names: Names, node: ExpressionNode): Get {
  switch (node.kind) {
    case "literal": {
      const { value } = node;
      return () => value;
    }
    case "name":
      return compileName(names, node.path);
    case "call":
      return compileFunction(names, (part) => compileNode(names, part), node.name, node.arguments);
    case "not": {
      const operand = compileNode(names, node.operand);
      return (scope) => operand(scope) !== true;
    }
    case "minus": {
      const operand = compileNode(names, node.operand);
      return (scope) => {
        const value = operand(scope) as bigint | null;
        return value === null ? null : -value;
      };
    }
    case "binary":
      return compileBinary(names, node.operator, node.left, node.right);
    case "choice": {
      const test = compileNode(names, node.test);
      const then = compileNode(names, node.then);
      const otherwise = compileNode(names, node.otherwise);
      return (scope) => (test(scope) === true ? then(scope) : otherwise(scope));
    }
    case "list":
      throw assertNever("a list stands only behind `in`");
  }
}

function assertNever(what: string): Error {
  assert(false, what);
}

function compileName(names: Names, path: readonly string[]): Get {
  const [first = "", second = ""] = path;
  const slot = names.lets.get(first);
  if (slot !== undefined) {
    if (path.length === 1) return (scope) => scope.lets[slot] as Value;
    return (scope) => (scope.lets[slot] as Figures)[second] as bigint;
  }
  if (path.length === 1 && names.symbols.has(first)) return (scope) => scope.currencyOf(first);
  switch (first) {
    case "data": {
      const at = slotOf(names, second);
      return (scope) => scope.value(at);
    }
    case "params": {
      const otherwise = names.params.get(second);
      assert(otherwise !== undefined, `parameter ${second} is not declared`);
      return (scope) => scope.param(second, otherwise) as Value;
    }
    case "event":
      if (second === "at") return (scope) => scope.atMs;
      if (second === "attempt") return (scope) => scope.attempt;
      return (scope) => scope.eventField(second);
    case "intent":
      return intentGetter(path.slice(1).join("."));
    case "case":
      return second === "id" ? (scope) => scope.caseId : (scope) => scope.holderId;
    default:
      throw assertNever(`the name ${path.join(".")} means nothing`);
  }
}

function intentGetter(field: string): Get {
  if (field === "amount.minor") return (scope) => intentOf(scope, field).amount?.minor ?? null;
  if (field === "amount.currency") return (scope) => intentOf(scope, field).amount?.currency ?? null;
  const name = field as Exclude<keyof Intent, "amount" | "metadata">;
  return (scope) => intentOf(scope, field)[name] as Value;
}

function intentOf(scope: Scope, field: string): Intent {
  if (scope.intent === null) failed(`intent.${field} is read where no intent is`);
  return scope.intent;
}

// Operators ---------------------------------------------------------------------------------------------------------------

function compileBinary(names: Names, operator: Operator, leftNode: ExpressionNode, rightNode: ExpressionNode): Get {
  if (operator === "in") return compileIn(names, leftNode, rightNode);
  const left = compileNode(names, leftNode);
  const right = compileNode(names, rightNode);
  switch (operator) {
    case "&&":
      return (scope) => left(scope) === true && right(scope) === true;
    case "||":
      return (scope) => left(scope) === true || right(scope) === true;
    case "==":
    case "!=":
      return equating(operator, left, rightNode, right);
    case "<":
    case "<=":
    case ">":
    case ">=":
      return comparing(operator, left, right);
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
      return calculating(operator, left, right);
    default:
      return unreachable(operator);
  }
}

function compileIn(names: Names, leftNode: ExpressionNode, rightNode: ExpressionNode): Get {
  assert(rightNode.kind === "list", "`in` asks a list");
  const left = compileNode(names, leftNode);
  const items = rightNode.items.map((item) => compileNode(names, item));
  return (scope) => {
    const value = left(scope);
    for (const item of items) if (item(scope) === value) return true;
    return false;
  };
}

// Each operator has a closure of its own. With one for all that calls the operator's function, a guard cost a call more that
// the engine cannot foresee; so did a literal that was called for.

function equating(operator: "==" | "!=", left: Get, rightNode: ExpressionNode, right: Get): Get {
  if (rightNode.kind === "literal") {
    const { value } = rightNode;
    return operator === "==" ? (scope) => left(scope) === value : (scope) => left(scope) !== value;
  }
  return operator === "==" ? (scope) => left(scope) === right(scope) : (scope) => left(scope) !== right(scope);
}

type NumberGet = (scope: Scope) => bigint | null;

function comparing(operator: "<" | "<=" | ">" | ">=", leftGet: Get, rightGet: Get): Get {
  const [left, right] = [leftGet as NumberGet, rightGet as NumberGet];
  switch (operator) {
    case "<":
      return (scope) => isBelow(left(scope), right(scope));
    case "<=":
      return (scope) => isAtMost(left(scope), right(scope));
    case ">":
      return (scope) => {
        const one = left(scope); // the left side first, as it stands in the file
        return isBelow(right(scope), one);
      };
    case ">=":
      return (scope) => {
        const one = left(scope);
        return isAtMost(right(scope), one);
      };
  }
}

function isBelow(one: bigint | null, other: bigint | null): boolean {
  return one !== null && other !== null && one < other;
}

function isAtMost(one: bigint | null, other: bigint | null): boolean {
  return one !== null && other !== null && one <= other;
}

function calculating(operator: "+" | "-" | "*" | "/" | "%", leftGet: Get, rightGet: Get): Get {
  const [left, right] = [leftGet as NumberGet, rightGet as NumberGet];
  const withBoth =
    (sum: (one: bigint, other: bigint) => bigint | null): Get =>
    (scope) => {
      const one = left(scope);
      const other = right(scope);
      return one === null || other === null ? null : sum(one, other);
    };
  switch (operator) {
    case "+":
      return (scope) => {
        const one = left(scope);
        const other = right(scope);
        return one === null || other === null ? null : one + other;
      };
    case "-":
      return (scope) => {
        const one = left(scope);
        const other = right(scope);
        return one === null || other === null ? null : one - other;
      };
    case "*":
      return withBoth((one, other) => one * other);
    case "/":
      return withBoth((one, other) => (other === 0n ? null : one / other));
    case "%":
      return withBoth((one, other) => (other === 0n ? null : one % other));
  }
}
