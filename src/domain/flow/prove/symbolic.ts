// The value of an expression without knowing the numbers: a linear form over what is unknown, a word, a formula. What is
// not linear becomes an unknown of its own, named by how it was made, so that the same expression over the same values is
// the same unknown; the laws of functions.ts say what is known of it.

import type { Place } from "../../located.ts";
import type { Expression, ExpressionNode, Operator, ValueType } from "../expression.ts";
import type { Flow } from "../flow.ts";
import { FUNCTIONS } from "../functions.ts";
import { ALWAYS, atLeast, clausesOf, equal, type Formula, NEVER, not, oneOf } from "./formula.ts";
import { assumeLaws } from "./laws.ts";
import { addTimes, atom, constant, isConstant, type Linear, minus, plus, printLinear, times, ZERO } from "./linear.ts";
import type { Situation } from "./situation.ts";
import { linearOf, number, printed, printedFormula, type Symbolic } from "./values.ts";

/** Where an expression stands: what it may read, and what is known there. */
export type Scope = {
  readonly flow: Flow;
  readonly situation: Situation;
  /** the event that is being decided, such as `psp.auth.approved`; `open` while a case opens */
  readonly event: string;
  readonly data: ReadonlyMap<string, Symbolic>;
  readonly lets: ReadonlyMap<string, Symbolic>;
  /** what the event has done to each account so far: `liability:merchant:{holder}:available M` */
  readonly effects?: ReadonlyMap<string, Linear>;
  /** of the expression */
  readonly place?: Place;
  /** takes what must hold for the expression to have a value at all */
  readonly demand?: (demand: Demand) => void;
  /** takes what `spendable` was asked of, and what the event had booked before */
  readonly spendable?: (asked: Spendable) => void;
  /** what has been tested in the expression so far: the right side of `&&` is looked at only when the left side holds */
  readonly tested?: readonly Formula[];
};

export type Spendable = {
  readonly alias: string;
  readonly amount: Linear;
  readonly before: ReadonlyMap<string, Linear>;
};

/** What an expression needs, in the situation that it was evaluated in. */
export type Demand = {
  readonly needs: "divisor" | "rate" | "quote" | "holder" | "route";
  readonly what: string;
  readonly isMet: boolean;
  readonly place: Place;
};

export function evaluate(scope: Scope, expression: Expression): Symbolic {
  return evaluateNode({ ...scope, place: expression.place }, expression.root);
}

/** A number; what is none is an unknown one. */
export function numberOf(scope: Scope, node: ExpressionNode): Linear {
  return linearOf(evaluateNode(scope, node));
}

export function formulaOf(scope: Scope, node: ExpressionNode): Formula {
  const value = evaluateNode(scope, node);
  return value.kind === "truth" ? value.formula : oneOf(`truth(${printed(value)})`, "true");
}

function evaluateNode(scope: Scope, node: ExpressionNode): Symbolic {
  switch (node.kind) {
    case "literal":
      return literal(scope, node.value);
    case "name":
      return named(scope, node.path);
    case "call":
      return called(scope, node.name, node.arguments);
    case "not":
      return { kind: "truth", formula: not(formulaOf(scope, node.operand)) };
    case "minus":
      return number(times(numberOf(scope, node.operand), -1n));
    case "binary":
      return combine(scope, node.operator, node.left, node.right);
    case "choice":
      return chosen(scope, node.test, node.then, node.otherwise);
    case "list":
      return word(scope, "list", null);
  }
}

function literal(scope: Scope, value: bigint | boolean | string | null): Symbolic {
  if (typeof value === "bigint") return number(constant(value));
  if (typeof value === "boolean") return { kind: "truth", formula: value ? ALWAYS : NEVER };
  if (value === null) return unknownTime(scope, "null", ["null"]);
  return word(scope, `word:${value}`, [value]);
}

// Names -------------------------------------------------------------------------------------------------------------------

function named(scope: Scope, path: readonly string[]): Symbolic {
  const [root = "", field = "", ...rest] = path;
  const { flow, data, lets } = scope;
  const bound = lets.get(root);
  if (bound !== undefined) return bound.kind === "record" ? (bound.fields.get(field) ?? bound) : bound;
  const name = path.join(".");
  switch (root) {
    case "data":
      return data.get(field) ?? number(atom(name));
    case "params": {
      const type = flow.params.find((param) => param.name === field)?.type ?? { kind: "text" };
      return type.kind === "int" ? notNegative(scope, name) : unknown(scope, name, type);
    }
    case "event":
      return unknown(scope, name, fieldType(flow, scope.event, field));
    case "intent":
      return intentField(scope, name, [field, ...rest]);
  }
  return word(scope, name, null);
}

