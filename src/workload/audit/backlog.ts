// Waits until the relay has caught up with the cut.

import { setTimeout as sleep } from "node:timers/promises";
import type { LaneCut } from "../../store/audit.ts";
import type { LaneWork } from "./parts.ts";
import { OUTGOING_TOPICS, readStamped } from "./sources.ts";

const POLL_MS = 100;

/** Looks at the tails until each says that everything before the cut is published. Whatever is not, when the time has
 *  passed, is a problem of its topic. */
export async function awaitPublished(work: LaneWork, cut: readonly LaneCut[]): Promise<void> {
  const until = performance.now() + work.parts.waitMs;
  let behind = await lanesBehind(work, cut);
  while (behind.length > 0 && performance.now() < until) {
    await sleep(POLL_MS);
    const lanes = new Set(behind.map(({ lane }) => lane));
    behind = await lanesBehind(
      work,
      cut.filter(({ lane }) => lanes.has(lane)),
    );
  }
  for (const { lane, topic, published, committed } of behind) {
    const said = `ends with sequence ${published}, ${committed} is committed`;
    const waited = `and ${work.parts.waitMs / 1_000} s have not changed that`;
    work.findings.problem("outcome_topic_equals_outbox", `${topic}/${lane} ${said}, ${waited}`);
  }
}

type Behind = { readonly lane: number; readonly topic: string; readonly published: bigint; readonly committed: bigint };

async function lanesBehind(work: LaneWork, cut: readonly LaneCut[]): Promise<Behind[]> {
  const behind: Behind[] = [];
  for (const { lane, ...next } of cut) {
    const committed = { outcomes: next.outcomesNext, commands: next.commandsNext, deadLetters: next.deadLettersNext };
    for (const name of OUTGOING_TOPICS) {
      const last = committed[name] - 1n;
      if (last < 0n) continue;
      const topic = work.parts.topics[name];
      const { record, end } = await work.parts.admin.tail(topic, lane);
      if (record === null && end > 0n) continue; // expired: nothing to wait for
      const value = record?.value ?? null;
      const published = value === null ? -1n : ((await readStamped(work, name, value))?.sequence ?? -1n);
      if (published < last) behind.push({ lane, topic, published, committed: last });
    }
  }
  return behind;
}
