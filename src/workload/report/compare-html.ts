// Two reports as one page: the table of differences and the charts on top of each other, B dashed.

import { escapeHtml, lineChart } from "./chart.ts";
import { chartsOf } from "./charts.ts";
import type { ComparedRow } from "./compare.ts";
import { subtitleOf } from "./html.ts";
import { notesOf, page, tableOf } from "./page.ts";
import type { Report } from "./report.ts";

export const SPREAD_SENTENCE =
  'The spread is how far the difference goes by chance, judged by how far the seconds of each run are from its middle; "better", "worse" and "differs" are more than three times that.';

export type Compared = {
  readonly a: Report;
  readonly b: Report;
  readonly rows: readonly ComparedRow[];
  readonly apart: readonly string[];
};

export function comparePage({ a, b, rows, apart }: Compared): string {
  const charts = chartsOf([
    { label: "A", report: a },
    { label: "B", report: b },
  ]).map(lineChart);
  const different = apart.map((one) => `Not the same in A and B: ${one}.`);
  const table = tableOf("Differences", ["", "A", "B", "change", "spread", "verdict"], rows.map(cellsOf));
  const explained = `<p>${escapeHtml(SPREAD_SENTENCE)}</p>`;
  return page({
    title: "millrace load compare",
    subtitle: `A: ${a.name}, ${subtitleOf(a)}. B: ${b.name}, ${subtitleOf(b)}.`,
    body: [notesOf(different), table, explained, ...charts].filter((part) => part !== "").join("\n"),
  });
}

export function cellsOf({ what, unit, a, b, changePercent, spread, verdict }: ComparedRow): string[] {
  const told = (value: number | null): string =>
    value === null ? "-" : `${exact(value)}${unit === "" ? "" : ` ${unit}`}`;
  const change = changePercent === null ? "-" : `${signed(changePercent)} %`;
  return [what, told(a), told(b), change, told(spread), verdict];
}

function signed(percent: number): string {
  const text = Math.abs(percent).toFixed(1);
  return text === "0.0" ? text : `${percent > 0 ? "+" : "-"}${text}`;
}

function exact(value: number): string {
  return Math.abs(value) >= 1_000 ? String(Math.round(value)) : String(Number(value.toPrecision(4)));
}
