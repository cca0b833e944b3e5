// Hashes and digests made anew from rows, by the documented format alone: an auditor that called the code which made
// them would agree with its mistakes.

import { createHash } from "node:crypto";
import type { BlockRow, LineRow } from "../../store/audit.ts";

/** Before the first block. */
export const NO_DIGEST = Buffer.alloc(32);

/** Where the block's digest is stamped into each message, after everything was hashed. */
const STAMP_FROM = 5;
const STAMP_UNTIL = 13;
const NO_STAMP = Buffer.alloc(STAMP_UNTIL - STAMP_FROM);

const sha256 = () => createHash("sha256");

/** `debit credit currency amount case posting` and a line feed for each line. */
export function hashOfLines(lines: readonly LineRow[]): Buffer {
  let text = "";
  for (const { debit, credit, currency, amount, caseId, posting } of lines) {
    text += `${debit} ${credit} ${currency} ${amount} ${caseId} ${posting}\n`;
  }
  return sha256().update(text).digest();
}

/** Sizes joined by commas and a line feed, then the messages behind each other with their stamps zero; behind them those to
 *  other lanes, which bear no stamp. */
export function hashOfMessages(values: readonly Buffer[], toLanes: readonly Buffer[] = []): Buffer {
  const hash = sha256().update(`${[...values, ...toLanes].map((value) => value.length).join(",")}\n`);
  for (const value of values) {
    hash.update(value.subarray(0, STAMP_FROM)).update(NO_STAMP).update(value.subarray(STAMP_UNTIL));
  }
  for (const value of toLanes) hash.update(value);
  return hash.digest();
}

/** 16 bytes over offset, key and value. */
export function hashOfRecord(record: {
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}): Buffer {
  const { offset, key, value } = record;
  const head = `${offset} ${key === null ? -1 : key.length} ${value === null ? -1 : value.length}\n`;
  const hash = sha256().update(head);
  for (const part of [key, value]) if (part !== null) hash.update(part);
  return hash.digest().subarray(0, 16);
}

/** What a block row does not store of its digest: hashes of the last records that were taken before its end. */
export type LastHashes = { readonly intents: Buffer; readonly reports: Buffer };

export function digestOfBlock(lane: number, nowMs: number, row: BlockRow, last: LastHashes): Buffer {
  const facts =
    `millrace-block-1\n${lane} ${row.block} ${nowMs}\n` +
    `${row.intentsFrom} ${row.intentsNext} ${last.intents.toString("hex")}\n` +
    `${row.reportsFrom} ${row.reportsNext} ${last.reports.toString("hex")}\n` +
    `${row.timers} ${row.lines} ${row.outcomesNext} ${row.commandsNext} ${row.deadLettersNext}\n`;
  // Blocks from before there were versions, and those that decided by none, have no line for them.
  const { ratesVersion: rates, parametersVersion: parameters } = row;
  const versions = rates === 0n && parameters === 0n ? "" : `rates ${rates} parameters ${parameters}\n`;
  return sha256()
    .update(row.previousDigest)
    .update(facts + versions)
    .update(row.linesHash)
    .update(row.messagesHash)
    .digest();
}
