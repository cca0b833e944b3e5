// What functions.ts says of each function, held against what runs.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { compileNode } from "../../src/domain/flow/compile/expression.ts";
import { compileFigures } from "../../src/domain/flow/compile/functions.ts";
import type { ExpressionNode, Value } from "../../src/domain/flow/expression.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { type Condition, FUNCTIONS, type Law } from "../../src/domain/flow/functions.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import type { Names, Scope } from "../../src/domain/flow/scope.ts";
import { typeOf } from "../../src/domain/flow/types/infer.ts";
import { ALL_DIFFER } from "../../src/domain/flow/types/scope.ts";
import { WHOLE } from "./flow-language-cases.ts";

const WHOLE_FLOW = parseFlow(readLocatedYaml("f", WHOLE).root as never, parseExpression).flow as Flow;

const TABLE = { USD: 30n, EUR: 0n, EURUSD: 75n };
const VARIABLES = WHOLE_FLOW.data.map(({ name }) => name);
const NAMES: Names = {
  variables: new Map(VARIABLES.map((name, slot) => [name, slot])),
  symbols: new Set(["S", "M"]),
  params: new Map([["fixed", TABLE]]),
  accounts: new Map([["inside", () => "clearing:payment"]]),
  lets: new Map(),
};

type World = { readonly numerator: bigint; readonly denominator: bigint; readonly scales: readonly [number, number] };

/** As much of an event as the functions ask of. */
function scopeOf({ numerator, denominator, scales }: World, values: Readonly<Record<string, Value>> = {}): Scope {
  const known: Partial<Scope> = {
    intent: null,
    currencyOf: (symbol) => (symbol === "S" ? "EUR" : "USD"),
    param: (_name, otherwise) => otherwise,
    rateOf: () => ({ numerator, denominator, base: "from", extraBps: 0n }) as never,
    scaleOf: (currency) => (currency === "EUR" ? scales[0] : scales[1]),
    spendable: () => 5n,
    value: (slot) => values[VARIABLES[slot] as string] ?? null,
  };
  return known as Scope;
}

const AMOUNT = fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n });
const SMALL = fc.oneof(AMOUNT, fc.bigInt({ min: -3n, max: 12_000n }));
const WORLD: fc.Arbitrary<World> = fc.record({
  numerator: fc.bigInt({ min: 1n, max: 10n ** 12n }),
  denominator: fc.bigInt({ min: 1n, max: 10n ** 12n }),
  scales: fc.tuple(fc.constantFrom(0, 2, 3, 8), fc.constantFrom(0, 2, 3, 8)),
});

/** Functions whose arguments are numbers, and what stands for the others. */
const STANDING: Readonly<Record<string, ExpressionNode>> = {
  from: { kind: "name", path: ["S"] },
  to: { kind: "name", path: ["M"] },
  table: { kind: "name", path: ["params", "fixed"] },
  word: { kind: "name", path: ["S"] },
  account: { kind: "name", path: ["inside"] },
};
/** Has quotes of its own to be asked about: quotes.test.ts. */
const ELSEWHERE = ["quote.convert"];
const WITH_LAWS = Object.entries(FUNCTIONS).filter(([name, { laws }]) => laws.length > 0 && !ELSEWHERE.includes(name));

type Given = Readonly<Record<string, bigint>>;

function holds({ argument, is, than }: Condition, given: Given): boolean {
  const [left, right] = [given[argument] as bigint, typeof than === "bigint" ? than : (given[than] as bigint)];
  return is === ">=" ? left >= right : left <= right;
}

function check(law: Law, given: Given, fields: Readonly<Record<string, bigint>>, single: bigint | null): void {
  if (law.kind === "sum") {
    const sum = law.parts.reduce((total, part) => total + (fields[part] as bigint), 0n);
    expect(fields[law.whole]).toBe(sum);
  } else if (law.given.every((condition) => holds(condition, given))) {
    const value =
      law.kind === "not_negative" && law.field !== null ? (fields[law.field] as bigint) : (single as bigint);
    if (law.kind === "not_negative") expect(value >= 0n).toBe(true);
    else if (law.kind === "at_most") expect(value <= (given[law.argument] as bigint)).toBe(true);
    else expect(value >= (given[law.argument] as bigint)).toBe(true);
  }
}

