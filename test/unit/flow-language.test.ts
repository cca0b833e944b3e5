import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { FUNCTIONS } from "../../src/domain/flow/functions.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import { typeFlow } from "../../src/domain/flow/types/types.ts";
import { INTENT_VALUES } from "../../src/domain/intent.ts";
import { placeOf, replaceOnce, SHIPPED_SCHEMAS, textOf } from "../support/faulty.ts";
import { ROOT } from "../support/source.ts";
import { FORM_CASES, WHOLE } from "./flow-language-cases.ts";

function read(text: string): { flow: Flow | null; faults: string[] } {
  const file = readLocatedYaml("f", text);
  const { flow, faults } = file.root === null ? { flow: null, faults: [] } : parseFlow(file.root, parseExpression);
  const all = [...file.faults, ...faults];
  return { flow, faults: all.map(({ place, message }) => `${place.line}:${place.column} ${message}`) };
}

test("reads every part of the language", () => {
  const { flow, faults } = read(WHOLE);
  expect(faults).toEqual([]);
  expect(typeFlow(flow as Flow).faults).toEqual([]);
  expect(flow).toMatchObject({
    family: "payment",
    start: { kind: "intent", type: "parcel_create", when: { text: /parcel/ } },
    params: [
      { name: "validity", type: { kind: "duration" }, default: 604_800_000n },
      { name: "tries", default: 3n },
      { name: "eager", default: false },
      { name: "basis", type: { kind: "word", words: ["original", "current"] }, default: "current" },
      { name: "label", default: "" },
      { name: "fixed", type: { kind: "amounts" }, default: { USD: 30n, "*": 10n } },
    ],
    events: [{ event: "psp.done" }, { event: "child.refund.failed" }],
    accounts: [{ drains: true }, { drains: false }],
    invariants: [{ account: "inside", symbol: "S" }],
    calls: [
      { to: { kind: "gateway", op: "parcel.ask", readOnly: false, timeoutMs: 20_000 } },
      { to: { kind: "gateway", readOnly: true, key: null } },
      { to: { kind: "message", type: "parcel_credit" } },
    ],
    defaults: { alarms: [{ event: "psp.done", code: "done_not_expected" }] },
    exceptions: [{ property: "attended", at: "states.waiting" }],
  });
  const key = flow?.calls[0]?.to;
  expect(key?.kind === "gateway" ? key.key : null).toMatchObject([
    { kind: "value", value: { root: { path: ["case", "id"] } } },
    { kind: "text", text: "/ask/" },
    { kind: "value", value: { root: { path: ["data", "tried"] } } },
  ]);
});

test("takes a bare word where its enum is wanted, a bare word as a code, a duration where one is", () => {
  const { flow } = read(WHOLE);
  const value = (name: string) => flow?.data.find((field) => field.name === name)?.init.root;
  expect(value("want")).toEqual({ kind: "literal", value: "proceed" });
  expect(value("since")).toEqual({ kind: "literal", value: null });
  expect(value("done")).toEqual({ kind: "literal", value: false });
  expect(flow?.timers[1]?.after.root).toEqual({ kind: "literal", value: 30_000n });
  expect(flow?.states[0]?.always[1]?.actions[0]).toMatchObject({ code: { root: { value: "first" } } });
});

test("reads a default beside an intent's field as what it is when the field is not there", () => {
  const { flow } = read(WHOLE);
  expect(flow?.data.find(({ name }) => name === "mode")?.init.root).toMatchObject({
    kind: "choice",
    test: { kind: "call", name: "has" },
    otherwise: { kind: "literal", value: "automatic" },
  });
});

test("still reads data by its earlier key, as in versions that are kept with their cases", () => {
  const { flow, faults } = read(replaceOnce(WHOLE, "init: intent.amount.minor", "from: intent.amount.minor"));
  expect(faults).toEqual([]);
  const root = (one: Flow | null): unknown => one?.data[0]?.init.root;
  expect(root(flow)).toEqual(root(read(WHOLE).flow));
});

test("docs/flow-language.md names every function, field of an intent, key and action", () => {
  const page = textOf(join(ROOT, "docs", "flow-language.md"));
  const { $defs, properties } = JSON.parse(textOf(join(SHIPPED_SCHEMAS, "flows", "flow.schema.json")));
  const actions = $defs.action.oneOf.map(({ required }: { required: string[] }) => required[0]);
  const named = (name: string): boolean => new RegExp(`[\`{ .]${name.replaceAll(".", "\\.")}[\`:(},. ]`).test(page);
  for (const name of [
    ...Object.keys(FUNCTIONS),
    ...Object.keys(INTENT_VALUES),
    ...Object.keys(properties.spec.properties),
    ...Object.keys(properties.metadata.properties),
    ...actions,
  ])
    expect(named(name), name).toBe(true);
});

describe("refuses, at the place where it is wrong:", () => {
  test.each(FORM_CASES)("%s", (_what, _seenBy, old, by, marker, says) => {
    const text = replaceOnce(WHOLE, old, by);
    const { faults } = read(text);
    const found = faults.filter((fault) => fault.startsWith(`${placeOf(text, marker)} `) && says.test(fault));
    expect(found, faults.join("\n")).toHaveLength(1);
  });

  test.each([
    ["on", "a boolean"],
    ["Yes", "a boolean"],
    ["no", "a boolean"],
    ["1:30", "a number of base 60"],
    ["0123", "an octal number"],
  ])("%s, which YAML 1.1 reads as something else", (word, reading) => {
    const text = replaceOnce(WHOLE, "tests", word);
    expect(read(text).faults[0]).toBe(
      `${placeOf(text, `${word}, family`)} some YAML tools read ${word} as ${reading}: quote it if text is meant, or write it plainly`,
    );
  });

  test("a key that is given twice, and one that nobody knows", () => {
    const text = WHOLE.replace("  case_kind: par\n", "  case_kind: par\n  case_kind: xyz\n  extra: 1\n");
    expect(read(text).faults).toEqual([
      `${placeOf(text, "case_kind: xyz")} key "case_kind" is given twice, first in line 6`,
      expect.stringMatching(/unknown key "extra" in spec; known: starts_on, case_kind/),
    ]);
  });
});
