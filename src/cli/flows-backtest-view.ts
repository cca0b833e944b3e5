// What `millrace flows backtest` prints.

import type { HashedReport } from "../workload/backtest/report.ts";
import type { BacktestResult, MoneyDifference, OutcomeDifference } from "../workload/backtest/result.ts";
import type { Fields, Output } from "./output.ts";

/** @param limit rows of each kind; null for all */
export function tellBacktest(out: Output, result: BacktestResult, report: HashedReport, limit: number | null): void {
  const some = <One>(kind: string, all: readonly One[]): readonly One[] => {
    if (limit === null || all.length <= limit) return all;
    out.note(`${all.length - limit} more of ${TITLES[kind] ?? kind} are not shown`);
    return all.slice(0, limit);
  };
  for (const one of some("outcomes", result.outcomes)) tell(out, "outcomes", one, outcomeText(one), one.examples);
  for (const one of some("states", result.states)) {
    const { flow, recorded, candidate, count, examples } = one;
    tell(out, "states", one, `${count}: ${flow}: ${recorded ?? "no case"} -> ${candidate ?? "no case"}`, examples);
  }
  for (const one of some("lines", result.lines)) {
    const { flow, posting, currency, recordedMinor, candidateMinor, count, examples } = one;
    const sums = `${recordedMinor} -> ${candidateMinor} ${currency}`;
    tell(out, "lines", one, `${count} cases: ${flow}: ${posting}: ${sums} (minor units)`, examples);
  }
  for (const one of some("money", limit === null ? result.money : result.money.toSorted(bySize))) {
    const { account, currency, differenceMinor: minor } = one;
    tell(out, "money", one, `${account} ${currency}: ${minor > 0n ? "+" : ""}${minor} (minor units)`);
  }
  for (const one of some("undecidable", result.undecidable)) {
    const { caseId, topic, partition, offset, what, why } = one;
    const place = topic === null ? `partition ${partition}` : `${topic} ${partition}:${offset}`;
    tell(out, "undecidable", one, `${caseId}: ${what} at ${place}: ${why}`);
  }
  for (const one of some("unanswered", result.unanswered))
    tell(out, "unanswered", one, `${one.count}: ${one.call} (${one.op}): ${one.why}`, one.examples);
  for (const one of some("unasked", result.unasked))
    tell(out, "unasked", one, `${one.count}: ${one.answer}, for which the candidate does not ask`, one.examples);
  for (const one of some("notReproduced", result.notReproduced))
    tell(out, "notReproduced", one, `partition ${one.partition}: ${one.why}`);
  summarize(out, result, report);
}

function outcomeText({ flow, change, recorded, candidate, amounts, count }: OutcomeDifference): string {
  if (change === "changed" && recorded === candidate) return `changed ${count}: ${flow}: ${recorded}: amounts`;
  const also = amounts ? " (amounts differ too)" : "";
  return `${change} ${count}: ${flow}: ${recorded ?? "none"} -> ${candidate ?? "none"}${also}`;
}

function bySize({ differenceMinor: one }: MoneyDifference, { differenceMinor: other }: MoneyDifference): number {
  const size = (minor: bigint): bigint => (minor < 0n ? -minor : minor);
  return size(one) === size(other) ? 0 : size(one) > size(other) ? -1 : 1;
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

function summarize(out: Output, result: BacktestResult, report: HashedReport): void {
  const candidate = `${report.candidate.flow}@${report.candidate.version}`;
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
