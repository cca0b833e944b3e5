// From what was measured to the report.

import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from "node:os";
import type { Course } from "./intervals.ts";
import type { LoadMeter } from "./meter.ts";
import { type HostFacts, type Interval, REPORT_FORMAT, type Report, type Totals } from "./report.ts";
import { WAITING_MAX } from "./waiting.ts";

/** Facts of this machine that figures depend on; nothing that names it. */
export function hostFacts(): HostFacts {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    memoryMb: Math.round(totalmem() / 2 ** 20),
    platform: platform(),
    arch: arch(),
    loadAverageBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

export type ReportFrame = Pick<Report, "name" | "settings" | "versions" | "host"> & {
  /** intents a second; null when it was as fast as acknowledgements come */
  readonly rate: number | null;
  /** milliseconds since the epoch: the end of the measurement */
  readonly endedAtMs: number;
};

export function buildReport(meter: LoadMeter, frame: ReportFrame): Report {
  const { rate, endedAtMs, ...named } = frame;
  const { startAtMs, warmUpMs } = meter.plan;
  const totals = meter.totals(endedAtMs);
  const { count, seconds } = meter.span();
  return {
    format: REPORT_FORMAT,
    ...named,
    startedAt: new Date(startAtMs).toISOString(),
    seconds: rounded(seconds),
    perSecond: seconds === 0 ? 0 : Math.round(count / seconds),
    cpu: null,
    totals,
    latency: meter.latency.percentiles(),
    acknowledgement: meter.acknowledgement.percentiles(),
    late: meter.late.percentiles(),
    outcomes: meter.outcomes(),
    intervalSeconds: meter.intervals.widthMs / 1000,
    intervals: intervalsOf(meter, rate, totals.sent),
    histograms: {
      latency: meter.latency.count === 0 ? null : meter.latency.encode(),
      acknowledgement: meter.acknowledgement.count === 0 ? null : meter.acknowledgement.encode(),
    },
    notes: notesOf(totals, rate, warmUpMs),
  };
}

function intervalsOf({ intervals: { all, widthMs } }: LoadMeter, rate: number | null, total: number): Interval[] {
  const sum = { sent: 0, done: 0 };
  return all.map((course, index) => {
    const { sent, answered, putAside } = course.counts;
    sum.sent += sent;
    sum.done += answered + putAside;
    const due = rate === null ? sum.sent : Math.min(total, Math.floor((rate * (index + 1) * widthMs) / 1000));
    return {
      fromSecond: (index * widthMs) / 1000,
      lag: Math.max(0, sum.sent - sum.done),
      unsent: Math.max(0, due - sum.sent),
      ...flat(course),
    };
  });
}

function flat({
  counts,
  lateMsMax,
  latency,
  acknowledgement,
}: Course): Omit<Interval, "fromSecond" | "lag" | "unsent"> {
  const { sent, acknowledged, answered, refused } = counts;
  return {
    sent,
    acknowledged,
    answered,
    refused,
    lateMsMax: rounded(lateMsMax),
    latency: latency?.percentiles() ?? null,
    acknowledgement: acknowledgement?.percentiles() ?? null,
  };
}

function notesOf(totals: Totals, rate: number | null, warmUpMs: number): string[] {
  const notes: string[] = [];
  const { unanswered, unansweredMsMax, notMeasured } = totals;
  if (unanswered > 0) {
    const waited = `the first of them had waited ${(unansweredMsMax / 1000).toFixed(1)} s by then`;
    notes.push(
      `${unanswered} intents were not answered when the measurement ended; ${waited}. They are in no percentile.`,
    );
  }
  if (notMeasured > 0) {
    notes.push(`${notMeasured} intents were sent while ${WAITING_MAX} others waited; they are in no percentile.`);
  }
  if (rate === null) {
    notes.push(
      "Without a rate an intent is due when the generator takes it: latencies are those of a backlog, not of a service that keeps up.",
    );
  }
  if (warmUpMs > 0) {
    notes.push(`Intents that were due in the first ${warmUpMs / 1000} s are in the course, not in the percentiles.`);
  }
  return notes;
}

/** Three decimals are more than a run repeats. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
