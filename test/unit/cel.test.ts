import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import type { ExpressionNode, Operator } from "../../src/domain/flow/expression.ts";
import { FUNCTIONS } from "../../src/domain/flow/functions.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import { printExpression } from "../../src/domain/flow/print.ts";
import { typeFlow } from "../../src/domain/flow/types/types.ts";
import { WHOLE } from "./flow-language-cases.ts";

test("reads an expression as a tree of our own", () => {
  expect(parseExpression("data.held - min(rel, 5) >= 0 && !(params.mode in ['a', 'b'])")).toEqual({
    kind: "binary",
    operator: "&&",
    left: {
      kind: "binary",
      operator: ">=",
      left: {
        kind: "binary",
        operator: "-",
        left: { kind: "name", path: ["data", "held"] },
        right: {
          kind: "call",
          name: "min",
          arguments: [
            { kind: "name", path: ["rel"] },
            { kind: "literal", value: 5n },
          ],
        },
      },
      right: { kind: "literal", value: 0n },
    },
    right: {
      kind: "not",
      operand: {
        kind: "binary",
        operator: "in",
        left: { kind: "name", path: ["params", "mode"] },
        right: {
          kind: "list",
          items: [
            { kind: "literal", value: "a" },
            { kind: "literal", value: "b" },
          ],
        },
      },
    },
  });
});

test("keeps whole numbers exactly, of any size", () => {
  expect(parseExpression("12345678901234567890123456789012345678")).toEqual({
    kind: "literal",
    value: 12345678901234567890123456789012345678n,
  });
  expect(parseExpression("-7")).toEqual({ kind: "literal", value: -7n });
});

const shown = (text: string): string => (text.length > 60 ? `${text.slice(0, 20)}… of ${text.length}` : text);

describe("says of what CEL knows and the language does not, by name:", () => {
  test.each(
    [
      ["[1, 2].all(x, x > 0)", /^all\(\) goes over a list, and expressions have no loops$/],
      ["[1].exists(x, x == 1)", /^exists\(\) goes over a list/],
      ["[1].map(x, x + 1)", /^map\(\) goes over a list/],
      ["[1].filter(x, x > 1)", /^filter\(\) goes over a list/],
      ["cel.bind(x, 1, x)", /^bind\(\) goes over a list/],
      ["size(data.x)", /^size\(\) works on text/],
      ["data.x.startsWith('a')", /^startsWith\(\) works on text/],
      ["data.x.matches('a+')", /^matches\(\) works on text/],
      ["timestamp('2026-01-01T00:00:00Z')", /^timestamp\(\) works on times/],
      ["event.at.getFullYear()", /^getFullYear\(\) works on times/],
      ["int(data.x)", /^int\(\) turns one type into another/],
      ["1.5", /^1\.5 is a float: numbers are whole here$/],
      ["1e3", /is a float/],
      ["5u", /leave the "u" out/],
      ["b'x'", /bytes/],
      ["{'a': 1}", /a map \{ \}/],
      ["data['x']", /lookup\(table, word, otherwise\)/],
      ["reserve.of(1)", /^there is no function reserve\.of; there are: min, max, fee\.of/],
      ["toString(1)", /^there is no function toString/],
      ["constructor(1)", /^there is no function constructor/],
      ["min(a, b).net", /name the result by let first/],
      ["data.x +", /^unexpected token: EOF \(character 9\)$/],
      ["data.x = 1", /^unexpected character/],
      ["", /unexpected token/],
      ["if", /reserved identifier: if/],
      [`${"(".repeat(500)}1${")".repeat(500)}`, /nested deeper, than/],
      [`${"!".repeat(1999)}x`, /nested deeper, than/],
      ["x".repeat(2001), /more than 2000 characters/],
    ].map(([text, says]) => [shown(text as string), text as string, says as RegExp] as const),
  )("%s", (_shown, text, says) => {
    expect(parseExpression(text)).toEqual({ wrong: expect.stringMatching(says) });
  });
});

const OPERATORS: readonly Operator[] = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||"];
const WORD = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/).filter((word) => !("wrong" in parseExpression(word)));

/** Trees as the parser makes them: a number below zero is a number, not the negation of one. */
const TREE = fc.letrec<{ node: ExpressionNode }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ kind: fc.constant("literal" as const), value: fc.oneof(fc.bigInt(), fc.boolean(), fc.string()) }),
    fc.record({ kind: fc.constant("literal" as const), value: fc.constant(null) }),
    fc.record({
      kind: fc.constant("name" as const),
      path: fc
        .array(WORD, { minLength: 1, maxLength: 3 })
        .filter(([first]) => !["true", "false", "null", "in"].includes(first as string)),
    }),
    fc.record({
      kind: fc.constant("call" as const),
      name: fc.constantFrom(...Object.keys(FUNCTIONS)),
      arguments: fc.array(tie("node"), { maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant("not" as const), operand: tie("node") }),
    fc
      .record({ kind: fc.constant("minus" as const), operand: tie("node") })
      .filter(({ operand }) => operand.kind !== "literal" || typeof operand.value !== "bigint"),
    fc.record({
      kind: fc.constant("binary" as const),
      operator: fc.constantFrom(...OPERATORS),
      left: tie("node"),
      right: tie("node"),
    }),
    // oxlint-disable-next-line no-thenable -- a branch, which nobody awaits
    fc.record({ kind: fc.constant("choice" as const), test: tie("node"), then: tie("node"), otherwise: tie("node") }),
    fc.record({ kind: fc.constant("list" as const), items: fc.array(tie("node"), { minLength: 1, maxLength: 3 }) }),
  ),
})).node;

test("what is printed reads back as the same tree", () => {
  fc.assert(
    fc.property(TREE, (tree) => {
      const text = printExpression(tree);
      fc.pre(text.length <= 2000);
      expect(parseExpression(text)).toEqual(tree);
    }),
    { numRuns: 500 },
  );
});

const PIECES =
  "data.x params. event intent.amount.minor S == && || ! ? : ( ) [ ] { } , . min( has( 'a' \" \\ 1 1.5 -1 0x in \n /* // true null fx.convert( __proto__ \u0000 😀".split(
    " ",
  );

test("whatever the text, there is a tree or a sentence", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom(...PIECES)).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(text, (given) => {
      const found = parseExpression(given);
      expect("wrong" in found ? found.wrong.length : found.kind.length).toBeGreaterThan(0);
    }),
    { numRuns: 2000 },
  );
});

test("whatever is done to a file, there are faults or a flow, and never a crash", () => {
  const mangle = fc.record({
    at: fc.nat(WHOLE.length),
    cut: fc.nat(40),
    put: fc.oneof(fc.constantFrom(...PIECES), fc.string()),
  });
  const mangled = fc.array(mangle, { minLength: 1, maxLength: 4 }).map((changes) => {
    let text = WHOLE;
    for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut);
    return text;
  });
  fc.assert(
    fc.property(fc.oneof(mangled, fc.string({ unit: "binary" }), fc.json()), (text) => {
      const file = readLocatedYaml("f", text);
      const parsed = file.root === null ? null : parseFlow(file.root, parseExpression);
      const typed = parsed?.flow ? typeFlow(parsed.flow) : null;
      const faults = [...file.faults, ...(parsed?.faults ?? []), ...(typed?.faults ?? [])];
      if (typed === null) expect(faults).not.toEqual([]);
      for (const { message } of faults) expect(message).not.toMatch(/undefined|\[object/);
    }),
    { numRuns: 300 },
  );
});
