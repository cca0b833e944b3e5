import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadDeclared, loadFlowFiles } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { readFlow } from "../../src/domain/flow/check.ts";
import { checkTogether } from "../../src/domain/flow/check-together.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { placeOf, replaceOnce, SHIPPED_SCHEMAS, TEST_FLOWS, textOf } from "../support/faulty.ts";

const TRANSFER = textOf(join(SHIPPED_SCHEMAS, "flows", "transfer.flow.yaml"));
const OPEN = textOf(join(SHIPPED_SCHEMAS, "flows", "account_open.flow.yaml"));
const UPDATE = textOf(join(SHIPPED_SCHEMAS, "flows", "account_update.flow.yaml"));
const HOLD = textOf(join(TEST_FLOWS, "hold.flow.yaml"));
const { chart, flows: shipped } = loadDeclared(SHIPPED_SCHEMAS);

function faultsOf(text: string): string[] {
  const { flow, faults } = readFlow(readLocatedYaml("f", text), chart);
  expect(flow === null).toBe(faults.length > 0);
  return faults.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
}

test("proves the shipped flows and the one for tests sound", () => {
  expect(shipped.map(({ name }) => name)).toEqual(["account_open", "account_update", "transfer"]);
  const files = readdirSync(TEST_FLOWS).map((name) => join(TEST_FLOWS, name));
  expect(loadFlowFiles(files, chart).faults).toEqual([]);
});

/** property, what breaks, base text, what is replaced by what, where the fault stands (marker), what it says */
type Case = readonly [
  property: string,
  what: string,
  base: string,
  old: string,
  by: string,
  marker: string,
  says: RegExp,
];

