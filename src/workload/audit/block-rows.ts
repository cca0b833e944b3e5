// Gathers everything that belongs to a block, from streams that run side by side in the order of blocks. What lies between
// two blocks belongs to none, and is told.

import type { OfBlock, OutcomeMessage } from "../../kafka/codec-messages.ts";
import type { BlockRow, LineRow, MessageRow, QuarantineRow } from "../../store/audit.ts";
import type { OutgoingTopic } from "../../store/blocks.ts";
import type { Findings } from "./findings.ts";
import type { Stream } from "./stream.ts";

export type SequenceSpan = { readonly from: bigint; readonly next: bigint };

/** Sequences of a block in one outgoing topic. */
export function spanOf(row: BlockRow, topic: OutgoingTopic): SequenceSpan {
  if (topic === "outcomes") return { from: row.outcomesFrom, next: row.outcomesNext };
  if (topic === "commands") return { from: row.commandsFrom, next: row.commandsNext };
  return { from: row.deadLettersFrom, next: row.deadLettersNext };
}

export type DecodedOutcome = OfBlock<OutcomeMessage>;

/** The lines of a block; those that belong to no block are told and left out. */
export async function takeLines(
  findings: Findings,
  place: string,
  stream: Stream<LineRow>,
  row: BlockRow,
): Promise<LineRow[]> {
  const taken = await stream.takeWhile((line) => line.block <= row.block);
  const lines = taken.filter((line) => line.block === row.block);
  if (lines.length < taken.length) tellStrayLines(findings, place, taken.slice(0, taken.length - lines.length));
  findings.checked("lines_in_blocks", lines.length);
  const displaced = lines.findIndex((line, index) => line.index !== index);
  if (displaced !== -1) {
    const text = `${place}: line ${lines[displaced]?.index} stands where line ${displaced} belongs`;
    findings.problem("lines_in_blocks", text);
  }
  for (const { index, recordedAt } of lines) {
    if (recordedAt === row.recordedAt) continue;
    findings.problem("lines_in_blocks", `${place}: line ${index} is of ${recordedAt}, the block of ${row.recordedAt}`);
  }
  if (lines.length !== row.lines) {
    findings.problem("lines_in_blocks", `${place}: it counts ${row.lines} lines and has ${lines.length}`);
  }
  return lines;
}

export function tellStrayLines(findings: Findings, place: string, lines: readonly LineRow[]): void {
  for (const { block, index } of lines) {
    findings.problem("lines_in_blocks", `${place}: line ${index} of block ${block} belongs to no block`);
  }
}

/** Rows of one topic's outbox within a block, by sequence; `null` where the outbox has let go of one. */
export async function takeMessages(
  findings: Findings,
  place: string,
  stream: Stream<MessageRow>,
  row: BlockRow,
  span: SequenceSpan,
): Promise<Map<bigint, MessageRow>> {
  const found = new Map<bigint, MessageRow>();
  for (const message of await stream.takeWhile(({ sequence }) => sequence < span.next)) {
    const { sequence } = message;
    findings.checked("lines_in_blocks");
    if (sequence < span.from || message.block !== row.block || message.recordedAt !== row.recordedAt) {
      const said = `says block ${message.block} of ${message.recordedAt}`;
      findings.problem("lines_in_blocks", `${place}: message ${sequence} ${said} and is not of such a block`);
    }
    const other = found.get(sequence);
    if (other !== undefined) {
      findings.problem("lines_in_blocks", `${place}: message ${sequence} has two outbox rows`);
      if (other.value.equals(message.value)) continue;
      findings.problem("sequences_unique_content", `${place}: message ${sequence} has two contents in the outbox`);
    } else if (sequence >= span.from) {
      found.set(sequence, message);
    }
  }
  return found;
}

/** Quarantine rows of a block, by offset. */
export async function takeQuarantine(
  findings: Findings,
  place: string,
  stream: Stream<QuarantineRow>,
  row: BlockRow,
): Promise<QuarantineRow[]> {
  const taken = await stream.takeWhile(({ offset }) => offset < row.intentsNext);
  for (const { offset, block, recordedAt } of taken) {
    findings.checked("lines_in_blocks");
    if (block === row.block && offset >= row.intentsFrom && recordedAt === row.recordedAt) continue;
    const text = `${place}: the quarantine row of offset ${offset} says block ${block}, which did not take that offset`;
    findings.problem("lines_in_blocks", text);
  }
  return taken.filter(({ block }) => block === row.block);
}
