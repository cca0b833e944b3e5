import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { FUNCTIONS } from "../../src/domain/flow/functions.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import { printExpression } from "../../src/domain/flow/print.ts";
import { printType } from "../../src/domain/flow/types/kinds.ts";
import { typeFlow } from "../../src/domain/flow/types/types.ts";
import { placeOf, replaceOnce } from "../support/faulty.ts";
import { WHOLE } from "./flow-language-cases.ts";

function flowOf(text: string): Flow {
  const { flow, faults } = parseFlow(readLocatedYaml("f", text).root as never, parseExpression);
  expect(faults).toEqual([]);
  return flow as Flow;
}

const GUARD = "event.amount == data.amount && data.tried < params.tries";
const HALF = "part.down(event.amount, 1, 2)";

/** The type of an expression in the place of a let behind `psp.done`, or what is wrong with it. */
function typeOf(text: string): string {
  const flow = flowOf(replaceOnce(WHOLE, HALF, text).replace("x: half", "x: 0").replace("amount: half", "amount: 0"));
  const { types, faults } = typeFlow(flow);
  const found = [...types].find(([expression]) => expression.text === text);
  return found === undefined ? faults.map(({ message }) => message).join("; ") : printType(found[1]);
}

describe("gives an expression its type:", () => {
  test.each([
    ["5", "a number"],
    ["data.amount + 5", "money of S"],
    ["data.amount * data.tried", "money of S"],
    ["2 * data.net", "money of M"],
    ["data.amount / 3", "money of S"],
    ["data.tried % 2", "an int"],
    ["10000 + params.tries", "an int"],
    ["-data.amount", "money of S"],
    ["S", "a currency"],
    ["S == M", "true or false"],
    ["data.want in ['proceed', 'cancel']", "true or false"],
    ["data.want != 'cancel' || data.done", "true or false"],
    ["data.since == null", "true or false"],
    ["event.at + params.validity", "a time"],
    ["event.at - data.since", "a duration"],
    ["event.at < data.since", "true or false"],
    ["params.eager ? data.amount : 0", "money of S"],
    ["params.eager ? 'a' : 'b'", "a text"],
    ["event.attempt", "an int"],
    ["case.id", "a text"],
    ["min(data.amount, 5)", "money of S"],
    ["max(1, 2)", "a number"],
    ["fee.of(data.net, 290, lookup(params.fixed, M, 0))", "money of M"],
    ["lookup(params.fixed, data.provider, 0)", "an int"],
    ["lookup(params.fixed, S, 0)", "money of S"],
    ["share.of(data.net, params.tries)", "money of M"],
    ["part.up(data.net, data.amount, data.amount + 1)", "money of M"],
    ["fx.convert(data.amount, S, M, fx.spread(params.fixed, S, M))", "a record of net, mid, spread"],
    ["fx.cost(data.amount, S, M, 100)", "a record of cost, mid, spread"],
    ["fx.usable(S, M)", "true or false"],
    ["quote.usable(data.provider, data.amount, S, M)", "true or false"],
    ["spendable(inside)", "money of S"],
    ["home('clearing:payment')", "true or false"],
    ["holder.of(data.provider)", "a text"],
  ])("%s is %s", (text, type) => {
    expect(typeOf(text)).toBe(type);
  });
});

