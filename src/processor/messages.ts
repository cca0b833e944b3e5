// What a block sends: outcomes and dead letters, encoded behind each other into one buffer, so that the digest is computed
// in one pass and Postgres takes them as one value. And the quarantine rows that go with the dead letters.

import { createHash } from "node:crypto";
import type { Books } from "../domain/books.ts";
import { BLOCK_DIGEST_BYTES, BLOCK_DIGEST_OFFSET, type Codec, MessageBuffer } from "../kafka/codec.ts";
import { DEAD_LETTER_VALUE_BYTES } from "../kafka/codec-messages.ts";
import type { OutgoingMessages, OutgoingTopic, QuarantineRow } from "../store/blocks.ts";
import type { Misfit } from "./intake.ts";

export type MessageParts = {
  readonly codec: Codec;
  readonly intentsTopic: string;
  readonly books: Books;
  readonly deadLettersNext: bigint;
  readonly misfits: readonly Misfit[];
};

export type Encoded = { readonly outgoing: OutgoingMessages; stamp(digest: Buffer): void };

const scratch = new MessageBuffer(1 << 20);

/** Encodes a block's messages behind each other. The scratch buffer is shared by all lanes: nothing awaits between here
 *  and the copy that the block keeps. */
export function encodeMessages(parts: MessageParts): Encoded {
  const { codec, intentsTopic, books, deadLettersNext, misfits } = parts;
  scratch.clear();
  const topics: OutgoingTopic[] = [];
  const sequences: bigint[] = [];
  const keys: string[] = [];
  for (const outcome of books.outcomes) {
    codec.encoders.outcome.encodeInto(scratch, outcome);
    topics.push("outcomes");
    sequences.push(outcome.sequence);
    keys.push(outcome.holderId);
  }
  misfits.forEach((misfit, index) => {
    const sequence = deadLettersNext + BigInt(index);
    const row = quarantineRow(misfit, intentsTopic);
    codec.encoders.deadLetter.encodeInto(scratch, {
      lane: books.lane,
      sequence,
      block: books.block,
      reason: row.reason,
      detail: row.detail,
      topic: row.topic,
      partition: books.lane,
      offset: row.offset,
      sha256: row.sha256.toString("hex"),
      size: row.size,
      value: row.value,
      appendedAt: BigInt(misfit.record.appendedAtMs) * 1000n,
      recordedAt: books.recordedAt,
    });
    topics.push("deadLetters");
    sequences.push(sequence);
    keys.push(row.key ?? "");
  });
  const bytes = Buffer.from(scratch.bytes());
  const starts = scratch.ends.map((_end, index) => scratch.start(index));
  const sizes = scratch.ends.map((end, index) => end - (starts[index] as number));
  const stamp = (digest: Buffer): void => {
    for (const start of starts) digest.copy(bytes, start + BLOCK_DIGEST_OFFSET, 0, BLOCK_DIGEST_BYTES);
  };
  return { outgoing: { bytes, topics, sequences, keys, starts, sizes }, stamp };
}

/** SHA-256 over the sizes of all messages and then their bytes, while the digest's own bytes are zero. */
export function hashMessages({ outgoing }: Encoded): Buffer {
  return createHash("sha256")
    .update(`${outgoing.sizes.join(",")}\n`)
    .update(outgoing.bytes)
    .digest();
}

// A hash without a key tells a card number to whoever tries them all, so of a record that holds one not even that is kept.
const WITHHELD = Buffer.alloc(32);

/** @returns the row; its value is at most what a dead letter carries, and of a card number there is neither key nor value */
export function quarantineRow(misfit: Misfit, topic: string): QuarantineRow {
  const { record, reason, detail } = misfit;
  const value = record.value ?? Buffer.alloc(0);
  const isWithheld = reason === "card_number";
  return {
    topic,
    offset: record.offset,
    reason,
    detail: detail.replaceAll("\u0000", "\\0"),
    key: isWithheld || record.key === null || record.key.length === 0 ? null : printableKey(record.key),
    sha256: isWithheld ? WITHHELD : createHash("sha256").update(value).digest(),
    size: value.length,
    value: isWithheld || record.value === null ? null : value.subarray(0, DEAD_LETTER_VALUE_BYTES),
  };
}

function printableKey(key: Buffer): string {
  const text = key.subarray(0, 64).toString("utf8");
  return /^[\x20-\x7e]+$/.test(text) ? text : `0x${key.subarray(0, 64).toString("hex")}`;
}
