import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { loadDeclared, loadFlowFiles } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { type CheckedFlow, readFlow } from "../../src/domain/flow/check/check.ts";
import { checkTogether } from "../../src/domain/flow/check/together.ts";
import { placeOf, replaceOnce, SHIPPED_FLOWS, SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { BASES } from "./flows/wrong/wrong.ts";

const { hold: HOLD, transfer: TRANSFER, transfer_in: TRANSFER_IN } = BASES;

const declared = loadDeclared(SHIPPED_SCHEMAS);

function faultsOf(text: string): string[] {
  const { checked, faults } = readFlow(readLocatedYaml("f", text), declared, parseExpression);
  expect(checked === null).toBe(faults.length > 0);
  return faults.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
}

test("proves the shipped flows and those for tests sound", () => {
  expect(declared.flows.map(({ name }) => name)).toEqual(SHIPPED_FLOWS);
  const files = readdirSync(TEST_FLOWS).map((name) => join(TEST_FLOWS, name));
  expect(loadFlowFiles(files, declared).faults).toEqual([]);
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
  expect(faultsOf(late.replace("POLL", "held")).join("\n")).toMatch(/attended: a case in held .* goes round for ever/);
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
  const read = (name: string, text: string): CheckedFlow =>
    readFlow(readLocatedYaml(name, text), declared, parseExpression).checked as CheckedFlow;

  test("one name, one kind of ids, one flow for an intent that no guard keeps apart", () => {
    const faults = checkTogether([read("a", TRANSFER), read("b", TRANSFER), read("c", TRANSFER_IN)]);
    expect(faults.map(({ message }) => message)).toEqual([
      'together: name "transfer" is taken by a already',
      'together: case_kind "trf" is taken by a already',
      "together: transfer_create always opens transfer, so never transfer: of several flows only the last by name has no guard",
    ]);
  });

  test("two that open on one intent by the same guard, however it is written", () => {
    const guarded = (name: string, guard: string): CheckedFlow =>
      read(
        `${name}.flow.yaml`,
        TRANSFER.replace("name: transfer,", `name: ${name}, family: transfer,`)
          .replace(/case_kind: \w+/, `case_kind: ${name}`)
          .replace("intent: transfer_create", `intent: transfer_create, when: "${guard}"`),
      );
    const messages = (...guards: readonly string[]): string[] =>
      checkTogether([
        read("in", TRANSFER_IN),
        ...guards.map((guard, index) => guarded("abc".charAt(index).repeat(3), guard)),
      ]).map(({ message }) => message);
    expect(messages("intent.method == 'a'", "(intent.method=='a')", "intent.method == 'b'")).toEqual([
      "together: transfer_create opens aaa (aaa.flow.yaml) when intent.method == 'a', so never bbb (bbb.flow.yaml), which has the same guard",
    ]);
    expect(messages("intent.method == 'a'", "intent.method == 'b'")).toEqual([]);
  });

  test("a child that is not there, or is given other than it takes", () => {
    expect(checkTogether([read("card", BASES.card)]).map(({ message }) => message)).toEqual([
      "together: there is no flow refund to spawn",
      "together: there is no flow refund to spawn",
    ]);
    const refund = BASES.refund
      .replaceAll("seq: { int: true }", "number: { int: true }")
      .replace("event.seq", "event.number");
    const faults = checkTogether([read("card", BASES.card), read("refund", refund)]).map(({ message }) => message);
    expect(faults).toEqual([
      'together: refund is opened without "number", which its spawn event carries',
      'together: refund takes no "seq" when it is spawned',
      'together: refund is opened without "number", which its spawn event carries',
      'together: refund takes no "seq" when it is spawned',
    ]);
  });

  test("a message that nobody takes, or that lacks what its receiver takes", () => {
    const messages = (transfer: string, ...others: readonly string[]): string[] =>
      checkTogether([transfer, ...others].map((text, index) => read(String(index), text))).map(
        ({ message }) => message,
      );
    expect(messages(TRANSFER, TRANSFER_IN)).toEqual([]);
    expect(messages(TRANSFER)).toEqual(["together: no flow starts on the message transfer_credit that credit sends"]);
    expect(messages(replaceOnce(TRANSFER, "account: intent.to, ", ""), TRANSFER_IN)).toEqual([
      'together: credit sends no "account" along, which transfer_in takes from transfer_credit',
    ]);
    expect(messages(replaceOnce(TRANSFER, "account: intent.to, ", "account: data.net, "), TRANSFER_IN)).toEqual([
      'together: credit sends "account" as money of M, where a text is taken',
    ]);
    expect(messages(replaceOnce(TRANSFER, ", currency: M", ""), TRANSFER_IN)).toEqual([
      'together: credit sends no "currency" along, by which transfer_in knows M (event.amount)',
    ]);
  });

  test("a child that tells other than its parent reads", () => {
    const told = BASES.refund.replaceAll(
      "{ tell: failed, amount: data.amount",
      "{ tell: failed, amount: data.provider",
    );
    const faults = checkTogether([read("card", BASES.card), read("refund", told)]).map(({ message }) => message);
    expect(faults.length).toBeGreaterThan(0);
    expect(new Set(faults)).toEqual(
      new Set(['together: refund tells "failed" with "amount" as a text, where money of S is taken']),
    );
  });

  test("one takes what the other has set aside and relies on", () => {
    const thief = `
apiVersion: flow/v1
kind: Flow
metadata: { name: sweep, version: 1.0.0, owner: tests, family: transfer }
spec:
  starts_on: { intent: hold_sweep }
  case_kind: swp
  currencies: { S: intent.amount.currency }
  accounts:
    available: { path: "liability:customer:{holder}:available" }
    hold: { path: "liability:customer:{holder}:hold" }
  postings:
    sweep: { title: all of it, in: [x], lines: [[hold, available, S, x]] }
  states:
    requested:
      kind: initial
      always:
        - do:
            - { post: sweep, x: intent.amount.minor }
            - { emit: transfer.completed, amounts: { requested: intent.amount.minor } }
          to: done
    done: { kind: final }
`;
    const [fault, ...more] = checkTogether([read("a", HOLD), read("b", thief)]);
    expect(more).toEqual([]);
    expect(fault?.message).toMatch(/takes more from liability:customer:\{holder\}:hold than its case has put there/);
  });

  test("an event that opens cases of another flow", () => {
    const hold = HOLD.replace("intent.hold_capture", "intent.transfer_create");
    const [fault, ...more] = checkTogether([read("a", TRANSFER), read("b", hold), read("c", TRANSFER_IN)]);
    expect(more).toEqual([]);
    expect(fault?.message).toMatch(/intent\.transfer_create opens a case of transfer/);
    expect(`${fault?.place.line}:${fault?.place.column}`).toBe(placeOf(hold, "intent.transfer_create"));
  });
});
