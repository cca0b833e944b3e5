// The reader's process: counts what a topic gets.

import { setTimeout as sleep } from "node:timers/promises";
import { openPartitionReader } from "../../kafka/partitions.ts";
import { wallMs } from "../load/pump.ts";
import type { ReaderMessage, ReaderOrder, ReaderResult } from "./reader.ts";

/** Fetches are made this seldom: a fetch for every append would take the cores from what is measured. The last record is
 *  seen at most this much later. */
const COUNTING_PAUSE_MS = 20;
/** One byte ahead: a fetch is made only when what the last one brought has been taken. */
const AHEAD = { aheadMaxBytes: 1, partitionMaxBytes: 4 << 20, maxBytes: 16 << 20 };
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

async function read({ kafka: place, topic, offsets, count }: ReaderOrder): Promise<ReaderResult> {
  const starts = offsets.map((offset, partition) => ({ topic, partition, offset: BigInt(offset) }));
  const kafka = { ...place, clientId: "millrace-bench-reader", log: () => {} };
  const reader = await openPartitionReader(kafka, starts, AHEAD);
  const bySecond = new Map<number, number>();
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
    const came = runs.reduce((sum, { records }) => sum + records.length, 0);
    if (came > 0) {
      if (seen === 0) firstAtMs = nowMs;
      lastAtMs = nowMs;
      seen += came;
      const second = Math.floor(nowMs / 1_000);
      bySecond.set(second, (bySecond.get(second) ?? 0) + came);
    }
    if (runs.length > 0) await sleep(COUNTING_PAUSE_MS);
  }
  clearInterval(telling);
  await reader.close();
  return { count: seen, firstAtMs, lastAtMs, bySecond: [...bySecond] };
}
