// What a checked flow becomes, and what the rules of all flows ask of an intent.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadFlowText } from "../../src/declared/load.ts";
import { AssertionFailed } from "../../src/domain/assert.ts";
import { type CompiledFlow, compileFlow } from "../../src/domain/flow/compile/compile.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { makeRules } from "../../src/domain/rules.ts";
import { replaceOnce, SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { available } from "../support/intents.ts";
import { DECLARED, FLOWS, MemoryLane, producing, RULES } from "../support/ledger.ts";

const HOLD_TEXT = readFileSync(join(TEST_FLOWS, "hold.flow.yaml"), "utf8");

function flowNamed(name: string): CompiledFlow {
  const flow = FLOWS.find((one) => one.name === name);
  if (flow === undefined) throw new Error(`no flow ${name}`);
  return flow;
}

function flowOf(text: string): Flow {
  return loadFlowText("test", text, DECLARED.chart);
}

describe("a compiled flow", () => {
  test("has every state by index, with its events, timers and kind", () => {
    const flow = flowNamed("hold");
    expect(flow).toMatchObject({
      ref: "hold@1.0.0",
      caseKind: "hld",
      start: { kind: "intent", type: "hold_place" },
      number: FLOWS.length,
    });
    expect(
      flow.states.map(({ name, isFinal, on, timers }) => [
        name,
        isFinal,
        [...on.keys()],
        timers.map((timer) => timer.name),
      ]),
    ).toEqual([
      ["requested", false, [], []],
      ["held", false, ["intent.hold_capture", "intent.hold_release", "timer.expiry"], ["expiry"]],
      ["captured", true, [], []],
      ["released", true, [], []],
      ["expired", true, [], []],
    ]);
    for (const [name, index] of flow.stateIndex) expect(flow.states[index]?.name).toBe(name);
    expect(flow.states[flow.initial]?.always?.[0]?.to).toBe(flow.stateIndex.get("held"));
  });

  test("says with which codes it calls a person, but for those that an event brings", () => {
    const codes = ["amount_too_large", "refund_not_confirmed", "refund_not_expected", "refund_result_unknown"];
    expect([...flowNamed("refund").attention].sort()).toEqual(codes);
    const text = readFileSync(join(SHIPPED_SCHEMAS, "flows", "card.flow.yaml"), "utf8");
    const rejecting = "{ emit: payment.capture_failed, code: event.code }";
    const calling = rejecting.replace("payment.capture_failed", "ops.attention");
    const attention = compileFlow(flowOf(replaceOnce(text, rejecting, calling)), 1).attention;
    expect(attention).toEqual(flowNamed("card").attention);
  });

  test("says what its intents must carry and which accounts of the holder it touches", () => {
    expect(flowNamed("transfer").needs.opening).toEqual(["amount", "from", "to"]);
    expect(flowNamed("account_open").needs.opening).toEqual(["currency", "account"]);
    expect(flowNamed("account_update").needs.opening).toEqual(["account", "change"]);
    expect(flowNamed("hold").needs.opening).toEqual(["amount"]);
    expect([...flowNamed("hold").needs.moving]).toEqual([
      ["intent.hold_capture", []],
      ["intent.hold_release", []],
    ]);
    expect(flowNamed("transfer").touches).toEqual([]);
    expect(flowNamed("hold").touches).toEqual([
      "liability:customer:{holder}:available",
      "liability:customer:{holder}:hold",
    ]);
  });

  test("drops lines of nothing: a fee of 0 leaves no trace", () => {
    const text = replaceOnce(HOLD_TEXT, "to: captured\n", "to: captured\n").replace(
      "- { post: P16_capture, x: data.held }",
      "- { post: P16_capture, x: data.held }\n              - { post: P16_capture, x: 0 }",
    );
    const lane = laneWith(text);
    const place = producing.holdPlace("ann", 70);
    lane.decide([producing.payIn("ann", 100), place]);
    expect(lane.answer(producing.holdCapture("ann", place.caseId as string))).toMatchObject({ lines: 1 });
  });

  test("reads minor units written in the file, and keeps what `set` changed", () => {
    const text = HOLD_TEXT.replace("{ post: P16_capture, x: data.held }", "{ post: P16_capture, x: 25 }")
      .replace("{ emit: hold.captured, amounts: { captured: data.amount } }", "{ post: P16_release, x: data.held }")
      .replace("{ set: { held: 0 } }", "{ emit: hold.captured, amounts: { captured: data.held } }")
      .replace(
        "- { post: P16_capture, x: 25 }",
        "- { post: P16_capture, x: 25 }\n              - { set: { held: 45 } }",
      );
    const lane = laneWith(text);
    const place = producing.holdPlace("ann", 70);
    lane.decide([producing.payIn("ann", 100), place]);
    expect(lane.answer(producing.holdCapture("ann", place.caseId as string))).toMatchObject({
      type: "hold.captured",
      lines: 2,
      amounts: { captured: { currency: "EUR", scale: 2, minor: "45" } },
    });
    expect([lane.balance(available("ann")), lane.balance("clearing:payment")]).toEqual([75n, 25n]);
  });

  test("cannot be made of a flow that was not checked", () => {
    const flow = flowOf(HOLD_TEXT);
    const broken: readonly Partial<Flow>[] = [
      { states: flow.states.filter(({ kind }) => kind !== "initial") },
      { states: flow.states.filter(({ name }) => name !== "captured") },
      { postings: [] },
      { accounts: [] },
      { timers: [] },
    ];
    for (const part of broken) expect(() => compileFlow({ ...flow, ...part }, 1)).toThrow(AssertionFailed);
  });
});

function laneWith(text: string): MemoryLane {
  const flows = [...FLOWS.filter(({ name }) => name !== "hold"), compileFlow(flowOf(text), FLOWS.length)];
  return new MemoryLane(makeRules({ ...RULES, flows, retired: [] }));
}

describe("the rules of all flows", () => {
  test("say of each intent type which flow it opens", () => {
    const opensOf = (type: string) => RULES.intents.get(type)?.opens.map(({ name }) => name);
    expect(opensOf("account_open")).toEqual(["account_open"]);
    expect(opensOf("transfer_create")).toEqual(["transfer"]);
    expect(opensOf("hold_place")).toEqual(["hold"]);
    expect(opensOf("payment_create")).toEqual([
      "bank_debit",
      "bank_transfer",
      "bnpl",
      "card",
      "crypto",
      "instant_push",
      "wallet",
    ]);
    for (const type of ["hold_capture", "hold_release", "payment_capture", "case_decide"])
      expect(opensOf(type)).toEqual([]);
    expect(RULES.intents.get("case_decide")).toMatchObject({ needs: ["decision", "principal", "reason"] });
  });

  test("do not let two flows open on one intent type", () => {
    const other = { ...flowNamed("transfer"), name: "other" };
    expect(() => makeRules({ ...RULES, flows: [...FLOWS, other], retired: [] })).toThrow(AssertionFailed);
  });

  const NEWER = HOLD_TEXT.replace("version: 1.0.0", "version: 2.0.0")
    .replace('path: "liability:customer:{holder}:hold"', 'path: "liability:customer:{holder}:unapplied"')
    .replaceAll("hold_release", "hold_void");

  test("leave old cases on their version: its intents are taken and its accounts read", () => {
    const newer = compileFlow(flowOf(NEWER), 99);
    const others = FLOWS.filter(({ name }) => name !== "hold");
    const rules = makeRules({ ...RULES, flows: [...others, newer], retired: [flowNamed("hold")] });
    expect(rules.intents.get("hold_place")?.opens.map(({ ref }) => ref)).toEqual(["hold@2.0.0"]);
    expect(rules.intents.get("hold_place")?.touches).not.toContain("liability:customer:{holder}:hold");
    expect(rules.intents.get("hold_release")).toMatchObject({ opens: [] });
    expect(rules.intents.get("hold_capture")?.touches).toEqual(
      expect.arrayContaining(["liability:customer:{holder}:hold", "liability:customer:{holder}:unapplied"]),
    );
    expect(rules.flowsByNumber.get(FLOWS.length)?.ref).toBe("hold@1.0.0");
    expect(rules.flowsByNumber.get(99)?.ref).toBe("hold@2.0.0");
  });
});
