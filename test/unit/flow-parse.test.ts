import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { parseDurationMs } from "../../src/domain/flow/duration.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import { placeOf, RETIRED_FLOWS, replaceOnce, TEST_FLOWS, textOf } from "../support/faulty.ts";

const TRANSFER = textOf(join(RETIRED_FLOWS, "transfer-1.0.0.flow.yaml"));
const HOLD = textOf(join(TEST_FLOWS, "hold.flow.yaml"));

function faultsOf(text: string): string[] {
  const file = readLocatedYaml("f", text);
  const faults = [...file.faults, ...(file.root === null ? [] : parseFlow(file.root, parseExpression).faults)];
  return faults.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
}

test("reads the transfer flow as it stands", () => {
  const { flow, faults } = parseFlow(readLocatedYaml("f", TRANSFER).root as never, parseExpression);
  expect(faults).toEqual([]);
  expect(flow).toMatchObject({
    name: "transfer",
    version: "1.0.0",
    owner: "ledger",
    caseKind: "trf",
    family: "transfer",
    start: { kind: "intent", type: "transfer_create", when: null },
    currencies: [{ symbol: "S", from: "intent.amount.currency" }],
    data: [
      {
        name: "amount",
        type: { kind: "money", symbol: "S" },
        init: { text: "intent.amount.minor", root: { kind: "name", path: ["intent", "amount", "minor"] } },
      },
    ],
    accounts: [
      { alias: "source", path: "{intent.from}" },
      { alias: "target", path: "{intent.to}" },
    ],
    postings: [
      { name: "P17", inputs: ["x"], forced: false, lines: [{ debit: "source", credit: "target", amount: "x" }] },
    ],
    timers: [],
    states: [
      {
        name: "requested",
        kind: "initial",
        human: false,
        events: [],
        always: [
          {
            to: "completed",
            actions: [
              { kind: "post", posting: "P17", amounts: [{ name: "x", value: { text: "data.amount" } }] },
              {
                kind: "emit",
                type: "transfer.completed",
                amounts: [{ name: "requested", value: { text: "data.amount" } }],
              },
            ],
          },
        ],
      },
      { name: "completed", kind: "final", always: [] },
    ],
  });
  expect(flow?.postings[0]?.lines[0]?.place).toEqual({ file: "f", line: 20, column: 11 });
});

test("reads timers, later events, digits and forced postings", () => {
  const text = replaceOnce(HOLD, "title: set aside\n", "title: set aside\n      forced: true\n");
  const { flow, faults } = parseFlow(readLocatedYaml("f", text).root as never, parseExpression);
  expect(faults).toEqual([]);
  expect(flow?.timers).toMatchObject([{ name: "expiry", after: { root: { value: 900_000n } } }]);
  expect(flow?.postings.map(({ forced }) => forced)).toEqual([true, false, false]);
  const held = flow?.states.find(({ name }) => name === "held");
  expect(held?.events.map(({ event }) => event)).toEqual([
    "intent.hold_capture",
    "intent.hold_release",
    "timer.expiry",
  ]);
  expect(held?.events[0]?.alternatives[0]?.actions[1]).toMatchObject({
    kind: "set",
    values: [{ name: "held", value: { text: "0", root: { value: 0n } } }],
  });
});

/** what breaks, base text, what is replaced by what, where the fault stands (marker), and what it says */
type Case = readonly [what: string, base: string, old: string, by: string, marker: string, says: RegExp];

