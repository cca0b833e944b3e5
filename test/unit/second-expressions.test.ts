// The second ledger's own reading of expressions: what binds to what, what each function gives, and that nonsense is told.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate, floor, halfEven, type Scope, type Value } from "../../src/workload/second-ledger/evaluate.ts";
import { type Node, readExpression } from "../../src/workload/second-ledger/expressions.ts";
import { Unreadable } from "../../src/workload/second-ledger/tree.ts";

const NAMES: Readonly<Record<string, Value>> = {
  "data.held": 500n,
  "data.want": "cancel",
  "data.since": null,
  "params.fixed": new Map<string, Value>([
    ["EUR", 30n],
    ["*", 7n],
    ["USDEUR", 12n],
  ]),
  "event.approved": true,
  S: "EUR",
  M: "USD",
};

const SCOPE: Scope = {
  named: (path) => NAMES[path.join(".")],
  asked: (name, [word]) => (name === "has" ? word === "intent.quoteId" : undefined),
};

const valueOf = (text: string): Value => evaluate(readExpression(text), SCOPE);

describe("expressions", () => {
  test.for<[string, Value]>([
    ["1 + 2 * 3", 7n],
    ["(1 + 2) * 3", 9n],
    ["10 - 3 - 2", 5n],
    ["100 / 7 % 4", 2n],
    ["-7 / 2", -3n],
    ["-7 % 2", -1n],
    ["- -3", 3n],
    ["1 < 2 && 2 < 1 || true", true],
    ["true || false && false", true],
    ["!(1 == 1) == false", true],
    ["1 == 1 ? 2 : 3", 2n],
    ["false ? 1 : false ? 2 : 3", 3n],
    ["data.want in ['cancel', \"expire\"]", true],
    ["data.want == 'proceed'", false],
    ["data.want != 'it\\'s'", true],
    ["data.since == null", true],
    ["data.since + 5 == null && !(data.since < 5) && !(data.since >= 5)", true],
    ["S == M", false],
    ["data.held>=500&&event.approved", true],
    ["min(data.held, 3) + max(1, 2)", 5n],
    ["fee.of(10000, 290, 30)", 320n],
    ["fee.of(50, 290, 30)", 31n],
    ["fee.of(10, 290, 30)", 10n],
    ["share.of(50, 100)", 1n],
    ["part.up(10, 1, 3)", 4n],
    ["part.down(10, 1, 3)", 3n],
    ["lookup(params.fixed, S, 0)", 30n],
    ["lookup(params.fixed, M, 9)", 9n],
    ["fx.spread(params.fixed, S, M)", 12n],
    ["fx.spread(params.fixed, S, S)", 7n],
    ["1 / 0 == null && 1 % 0 == null && part.up(1, 1, 0) == null && 1 / 0 + 1 == null", true],
    ["has(intent.quoteId) && !has(intent.reason)", true],
  ])("%s", ([text, value]) => {
    expect(valueOf(text)).toBe(value);
  });

  test("stop at the first side that decides", () => {
    expect(valueOf("false && nowhere.x")).toBe(false);
    expect(valueOf("true || nowhere.x")).toBe(true);
    expect(valueOf("true ? 1 : nowhere.x")).toBe(1n);
  });

  test.for(["", "1 +", "(1", "a.", "min(1 2)", "1 2", "'open", "a ? b", "#", "1 = 2", "[1, 2", "a..b"])(
    "%j is no expression",
    (text) => {
      expect(() => readExpression(text)).toThrow(Unreadable);
    },
  );

  test.for(["nowhere.x", "nobody(1)", "1 + true", "!1", "'a' < 'b'", "lookup(1, S, 0)"])("%s has no value", (text) => {
    expect(() => valueOf(text)).toThrow(Unreadable);
  });
});

/** Every pair in its own brackets: what is read back must be what was written. */
function written(node: Node): string {
  switch (node.is) {
    case "value":
      return typeof node.value === "string" ? `'${node.value}'` : String(node.value);
    case "name":
      return node.path.join(".");
    case "sign":
      return `${node.sign}(${written(node.of)})`;
    case "pair":
      return `(${written(node.left)}) ${node.sign} (${written(node.right)})`;
    case "either":
      return `(${written(node.test)}) ? (${written(node.whenTrue)}) : (${written(node.otherwise)})`;
    case "list":
      return `[${node.items.map(written).join(", ")}]`;
    case "call":
      return `${node.name}(${node.given.map(written).join(", ")})`;
  }
}

test("what is written with every bracket is read back as it was", () => {
  const { node } = fc.letrec<{ node: Node }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(
        fc.bigInt({ min: 0n, max: 99n }).map((value): Node => ({ is: "value", value })),
        fc.constantFrom<Node>({ is: "name", path: ["data", "x"] }, { is: "value", value: "word" }),
      ),
      fc.record<Node & { is: "sign" }>({ is: fc.constant("sign"), sign: fc.constantFrom("!", "-"), of: tie("node") }),
      fc.record<Node & { is: "pair" }>({
        is: fc.constant("pair"),
        sign: fc.constantFrom("+", "-", "*", "/", "%", "==", "<=", "&&", "||", "in"),
        left: tie("node"),
        right: tie("node"),
      }),
      fc.record<Node & { is: "either" }>({
        is: fc.constant("either"),
        test: tie("node"),
        whenTrue: tie("node"),
        otherwise: tie("node"),
      }),
      fc.array(tie("node"), { maxLength: 3 }).map((items): Node => ({ is: "list", items })),
      fc.array(tie("node"), { maxLength: 3 }).map((given): Node => ({ is: "call", name: "fx.cost", given })),
    ),
  }));
  fc.assert(fc.property(node, (one) => void expect(readExpression(written(one))).toEqual(one)));
});

describe("roundings", () => {
  const n = fc.bigInt({ min: -1_000_000n, max: 1_000_000n });
  const d = fc.bigInt({ min: 1n, max: 1_000n });

  test("down is the last whole number that is not above", () => {
    fc.assert(fc.property(n, d, (a, b) => floor(a, b) * b <= a && a < (floor(a, b) + 1n) * b));
  });

  test("to the nearest, and of two the even one", () => {
    fc.assert(
      fc.property(n, d, (a, b) => {
        const off = 2n * (halfEven(a, b) * b - a);
        expect(off >= -b && off <= b).toBe(true);
        if (off === b || off === -b) expect(halfEven(a, b) % 2n).toBe(0n);
      }),
    );
  });
});
