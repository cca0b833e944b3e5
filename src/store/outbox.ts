// The outbox as the relay reads it, and the hint of what was published.

import type { OutgoingTopic } from "./blocks.ts";
import { TOPIC_NUMBERS } from "./blocks.ts";
import type { Connection } from "./database.ts";
import { beginAnew, blockDigest, readCursors, readOutbox, writeCursor } from "./sql/relay.ts";

export type OutboxMessage = {
  readonly sequence: bigint;
  readonly block: bigint;
  readonly key: string;
  readonly value: Buffer;
};

/** Messages with `from <= sequence < until`, in order, at most `limit`. */
export async function readMessages(
  connection: Connection,
  lane: number,
  topic: OutgoingTopic,
  span: { from: bigint; until: bigint; limit: number },
): Promise<OutboxMessage[]> {
  const { rows } = await connection.run(readOutbox, [lane, TOPIC_NUMBERS[topic], span.from, span.until, span.limit]);
  return rows as unknown as OutboxMessage[];
}

export async function readBlockDigest(connection: Connection, lane: number, block: bigint): Promise<Buffer | null> {
  return ((await connection.run(blockDigest, [lane, block])).rows[0]?.["digest"] as Buffer | undefined) ?? null;
}

export type PublishedMark = {
  readonly sequence: bigint;
  readonly offset: bigint;
  readonly producerId: bigint;
  readonly producerEpoch: number;
};

/** Offset of a mark whose message an operator knows not to be in the topic: it was made anew. */
export const BEGUN_ANEW = -2n;

/** An operator accepts that the output topics of a halted lane are new and empty. */
export async function beginOutputsAnew(connection: Connection, lane: number): Promise<void> {
  await connection.run(beginAnew, [lane]);
}

export async function readMarks(connection: Connection, lane: number): Promise<Map<OutgoingTopic, PublishedMark>> {
  const names = Object.keys(TOPIC_NUMBERS) as OutgoingTopic[];
  const { rows } = await connection.run(readCursors, [lane]);
  return new Map(
    rows.map((row) => [
      names.find((name) => TOPIC_NUMBERS[name] === row["topic"]) as OutgoingTopic,
      {
        sequence: row["published_sequence"] as bigint,
        offset: row["published_offset"] as bigint,
        producerId: row["producer_id"] as bigint,
        producerEpoch: row["producer_epoch"] as number,
      },
    ]),
  );
}

/** Written only while the epoch is still the lane's: a zombie's hint must not lead anybody astray. */
export async function writeMark(
  connection: Connection,
  lane: number,
  epoch: bigint,
  topic: OutgoingTopic,
  mark: PublishedMark,
): Promise<void> {
  await connection.run(writeCursor, [
    lane,
    TOPIC_NUMBERS[topic],
    mark.sequence,
    mark.offset,
    mark.producerId,
    mark.producerEpoch,
    epoch,
  ]);
}
