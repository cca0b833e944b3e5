// drain: a backlog lies in the topic, the service starts, and the clock stops when the last outcome has been read.

import { openAdmin } from "../../kafka/admin.ts";
import { openProducer } from "../../kafka/producer.ts";
import { connect } from "../../store/database.ts";
import { NOMINAL_RATE, Transfers } from "../generate/generate.ts";
import { Portions } from "../load/load.ts";
import { pump, type Source } from "../load/pump.ts";
import { BenchFailed, type BenchFigures, type Benchmark, type BenchSite, rounded } from "./bench.ts";
import { ServiceProcess } from "./child.ts";
import { cpuBetween, cpuSeconds } from "./cpu.ts";
import { ReaderProcess, type ReaderResult } from "./reader.ts";

const SEED = 1;

type DrainPlan = {
  readonly name: string;
  readonly count: number;
  readonly holders: number;
  /** exponent of the holders' shares; 0 is all alike */
  readonly zipf: number;
};

/** One-line transfers between holders and the house, spread evenly over the holders. */
export const drain: Benchmark = (site, { count }) =>
  drainOf(site, { name: "drain", count: count ?? 200_000, holders: 100_000, zipf: 0 });

/** All of them to one holder: one lane does all the work. */
export const hot: Benchmark = (site, { count }) =>
  drainOf(site, { name: "hot", count: count ?? 100_000, holders: 1, zipf: 0 });

/** As many holders as in `drain`, their shares by a Zipf curve: the largest has a twelfth of all transfers, the second half
 *  of that, the third a third. */
export const skew: Benchmark = (site, { count }) =>
  drainOf(site, { name: "skew", count: count ?? 200_000, holders: 100_000, zipf: 1 });

/** Accounts are opened before, so that every intent measured is a transfer. `seconds` counts from the moment at which the
 *  service took its first lane; with the start of its process it is `secondsFromStart`. */
async function drainOf(site: BenchSite, { name, count, zipf, ...wished }: DrainPlan): Promise<BenchFigures> {
  const holders = Math.min(wished.holders, count);
  const plan = { count: holders + count, seed: SEED, holders, zipf, runAtMs: Date.now(), rate: NOMINAL_RATE };
  const parts = { encoder: site.codec.encoders.intent, lanes: site.lanes };
  const portions = new Portions(new Transfers(plan, parts));
  site.note(`${name}: opening ${holders} accounts`);
  await serve(site, holders, () => publish(site, portions.take(holders)));
  site.note(`${name}: publishing ${count} transfers`);
  await publish(site, portions.take(count));
  site.note(`${name}: measuring`);
  const { service, read, cpu } = await serve(site, count, () => Promise.resolve());
  await assertComplete(site, holders, count);
  const startedAtMs = service.firstLaneAtMs ?? service.startedAtMs;
  const seconds = (read.lastAtMs - startedAtMs) / 1000;
  const secondsFromStart = (read.lastAtMs - service.startedAtMs) / 1000;
  return {
    count,
    seconds: rounded(seconds),
    perSecond: Math.round(count / seconds),
    settings: {
      holders,
      zipf,
      lanes: site.lanes,
      secondsFromStart: rounded(secondsFromStart),
      perSecondFromStart: Math.round(count / secondsFromStart),
    },
    cpu,
    course: { kind: "counted", startedAtMs, bySecond: read.bySecond },
  };
}

export async function publish(site: BenchSite, source: Source): Promise<void> {
  const producer = await openProducer(site.kafka);
  const options = { topic: site.topics.intents, partitions: site.lanes, startAtMs: Date.now() };
  await pump(producer, source, { ...options, rate: null, stop: site.stop, progress: () => {} }).finally(() =>
    producer.close(),
  );
}

/** Runs the service until `count` outcomes have been read. */
async function serve(site: BenchSite, count: number, meanwhile: () => Promise<void>) {
  const reader = await ReaderProcess.open(site, { topic: site.topics.outcomes, count });
  const before = cpuSeconds({ ...site.stackPids, node: null });
  const service = new ServiceProcess(site.environment);
  try {
    await meanwhile();
    const read: ReaderResult = await reader.done(() => service.assertRuns());
    const cpu = cpuBetween({ ...before, node: 0 }, cpuSeconds({ ...site.stackPids, node: service.pid }));
    return { service, read, cpu };
  } catch (error) {
    throw service.explain(error);
  } finally {
    reader.stop();
    await service.stop();
  }
}

/** A fast drain that answered something else would be no drain: every transfer must have its line and its outcome.
 *  @throws BenchFailed */
async function assertComplete(site: BenchSite, holders: number, count: number): Promise<void> {
  const admin = await openAdmin(site.kafka);
  let outcomes = 0;
  for (let lane = 0; lane < site.lanes; lane++) {
    const value = (await admin.tail(site.topics.outcomes, lane)).record?.value;
    if (value != null) outcomes += Number((await site.codec.decoders.outcome.read(value)).sequence) + 1;
  }
  await admin.close();
  const connection = await connect(site.database, "tool");
  const { rows } = await connection.plain("select sum(lines)::bigint as lines from block");
  await connection.close();
  const lines = Number(rows[0]?.["lines"] ?? 0);
  if (outcomes === holders + count && lines === count) return;
  throw new BenchFailed(`${holders + count} intents gave ${outcomes} outcomes, ${count} transfers gave ${lines} lines`);
}
