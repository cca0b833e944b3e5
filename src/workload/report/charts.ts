// The charts of a report, or of several on top of each other.

import { type ChartPlan, type Point, type Series, shortNumber, type Tick } from "./chart.ts";
import { Latencies } from "./latency-histogram.ts";
import type { CurvePoint, Interval, Percentiles, Report } from "./report.ts";

/** `label` goes before the names of its lines when there are several reports; "" when there is one. */
export type Labelled = { readonly label: string; readonly report: Report };

const STROKES = ["solid", "dashed"] as const;
const COLORS = { p50: 1, p99: 2, max: 3, acknowledged: 4, sent: 5, other: 6 };

export function chartsOf(reports: readonly Labelled[]): readonly ChartPlan[] {
  return [latencyCourse(reports), percentileCurve(reports), throughput(reports), lag(reports)];
}

function latencyCourse(reports: readonly Labelled[]): ChartPlan {
  const of = (pick: (interval: Interval) => Percentiles | null, at: keyof Percentiles) =>
    course((interval) => pick(interval)?.[at] ?? null, "ms");
  const one = ({ latency }: Interval): Percentiles | null => latency;
  const isSeveral = reports.length > 1;
  return {
    title: "Latency over time",
    caption:
      "Of the intents that were due in each second, from the intended time of sending to the outcome read. A pause shows in all intents that were due in it.",
    xLabel: "seconds since the first intent was due",
    xTicks: null,
    yScale: "log",
    yUnit: "ms",
    series: [
      ...lines(reports, "p50", COLORS.p50, of(one, "p50Ms")),
      ...lines(reports, "p99", COLORS.p99, of(one, "p99Ms")),
      ...(isSeveral ? [] : lines(reports, "highest", COLORS.max, of(one, "maxMs"))),
      ...(isSeveral
        ? []
        : lines(
            reports,
            "acknowledged by Kafka, p50",
            COLORS.acknowledged,
            of((one) => one.acknowledgement, "p50Ms"),
          )),
    ],
  };
}

function percentileCurve(reports: readonly Labelled[]): ChartPlan {
  const pick = (name: "latency" | "acknowledgement") => (report: Report) => {
    const text = report.histograms[name];
    return text === null ? [] : curvePoints(Latencies.decode(text).curve());
  };
  const series = [
    ...lines(reports, "answered", COLORS.p50, pick("latency")),
    ...lines(reports, "acknowledged by Kafka", COLORS.acknowledged, pick("acknowledgement")),
  ];
  const nines = Math.ceil(Math.max(1, ...series.flatMap(({ points }) => points.at(-1)?.x ?? 0)));
  return {
    title: "Latency by percentile",
    caption: "How long the fastest so many in a hundred took at most; each step to the right is ten times rarer.",
    xLabel: "percentile",
    xTicks: Array.from({ length: nines + 1 }, (_, at) => ({ at, text: percentText(at) })),
    yScale: "log",
    yUnit: "ms",
    series,
  };
}

/** 0 %, 90 %, 99 %, 99.9 %: the axis is the logarithm of 1 / (1 - p). */
function percentText(nines: number): Tick["text"] {
  if (nines === 0) return "0 %";
  return nines <= 2 ? `${100 - 10 ** (2 - nines)} %` : `99.${"9".repeat(nines - 2)} %`;
}

/** The last point, all of them, is infinitely far to the right; it is drawn where one of so many lies. */
function curvePoints(curve: readonly CurvePoint[]): readonly Point[] {
  const total = curve.at(-1)?.count ?? 0;
  return curve.map(({ valueMs, fraction }) => ({
    x: fraction < 1 ? Math.log10(1 / (1 - fraction)) : Math.log10(Math.max(total, 1)),
    y: valueMs,
    told: `${(fraction * 100).toFixed(4).replace(/\.?0+$/, "")} % within ${shortNumber(valueMs)} ms`,
  }));
}

function throughput(reports: readonly Labelled[]): ChartPlan {
  const perSecond = (pick: (interval: Interval) => number | null) => (report: Report) =>
    course((interval) => {
      const count = pick(interval);
      return count === null ? null : count / report.intervalSeconds;
    }, "/s")(report);
  return {
    title: "Throughput",
    caption: "What happened in each second.",
    xLabel: "seconds since the start",
    xTicks: null,
    yScale: "linear",
    yUnit: "/s",
    series: [
      ...lines(
        reports,
        "sent",
        COLORS.sent,
        perSecond(({ sent }) => sent),
      ),
      ...lines(
        reports,
        "acknowledged",
        COLORS.acknowledged,
        perSecond(({ acknowledged }) => acknowledged),
      ),
      ...lines(
        reports,
        "answered",
        COLORS.p50,
        perSecond(({ answered }) => answered),
      ),
      ...lines(
        reports,
        "refused",
        COLORS.max,
        perSecond(({ refused }) => (refused === 0 ? null : refused)),
      ),
    ],
  };
}

function lag(reports: readonly Labelled[]): ChartPlan {
  return {
    title: "Lag",
    caption:
      "At the end of each second: intents that were sent and not answered, and intents that were due and not sent.",
    xLabel: "seconds since the first intent was due",
    xTicks: null,
    yScale: "linear",
    yUnit: "",
    series: [
      ...lines(
        reports,
        "sent, not answered",
        COLORS.p50,
        course(({ lag: count }) => count, "intents"),
      ),
      ...lines(
        reports,
        "due, not sent",
        COLORS.max,
        course(({ unsent }) => unsent, "intents"),
      ),
    ],
  };
}

function course(pick: (interval: Interval) => number | null, unit: string): (report: Report) => readonly Point[] {
  return ({ intervals }) =>
    intervals.map((interval) => {
      const y = pick(interval);
      const told = y === null ? "" : `${shortNumber(y)}${unit.startsWith("/") ? "" : " "}${unit}`;
      return { x: interval.fromSecond, y, told: `${interval.fromSecond} s: ${told}` };
    });
}

/** The same line of each report, told apart by its stroke. */
function lines(
  reports: readonly Labelled[],
  name: string,
  color: number,
  points: (report: Report) => readonly Point[],
): Series[] {
  return reports.map(({ label, report }, at) => ({
    name: label === "" ? name : `${label}: ${name}`,
    color,
    stroke: STROKES[at % STROKES.length] ?? "solid",
    points: points(report),
  }));
}
