// What a later intent asks is in the currency that its case began in: the flow counts it as money of that currency.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { compileFlow } from "../../src/domain/flow/compile/compile.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import { makeRules } from "../../src/domain/rules.ts";
import { replaceOnce, TEST_FLOWS, textOf } from "../support/faulty.ts";
import { FLOWS, MemoryLane, producing, RULES } from "../support/ledger.ts";

const PARTLY = replaceOnce(
  textOf(join(TEST_FLOWS, "hold.flow.yaml")),
  "{ post: P16_capture, x: data.held }",
  '{ post: P16_capture, x: "min(data.held, intent.amount.minor)" }\n              - { post: P16_release, x: "data.held - min(data.held, intent.amount.minor)" }',
);

function captured(text: string, amount: { currency: string; scale: number; minor: string }) {
  const parsed = parseFlow(readLocatedYaml("hold", text).root as never, parseExpression).flow as Flow;
  const flow = compileFlow(parsed, FLOWS.length);
  const flows = [...FLOWS.filter(({ name }) => name !== "hold"), flow];
  const lane = new MemoryLane(makeRules({ ...RULES, flows, retired: [] }));
  const place = producing.holdPlace("ann", 400);
  lane.decide([producing.payIn("ann", 1000), place]);
  const answer = lane.answer(producing.holdCapture("ann", place.caseId as string, { amount }));
  return { answer, taken: lane.balance("clearing:payment"), state: lane.case(place.caseId as string)?.state };
}

describe("a later intent that names an amount", () => {
  test("in the case's currency is taken at its word", () => {
    const { answer, taken } = captured(PARTLY, { currency: "EUR", scale: 2, minor: "150" });
    expect([answer?.type, taken]).toEqual(["hold.captured", 150n]);
  });

  test("in another currency is refused, and changes nothing", () => {
    const { answer, taken, state } = captured(PARTLY, { currency: "JPY", scale: 0, minor: "150" });
    expect(answer).toMatchObject({ type: "intent.rejected", reason: { code: "currency_mismatch" }, status: "held" });
    expect([taken, state]).toEqual([0n, "held"]);
  });

  test("is not judged by it where the flow does not read the amount", () => {
    const { answer } = captured(textOf(join(TEST_FLOWS, "hold.flow.yaml")), {
      currency: "JPY",
      scale: 0,
      minor: "150",
    });
    expect(answer?.type).toBe("hold.captured");
  });
});
