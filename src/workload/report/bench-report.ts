// A benchmark's figures as a report.

import type { BenchFigures, BySecond } from "../bench/bench.ts";
import { type HostFacts, type Interval, REPORT_FORMAT, type Report } from "./report.ts";

export type BenchFrame = {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, unknown>>;
  readonly host: HostFacts;
};

export function benchReport(figures: BenchFigures, frame: BenchFrame): Report {
  const { course, cpu } = figures;
  if (course?.kind === "measured") return { ...course.report, ...frame, cpu };
  const startedAtMs = course?.startedAtMs ?? Date.now() - figures.seconds * 1_000;
  return {
    format: REPORT_FORMAT,
    ...frame,
    startedAt: new Date(startedAtMs).toISOString(),
    seconds: figures.seconds,
    perSecond: figures.perSecond,
    cpu,
    totals: null,
    latency: null,
    acknowledgement: null,
    late: null,
    outcomes: [],
    intervalSeconds: 1,
    intervals: course === undefined ? [] : countedIntervals(startedAtMs, course.bySecond),
    histograms: { latency: null, acknowledgement: null },
    notes: [],
  };
}

function countedIntervals(startedAtMs: number, bySecond: BySecond): Interval[] {
  const start = Math.floor(startedAtMs / 1_000);
  const counts = new Map(bySecond.map(([second, count]) => [second - start, count]));
  const last = Math.max(-1, ...counts.keys());
  return Array.from({ length: last + 1 }, (_, fromSecond) => ({
    fromSecond,
    answered: counts.get(fromSecond) ?? 0,
    sent: null,
    acknowledged: null,
    refused: null,
    lag: null,
    unsent: null,
    lateMsMax: null,
    latency: null,
    acknowledgement: null,
  }));
}
