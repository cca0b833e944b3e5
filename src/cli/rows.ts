// Lists that may be longer than memory, and the forms of values in them: with --json positions are numbers, amounts are
// strings of digits, times ISO 8601 in UTC.

import { assert } from "../domain/assert.ts";
import type { Column, Fields, Output } from "./output.ts";
import type { UsageCheck } from "./usage.ts";

/** One row: `fields` for --json, `cells` for people. */
export type Row = { readonly fields: Fields; readonly cells: Fields };

const CHUNK_ROWS = 1_000;
const LIMIT_MAX = 1_000_000;

/** Prints rows as they come. For people columns are aligned within a thousand rows at a time.
 *  @param limit at most this many; null for all
 *  @returns how many were printed */
export async function printRows(
  out: Output,
  columns: readonly Column[],
  rows: AsyncIterable<Row>,
  limit: number | null = null,
): Promise<number> {
  let count = 0;
  let chunk: Fields[] = [];
  if (limit === 0) return 0;
  for await (const row of rows) {
    count += 1;
    if (out.json) out.row(row.fields, "");
    else chunk.push(row.cells);
    if (chunk.length === CHUNK_ROWS) {
      out.table(columns, chunk);
      chunk = [];
    }
    if (count === limit) break;
  }
  if (chunk.length > 0) out.table(columns, chunk);
  return count;
}

export const LIMIT = "--limit <N>";

/** @returns null when it was not given */
export function readLimit(usage: UsageCheck, text: string | undefined): number | null {
  return text === undefined ? null : usage.wholeNumber("--limit", text, { default: 1, min: 1, max: LIMIT_MAX });
}

/** Block numbers, offsets and sequences are JSON numbers: a lane counts for centuries before 2^53. */
export function position(value: bigint): number {
  assert(value <= BigInt(Number.MAX_SAFE_INTEGER), `position ${value} is beyond what a JSON number holds`);
  return Number(value);
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

// Control characters and marks that turn the direction of text: on a terminal they could hide or fake what is shown.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text of a stranger's as one line for a terminal: what does not print is written `\u{0}`. */
export function printable(text: string): string {
  return text.replace(HIDDEN, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}
