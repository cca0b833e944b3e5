// latency: an open loop at a given rate; each intent's time counts from the moment at which it was to be sent, so that a
// pause of the service shows in every intent that had to wait for it. It is `millrace load --report` against a running
// service: what users measure with is what the benchmark measures with.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Report } from "../report/report.ts";
import { BenchFailed, type BenchFigures, type Benchmark, type CpuSeconds, rounded } from "./bench.ts";
import { millrace, ServiceProcess } from "./child.ts";
import { cpuBetween, cpuSeconds } from "./cpu.ts";

const RATE = 5_000;
const SECONDS = 15;
const WARM_UP_SECONDS = 10;
const HOLDERS_MAX = 10_000;
const SEED = 1;

/** Openings of accounts and the first transfers warm the service and a fresh broker up and are not measured: in its first
 *  ten seconds the broker's virtual machine compiles as much as it serves. */
export const latency: Benchmark = async (site, wishes) => {
  const rate = wishes.rate ?? RATE;
  const seconds = wishes.seconds ?? SECONDS;
  const warmUp = rate * WARM_UP_SECONDS;
  const holders = Math.max(1, Math.min(HOLDERS_MAX, Math.floor(warmUp / 2)));
  const folder = mkdtempSync(join(tmpdir(), "millrace-latency-"));
  const file = join(folder, "report.json");
  const service = new ServiceProcess(site.environment);
  try {
    await service.untilTaken(site.lanes);
    site.note(`latency: ${rate}/s for ${WARM_UP_SECONDS} s of warm-up and ${seconds} s measured`);
    const pids = { ...site.stackPids, node: service.pid };
    const before = cpuSeconds(pids);
    const what = ["--profile", "transfers", "--seed", `${SEED}`, "--holders", `${holders}`];
    const pace = ["--count", `${warmUp + rate * seconds}`, "--rate", `${rate}`];
    const measure = ["--report", file, "--warm-up", `${WARM_UP_SECONDS}`];
    await service.during(millrace(["load", "--json", ...what, ...pace, ...measure], site.environment, site.stop));
    const cpu = cpuBetween(before, cpuSeconds(pids));
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    const settings = { rate, holders, lanes: site.lanes, warmUpSeconds: WARM_UP_SECONDS };
    return latencyFigures(report, settings, cpu);
  } catch (error) {
    throw service.explain(error);
  } finally {
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};

/** @throws BenchFailed when something was not answered: the percentiles would leave the worst out */
export function latencyFigures(
  report: Report,
  settings: Readonly<Record<string, unknown>>,
  cpu: CpuSeconds,
): BenchFigures {
  const { latency: figures, acknowledgement, totals, late } = report;
  if (figures === null) throw new BenchFailed("nothing came back");
  const missing = (totals?.unanswered ?? 0) + (totals?.notMeasured ?? 0);
  if (missing > 0) throw new BenchFailed(`${missing} of ${totals?.sent} were not answered, or not measured`);
  const { count, p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = figures;
  return {
    count,
    seconds: rounded(report.seconds),
    perSecond: report.perSecond,
    p50Ms,
    p99Ms,
    maxMs,
    settings: {
      ...settings,
      sent: totals?.sent ?? count,
      lateMsMax: Math.round(late?.maxMs ?? 0),
      p90Ms,
      p999Ms,
      ackP50Ms: acknowledgement?.p50Ms ?? null,
      ackP99Ms: acknowledgement?.p99Ms ?? null,
    },
    cpu,
    course: { kind: "measured", report },
  };
}
