// Names that every object has without having been given them: `constructor`, `__proto__`, `toString`. Who looks one up in a
// plain object finds something that nobody put there, so each name that comes from outside must mean no more than another.
import { expect, test } from "vitest";
import { valueOf } from "../../src/domain/books.ts";
import { NAME } from "../../src/domain/flow/names.ts";
import { INTENT_TEXTS } from "../../src/domain/intent.ts";
import { makeParameterBook, type Overlays, WHOSE } from "../../src/domain/parameters/parameters.ts";
import { readOverlays, writeOverlays } from "../../src/domain/parameters/stored.ts";
import { neededFields } from "../../src/domain/rules.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { CardLane } from "../support/card-lane.ts";
import { available, BANK, euros } from "../support/intents.ts";
import { intentOf, MemoryLane, producing, RULES } from "../support/ledger.ts";
import { intent, rulesWith } from "../support/unchecked.ts";

const NAMES = Object.getOwnPropertyNames(Object.prototype);
/** one of each form */
const SOME = ["constructor", "toString", "__proto__", "__defineGetter__"];
/** found nowhere */
const UNKNOWN = "nobodyGaveIt";

const PAYMENT = { method: "card", provider: "script", captureMode: "automatic", tokenRef: "t", amount: euros(100) };
const INTENTS: readonly [type: string, rest: Partial<NewIntent>][] = [
  ["account_open", { account: available("ann"), currency: "EUR" }],
  ["account_update", { account: available("ann"), change: "freeze" }],
  ["transfer_create", { from: BANK, to: available("ann"), amount: euros(100) }],
  ["payment_create", { ...PAYMENT, settlementCurrency: "USD" }],
  ["payout_create", { provider: "script", tokenRef: "t", amount: euros(100) }],
  ["quote_request", { from: "EUR", to: "USD", side: "sell", lockSeconds: 60n, amount: euros(100) }],
  [
    "case_decide",
    { caseId: producing.caseId("pay"), idempotencyKey: "k", decision: "retry", principal: "p", reason: "r" },
  ],
];

test("no name of a flow is one that its cases would find in every object", () => {
  for (const name of NAMES) expect(NAME.test(name), name).toBe(false);
});

test("a text of an intent that is such a name is answered as any other that nobody knows", () => {
  for (const [type, rest] of INTENTS) {
    for (const field of INTENT_TEXTS.filter(
      (one) => !["caseId", "change", "captureMode", "fxBasis", "side"].includes(one),
    )) {
      const told = (name: string) => {
        const asked = { ...intent("ann", type), caseId: FIRST, ...rest, [field]: name };
        const needs = neededFields(RULES, intentOf(asked));
        const answer = needs === null ? null : new MemoryLane().decide([asked]);
        return JSON.stringify({ needs, answer }, plain).replaceAll(name, UNKNOWN);
      };
      for (const name of SOME) expect(told(name), `${type} whose ${field} is ${name}`).toEqual(told(UNKNOWN));
    }
  }
});

const FIRST = producing.caseId("any");

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

test("a currency and a type that are such names are as unknown as any other", () => {
  for (const name of NAMES) {
    const transfer = producing.payIn("ann", 1, { amount: { ...euros(1), currency: name } });
    expect(new MemoryLane().answer(transfer).reason?.code).toBe("unknown_currency");
    expect(neededFields(RULES, intentOf(intent("ann", name)))).toBeNull();
  }
});

test("a holder of such a name has its accounts, balances and parameters as any other", () => {
  for (const name of SOME) {
    const lane = new MemoryLane();
    expect(lane.answer(producing.payIn(name, 500)).type).toBe("transfer.completed");
    expect(lane.answer(producing.payOut(name, 501)).reason?.code).toBe("insufficient_funds");
    expect(lane.answer(producing.payOut(name, 500)).type).toBe("transfer.completed");
  }
});

test("parameters laid over for such a name are for it alone, also once they were stored", () => {
  for (const whose of WHOSE) {
    const laid = new Map(NAMES.map((name, at) => [name, { fees: Object.fromEntries([[name, BigInt(at)]]) }]));
    const of = (one: (typeof WHOSE)[number]) => (one === whose ? laid : new Map());
    const written: Overlays = new Map([
      ["names", { provider: of("provider"), tenant: of("tenant"), holder: of("holder") }],
    ]);
    const overlays = readOverlays(writeOverlays(written));
    expect(overlays).toEqual(written);
    const book = makeParameterBook(1, overlays);
    const nobody = { tenant: null, provider: null, holderId: "x" };
    const key = whose === "holder" ? "holderId" : whose;
    for (const [name, values] of laid) expect(book.overlay("names", { ...nobody, [key]: name })).toEqual(values);
    expect(book.overlay("names", { ...nobody, [key]: UNKNOWN })).toBeNull();
  }
});

const LOOKING_UP = `
apiVersion: flow/v1
kind: Flow
metadata: { name: names, version: 1.0.0, owner: tests, family: order }
spec:
  starts_on: { intent: names_create }
  case_kind: nam
  currencies: { S: intent.amount.currency }
  params: { fees: { amounts: true, default: { EUR: 7 } } }
  events: { psp.ok: { word: { text: true } } }
  data: { found: { int: true, init: 0 } }
  calls:
    ask: { op: names.ask, key: "{case}", key_lifetime: P1D, timeout: PT5S, with: { currency: S }, results: { ok: psp.ok } }
  states:
    opened: { kind: initial, always: [{ to: asking }] }
    asking:
      kind: active
      entry: [{ call: ask }]
      events:
        psp.ok: [{ do: [{ set: { found: "lookup(params.fees, event.word, 3)" } }], to: stay }]
`;

test("a table is looked up by such a word as by any other, and a report named by one is no call, result or field", () => {
  const lane = new CardLane(rulesWith(LOOKING_UP));
  const asked = intent("ann", "names_create", { amount: euros(1) });
  lane.ask(asked);
  const id = asked.caseId as string;
  const found = (word: string) => {
    lane.report(id, "ann", { call: "ask", result: "ok", payload: { word } });
    return valueOf((lane.case(id) as NonNullable<ReturnType<typeof lane.case>>).data, "found");
  };
  for (const name of NAMES) {
    lane.parameters = {};
    expect(found(name)).toBe(3n);
    lane.parameters = { names: { fees: Object.fromEntries([[name, 5n]]) } };
    expect(found(name)).toBe(5n);
    expect(() => lane.report(id, "ann", { call: name, result: "ok" })).toThrow(/no call/);
    expect(() => lane.report(id, "ann", { call: "ask", result: name })).toThrow(/no result/);
    const more = Object.fromEntries([
      ["word", "EUR"],
      [name, "x"],
    ]);
    lane.report(id, "ann", { call: "ask", result: "ok", payload: more, observation: name });
    expect(valueOf((lane.case(id) as NonNullable<ReturnType<typeof lane.case>>).data, "found")).toBe(3n);
    lane.parameters = {};
  }
});
