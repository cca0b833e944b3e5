// The working part of `millrace load compare`.

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { compareReports, settingsApart, worsened } from "../workload/report/compare.ts";
import { cellsOf, comparePage, SPREAD_SENTENCE } from "../workload/report/compare-html.ts";
import { readReport } from "../workload/report/files.ts";
import type { Report } from "../workload/report/report.ts";
import type { CliContext } from "./context.ts";
import { CommandFailed, EXIT, usageFailed } from "./exit.ts";

export type ComparePlan = {
  readonly a: string;
  readonly b: string;
  /** null: never */
  readonly failAbovePercent: number | null;
  readonly html: string | null;
};

const COLUMNS = [
  { key: "what", title: "" },
  ...["a", "b", "change", "spread"].map((key) => ({
    key,
    title: key.length === 1 ? key.toUpperCase() : key,
    align: "right" as const,
  })),
  { key: "verdict", title: "verdict" },
];

/** @throws CommandFailed */
export function runCompare({ io, out }: CliContext, plan: ComparePlan): void {
  const at = (path: string): string => resolve(io.workingDir, path);
  const [a, b] = readBoth(at(plan.a), at(plan.b));
  const rows = compareReports(a, b);
  const apart = settingsApart(a, b);
  for (const one of apart) out.warn(`not the same in A and B: ${one}`);
  if (out.json) for (const row of rows) out.row(row, "");
  else out.table(COLUMNS, rows.map(toCells));
  out.say(SPREAD_SENTENCE);
  if (plan.html !== null) {
    writeFileSync(at(plan.html), comparePage({ a, b, rows, apart }));
    out.note(`written: ${plan.html}`);
  }
  const { failAbovePercent } = plan;
  if (failAbovePercent === null) return;
  const worse = worsened(rows, failAbovePercent).map(({ what }) => what);
  if (worse.length > 0) {
    throw new CommandFailed(
      EXIT.failed,
      `worse by more than ${failAbovePercent} %, beyond the spread: ${worse.join(", ")}`,
    );
  }
}

function toCells(row: ReturnType<typeof compareReports>[number]): Record<string, string> {
  const [what = "", a = "", b = "", change = "", spread = "", verdict = ""] = cellsOf(row);
  return { what, a, b, change, spread, verdict };
}

function readBoth(a: string, b: string): [Report, Report] {
  const [left, right] = [readReport(a), readReport(b)];
  if (left.kind === "report" && right.kind === "report") return [left.report, right.report];
  throw usageFailed([left, right].flatMap((one) => (one.kind === "fault" ? [one.why] : [])));
}