const WRONG: readonly Case[] = [
  ["another API version", TRANSFER, "flow/v1", "flow/v2", "flow/v2", /apiVersion must be one of flow\/v1/],
  ["another kind of file", TRANSFER, "kind: Flow", "kind: Chart", "Chart", /kind must be one of Flow/],
  ["an unknown key", TRANSFER, "owner: ledger", "owner: ledger, team: x", "team", /unknown key "team" in metadata/],
  ["a missing key", TRANSFER, "  case_kind: trf\n", "", "starts_on", /spec lacks "case_kind"/],
  [
    "a version that YAML makes a number of",
    TRANSFER,
    "1.0.0",
    "1.0",
    "1.0",
    /version must be text, found the number 1/,
  ],
  ["a version of another form", TRANSFER, "1.0.0", "v1.0.0", "v1.0.0", /version must be major\.minor\.patch/],
  ["a case kind too long", TRANSFER, "case_kind: trf", "case_kind: transfers", "transfers", /2 to 8 letters/],
  [
    "an unknown action",
    TRANSFER,
    "{ post: P17, x: data.amount }",
    "{ pots: P17 }",
    "{ pots",
    /an action is one of let, post, set/,
  ],
  [
    "a currency from nowhere",
    TRANSFER,
    "intent.amount.currency",
    "intent.money",
    "intent.money",
    /currency S must be intent\.amount\.currency, intent\.currency/,
  ],
  [
    "a currency symbol in small letters",
    TRANSFER,
    "{ S: intent",
    "{ s: intent",
    "s: intent.amount",
    /the name "s" must be a capital/,
  ],
  [
    "data without a source",
    TRANSFER,
    "{ money: S, from: intent.amount.minor }",
    "{ money: S }",
    "amount: { money",
    /lacks "init"/,
  ],
  ["a float", HOLD, "init: 0", "init: 0.5", "0.5", /init must be a whole number/],
  ["a line of three", TRANSFER, "[source, target, S, x]", "[source, target, x]", "[source, target", /found 3 values/],
  [
    "a line with a number",
    TRANSFER,
    "[source, target, S, x]",
    "[source, target, S, 5]",
    "5]",
    /the amount must be text, found the number 5/,
  ],
  [
    "a posting without a title",
    TRANSFER,
    "      title: internal transfer\n",
    "",
    "in: [x]",
    /posting P17 lacks "title"/,
  ],
  [
    "a flag that is text",
    TRANSFER,
    "      in: [x]",
    '      forced: "true"\n      in: [x]',
    '"true"',
    /forced must be true or false/,
  ],
  ["a duration in minutes", HOLD, "PT15M", "15m", "15m", /ISO 8601 duration/],
  ["a duration of a month", HOLD, "PT15M", "P1M", "P1M", /without years or months/],
  [
    "an event of another kind",
    HOLD,
    "intent.hold_capture",
    "message.hold",
    "message.hold",
    /an event is intent\.<type>, ops\.<decision>, timer\.<name>/,
  ],
  [
    "an event without alternatives",
    HOLD,
    "intent.hold_capture:",
    "intent.nothing: []\n        intent.hold_capture:",
    "[]",
    /has no alternative/,
  ],
  ["an alternative that leads nowhere", TRANSFER, "          to: completed\n", "", "do:", /lacks "to"/],
  ["a state of no kind", TRANSFER, "kind: final", "kind: ended", "ended", /kind must be one of initial, active/],
  [
    "a list where a map should be",
    TRANSFER,
    "  states:\n",
    "  states: []\n  old:\n",
    "[]",
    /states must be a map of keys, found a list/,
  ],
];

describe("refuses a flow file, at the place where it is wrong:", () => {
  test.each(WRONG)("%s", (_what, base, old, by, marker, says) => {
    const text = replaceOnce(base, old, by);
    const faults = faultsOf(text);
    const place = placeOf(text, marker);
    expect(
      faults.filter((fault) => fault.startsWith(`${place} `) && says.test(fault)),
      faults.join("\n"),
    ).toHaveLength(1);
  });
});

test("tells all faults of a file at once", () => {
  let text = replaceOnce(TRANSFER, "owner: ledger", "owner: ledger, team: x");
  text = replaceOnce(text, "case_kind: trf", "case_kind: TRF");
  text = replaceOnce(text, "x: data.amount", "x: 1.5");
  text = replaceOnce(text, "kind: final", "kind: ended");
  text = replaceOnce(text, "in: [x]", "in: x");
  expect(faultsOf(text)).toHaveLength(5);
});

test("goes on after a part that is missing altogether", () => {
  expect(faultsOf("apiVersion: flow/v1\nkind: Flow\nmetadata: {}\n").length).toBe(4);
  expect(faultsOf("just text")).toEqual(['1:1 a flow file must be a map of keys, found the text "just text"']);
  expect(faultsOf("")).toEqual(["1:1 a flow file must be a map of keys, found nothing"]);
});

describe("a duration", () => {
  test.each([
    ["PT15M", 900_000],
    ["P7D", 604_800_000],
    ["P1DT1H1M1S", 90_061_000],
    ["P2W", 1_209_600_000],
    ["PT30S", 30_000],
  ])("%s is %d ms", (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  test.each([
    "",
    "P",
    "PT",
    "P1DT",
    "15M",
    "P1M",
    "P1Y",
    "PT0S",
    "-PT1S",
    "PT1.5S",
    "PT1M1H",
    "P1W1D",
    "pt15m",
    "PT15M ",
  ])("is not %j", (text) => {
    expect(parseDurationMs(text)).toBeNull();
  });
});