function fieldType(flow: Flow, event: string, field: string): ValueType {
  if (field === "at") return { kind: "time" };
  const shape = flow.events.find((one) => one.event === event);
  return shape?.fields.find(({ name }) => name === field)?.type ?? { kind: "text" };
}

/** An intent's amount is above zero when it comes this far: others are refused before (`amount_not_positive`). */
function intentField(scope: Scope, name: string, path: readonly string[]): Symbolic {
  if (path.join(".") === "amount.minor") {
    if (scope.situation.meets(name)) scope.situation.numbers.assumeAtLeastZero(minus(atom(name), constant(1n)));
    return number(atom(name));
  }
  if (path[0] === "final") return flag(scope, name);
  return path[0] === "lockSeconds" ? number(atom(name)) : word(scope, name, null);
}

/** A value of a type of which nothing else is known. Money and settings that come from outside are never negative: the
 *  readers of reports and parameters refuse those. */
export function unknown(scope: Pick<Scope, "situation">, name: string, type: ValueType): Symbolic {
  switch (type.kind) {
    case "money":
    case "duration":
      return notNegative(scope, name);
    case "int":
      return number(atom(name));
    case "bool":
      return flag(scope, name);
    case "time":
      return unknownTime(scope, name, ["known"]);
    case "word":
      return word(scope, name, type.words);
    case "text":
    case "amounts":
      return word(scope, name, null);
  }
}

function notNegative({ situation }: Pick<Scope, "situation">, name: string): Symbolic {
  if (situation.meets(name)) situation.numbers.assumeAtLeastZero(atom(name));
  return number(atom(name));
}

function flag({ situation }: Pick<Scope, "situation">, name: string): Symbolic {
  if (situation.meets(name)) situation.restrict(name, { words: new Set(["true", "false"]), but: false });
  return { kind: "truth", formula: oneOf(name, "true") };
}

function unknownTime({ situation }: Pick<Scope, "situation">, name: string, states: readonly string[]): Symbolic {
  const knowledge = `known(${name})`;
  if (situation.meets(knowledge)) situation.restrict(knowledge, { words: new Set(states), but: false });
  return { kind: "time", linear: atom(name), knowledge };
}

function word({ situation }: Pick<Scope, "situation">, name: string, words: readonly string[] | null): Symbolic {
  if (words !== null && situation.meets(name)) situation.restrict(name, { words: new Set(words), but: false });
  return { kind: "word", subject: name };
}

// Operators ---------------------------------------------------------------------------------------------------------------

function combine(scope: Scope, operator: Operator, left: ExpressionNode, right: ExpressionNode): Symbolic {
  switch (operator) {
    case "&&":
    case "||": {
      const first = formulaOf(scope, left);
      const parts = [first, formulaOf(testing(scope, operator === "&&" ? first : not(first)), right)];
      return { kind: "truth", formula: { kind: operator === "&&" ? "and" : "or", parts } };
    }
    case "==":
      return { kind: "truth", formula: equality(scope, left, right) };
    case "!=":
      return { kind: "truth", formula: not(equality(scope, left, right)) };
    case "in": {
      const items = right.kind === "list" ? right.items : [right];
      return { kind: "truth", formula: { kind: "or", parts: items.map((item) => equality(scope, left, item)) } };
    }
    default:
      return arithmetic(scope, operator, numberOf(scope, left), numberOf(scope, right));
  }
}

function testing(scope: Scope, formula: Formula): Scope {
  return { ...scope, tested: [...(scope.tested ?? []), formula] };
}

/** Asks for something that must hold here: at the place in the event, and behind what the expression itself has tested. */
function demand(scope: Scope, needs: Demand["needs"], what: string, formula: Formula): void {
  if (scope.demand === undefined) return;
  const parts = [...(scope.tested ?? []), not(formula)];
  const contrary = clausesOf({ kind: "and", parts }, true).map((facts) => scope.situation.with(facts));
  scope.demand({
    needs,
    what,
    place: scope.place ?? scope.flow.place,
    isMet: contrary.every((situation) => situation.isImpossible()),
  });
}

