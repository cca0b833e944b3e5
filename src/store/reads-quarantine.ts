// What was put aside because it could not be understood, as an operator reads it.

import type { Connection } from "./database.ts";
import { readTimestampMs } from "./literals.ts";
import { lastOf, mergeSorted } from "./reads-merge.ts";
import { markRetried, showQuarantine, showQuarantined, showQuarantineStart } from "./sql/show-quarantine.ts";

export type PutAside = {
  readonly lane: number;
  readonly offset: bigint;
  readonly block: bigint;
  readonly recordedAtMs: number;
  readonly reason: string;
  readonly detail: string;
  /** as text, or `0x` and hex digits */
  readonly key: string | null;
  readonly size: number;
  readonly retriedAtMs: number | null;
};

/** `value` is at most the first 16 kB; null where it must not be kept. */
export type PutAsideRecord = PutAside & { readonly sha256: Buffer; readonly value: Buffer | null };

const PAGE_ROWS = 1_000;

function readRow(row: Record<string, unknown>): PutAside {
  return {
    lane: row["lane"] as number,
    offset: row["record_offset"] as bigint,
    block: row["block"] as bigint,
    recordedAtMs: readTimestampMs(row["recorded_at"]),
    reason: row["reason"] as string,
    detail: row["detail"] as string,
    key: row["key"] as string | null,
    size: row["size"] as number,
    retriedAtMs: row["retried_at"] === null ? null : readTimestampMs(row["retried_at"]),
  };
}

/** Records put aside in all lanes, in the order of time.
 *  @param last only this many, the newest; null for all */
export async function* readQuarantine(
  connection: Connection,
  lanes: number,
  topic: string,
  last: number | null,
): AsyncGenerator<PutAside> {
  const sequences: AsyncGenerator<PutAside>[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    const values = [lane, topic, last];
    const start = last === null ? null : (await connection.run(showQuarantineStart, values)).rows[0];
    sequences.push(pages(connection, lane, topic, (start?.["record_offset"] as bigint | undefined) ?? 0n));
  }
  yield* lastOf(
    mergeSorted(sequences, (one, other) => one.recordedAtMs < other.recordedAtMs),
    last,
  );
}

async function* pages(connection: Connection, lane: number, topic: string, from: bigint): AsyncGenerator<PutAside> {
  for (let offset = from, block = -1n; ; ) {
    const { rows } = await connection.run(showQuarantine, [lane, topic, offset, block, PAGE_ROWS]);
    const page = rows.map(readRow);
    yield* page;
    const end = page.at(-1);
    if (end === undefined || page.length < PAGE_ROWS) return;
    ({ offset, block } = end);
  }
}

/** @returns null when nothing was put aside there */
export async function readQuarantined(
  connection: Connection,
  lane: number,
  topic: string,
  offset: bigint,
): Promise<PutAsideRecord | null> {
  const row = (await connection.run(showQuarantined, [lane, topic, offset])).rows[0];
  if (row === undefined) return null;
  return { ...readRow(row), sha256: row["sha256"] as Buffer, value: row["value"] as Buffer | null };
}

/** Notes that a mended copy was published. */
export async function noteRetried(connection: Connection, record: PutAside, topic: string): Promise<void> {
  await connection.run(markRetried, [record.lane, topic, record.offset, record.block]);
}
