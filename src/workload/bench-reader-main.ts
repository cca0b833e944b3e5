// The reader's process: counts what a topic gets, and takes the time of what carries one.

import { setTimeout as sleep } from "node:timers/promises";
import { createCodec } from "../kafka/codec.ts";
import { openPartitionReader } from "../kafka/partitions.ts";
import type { ReaderMessage, ReaderOrder, ReaderResult, ReaderTimes } from "./bench-reader.ts";
import { Latencies } from "./latency-histogram.ts";
import { wallMs } from "./load-pump.ts";

/** When only the count matters, fetches are made this seldom: a fetch for every append would take the cores from what is
 *  measured. The last record is seen at most this much later. */
const COUNTING_PAUSE_MS = 20;
/** When latency is measured, records gather this long between two fetches, as an ordinary consumer's do while it works on
 *  the last ones; it is inside the figure. Asking at once made the broker the busiest of all. */
const LATENCY_GATHER_MS = 3;
const WAIT_MS = 1_000;
const PROGRESS_MS = 1_000;

const say = (message: ReaderMessage): void => void process.send?.(message);

process.on("disconnect", () => process.exit(1));
process.once("message", (order: ReaderOrder) => {
  void read(order).then((result) => {
    say({ kind: "done", result });
    process.disconnect();
  });
});

async function read({ brokers, topic, offsets, count, times }: ReaderOrder): Promise<ReaderResult> {
  const isCounting = times.kind === "none";
  const starts = offsets.map((offset, partition) => ({ topic, partition, offset: BigInt(offset) }));
  // One byte ahead: a fetch is made only when what the last one brought has been taken.
  const ahead = isCounting
    ? { aheadMaxBytes: 1, partitionMaxBytes: 4 << 20, maxBytes: 16 << 20 }
    : { gatherMs: LATENCY_GATHER_MS };
  const reader = await openPartitionReader(
    { brokers, clientId: "millrace-bench-reader", log: () => {} },
    starts,
    ahead,
  );
  const latencies = new Latencies();
  const timeOf = timeReader(times);
  let seen = 0;
  let firstAtMs = 0;
  let lastAtMs = 0;
  let wanted = count;
  process.on("message", ({ finishAt }: { finishAt: number }) => {
    wanted = finishAt;
  });
  const telling = setInterval(() => say({ kind: "progress", count: seen }), PROGRESS_MS);
  say({ kind: "ready" });
  while (seen < wanted) {
    const runs = await reader.next(WAIT_MS);
    const nowMs = wallMs();
    for (const { records } of runs) {
      if (records.length === 0) continue;
      if (seen === 0) firstAtMs = nowMs;
      lastAtMs = nowMs;
      seen += records.length;
      if (timeOf === null) continue;
      for (const { value } of records) {
        const micros = value === null ? null : timeOf(value);
        if (micros !== null) latencies.add(micros, nowMs);
      }
    }
    if (isCounting && runs.length > 0) await sleep(COUNTING_PAUSE_MS);
  }
  clearInterval(telling);
  await reader.close();
  return { count: seen, firstAtMs, lastAtMs, latency: latencies.figures() };
}

/** From a record's value to the time at which its cause was to be sent, microseconds since the epoch; null leaves it out
 *  of the figures. */
function timeReader(times: ReaderTimes): ((value: Buffer) => number | null) | null {
  if (times.kind === "none") return null;
  if (times.kind === "stamps") {
    return (value) => (value.readUInt32BE(8) < times.from ? null : Number(value.readBigInt64BE(0)));
  }
  const registry = { schemaById: () => Promise.resolve(null) };
  const decoder = createCodec({ ...times.source, registry }).decoders.outcome;
  return (value) => {
    const { sourceId, occurredAt } = decoder.decode(value);
    return numberIn(sourceId) < times.from ? null : Number(occurredAt);
  };
}

/** Generated transfers are called `t-123`; an opening has no number and is never measured. */
function numberIn(sourceId: string | null): number {
  return sourceId?.startsWith("t-") === true ? Number(sourceId.slice(2)) : -1;
}
