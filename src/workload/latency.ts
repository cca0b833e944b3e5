// latency: an open loop at a given rate; each intent's time counts from the moment at which it was to be sent, so that a
// pause of the service shows in every intent that had to wait for it.

import { BenchFailed, type Benchmark, rounded } from "./bench.ts";
import { millrace, ServiceProcess } from "./bench-child.ts";
import { cpuBetween, cpuSeconds } from "./bench-cpu.ts";
import { ReaderProcess } from "./bench-reader.ts";

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
  const count = warmUp + rate * seconds;
  const holders = Math.max(1, Math.min(HOLDERS_MAX, Math.floor(warmUp / 2)));
  const service = new ServiceProcess(site.environment);
  const times = { kind: "outcomes", source: site.schemas, from: warmUp } as const;
  const reader = await ReaderProcess.open(site, { topic: site.topics.outcomes, count, times });
  try {
    await service.untilTaken(site.lanes);
    site.note(`latency: ${rate}/s for ${WARM_UP_SECONDS} s of warm-up and ${seconds} s measured`);
    const pids = { ...site.stackPids, node: service.pid };
    const before = cpuSeconds(pids);
    const argv = ["load", "--json", "--profile", "transfers", "--seed", `${SEED}`, "--holders", `${holders}`];
    const loading = millrace([...argv, "--count", `${count}`, "--rate", `${rate}`], site.environment);
    const [loaded, read] = await Promise.all([loading, reader.done(() => service.assertRuns())]);
    const cpu = cpuBetween(before, cpuSeconds(pids));
    if (read.latency === null) throw new BenchFailed("no outcome came back");
    const { lateMsMax } = JSON.parse(loaded) as { lateMsMax: number };
    const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs, count: measured, fromMs, untilMs } = read.latency;
    const tookSeconds = (untilMs - fromMs) / 1000;
    return {
      count: measured,
      seconds: rounded(tookSeconds),
      perSecond: Math.round(measured / tookSeconds),
      p50Ms,
      p99Ms,
      maxMs,
      settings: { rate, holders, lanes: site.lanes, warmUpSeconds: WARM_UP_SECONDS, lateMsMax, p90Ms, p999Ms },
      cpu,
    };
  } catch (error) {
    throw service.explain(error);
  } finally {
    reader.stop();
    await service.stop();
  }
};
