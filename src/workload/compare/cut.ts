// The recorded side of a comparison: a block of each lane up to which the ledger is compared, and the offset up to which
// the topic has to be decided anew for it. Blocks are whole, so an end within a block moves to the end of that block.

import { recordHash } from "../../domain/head.ts";
import type { TopicAdmin } from "../../kafka/port.ts";
import { blockPages, type LaneCut, readCut } from "../../store/audit.ts";
import type { Connection } from "../../store/database.ts";
import { tableStream } from "../audit/stream.ts";
import { ReplayRefused, type Span } from "../replay/span.ts";

export type LaneEnd = {
  readonly lane: number;
  /** 0n: before the lane's first block */
  readonly block: bigint;
  readonly intentsNext: bigint;
  readonly outcomesNext: bigint;
  readonly deadLettersNext: bigint;
  /** timers that have fired in these blocks */
  readonly timers: number;
};

export type WaitParts = {
  readonly waitMs: number;
  readonly stop: AbortSignal;
  readonly progress: (taken: number) => void;
};

const POLL_MS = 200;
const BLOCKS_A_PAGE = 2_000;

/** Waits until the ledger has taken every record of `spans`.
 *  @throws ReplayRefused with the lanes that have not */
export async function untilTaken(connection: Connection, spans: readonly Span[], wait: WaitParts): Promise<void> {
  const until = performance.now() + wait.waitMs;
  for (;;) {
    const next = new Map((await readCut(connection)).map(({ lane, intentsNext }) => [lane, intentsNext]));
    const behind = spans.filter(({ partition, to }) => (next.get(partition) ?? 0n) < to);
    wait.progress(Number([...next.values()].reduce((sum, offset) => sum + offset, 0n)));
    if (behind.length === 0 || wait.stop.aborted) return;
    if (performance.now() > until) {
      const lanes = behind.map(({ partition, to }) => `lane ${partition} ${next.get(partition) ?? 0n} of ${to}`);
      throw new ReplayRefused(
        `the ledger has not taken all of it after ${Math.round(wait.waitMs / 1000)} s: ${lanes.join(", ")}; start an instance, look for a halt with millrace lane list, or end earlier with --to`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** @throws ReplayRefused when a ledger decided anew could not be equal, with the reason */
export async function findEnds(connection: Connection, spans: readonly Span[]): Promise<readonly LaneEnd[]> {
  const heads = await readCut(connection);
  const ends: LaneEnd[] = [];
  for (const head of heads) {
    if (head.reportsNext > 0n) {
      throw new ReplayRefused(
        `lane ${head.lane} has taken reports too, of gateways or other lanes, and only intents are replayed`,
      );
    }
    const to = spans.find(({ partition }) => partition === head.lane)?.to ?? 0n;
    ends.push(await findEnd(connection, head, to));
  }
  return ends;
}

async function findEnd(connection: Connection, head: LaneCut, to: bigint): Promise<LaneEnd> {
  const { lane } = head;
  let end: LaneEnd = { lane, block: 0n, intentsNext: 0n, outcomesNext: 0n, deadLettersNext: 0n, timers: 0 };
  const blocks = tableStream(blockPages(connection, lane, { after: null, until: head.block }, BLOCKS_A_PAGE));
  for (let page = await blocks.takePage(); page !== null; page = await blocks.takePage()) {
    for (const row of page) {
      if (end.block === 0n && row.block > 1n) throw detached(lane, row.block);
      if (row.intentsFrom >= to) return end;
      if (row.halt !== null) {
        throw new ReplayRefused(
          `in block ${row.block} of lane ${lane} an operator moved the position: what was passed over then would be decided now`,
        );
      }
      const { block, intentsNext, outcomesNext, deadLettersNext } = row;
      end = { lane, block, intentsNext, outcomesNext, deadLettersNext, timers: end.timers + row.timers };
    }
  }
  if (end.block === 0n && head.block > 0n && to > 0n) throw detached(lane, head.block + 1n);
  return end;
}

function detached(lane: number, first: bigint): ReplayRefused {
  return new ReplayRefused(
    `lane ${lane} begins at block ${first}: earlier days were detached, and only a whole ledger can be compared`,
  );
}

/** A topic that this ledger was not made of would be found different in each record; better said at once.
 *  @throws ReplayRefused */
export async function requireSameTopic(connection: Connection, admin: TopicAdmin, topic: string): Promise<void> {
  for (const { lane, intentsLast, intentsLastHash } of await readCut(connection)) {
    if (intentsLast < 0n) continue;
    const record = await admin.recordAt(topic, lane, intentsLast);
    if (record !== null && recordHash(record.offset, record.key, record.value).equals(intentsLastHash)) continue;
    const found = record === null ? "nothing" : "another record";
    throw new ReplayRefused(
      `the ledger was not made of ${topic}: the last record that lane ${lane} took was at offset ${intentsLast}, where ${topic} has ${found}`,
    );
  }
}
