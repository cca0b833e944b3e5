// Reports as tests need them: of runs that were never made.
import { Latencies } from "../../src/workload/report/latency-histogram.ts";
import type { Interval, Percentiles, Report } from "../../src/workload/report/report.ts";
import { seeded } from "./workload.ts";

export function percentiles(p50Ms: number): Percentiles {
  return {
    count: 1_000,
    meanMs: p50Ms,
    p50Ms,
    p90Ms: p50Ms * 2,
    p99Ms: p50Ms * 4,
    p999Ms: p50Ms * 5,
    maxMs: p50Ms * 6,
  };
}

/** A run whose seconds are those of `p50s`, with the middle of them as the figure of the whole. */
export function runOf(p50s: readonly number[], over: Partial<Report> = {}): Report {
  const sorted = [...p50s].sort((a, b) => a - b);
  const highest = sorted.at(-1) ?? 0;
  const histogram = Latencies.empty();
  for (const ms of p50s) histogram.record(ms);
  return {
    format: "millrace-report/1",
    name: "load",
    startedAt: "2026-01-01T00:00:00.000Z",
    seconds: p50s.length,
    perSecond: 1_000,
    settings: { rate: 1_000, warmUpSeconds: 0 },
    versions: { millrace: "0.1.0" },
    host: { cores: 2, cpu: "a processor", memoryMb: 1_000, platform: "linux", arch: "x64", loadAverageBefore: 0 },
    cpu: null,
    totals: null,
    latency: { ...percentiles(sorted[sorted.length >> 1] ?? 0), p999Ms: highest * 5, maxMs: highest * 6 },
    acknowledgement: percentiles(2),
    late: percentiles(1),
    outcomes: [],
    intervalSeconds: 1,
    intervals: p50s.map(secondOf),
    histograms: { latency: histogram.encode(), acknowledgement: null },
    notes: [],
    ...over,
  };
}

function secondOf(p50Ms: number, fromSecond: number): Interval {
  return {
    fromSecond,
    sent: 1_000,
    acknowledged: 1_000,
    answered: 1_000,
    refused: 10,
    lag: p50Ms,
    unsent: 0,
    lateMsMax: 5,
    latency: percentiles(p50Ms),
    acknowledgement: percentiles(2),
  };
}

/** Seconds around a middle, each a little like the one before it. */
export function noisy(seed: number, middle: number, seconds = 30): number[] {
  const random = seeded(seed);
  let drift = 0;
  return Array.from({ length: seconds }, () => {
    drift = 0.6 * drift + (random() + random() + random() - 1.5) * 0.1;
    return middle * (1 + drift);
  });
}
