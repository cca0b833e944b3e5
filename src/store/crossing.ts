// What lanes have sent each other and taken, and the messages on their way.

import { LATEST_MS } from "../domain/flow/duration.ts";
import { byteaArray, int4Array, int8Array } from "./arrays.ts";
import type { Connection, Step } from "./database.ts";
import { readCrossing, readOutlets, readSeen, readSent, readUnsent } from "./sql/crossing.ts";

/** By lane: the next sequence to it, and the last one taken from it. */
export type StoredPairs = { readonly sent: ReadonlyMap<number, bigint>; readonly seen: ReadonlyMap<number, bigint> };

export async function readPairs(connection: Connection, lane: number): Promise<StoredPairs> {
  const [sent, seen] = await Promise.all([connection.run(readSent, [lane]), connection.run(readSeen, [lane])]);
  const byLane = (rows: readonly Record<string, unknown>[]) =>
    new Map(rows.map((row) => [row["lane"] as number, row["sequence"] as bigint]));
  return { sent: byLane(sent.rows), seen: byLane(seen.rows) };
}

/** Where a lane's messages to another stand: the sequence of the next one to be written, and the last that was taken. */
export type Outlet = { readonly toLane: number; readonly next: bigint; readonly seen: bigint };

export async function readOutletsOf(connection: Connection, lane: number): Promise<Outlet[]> {
  const { rows } = await connection.run(readOutlets, [lane]);
  return rows.map((row) => ({
    toLane: row["to_lane"] as number,
    next: row["next_sequence"] as bigint,
    seen: row["seen"] as bigint,
  }));
}

export type CrossingMessage = { readonly sequence: bigint; readonly key: string; readonly value: Buffer };

/** Messages to one lane with `from <= sequence < until`, in order, at most `limit`. */
export async function readCrossingMessages(
  connection: Connection,
  lane: number,
  toLane: number,
  span: { readonly from: bigint; readonly until: bigint; readonly limit: number },
): Promise<CrossingMessage[]> {
  const { rows } = await connection.run(readCrossing, [lane, toLane, span.from, span.until, span.limit]);
  return rows as unknown as CrossingMessage[];
}

/** A message as it lies in the receiver's partition of the topic of reports. */
export type ArrivedMessage = {
  readonly fromLane: number;
  readonly sequence: bigint;
  readonly offset: bigint;
  /** when its sender's block was recorded, as the message itself says; microseconds */
  readonly recordedAtMicros: bigint;
  readonly value: Buffer;
};

/** Offsets of messages that their senders' outboxes do not hold as they arrived. */
export type Unsent = ReadonlySet<bigint>;

const LATEST_MICROS = BigInt(LATEST_MS) * 1000n;

/** No block was ever recorded outside these times. The database could not reckon with every such time either: the block that
 *  asked would fail, again and again. */
function mayBeSent({ recordedAtMicros }: ArrivedMessage): boolean {
  return recordedAtMicros >= 0n && recordedAtMicros <= LATEST_MICROS;
}

/** Messages of one lane that follow each other without a gap, so that one look into its outbox finds them all. */
type Run = readonly [ArrivedMessage, ...ArrivedMessage[]];

/** What a block asks of the senders' outboxes: one row of the answer for each run that is not there as it arrived. */
export type UnsentQuestion = { readonly runs: readonly Run[]; readonly step: Step };

/** @param messages none that was taken before: the outbox does not keep those for ever
 *  @returns null where there is nothing to ask */
export function askUnsent(lane: number, messages: readonly ArrivedMessage[]): UnsentQuestion | null {
  return questionOf(lane, runsOf(messages.filter(mayBeSent)));
}

function runsOf(messages: readonly ArrivedMessage[]): Run[] {
  const runs: [ArrivedMessage, ...ArrivedMessage[]][] = [];
  const openRuns = new Map<number, ArrivedMessage[]>();
  for (const message of messages) {
    const open = openRuns.get(message.fromLane);
    if (open?.at(-1)?.sequence === message.sequence - 1n) {
      open.push(message);
      continue;
    }
    const run: [ArrivedMessage] = [message];
    runs.push(run);
    openRuns.set(message.fromLane, run);
  }
  return runs;
}

function questionOf(lane: number, runs: readonly Run[]): UnsentQuestion | null {
  if (runs.length === 0) return null;
  let [low, high] = [LATEST_MICROS, 0n];
  for (const { recordedAtMicros } of runs.flat()) {
    if (recordedAtMicros < low) low = recordedAtMicros;
    if (recordedAtMicros > high) high = recordedAtMicros;
  }
  const values = [
    lane,
    int4Array(runs.map(([{ fromLane }]) => fromLane)),
    int8Array(runs.map(([{ sequence }]) => sequence)),
    int8Array(runs.map(([{ sequence }, ...others]) => sequence + BigInt(others.length))),
    byteaArray(runs.map(framed)),
    low,
    high,
  ];
  return { runs, step: { statement: readUnsent, values } };
}

/** Each value behind its length: joined alone, two messages could be other two of the same bytes. */
function framed(run: Run): Buffer {
  const size = run.reduce((sum, { value }) => sum + LENGTH_BYTES + value.length, 0);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { value } of run) {
    at = bytes.writeInt32BE(value.length, at);
    at += value.copy(bytes, at);
  }
  return bytes;
}

const LENGTH_BYTES = 4;

/** @param rows the answer to the question about these messages, none where nothing was asked; in the same dbTransaction
 *  the messages of a run that is not there are then looked for one by one
 *  @throws ConnectionLost | DatabaseError */
export async function unsentOf(
  connection: Connection,
  lane: number,
  messages: readonly ArrivedMessage[],
  question: UnsentQuestion | null,
  rows: readonly Record<string, unknown>[],
): Promise<Unsent> {
  const missed = question === null ? [] : missedRuns(question, rows).flat();
  const alone = questionOf(
    lane,
    missed.map((message) => [message]),
  );
  const answer = alone === null ? [] : missedRuns(alone, (await connection.run(readUnsent, alone.step.values)).rows);
  return new Set([...messages.filter((one) => !mayBeSent(one)), ...answer.flat()].map(({ offset }) => offset));
}

function missedRuns({ runs }: UnsentQuestion, rows: readonly Record<string, unknown>[]): Run[] {
  return rows.map((row) => runs[Number(row["at"]) - 1] as Run);
}
