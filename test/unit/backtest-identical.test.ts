// When a backtest may say that a candidate changes nothing.
import { expect, test } from "vitest";
import type { ReportInput } from "../../src/domain/books.ts";
import { Comparison } from "../../src/workload/backtest/comparison.ts";
import { Findings } from "../../src/workload/backtest/findings.ts";
import { RecordedCases } from "../../src/workload/backtest/recorded-cases.ts";
import { resultOf } from "../../src/workload/backtest/result.ts";
import { Run } from "../../src/workload/backtest/run.ts";
import { RULES } from "../support/ledger.ts";

const nothingDiffers = () => ({
  runs: { recorded: new Run(), candidate: new Run() },
  comparison: new Comparison(),
  findings: new Findings({ intents: "intents", reports: "reports" }),
  cases: new RecordedCases([], String),
  chart: RULES.chart,
});

test("calls a candidate identical with which nothing differs", () => {
  expect(resultOf(nothingDiffers()).identical).toBe(true);
});

test("calls no candidate identical that leaves out a call which was answered, whatever its cases come to", () => {
  const given = nothingDiffers();
  const uuid = "019a0000000070008000000000000001";
  const report = { call: "close", result: "closed", caseId: { kind: "psh", uuid, timeMs: 0 } };
  given.findings.unasked([{ lane: 0, input: { report } as unknown as ReportInput }], (_lane, id) => id);
  expect(resultOf(given)).toMatchObject({
    identical: false,
    casesThatDiffer: 0,
    unasked: [{ answer: "close.closed" }],
  });
});