describe("refuses an expression that has none:", () => {
  test.each([
    ["data.amount + data.net", "types", /two sides of \+ do not fit: money of S and money of M/],
    ["data.amount == data.net", "types", /money of S and money of M/],
    ["params.eager ? data.amount : data.net", "types", /two sides of \?: do not fit/],
    ["data.amount * data.amount", "types", /two sides of \*/],
    ["data.amount / data.amount", "types", /two sides of \//],
    ["data.amount + data.tried", "types", /money of S and an int/],
    ["data.want == 'cancle'", "types", /one of proceed, cancel and a text/],
    ["data.want in ['proceed', 'x']", "types", /two sides of in/],
    ["data.want < 'x'", "types", /two sides of </],
    ["data.done && 1", "types", /1 is a number; true or false is wanted/],
    ["!data.tried", "types", /data\.tried is an int; true or false/],
    ["-data.done", "types", /a number is wanted/],
    ["data.amount == null", "types", /money of S and null/],
    ["event.at + event.at", "types", /a time and a time/],
    ["1 in data.tried", "types", /the right side of in is a list/],
    ["data.nothing", "references", /data field "nothing" is not declared; declared: amount, net/],
    ["params.nothing", "references", /parameter "nothing" is not declared/],
    ["event.nothing", "references", /event\.nothing is not listed for psp\.done under events; listed: amount, code/],
    ["case.state", "references", /case\.id and case\.holder only/],
    ["whatever", "references", /"whatever" is not known here; a name is data\.x/],
    ["intent.amount.minor", "context", /on the way of psp\.done, which has no intent/],
    ["min(data.amount, data.net)", "types", /b of min\(a, b\): data\.net is money of M; money of S is wanted/],
    ["min(data.amount)", "types", /min\(a, b\) is given 1 values/],
    ["min(data.done, 1)", "types", /an amount is wanted/],
    ["fx.convert(data.amount, M, S, 1)", "types", /the amount is money of S, not of M/],
    ["fx.convert(data.tried, S, M, 1)", "types", /money is wanted/],
    ["fx.usable('EUR', S)", "types", /a currency symbol is wanted/],
    ["lookup(data.tried, S, 0)", "types", /a parameter of type amounts is wanted/],
    ["lookup(params.fixed, S, data.net)", "types", /money of S is wanted/],
    ["spendable(nothing)", "references", /account "nothing" is not declared; declared: outside, inside/],
    ["has(data.amount)", "types", /no field of the intent/],
    ["[1, 2]", "types", /a value is wanted/],
    ["null", "types", /a value is wanted/],
    ["params.fixed", "types", /a table of amounts where a value is wanted/],
  ])("%s", (text, property, says) => {
    const changed = replaceOnce(WHOLE, HALF, text).replace("x: half", "x: 0").replace("amount: half", "amount: 0");
    const { faults } = typeFlow(flowOf(changed));
    expect(faults.map((fault) => fault.property)).toEqual([property]);
    expect(faults[0]?.message).toMatch(says);
    expect(`${faults[0]?.place.line}:${faults[0]?.place.column}`).toBe(placeOf(changed, `"${text}" } }`));
  });
});

/** what is wrong, what is replaced by what, where the fault stands, and what it says */
const WRONG: readonly (readonly [string, string, string, string, RegExp])[] = [
  ["a guard that is no truth", GUARD, "data.tried", '"data.tried"\n', /when is an int where true or false is wanted/],
  [
    "a variable that is set to something else",
    'tried: "data.tried + 1"',
    "tried: data.done",
    "data.done, want",
    /tried is true or false where an int/,
  ],
  [
    "a word that a variable cannot hold",
    "want: cancel",
    "want: \"'stop'\"",
    "\"'stop'\"",
    /"stop" where one of proceed, cancel/,
  ],
  ["a name that a let has not given yet", "x: half", "x: third", "third", /"third" is not known here/],
  [
    "a let outside its list",
    "tell: gone, amount: data.amount",
    "tell: gone, amount: half",
    "half }], to",
    /"half" is not known here/,
  ],
  ["a let that is a currency", 'half: "part', 'data: "part', 'data: "part', /has a meaning of its own/],
  [
    "money of another currency in a posting",
    "x: half",
    "x: data.net",
    "data.net }\n              - { set",
    /x is money of M where money of S/,
  ],
  [
    "an amount without a currency",
    "requested: data.amount",
    "requested: 5",
    "5 }, code",
    /so that its currency is known/,
  ],
  [
    "a code that is no text",
    "code: event.code",
    "code: event.amount",
    "event.amount }], to",
    /code is money of S where a text/,
  ],
  [
    "a key that hangs on the event",
    "ask/{data.tried}",
    "ask/{event.at}",
    '"{case}/ask',
    /key: event\.at cannot be read here/,
  ],
  [
    "a payload that not every caller has",
    'first: "data.tried == 1"',
    "first: event.amount",
    "event.amount }\n      results",
    /event\.amount is (not listed|read)/,
  ],
  [
    "a start that reads a variable",
    "intent.method == 'parcel' && has",
    "data.done && has",
    '"data.done',
    /when: data\.done cannot be read here/,
  ],
  [
    "a currency of an event where an intent opens the case",
    "M: intent.settlementCurrency",
    "M: event.amount",
    "M: event.amount",
    /currency M: event\.amount is read on the way of intent\.parcel_create/,
  ],
  [
    "a start that reads a currency",
    "intent.method == 'parcel' && has",
    "fx.usable(S, M) && has",
    '"fx.usable',
    /when: from of fx\.usable\(from, to\): S cannot be read here/,
  ],
  [
    "a variable that begins with what an account has",
    "net: { money: M, init: 0 }",
    "net: { money: S, init: spendable(inside) }",
    "spendable(inside) }",
    /account inside cannot be asked before the case is open/,
  ],
  [
    "a variable that begins with another",
    "net: { money: M, init: 0 }",
    "net: { money: M, init: data.amount }",
    "data.amount }\n    tried",
    /cannot be read here/,
  ],
  [
    "an anchor that is no time",
    "anchor: data.since",
    "anchor: data.tried",
    "data.tried }",
    /anchor is an int where a time/,
  ],
  [
    "a timer that counts in numbers",
    "after: params.validity",
    "after: params.tries",
    "params.tries",
    /after is an int where a duration/,
  ],
  [
    "an invariant over another currency",
    "== data.amount - 0",
    "== data.net",
    '"bal(inside',
    /the right side is money of M where money of S/,
  ],
  [
    "an intent's field that there is not",
    "has(intent.provider)",
    "has(intent.shoe)",
    '"intent.method',
    /an intent has no field "shoe"/,
  ],
];

describe("refuses what does not fit its place:", () => {
  test.each(WRONG)("%s", (_what, old, by, marker, says) => {
    const text = replaceOnce(WHOLE, old, by);
    const { faults } = typeFlow(flowOf(text));
    const found = faults.filter(
      ({ place, message }) => `${place.line}:${place.column}` === placeOf(text, marker) && says.test(message),
    );
    expect(found, JSON.stringify(faults)).toHaveLength(1);
  });
});

test("reads an event's field behind a choice only when every way there carries it", () => {
  const gate = `    gate:
      kind: choice
      always:
        - { when: "event.amount > 0", to: closed }
        - { to: closed }
    resting:`;
  const one = replaceOnce(
    replaceOnce(WHOLE, "    resting:", gate),
    "psp.done: [{ to: closed }]",
    "psp.done: [{ to: gate }]",
  );
  expect(typeFlow(flowOf(one)).faults).toEqual([]);
  const two = replaceOnce(one, "timer.expiry: [{ to: closed }]", "timer.expiry: [{ to: gate }]");
  expect(typeFlow(flowOf(two)).faults.map(({ message }) => message)).toEqual([
    "when: event.amount is read on the way of timer.expiry, which carries none",
  ]);
});

test("takes money of one currency for another's behind a guard that found them the same, and only there", () => {
  const booked = replaceOnce(WHOLE, "x: half", "x: data.net");
  expect(typeFlow(flowOf(booked)).faults.map(({ message }) => message)).toEqual([
    "x is money of M where money of S is wanted",
  ]);
  for (const guard of [`S == M && ${GUARD}`, `${GUARD} && M == S`])
    expect(typeFlow(flowOf(replaceOnce(booked, GUARD, guard))).faults).toEqual([]);
  for (const guard of [`S != M && ${GUARD}`, `S == M || ${GUARD}`, `!(S == M) && ${GUARD}`])
    expect(typeFlow(flowOf(replaceOnce(booked, GUARD, guard))).faults).toHaveLength(1);
});

test("binds a currency to an amount of what opens the case, or to a text, and to nothing else", () => {
  const opened = (field: string): string =>
    WHOLE.replace(/starts_on: .*/, "starts_on: { message: parcel_credit }")
      .replace("S: intent.amount.currency, M: intent.settlementCurrency", "S: event.amount, M: event.code")
      .replace("  events:\n", `  events:\n    message.parcel_credit: { amount: { money: S }, code: ${field} }\n`)
      .replace("init: intent.amount.minor", "init: event.amount")
      .replace("init: intent.captureMode, default: automatic", "init: automatic")
      .replace("init: intent.provider, default: script", "init: event.code")
      .replace('init: intent.tenant, default: ""', "init: event.code");
  expect(typeFlow(flowOf(opened("text"))).faults).toEqual([]);
  expect(typeFlow(flowOf(opened("int"))).faults[0]?.message).toBe(
    "currency M: event.code is an int, which has no currency",
  );
});

test("takes an expression of 100 parts, and refuses one more", () => {
  const sum = (count: number): string => Array.from({ length: count }, () => "1").join(" + ");
  expect(typeOf(`${sum(49)} + -data.tried`)).toBe("an int");
  expect(typeOf(sum(51))).toBe(
    "half has 101 parts; an expression has at most 100, because its cost is known when the file is read",
  );
});

test("every law of a function speaks of its own arguments and fields", () => {
  for (const [name, { arguments: given, result, laws }] of Object.entries(FUNCTIONS)) {
    const names: readonly string[] = given.map((argument) => argument.name);
    const fields = typeof result === "string" ? [] : result;
    for (const law of laws) {
      if (law.kind === "sum") expect(fields, name).toEqual(expect.arrayContaining([law.whole, ...law.parts]));
      if (law.kind === "not_negative" && law.field !== null) expect(fields, name).toContain(law.field);
      if (law.kind === "at_most" || law.kind === "at_least") expect(names, name).toContain(law.argument);
      for (const { argument, than } of law.kind === "sum" ? [] : law.given) {
        expect(names, name).toContain(argument);
        if (typeof than === "string") expect(names, name).toContain(than);
      }
    }
  }
});

test("prints every expression of the whole language as it stands in the file", () => {
  for (const [{ text, root }] of typeFlow(flowOf(WHOLE)).types) {
    const again = parseExpression(printExpression(root));
    if (!/^(P|PT)[0-9]|^[a-z_]+$|^intent\.(captureMode|provider|tenant)$/.test(text))
      expect(again, text).toEqual(parseExpression(text));
  }
});