function arithmetic(scope: Scope, operator: Operator, one: Linear, other: Linear): Symbolic {
  switch (operator) {
    case "+":
      return number(plus(one, other));
    case "-":
      return number(minus(one, other));
    case "*":
      return number(product(scope.situation, one, other));
    case "<":
      return { kind: "truth", formula: atLeast(other, plus(one, constant(1n))) };
    case "<=":
      return { kind: "truth", formula: atLeast(other, one) };
    case ">":
      return { kind: "truth", formula: atLeast(one, plus(other, constant(1n))) };
    case ">=":
      return { kind: "truth", formula: atLeast(one, other) };
    default:
      demand(scope, "divisor", printLinear(other), not(equal(other, ZERO)));
      return number(quotient(scope.situation, operator, one, other));
  }
}

/** Written out, so that products of sums come out the same however they are written: `x * (10000 + y)`. */
function product(situation: Situation, one: Linear, other: Linear): Linear {
  let result = ZERO;
  for (const [name, factor] of [...one.terms, ["", one.constant] as const]) {
    for (const [second, by] of [...other.terms, ["", other.constant] as const]) {
      const both = [name, second].filter((part) => part !== "").sort();
      const joined = both.length === 0 ? constant(1n) : both.length === 1 ? atom(both[0] as string) : factorsOf(both);
      result = addTimes(result, joined, factor * by);
    }
  }
  for (const name of result.terms.keys()) {
    const factors = name.split(" * ");
    if (factors.length < 2 || !situation.meets(name)) continue;
    if (factors.every((one) => situation.numbers.provesAtLeastZero(atom(one)))) {
      situation.numbers.assumeAtLeastZero(atom(name));
    }
  }
  return result;
}

function factorsOf(names: readonly string[]): Linear {
  return atom(
    names
      .flatMap((name) => name.split(" * "))
      .sort()
      .join(" * "),
  );
}

/** `/` rounds toward zero: with `a >= 0` and a whole divisor `k > 0`, `k*q <= a <= k*q + k - 1`. */
function quotient(situation: Situation, operator: Operator, one: Linear, other: Linear): Linear {
  const name = `(${printLinear(one)} ${operator} ${printLinear(other)})`;
  const result = atom(name);
  const divisor = isConstant(other) ? other.constant : 0n;
  if (divisor <= 0n || !situation.meets(name) || !situation.numbers.provesAtLeastZero(one)) return result;
  situation.numbers.assumeAtLeastZero(result);
  const most = constant(divisor - 1n);
  if (operator === "%") situation.numbers.assumeAtLeastZero(minus(most, result));
  else {
    situation.numbers.assumeAtLeastZero(addTimes(one, result, -divisor));
    situation.numbers.assumeAtLeastZero(plus(addTimes(most, one, -1n), times(result, divisor)));
  }
  return result;
}

function equality(scope: Scope, left: ExpressionNode, right: ExpressionNode): Formula {
  const one = evaluateNode(scope, left);
  const other = evaluateNode(scope, right);
  if (one.kind === "time" && isNull(right)) return oneOf(one.knowledge, "null");
  if (other.kind === "time" && isNull(left)) return oneOf(other.knowledge, "null");
  if (one.kind === "truth" && other.kind === "truth") {
    const either = (isTrue: boolean): Formula => ({
      kind: "and",
      parts: [one.formula, other.formula].map((part) => (isTrue ? part : not(part))),
    });
    return { kind: "or", parts: [either(true), either(false)] };
  }
  if (one.kind === "word" && other.kind === "word") return sameWord(scope, one.subject, other.subject);
  return equal(numberOf(scope, left), numberOf(scope, right));
}

function isNull(node: ExpressionNode): boolean {
  return node.kind === "literal" && node.value === null;
}

function sameWord(scope: Scope, one: string, other: string): Formula {
  if (one === other) return ALWAYS;
  const [first = "", second = ""] = [one, other].sort(
    (a, b) => Number(isFixed(a)) - Number(isFixed(b)) || (a < b ? -1 : 1),
  );
  if (isFixed(first)) return NEVER;
  if (isFixed(second)) return oneOf(first, second.slice("word:".length));
  flag(scope, `${first} == ${second}`);
  return oneOf(`${first} == ${second}`, "true");
}

function isFixed(subject: string): boolean {
  return subject.startsWith("word:");
}

