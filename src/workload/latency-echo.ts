// echo: bare produce to consume, with the same load generator and the same reader but without the service between: what
// the broker and the harness alone cost.

import { openAdmin } from "../kafka/admin.ts";
import { openProducer } from "../kafka/producer.ts";
import { BenchFailed, type Benchmark, type BenchSite, rounded } from "./bench.ts";
import { cpuBetween, cpuSeconds } from "./bench-cpu.ts";
import { ReaderProcess } from "./bench-reader.ts";
import { microsOf } from "./generate.ts";
import { type Outbound, pump, type Source } from "./load-pump.ts";

const RATE = 5_000;
const SECONDS = 10;
const WARM_UP_SECONDS = 10;
/** As long as a generated transfer. */
const VALUE_BYTES = 165;
const CHUNK = 500;

export const echo: Benchmark = async (site, wishes) => {
  const rate = wishes.rate ?? RATE;
  const seconds = wishes.seconds ?? SECONDS;
  const from = rate * WARM_UP_SECONDS;
  const count = from + rate * seconds;
  const topic = `${site.topics.intents}.echo`;
  await createTopic(site, topic);
  site.note(`echo: ${rate}/s for ${WARM_UP_SECONDS} s of warm-up and ${seconds} s measured`);
  const reader = await ReaderProcess.open(site, { topic, count, times: { kind: "stamps", from } });
  const producer = await openProducer(site.kafka);
  try {
    const pids = { ...site.stackPids, node: process.pid };
    const before = cpuSeconds(pids);
    const startAtMs = Date.now();
    const source = new Stamps({ count, rate, startAtMs }, site.lanes);
    const options = { topic, partitions: site.lanes, rate, startAtMs, stop: site.stop, progress: () => {} };
    const [pumped, read] = await Promise.all([pump(producer, source, options), reader.done()]);
    const cpu = cpuBetween(before, cpuSeconds(pids));
    if (read.latency === null) throw new BenchFailed("no record came back");
    const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs, count: measured, fromMs, untilMs } = read.latency;
    const tookSeconds = (untilMs - fromMs) / 1000;
    return {
      count: measured,
      seconds: rounded(tookSeconds),
      perSecond: Math.round(measured / tookSeconds),
      p50Ms,
      p99Ms,
      maxMs,
      settings: {
        rate,
        partitions: site.lanes,
        warmUpSeconds: WARM_UP_SECONDS,
        lateMsMax: pumped.lateMsMax,
        p90Ms,
        p999Ms,
        valueBytes: VALUE_BYTES,
      },
      cpu,
    };
  } finally {
    reader.stop();
    await producer.close();
  }
};

async function createTopic({ kafka, lanes }: BenchSite, topic: string): Promise<void> {
  const admin = await openAdmin(kafka);
  const settings = { "message.timestamp.type": "LogAppendTime" };
  await admin.createTopics([{ topic, partitions: lanes, settings }]).finally(() => admin.close());
}

type StampPlan = { readonly count: number; readonly rate: number; readonly startAtMs: number };

/** Records that carry the time at which they are to be sent (microseconds, eight bytes) and their number (four). */
class Stamps implements Source {
  readonly #plan: StampPlan;
  readonly #partitions: number;
  #made = 0;

  constructor(plan: StampPlan, partitions: number) {
    this.#plan = plan;
    this.#partitions = partitions;
  }

  next(): Promise<readonly Outbound[] | null> {
    const size = Math.min(CHUNK, this.#plan.count - this.#made);
    return Promise.resolve(size === 0 ? null : Array.from({ length: size }, () => this.#one()));
  }

  #one(): Outbound {
    const number = this.#made++;
    const value = Buffer.alloc(VALUE_BYTES);
    value.writeBigInt64BE(microsOf(this.#plan.startAtMs + (number / this.#plan.rate) * 1000), 0);
    value.writeUInt32BE(number, 8);
    // Multiplied, so that neighbours in time fall on partitions as holders' intents do, not one after another.
    const partition = (Math.imul(number, 0x9e3779b1) >>> 8) % this.#partitions;
    return { partition, record: { key: null, value } };
  }
}
