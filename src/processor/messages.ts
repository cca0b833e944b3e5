// What a block sends: outcomes, commands, dead letters and messages to other lanes, encoded behind each other into one
// buffer, so that the digest is computed in one pass and Postgres takes them as one value. And the quarantine rows that go
// with the dead letters.

import { createHash } from "node:crypto";
import type { Books } from "../domain/books.ts";
import { formatCaseId } from "../domain/ids.ts";
import { BLOCK_DIGEST_BYTES, BLOCK_DIGEST_OFFSET, type Codec, MessageBuffer } from "../kafka/codec.ts";
import { DEAD_LETTER_VALUE_BYTES } from "../kafka/codec-messages.ts";
import type { OutgoingMessages, OutgoingTopic, QuarantineRow } from "../store/blocks.ts";
import type { NumberedMessage } from "./crossing.ts";
import type { Misfit } from "./intake.ts";

export type MessageParts = {
  readonly codec: Codec;
  readonly intentsTopic: string;
  readonly books: Books;
  readonly deadLettersNext: bigint;
  readonly misfits: readonly Misfit[];
  /** to other lanes, by lane and sequence */
  readonly crossing: readonly NumberedMessage[];
};

export type Encoded = { readonly outgoing: OutgoingMessages; stamp(digest: Buffer): void };

const scratch = new MessageBuffer(1 << 20);

/** Encodes a block's messages behind each other. The scratch buffer is shared by all lanes: nothing awaits between here
 *  and the copy that the block keeps. */
export function encodeMessages(parts: MessageParts): Encoded {
  const { books, crossing } = parts;
  scratch.clear();
  const topics: OutgoingTopic[] = [];
  const sequences: bigint[] = [];
  const keys: string[] = [];
  const wrote = (topic: OutgoingTopic, sequence: bigint, key: string): void => {
    topics.push(topic);
    sequences.push(sequence);
    keys.push(key);
  };
  encodeOutcomes(parts, wrote);
  encodeCommands(parts, wrote);
  encodeDeadLetters(parts, wrote);
  for (const message of crossing) encodeCrossing(parts.codec, books, message);
  const bytes = Buffer.from(scratch.bytes());
  const starts = scratch.ends.map((_end, index) => scratch.start(index));
  const sizes = scratch.ends.map((end, index) => end - (starts[index] as number));
  const stamped = topics.length;
  // A message to another lane names its block and bears no digest: it is an input there, not a tail to go on from.
  const stamp = (digest: Buffer): void => {
    for (let at = 0; at < stamped; at++) {
      digest.copy(bytes, (starts[at] as number) + BLOCK_DIGEST_OFFSET, 0, BLOCK_DIGEST_BYTES);
    }
  };
  const outgoing: OutgoingMessages = {
    bytes,
    topics,
    sequences,
    keys,
    starts: starts.slice(0, stamped),
    sizes: sizes.slice(0, stamped),
    crossing: {
      toLanes: crossing.map((one) => one.toLane),
      sequences: crossing.map((one) => one.sequence),
      keys: crossing.map((one) => one.report.holderId),
      starts: starts.slice(stamped),
      sizes: sizes.slice(stamped),
    },
  };
  return { outgoing, stamp };
}

type Wrote = (topic: OutgoingTopic, sequence: bigint, key: string) => void;

function encodeOutcomes({ codec, books }: MessageParts, wrote: Wrote): void {
  for (const outcome of books.outcomes) {
    codec.encoders.outcome.encodeInto(scratch, outcome);
    wrote("outcomes", outcome.sequence, outcome.holderId);
  }
}

function encodeCommands({ codec, books }: MessageParts, wrote: Wrote): void {
  const { lane, block } = books;
  for (const command of books.commands) {
    // Field by field, here and below: copies of such objects were a good part of what a message cost.
    codec.encoders.command.encodeInto(scratch, {
      lane,
      sequence: command.sequence,
      block,
      commandId: command.commandId,
      caseId: command.caseId,
      holderId: command.holderId,
      call: command.call,
      attempt: command.attempt,
      idempotencyKey: command.idempotencyKey,
      notAfter: command.notAfterMicros,
      payload: command.payload,
      traceparent: command.traceparent,
      op: command.op,
      readOnly: command.readOnly,
      timeoutMs: command.timeoutMs,
    });
    wrote("commands", command.sequence, command.holderId);
  }
}

function encodeCrossing(codec: Codec, { lane, block }: Books, { report, sequence }: NumberedMessage): void {
  const { holderId, call, attempt, result, observation, payload } = report;
  const asker = report.from;
  codec.encoders.report.encodeInto(scratch, {
    holderId,
    caseId: formatCaseId(report.caseId),
    call,
    attempt,
    result,
    observation,
    payload,
    occurredAt: report.occurredAtMicros,
    from: {
      lane,
      sequence,
      block,
      holderId: asker.holderId,
      caseId: asker.caseId,
      call: asker.call,
      attempt: asker.attempt,
    },
  });
}

function encodeDeadLetters(parts: MessageParts, wrote: Wrote): void {
  const { codec, intentsTopic, books, deadLettersNext, misfits } = parts;
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
    wrote("deadLetters", sequence, row.key ?? "");
  });
}

/** SHA-256 over the sizes of all messages and then their bytes, while the digest's own bytes are zero. */
export function hashMessages({ outgoing }: Encoded): Buffer {
  const sizes = [...outgoing.sizes, ...outgoing.crossing.sizes];
  return createHash("sha256")
    .update(`${sizes.join(",")}\n`)
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