const REFERENCES: readonly Case[] = [
  [
    "references",
    "a state that is not there",
    TRANSFER,
    "to: completed",
    "to: complete",
    "complete\n",
    /state "complete" is not declared/,
  ],
  [
    "references",
    "an account that is not there",
    TRANSFER,
    "[source, target,",
    "[source, tarjet,",
    "[source,",
    /account "tarjet"/,
  ],
  [
    "references",
    "a posting that is not there",
    TRANSFER,
    "{ post: P17,",
    "{ post: P18,",
    "P18",
    /posting "P18".*declared: P17/,
  ],
  [
    "references",
    "a data field that is not there",
    TRANSFER,
    "x: data.amount",
    "x: data.sum",
    "x: data.sum",
    /data field "sum"/,
  ],
  ["references", "a currency that is not there", TRANSFER, "target, S, x", "target, M, x", "[source,", /currency "M"/],
  [
    "references",
    "a timer that is not there",
    HOLD,
    "timers: [expiry]",
    "timers: [expiry, late]",
    "late]",
    /timer "late"/,
  ],
  ["references", "a timer event of no timer", HOLD, "timer.expiry", "timer.expire", "timer.expire", /timer "expire"/],
  [
    "references",
    "a field to set that is not there",
    HOLD,
    "{ held: 0 }",
    "{ hold: 0 }",
    "hold: 0",
    /data field "hold"/,
  ],
  [
    "references",
    "an account to open that is not there",
    OPEN,
    "account: own",
    "account: mine",
    "open_account: {",
    /account "mine"/,
  ],
  [
    "references",
    "an account to change that is not there",
    UPDATE,
    "account: own",
    "account: mine",
    "change_account",
    /account "mine"/,
  ],
  [
    "references",
    "a path outside the chart",
    HOLD,
    '"clearing:payment"',
    '"clearing:nothing"',
    '"clearing:nothing"',
    /not in the chart/,
  ],
  [
    "references",
    "a placeholder of another kind",
    HOLD,
    '"clearing:payment"',
    '"asset:bank:{bank}"',
    '"asset:bank:{bank}"',
    /neither \{intent/,
  ],
  [
    "references",
    "an intent field within a path",
    HOLD,
    '"clearing:payment"',
    '"asset:{intent.to}"',
    '"asset:{',
    /neither \{intent/,
  ],
  [
    "references",
    "an intent field without accounts",
    TRANSFER,
    '"{intent.to}"',
    '"{intent.memo}"',
    '"{intent.memo}"',
    /neither \{intent/,
  ],
  ["references", "an amount that is no input", TRANSFER, "S, x]", "S, y2]", "[source,", /"y2" is not an input of P17/],
  [
    "references",
    "an input without an amount",
    TRANSFER,
    "{ post: P17, x: data.amount }",
    "{ post: P17 }",
    "P17 }",
    /needs an amount for its input "x"/,
  ],
  [
    "references",
    "an amount too many",
    TRANSFER,
    "x: data.amount }",
    "x: data.amount, z: 1 }",
    "z: 1",
    /has no input "z"/,
  ],
  ["references", "an input twice", TRANSFER, "in: [x]", "in: [x, x]", "P17:", /input "x" of P17 is named twice/],
];

const MONEY: readonly Case[] = [
  [
    "home",
    "another holder's account for ever",
    HOLD,
    "customer:{holder}:available",
    "customer:cust_1:available",
    '"liability',
    /belongs to one holder/,
  ],
  [
    "balance",
    "a line from an account to itself",
    TRANSFER,
    "[source, target,",
    "[source, source,",
    "[source,",
    /to itself/,
  ],
  [
    "balance",
    "a line between two names of one account",
    TRANSFER,
    '"{intent.to}"',
    '"{intent.from}"',
    "[source,",
    /to itself/,
  ],
  [
    "balance",
    "a posting without lines",
    TRANSFER,
    "lines:\n        - [source, target, S, x]",
    "lines: []",
    "P17:",
    /has no lines/,
  ],
  [
    "balance",
    "one amount as two currencies",
    HOLD,
    "        - [available, hold, S, x]",
    "        - [available, hold, S, x]\n        - [hold, clearing, T, x]",
    "[hold, clearing, T",
    /as S and as T/,
  ],
  [
    "types",
    "an amount in another currency",
    HOLD.replace("{ S: intent.amount.currency }", "{ S: intent.amount.currency, T: intent.currency }"),
    "held: { money: S",
    "held: { money: T",
    "x: data.held",
    /x is in S, but data.held is in T/,
  ],
  [
    "types",
    "a field set to another currency",
    HOLD.replace("{ S: intent.amount.currency }", "{ S: intent.amount.currency, T: intent.currency }"),
    "held: { money: S",
    "held: { money: T",
    "held: data.amount",
    /held is in T, but data.amount is in S/,
  ],
  [
    "types",
    "the intent's amount in another currency than its own",
    TRANSFER,
    "intent.amount.currency",
    "intent.currency",
    "amount: { money",
    /must be intent.amount.currency/,
  ],
  [
    "types",
    "an outcome's amount without a currency",
    TRANSFER,
    "requested: data.amount",
    "requested: 5",
    "requested: 5",
    /must be a data field/,
  ],
  [
    "types",
    "a house account to open",
    OPEN,
    '"{intent.account}"',
    '"asset:bank:main"',
    "open_account: {",
    /is a house account/,
  ],
];

const USE: readonly Case[] = [
  [
    "unused",
    "a currency",
    UPDATE,
    "  accounts:",
    "  currencies: { S: intent.currency }\n  accounts:",
    "S: intent",
    /currency "S" is declared and never used/,
  ],
  [
    "unused",
    "a data field",
    TRANSFER,
    "  accounts:",
    "    fee: { money: S, init: 0 }\n  accounts:",
    "fee",
    /data field "fee"/,
  ],
  [
    "unused",
    "an account",
    TRANSFER,
    "  postings:",
    '    bank: { path: "asset:bank:main" }\n  postings:',
    '"asset:bank',
    /account "bank"/,
  ],
  [
    "unused",
    "a posting",
    HOLD,
    "  timers:\n",
    "    P1: { title: t, in: [x], lines: [[hold, available, S, x]] }\n  timers:\n",
    "P1:",
    /posting "P1"/,
  ],
  [
    "unused",
    "a timer",
    HOLD,
    "expiry: { after: PT15M }",
    "expiry: { after: PT15M }\n    late: { after: P1D }",
    "late: {",
    /timer "late"/,
  ],
];

const STATES: readonly Case[] = [
  ["kinds", "no initial state", TRANSFER, "kind: initial", "kind: choice", "apiVersion", /no state is initial/],
  ["kinds", "two initial states", TRANSFER, "kind: final", "kind: initial", "completed:\n", /second initial state/],
  [
    "kinds",
    "no final state",
    TRANSFER,
    "kind: final",
    "kind: quiescent\n      human: true",
    "apiVersion",
    /no state is final/,
  ],
  [
    "kinds",
    "a final state with timers",
    HOLD,
    "captured: { kind: final }",
    "captured: { kind: final, timers: [expiry] }",
    "captured: { kind",
    /is final and cannot have timers/,
  ],
  [
    "kinds",
    "a waiting state that goes on at once",
    HOLD,
    "      timers: [expiry]\n",
    "      timers: [expiry]\n      always: [{ to: captured }]\n",
    "held:\n",
    /is active and cannot have always/,
  ],
  [
    "kinds",
    "an initial state that does both",
    HOLD,
    "    requested:\n",
    "    requested:\n      timers: [expiry]\n",
    "requested:\n",
    /cannot wait for events or timers as well/,
  ],
  [
    "kinds",
    "a human who ends",
    TRANSFER,
    "kind: final",
    "kind: final\n      human: true",
    "completed:\n",
    /no human is waited for/,
  ],
  [
    "kinds",
    "a state named as a status of the core",
    TRANSFER.replaceAll("to: completed", "to: rejected"),
    "    completed:",
    "    rejected:",
    "rejected:\n",
    /has a meaning of its own/,
  ],
  [
    "choice",
    "a choice without alternatives",
    HOLD,
    "captured: { kind: final }",
    "captured: { kind: choice }",
    "captured: { kind",
    /choice without an alternative/,
  ],
  ["choice", "a choice that stays", TRANSFER, "to: completed", "to: stay", "stay", /cannot stay/],
  [
    "choice",
    "choices in a circle",
    TRANSFER,
    "kind: final",
    "kind: choice\n      always: [{ to: requested }]",
    "requested:\n",
    /in a circle: requested, completed/,
  ],
  [
    "timers",
    "a timer that nobody handles",
    HOLD,
    "        timer.expiry:",
    "        intent.hold_expire:",
    "expiry]",
    /arms timer expiry and does not handle it/,
  ],
  [
    "timers",
    "a timer that nobody arms",
    HOLD,
    "      timers: [expiry]\n",
    "",
    "timer.expiry",
    /handles timer expiry and does not arm it/,
  ],
  ["timers", "a timer armed twice", HOLD, "timers: [expiry]", "timers: [expiry, expiry]", "expiry]", /armed twice/],
  [
    "reachable",
    "a state that nothing leads to",
    TRANSFER,
    "    completed:",
    "    lost: { kind: final }\n    completed:",
    "lost",
    /lost is never reached/,
  ],
  [
    "completion",
    "a state without a way out",
    HOLD,
    "captured: { kind: final }",
    "captured: { kind: quiescent }",
    "captured: { kind",
    /leads to no final state/,
  ],
  [
    "unattended",
    "a state that waits for an intent for ever",
    HOLD.replace("      timers: [expiry]\n", "")
      .replace("        timer.expiry:", "        intent.hold_expire:")
      .replace("  timers:\n    expiry: { after: PT15M }\n", ""),
    "kind: active",
    "kind: active",
    "held:\n",
    /a case in held waits for ever/,
  ],
  [
    "unattended",
    "a timer that stays",
    HOLD,
    "            to: expired",
    "            to: stay",
    "held:\n",
    /waits for ever/,
  ],
  [
    "unattended",
    "a timer that only enters its own state anew",
    HOLD,
    "            to: expired",
    "            to: held",
    "held:\n",
    /goes round in a circle/,
  ],
];

const REACTIONS: readonly Case[] = [
  [
    "answers",
    "an opening intent without an outcome",
    TRANSFER,
    "            - { emit: transfer.completed, amounts: { requested: data.amount } }\n",
    "",
    "requested:\n",
    /no outcome on its way from requested/,
  ],
  [
    "answers",
    "a later intent without an outcome",
    HOLD,
    "              - { emit: hold.captured, amounts: { captured: data.amount } }\n",
    "",
    "captured\n",
    /no outcome on its way from held/,
  ],
  [
    "outcomes",
    "a name without a subject",
    TRANSFER,
    "transfer.completed",
    "completed_now",
    "completed_now",
    /not <subject>\.<past tense>/,
  ],
  [
    "outcomes",
    "a name in the present tense",
    TRANSFER,
    "transfer.completed",
    "transfer.complete",
    "transfer.complete",
    /past tense/,
  ],
  [
    "outcomes",
    "the name of a refusal",
    TRANSFER,
    "transfer.completed",
    "transfer.rejected",
    "transfer.rejected",
    /what the core answers/,
  ],
  [
    "outcomes",
    "the name of a repeat",
    TRANSFER,
    "transfer.completed",
    "intent.repeated",
    "intent.repeated",
    /what the core answers/,
  ],
  [
    "context",
    "a timer that reads an intent",
    HOLD,
    "timer.expiry:\n          - do:\n              - { post: P16_release, x: data.held }",
    "timer.expiry:\n          - do:\n              - { post: P16_release, x: intent.amount.minor }",
    "x: intent.amount.minor",
    /on the way of a timer/,
  ],
  [
    "context",
    "the amount of a later intent, which may be in another currency",
    HOLD,
    "{ post: P16_capture, x: data.held }",
    "{ post: P16_capture, x: intent.amount.minor }",
    "x: intent.amount.minor",
    /on the way of a later intent/,
  ],
  [
    "context",
    "an account named by an intent, on the way of a timer",
    HOLD,
    '"liability:customer:{holder}:available"',
    '"{intent.from}"',
    "P16_release, x: data.held }\n              - { set: { held: 0 } }\n              - { emit: hold.expired",
    /uses \{intent\.from\} on the way of a timer/,
  ],
  [
    "context",
    "an account opened by a later intent",
    HOLD,
    "              - { set: { held: 0 } }\n",
    "              - { set: { held: 0 } }\n              - { open_account: { account: hold, currency: S } }\n",
    "open_account",
    /on the way of a later intent/,
  ],
];

const ALL = [...REFERENCES, ...MONEY, ...USE, ...STATES, ...REACTIONS];

describe("refuses a flow that it cannot prove sound, at the place where it is wrong:", () => {
  test.each(ALL)("%s: %s", (property, _what, base, old, by, marker, says) => {
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
  const read = (name: string, text: string): Flow => readFlow(readLocatedYaml(name, text), chart).flow as Flow;

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
