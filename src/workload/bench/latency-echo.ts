// echo: bare produce to consume, with the same load generator and the same reader but without the service between: what
// the broker and the harness alone cost.

import { openAdmin } from "../../kafka/admin.ts";
import { openProducer } from "../../kafka/producer.ts";
import { type Outbound, pump, type Sendable, type Source, wallMs } from "../load/pump.ts";
import { AnswerReader } from "../report/answers.ts";
import { buildReport, hostFacts } from "../report/build.ts";
import { hashNumber, NUMBER_AT } from "../report/identity.ts";
import { LoadMeter } from "../report/meter.ts";
import { assertWanted, type Benchmark, type BenchSite } from "./bench.ts";
import { cpuBetween, cpuSeconds } from "./cpu.ts";
import { latencyFigures } from "./latency.ts";

const RATE = 5_000;
const SECONDS = 10;
const WARM_UP_SECONDS = 10;
/** As long as a generated transfer. */
const VALUE_BYTES = 165;
const CHUNK = 500;
const WAIT_MS = 10_000;

export const echo: Benchmark = async (site, wishes) => {
  const rate = wishes.rate ?? RATE;
  const seconds = wishes.seconds ?? SECONDS;
  const count = rate * (WARM_UP_SECONDS + seconds);
  const topic = `${site.topics.intents}.echo`;
  await createTopic(site, topic);
  site.note(`echo: ${rate}/s for ${WARM_UP_SECONDS} s of warm-up and ${seconds} s measured`);
  const host = hostFacts();
  const reader = await AnswerReader.open(site.kafka, [topic], { kind: "stamps" });
  const producer = await openProducer(site.kafka);
  try {
    const pids = { ...site.stackPids, node: process.pid };
    const before = cpuSeconds(pids);
    const startAtMs = Date.now();
    const meter = new LoadMeter({ startAtMs, warmUpMs: WARM_UP_SECONDS * 1_000 }, identifyStamp);
    reader.follow(meter);
    const source = new Stamps(count, site.lanes);
    const options = { topic, partitions: site.lanes, rate, startAtMs, stop: site.stop, progress: () => {} };
    await pump(producer, source, { ...options, watch: meter });
    await reader.settle(WAIT_MS, site.stop);
    assertWanted(site);
    const cpu = cpuBetween(before, cpuSeconds(pids));
    const settings = { rate, partitions: site.lanes, warmUpSeconds: WARM_UP_SECONDS, valueBytes: VALUE_BYTES };
    const frame = { name: "echo", settings, versions: {}, host, rate, endedAtMs: wallMs() };
    return latencyFigures(buildReport(meter, frame), settings, cpu);
  } finally {
    reader.stop();
    await producer.close();
  }
};

function identifyStamp({ record: { value } }: Sendable, into: Uint32Array): boolean {
  if (value === null) return false;
  hashNumber(value.readUInt32BE(NUMBER_AT), into, 0);
  return true;
}

async function createTopic({ kafka, lanes }: BenchSite, topic: string): Promise<void> {
  const admin = await openAdmin(kafka);
  const settings = { "message.timestamp.type": "LogAppendTime" };
  await admin.createTopics([{ topic, partitions: lanes, settings }]).finally(() => admin.close());
}

/** Records of which each carries its number. */
class Stamps implements Source {
  readonly #count: number;
  readonly #partitions: number;
  #made = 0;

  constructor(count: number, partitions: number) {
    this.#count = count;
    this.#partitions = partitions;
  }

  next(): Promise<readonly Outbound[] | null> {
    const size = Math.min(CHUNK, this.#count - this.#made);
    return Promise.resolve(size === 0 ? null : Array.from({ length: size }, () => this.#one()));
  }

  #one(): Outbound {
    const number = this.#made++;
    const value = Buffer.alloc(VALUE_BYTES);
    value.writeUInt32BE(number, NUMBER_AT);
    // Multiplied, so that neighbours in time fall on partitions as holders' intents do, not one after another.
    const partition = (Math.imul(number, 0x9e3779b1) >>> 8) % this.#partitions;
    return { partition, record: { key: null, value } };
  }
}
