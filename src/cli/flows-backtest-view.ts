// What `millrace flows backtest` prints.

import type { HashedReport } from "../workload/backtest/report.ts";
import type { BacktestResult } from "../workload/backtest/result.ts";
import type { Fields, Output } from "./output.ts";

export function tellBacktest(out: Output, candidate: string, result: BacktestResult, report: HashedReport): void {
  for (const one of result.outcomes) {
    const { flow, change, recorded, candidate: now, amounts, count, examples } = one;
    const what =
      change === "changed" && recorded === now ? `${recorded}: amounts` : `${recorded ?? "-"} -> ${now ?? "-"}`;
    tell(out, "outcomes", one, `${change} ${count}: ${flow}: ${what}${amounts ? " (amounts differ)" : ""}`, examples);
  }
  for (const one of result.states) {
    const { flow, recorded, candidate: now, count, examples } = one;
    tell(out, "states", one, `${count}: ${flow}: ${recorded ?? "no case"} -> ${now ?? "no case"}`, examples);
  }
  for (const one of result.lines) {
    const { flow, posting, currency, recordedMinor, candidateMinor, count, examples } = one;
    const sums = `${recordedMinor} -> ${candidateMinor} ${currency}`;
    tell(out, "lines", one, `${count} cases: ${flow}: ${posting}: ${sums} (minor units)`, examples);
  }
  for (const one of result.money) {
    const { account, currency, debitsLessCreditsMinor: minor } = one;
    tell(
      out,
      "money",
      one,
      `${account} ${currency}: ${minor > 0n ? "+" : ""}${minor} (debits less credits, minor units)`,
    );
  }
  for (const one of result.undecidable) {
    const { caseId, topic, partition, offset, what, why } = one;
    const place = topic === null ? `partition ${partition}` : `${topic} ${partition}:${offset}`;
    tell(out, "undecidable", one, `${caseId}: ${what} at ${place}: ${why}`);
  }
  for (const one of result.unanswered)
    tell(out, "unanswered", one, `${one.count}: ${one.call} (${one.op}): ${one.why}`, one.examples);
  for (const one of result.unasked)
    tell(out, "unasked", one, `${one.count}: ${one.answer}, for which the candidate does not ask`, one.examples);
  for (const one of result.notReproduced) tell(out, "notReproduced", one, `partition ${one.partition}: ${one.why}`);
  summarize(out, candidate, result, report);
}

function tell(out: Output, kind: string, fields: Fields, text: string, examples: readonly string[] = []): void {
  const shown = examples.length === 0 ? "" : `\n    ${examples.join(" ")}`;
  out.row({ kind, ...fields }, `${out.paint("bold", TITLES[kind] ?? kind)} ${text}${shown}`);
}

const TITLES: Readonly<Record<string, string>> = {
  outcomes: "outcome",
  states: "state",
  lines: "lines",
  money: "money",
  undecidable: "cannot decide",
  unanswered: "no answer",
  unasked: "not asked",
  notReproduced: "not reproduced",
};

function summarize(out: Output, candidate: string, result: BacktestResult, report: HashedReport): void {
  const { identical, inputs, cases, casesThatDiffer, casesUnknown, undecidable, notReproduced } = result;
  const { against, lanes, hash } = report;
  const counts = Object.entries({
    intents: inputs.intents,
    reports: inputs.reports,
    "messages between lanes": inputs.messages,
    timers: inputs.timers,
    "put aside by both": inputs.quarantined,
    "of cases from before, taken as they were": inputs.prior,
    "recorded messages that it does not send": inputs.messagesNotSent,
  }).filter(([, count]) => count > 0);
  const verdict = identical
    ? `${candidate} is identical: nothing would have differed`
    : `${candidate} differs in ${casesThatDiffer} of ${cases} cases`;
  const lines = [
    verdict,
    `  against ${against.length === 0 ? "no case of this flow" : against.join(", ")}`,
    `  inputs: ${counts.map(([what, count]) => `${count} ${what}`).join(", ") || "none"}`,
    ...(casesUnknown > 0 ? [`  of ${casesUnknown} cases nobody knows how they would have gone on`] : []),
    ...(undecidable.length > 0 ? [`  ${undecidable.length} inputs cannot be decided`] : []),
    ...(notReproduced.length > 0
      ? [`  ${notReproduced.length} times the recording could not be reproduced: what is said of these is a guess`]
      : []),
    `  report ${hash}`,
  ];
  const fields = { identical, inputs, cases, casesThatDiffer, casesUnknown, against, lanes };
  const apart = {
    undecidable: undecidable.length,
    unanswered: result.unanswered.length,
    notReproduced: notReproduced.length,
  };
  out.row({ kind: "summary", candidate: report.candidate, ...fields, ...apart, reportHash: hash }, lines.join("\n"));
}