function chosen(scope: Scope, test: ExpressionNode, then: ExpressionNode, otherwise: ExpressionNode): Symbolic {
  const condition = formulaOf(scope, test);
  const one = evaluateNode(testing(scope, condition), then);
  const other = evaluateNode(testing(scope, not(condition)), otherwise);
  if (one.kind === "truth" && other.kind === "truth") {
    const ways: Formula[] = [
      { kind: "and", parts: [condition, one.formula] },
      { kind: "and", parts: [not(condition), other.formula] },
    ];
    return { kind: "truth", formula: { kind: "or", parts: ways } };
  }
  const name = `choice(${printedFormula(condition)}, ${printed(one)}, ${printed(other)})`;
  const { situation } = scope;
  if (one.kind === "word" && other.kind === "word") {
    const [first, second] = [situation.wordsOf(one.subject), situation.wordsOf(other.subject)];
    return word(scope, name, first.but || second.but ? null : [...first.words, ...second.words]);
  }
  const [least, most] = [linearOf(one), linearOf(other)];
  const result = atom(name);
  if (situation.meets(name)) {
    for (const [low, high] of [[least, most] as const, [most, least] as const]) {
      if (!situation.numbers.provesAtLeastZero(minus(high, low))) continue;
      situation.numbers.assumeAtLeastZero(minus(result, low));
      situation.numbers.assumeAtLeastZero(minus(high, result));
    }
    if ([least, most].every((value) => situation.numbers.provesAtLeastZero(value))) {
      situation.numbers.assumeAtLeastZero(result);
    }
  }
  return number(result);
}

// Functions ---------------------------------------------------------------------------------------------------------------

function called(scope: Scope, name: string, given: readonly ExpressionNode[]): Symbolic {
  const signature = FUNCTIONS[name];
  const values = given.map((argument) =>
    argument.kind === "name" ? named(scope, argument.path) : evaluateNode(scope, argument),
  );
  const text = `${name}(${values.map(printed).join(", ")})${name === "spendable" ? soFar(scope, given[0]) : ""}`;
  demandOf(scope, name, values, text);
  if (signature === undefined || signature.result === "text") return word(scope, text, null);
  if (signature.result === "bool") return flag(scope, text);
  const numbers = new Map<string, Linear>();
  for (const [index, { name: argument }] of signature.arguments.entries()) {
    const value = values[index];
    if (value?.kind === "number") numbers.set(argument, value.linear);
  }
  assumeLaws(scope.situation, name, signature, text, numbers);
  const [alias] = given;
  if (name === "spendable" && alias?.kind === "name") {
    scope.spendable?.({ alias: alias.path[0] ?? "", amount: atom(text), before: scope.effects ?? new Map() });
  }
  if (typeof signature.result === "string") return number(atom(text));
  return {
    kind: "record",
    fields: new Map(signature.result.map((field) => [field, number(atom(`${text}.${field}`))])),
  };
}

/** What is spendable changes with what the event books: each asking stands for its own moment. */
function soFar({ flow, effects }: Scope, alias: ExpressionNode | undefined): string {
  const path = alias?.kind === "name" ? flow.accounts.find((one) => one.alias === alias.path[0])?.path : undefined;
  const done = [...(effects ?? [])].filter(([name]) => name.startsWith(`${path} `));
  return done.map(([name, effect]) => ` behind ${name} ${printLinear(effect)}`).join("");
}

/** What a call needs to have a value: without it the event is refused, or the lane stops. */
function demandOf(scope: Scope, name: string, values: readonly Symbolic[], text: string): void {
  const named = (index: number): string => printed(values[index] ?? number(ZERO));
  switch (name) {
    case "part.up":
    case "part.down":
      return demand(
        scope,
        "divisor",
        printLinear(linearOf(values[2] ?? number(ZERO))),
        not(equal(linearOf(values[2] ?? number(ZERO)), ZERO)),
      );
    case "fx.convert":
    case "fx.cost":
      return demand(scope, "rate", text, oneOf(`fx.usable(${named(1)}, ${named(2)})`, "true"));
    case "quote.convert":
      return demand(scope, "quote", text, oneOf(`quote.usable(${[0, 1, 2, 3].map(named).join(", ")})`, "true"));
    case "route.provider":
      return demand(scope, "route", text, oneOf(`route.has(${[0, 1, 2, 3].map(named).join(", ")})`, "true"));
    case "holder.of":
      return demand(scope, "holder", text, oneOf(`home(${named(0)})`, "true"));
  }
}