describe("keeps its laws whatever it is given:", () => {
  test.each(WITH_LAWS)("%s", (name, { arguments: wanted, requires = [], laws }) => {
    const values = fc.tuple(...wanted.map(({ name: one }) => (one === "d" ? SMALL.filter((d) => d !== 0n) : SMALL)));
    fc.assert(
      fc.property(values, WORLD, (numbers, world) => {
        const given: Given = Object.fromEntries(wanted.map((one, at) => [one.name, numbers[at] as bigint]));
        fc.pre(requires.every((condition) => holds(condition, given)));
        const call: ExpressionNode = {
          kind: "call",
          name,
          arguments: wanted.map((one) => STANDING[one.name] ?? { kind: "literal", value: given[one.name] as bigint }),
        };
        const scope = scopeOf(world);
        const figures = compileFigures(NAMES, (node) => compileNode(NAMES, node), call);
        const single = figures === null ? (compileNode(NAMES, call)(scope) as bigint) : null;
        for (const law of laws) check(law, given, figures?.(scope) ?? {}, single);
      }),
      { numRuns: 300 },
    );
  });

  test("and no other function has any that are not looked at here", () => {
    expect(WITH_LAWS.map(([name]) => name)).toEqual([
      "min",
      "max",
      "fee.of",
      "share.of",
      "part.up",
      "part.down",
      "lookup",
      "fx.lock",
      "fx.convert",
      "fx.cost",
      "fx.spread",
      "spendable",
    ]);
  });
});

type Kinds = { int: ExpressionNode; money: ExpressionNode; bool: ExpressionNode };

/** Expressions that are well typed by the way in which they are made. */
const TYPED = fc.letrec<Kinds>((tie) => {
  const literal = (value: Value): ExpressionNode => ({ kind: "literal", value });
  const name = (...path: string[]): ExpressionNode => ({ kind: "name", path });
  const call = (of: string, ...given: fc.Arbitrary<ExpressionNode>[]): fc.Arbitrary<ExpressionNode> =>
    fc.tuple(...given).map((all) => ({ kind: "call", name: of, arguments: all }));
  const binary = (
    operators: readonly ("+" | "-" | "*" | "/" | "%" | "<" | "==" | "&&" | "||")[],
    left: fc.Arbitrary<ExpressionNode>,
    right: fc.Arbitrary<ExpressionNode>,
  ): fc.Arbitrary<ExpressionNode> =>
    fc
      .tuple(fc.constantFrom(...operators), left, right)
      .map(([operator, one, other]) => ({ kind: "binary", operator, left: one, right: other }));
  const choice = (of: fc.Arbitrary<ExpressionNode>): fc.Arbitrary<ExpressionNode> =>
    fc.tuple(tie("bool"), of, of).map(([test, then, otherwise]) => {
      // oxlint-disable-next-line no-thenable -- a branch, which nobody awaits
      return { kind: "choice", test, then, otherwise } as ExpressionNode;
    });
  const divisor = fc.bigInt({ min: 1n, max: 9n }).map(literal);
  return {
    int: fc.oneof(
      { maxDepth: 3 },
      fc.constant(name("data", "tried")),
      binary(["+", "-", "*"], tie("int"), fc.bigInt({ min: 0n, max: 9n }).map(literal)),
      binary(["+", "-", "*"], tie("int"), tie("int")),
      binary(["/", "%"], tie("int"), divisor),
      call("min", tie("int"), tie("int")),
      choice(tie("int")),
    ),
    money: fc.oneof(
      { maxDepth: 3 },
      fc.constant(name("data", "amount")),
      binary(["+", "-"], tie("money"), tie("money")),
      binary(["*"], tie("money"), tie("int")),
      binary(["/"], tie("money"), divisor),
      call("max", tie("money"), tie("money")),
      call("share.of", fc.constant(name("data", "amount")), tie("int")),
      call("part.down", tie("money"), tie("int"), divisor),
      choice(tie("money")),
    ),
    bool: fc.oneof(
      { maxDepth: 3 },
      fc.constant(name("data", "done")),
      binary(["<", "=="], tie("money"), tie("money")),
      binary(["<", "=="], tie("int"), tie("int")),
      binary(["&&", "||"], tie("bool"), tie("bool")),
      tie("bool").map((operand) => ({ kind: "not", operand }) as ExpressionNode),
    ),
  };
});

describe("what has a type has a value of that type:", () => {
  const scope = scopeOf({ numerator: 1n, denominator: 1n, scales: [2, 2] }, { tried: 3n, amount: 1_000n, done: false });
  const reach = { params: true, data: true, events: [] };
  test.each([
    ["int", TYPED.int, "bigint"],
    ["money", TYPED.money, "bigint"],
    ["bool", TYPED.bool, "boolean"],
  ] as const)("%s", (kind, arbitrary, inMemory) => {
    fc.assert(
      fc.property(arbitrary, (node) => {
        expect(typeOf({ flow: WHOLE_FLOW, reach, same: ALL_DIFFER, lets: new Map() }, node)).toMatchObject({ kind });
        expect(typeof compileNode(NAMES, node)(scope)).toBe(inMemory);
      }),
      { numRuns: 300 },
    );
  });
});
