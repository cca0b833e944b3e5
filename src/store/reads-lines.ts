// The lines of an account, oldest first, a page at a time.

import type { Connection, Result } from "./database.ts";
import { plainArray, readTimestampMs } from "./literals.ts";
import { lastOf, mergeSorted } from "./reads-merge.ts";
import * as sql from "./sql/show-lines.ts";
import type { Statement } from "./statement.ts";

export type LedgerLine = {
  readonly lane: number;
  readonly block: bigint;
  readonly index: number;
  readonly recordedAtMs: number;
  readonly debit: string;
  readonly credit: string;
  readonly currency: string;
  readonly minor: bigint;
  /** with dashes, as Postgres prints it */
  readonly caseId: string;
  /** null when the case has been detached */
  readonly kind: string | null;
  readonly posting: string;
};

/** `debits` and `credits` are the account's sums with this line. */
export type HolderLine = LedgerLine & { readonly debits: bigint; readonly credits: bigint };

const PAGE_ROWS = 1_000;

type Position = { readonly block: bigint; readonly index: number };
const BEGINNING: Position = { block: 0n, index: 0 };

export function readLine(row: Result["rows"][number]): LedgerLine {
  return {
    lane: row["lane"] as number,
    block: row["block"] as bigint,
    index: row["index"] as number,
    recordedAtMs: readTimestampMs(row["recorded_at"]),
    debit: row["debit"] as string,
    credit: row["credit"] as string,
    currency: row["currency"] as string,
    minor: row["amount"] as bigint,
    caseId: row["case_id"] as string,
    kind: row["kind"] as string | null,
    posting: row["posting"] as string,
  };
}

/** Lines of a holder's account with its running sums.
 *  @param lane  the holder's home
 *  @param last  only this many, the newest; null for all that are kept
 *  @returns null when nobody has opened the account */
export async function readHolderLines(
  connection: Connection,
  lane: number,
  path: string,
  last: number | null,
): Promise<AsyncGenerator<HolderLine> | null> {
  const account = (await connection.run(sql.showAccounts, [plainArray([lane]), path])).rows[0]?.["account"];
  if (account === undefined) return null;
  const from = last === null ? BEGINNING : await startOf(connection, sql.showHolderLinesStart, [lane, account, last]);
  const { rows } = await connection.run(sql.showHolderOpening, [lane, account, from.block, from.index]);
  const opening = rows[0] as { head: bigint; debits: bigint; credits: bigint };
  const lines = pages(connection, sql.showHolderLines, { lane, accounts: account, from, until: opening.head });
  return withSums(lines, path, opening);
}

async function startOf(connection: Connection, start: Statement, values: readonly unknown[]): Promise<Position> {
  return ((await connection.run(start, values)).rows[0] as Position | undefined) ?? BEGINNING;
}

type Span = { readonly lane: number; readonly accounts: unknown; readonly from: Position; readonly until: bigint };

async function* pages(
  connection: Connection,
  page: Statement,
  { lane, accounts, from, until }: Span,
): AsyncGenerator<LedgerLine> {
  for (let at = from; ; ) {
    const { rows } = await connection.run(page, [lane, accounts, at.block, at.index, until, PAGE_ROWS]);
    for (const row of rows) yield readLine(row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE_ROWS) return;
    at = { block: last["block"] as bigint, index: (last["index"] as number) + 1 };
  }
}

async function* withSums(
  lines: AsyncIterable<LedgerLine>,
  path: string,
  opening: { readonly debits: bigint; readonly credits: bigint },
): AsyncGenerator<HolderLine> {
  let { debits, credits } = opening;
  for await (const line of lines) {
    if (line.debit === path) debits += line.minor;
    if (line.credit === path) credits += line.minor;
    yield { ...line, debits, credits };
  }
}

/** Lines of a house account in all lanes, in the order of time.
 *  @param heads the present cut: the reading ends there
 *  @param last  only this many, the newest; null for all that are kept */
export async function* readHouseLines(
  connection: Connection,
  heads: ReadonlyMap<number, bigint>,
  path: string,
  last: number | null,
): AsyncGenerator<LedgerLine> {
  const { rows } = await connection.run(sql.showAccounts, [plainArray([...heads.keys()]), path]);
  const byLane = new Map<number, bigint[]>();
  for (const row of rows) {
    const lane = row["lane"] as number;
    byLane.set(lane, [...(byLane.get(lane) ?? []), row["account"] as bigint]);
  }
  const sequences: AsyncGenerator<LedgerLine>[] = [];
  for (const [lane, ids] of byLane) {
    const accounts = plainArray(ids);
    const from = last === null ? BEGINNING : await startOf(connection, sql.showHouseLinesStart, [lane, accounts, last]);
    sequences.push(pages(connection, sql.showHouseLines, { lane, accounts, from, until: heads.get(lane) as bigint }));
  }
  const isBefore = (one: LedgerLine, other: LedgerLine): boolean => one.recordedAtMs < other.recordedAtMs;
  yield* lastOf(mergeSorted(sequences, isBefore), last);
}
