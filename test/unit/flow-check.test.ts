import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { loadDeclared, loadFlowFiles } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { readFlow } from "../../src/domain/flow/check.ts";
import { checkTogether } from "../../src/domain/flow/check-together.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { placeOf, replaceOnce, SHIPPED_FLOWS, SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { HOLD, TRANSFER, UNSOUND } from "./flow-cases.ts";

const { chart, flows: shipped } = loadDeclared(SHIPPED_SCHEMAS);

function faultsOf(text: string): string[] {
  const { flow, faults } = readFlow(readLocatedYaml("f", text), chart, parseExpression);
  expect(flow === null).toBe(faults.length > 0);
  return faults.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
}

test("proves the shipped flows and the one for tests sound", () => {
  expect(shipped.map(({ name }) => name)).toEqual(SHIPPED_FLOWS);
  const files = readdirSync(TEST_FLOWS).map((name) => join(TEST_FLOWS, name));
  expect(loadFlowFiles(files, chart).faults).toEqual([]);
});

describe("refuses a flow that it cannot prove sound, at the place where it is wrong:", () => {
  test.each(UNSOUND)("%s: %s", (property, _what, base, old, by, marker, says) => {
    const text = replaceOnce(base, old, by);
    const faults = faultsOf(text);
    const found = faults.filter(
      (fault) => fault.startsWith(`${placeOf(text, marker)} ${property}: `) && says.test(fault),
    );
    expect(found, faults.join("\n")).toHaveLength(1);
  });

  test("dead: an alternative behind one that is always taken", () => {
    const text = replaceOnce(
      TRANSFER,
      "          to: completed\n",
      "          to: completed\n        - to: completed\n",
    );
    const faults = faultsOf(text);
    expect(faults).toEqual([
      `${placeOf(text, "completed\n", 2)} dead: this alternative is never taken: the one before it has no guard`,
    ]);
  });

  test("unused: a data field that is only written, and an input that no line takes", () => {
    let text = HOLD.replaceAll("data.held", "data.amount");
    expect(faultsOf(text)).toEqual([
      `${placeOf(text, "held: { money")} unused: data field "held" is declared and never used`,
    ]);
    text = replaceOnce(TRANSFER, "in: [x]", "in: [x, z]").replace("x: data.amount }", "x: data.amount, z: 1 }");
    expect(faultsOf(text)).toEqual([`${placeOf(text, "P17:")} unused: input of P17 "z" is declared and never used`]);
  });
});

test("lets a state wait for a named human", () => {
  const waiting = HOLD.replace("      timers: [expiry]\n", "      human: true\n")
    .replace("        timer.expiry:", "        intent.hold_expire:")
    .replace("  timers:\n    expiry: { after: PT15M }\n", "");
  expect(faultsOf(waiting)).toEqual([]);
});

test("lets the shorter timer of two decide whether a case ends by itself", () => {
  const late = HOLD.replace("expiry: { after: PT15M }", "expiry: { after: PT15M }\n    poll: { after: PT1M }")
    .replace("timers: [expiry]", "timers: [expiry, poll]")
    .replace("        timer.expiry:", "        timer.poll: [{ to: POLL }]\n        timer.expiry:");
  expect(faultsOf(late.replace("POLL", "stay"))).toEqual([]);
  // Entered anew every minute, the state arms both timers anew: the quarter of an hour never comes.
  expect(faultsOf(late.replace("POLL", "held")).join("\n")).toMatch(
    /unattended: .* a case in held goes round in a circle/,
  );
});

test("tells faults of form and of sense together, in the order of the file", () => {
  let text = replaceOnce(HOLD, "owner: tests", "owner: tests, team: x");
  text = replaceOnce(text, '"clearing:payment"', '"clearing:nothing"');
  text = replaceOnce(text, "to: released", "to: gone");
  text = replaceOnce(text, "after: PT15M", "after: 15m");
  const properties = faultsOf(text).map((fault) => fault.replace(/^(\d+):\d+ (\w+).*/, "$1 $2"));
  expect(properties).toEqual(["5 unknown", "16 references", "34 after", "59 references"]);
});

describe("refuses flows that cannot run side by side:", () => {
  const read = (name: string, text: string): Flow =>
    readFlow(readLocatedYaml(name, text), chart, parseExpression).flow as Flow;

  test("one name, one opening intent, one kind of ids for each", () => {
    const faults = checkTogether([read("a", TRANSFER), read("b", TRANSFER)]);
    expect(faults.map(({ message }) => message)).toEqual([
      'together: "transfer" is taken by a already',
      'together: "transfer_create" is taken by a already',
      'together: "trf" is taken by a already',
    ]);
  });

  test("an event that opens cases of another flow", () => {
    const hold = HOLD.replace("intent.hold_capture", "intent.transfer_create");
    const [fault, ...more] = checkTogether([read("a", TRANSFER), read("b", hold)]);
    expect(more).toEqual([]);
    expect(fault?.message).toMatch(/intent\.transfer_create opens a case of transfer/);
    expect(`${fault?.place.line}:${fault?.place.column}`).toBe(placeOf(hold, "intent.transfer_create"));
  });
});
