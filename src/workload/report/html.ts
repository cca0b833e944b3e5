// A report as a page.

import { lineChart, shortNumber } from "./chart.ts";
import { chartsOf } from "./charts.ts";
import { card, notesOf, page, tableOf } from "./page.ts";
import type { OutcomeCount, Percentiles, Report } from "./report.ts";

export function reportPage(report: Report): string {
  const charts = chartsOf([{ label: "", report }])
    .map(lineChart)
    .join("\n");
  return page({
    title: `millrace ${report.name}`,
    subtitle: subtitleOf(report),
    body: [cards(report), notesOf(report.notes), charts, latencyTable(report), outcomeTable(report), factTables(report)]
      .flat()
      .filter((part) => part !== "")
      .join("\n"),
  });
}

export function subtitleOf({ startedAt, settings, host }: Report): string {
  const rate = settings["rate"];
  const pace = typeof rate === "number" ? `, ${rate} intents a second` : "";
  return `${startedAt.slice(0, 16).replace("T", " ")} UTC${pace}, on ${host.cores} cores`;
}

function cards({ perSecond, seconds, latency, totals, late }: Report): string {
  const made = [card("answered a second", String(perSecond), `over ${shortNumber(seconds)} s`)];
  if (latency !== null) {
    made.push(card("p50", `${shortNumber(latency.p50Ms)} ms`, "half are answered within"));
    made.push(card("p99", `${shortNumber(latency.p99Ms)} ms`, "99 of 100 are answered within"));
    made.push(card("highest", `${shortNumber(latency.maxMs)} ms`));
  }
  if (totals !== null) {
    const share = totals.answered === 0 ? 0 : totals.refused / totals.answered;
    made.push(card("refused", percent(share), `${totals.refused} of ${totals.answered} answers`));
    if (totals.unanswered > 0) made.push(card("not answered", String(totals.unanswered), "at the end"));
  }
  if (late !== null)
    made.push(card("generator late", `${shortNumber(late.maxMs)} ms`, "at most; inside the latencies"));
  return `<div class="cards">${made.join("")}</div>`;
}

function latencyTable({ latency, acknowledgement, late }: Report): string {
  const row = (name: string, figures: Percentiles | null): string[][] => {
    if (figures === null) return [];
    const { meanMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs, count } = figures;
    return [[name, ...[meanMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs].map((ms) => ms.toFixed(1)), String(count)]];
  };
  const head = ["milliseconds from the intended time", "mean", "p50", "p90", "p99", "p99.9", "highest", "count"];
  return tableOf("Latency", head, [
    ...row("to the outcome read", latency),
    ...row("to Kafka's acknowledgement", acknowledgement),
    ...row("to sending (how late the generator was)", late),
  ]);
}

function outcomeTable({ outcomes, totals }: Report): string {
  const sum = outcomes.reduce((total, { count }) => total + count, 0);
  const rows = outcomes.map(({ type, code, count }) => [
    outcomeName({ type, code }),
    String(count),
    percent(count / sum),
  ]);
  if (totals !== null && totals.unanswered > 0) rows.push(["not answered", String(totals.unanswered), ""]);
  return tableOf("Outcomes", ["outcome", "count", "share"], rows);
}

/** `transfer.rejected (insufficient_funds)` */
export function outcomeName({ type, code }: Pick<OutcomeCount, "type" | "code">): string {
  return code === null ? type : `${type} (${code})`;
}

function factTables({ settings, versions, host, cpu }: Report): string[] {
  const rows = (facts: object): string[][] =>
    Object.entries(facts).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
  return [
    tableOf("Settings", ["setting", "value"], rows(settings)),
    tableOf("CPU seconds", ["processes", "seconds"], rows(cpu ?? {})),
    tableOf("Versions", ["part", "version"], rows(versions)),
    tableOf("Machine", ["fact", "value"], rows(host)),
  ];
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share !== 0 && share < 0.01 ? 2 : 1)} %`;
}
