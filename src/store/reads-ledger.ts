// The ledger as it is read: cuts, balances as of a cut, trial balance. Everything here only reads.

import type { Cut } from "../domain/cut.ts";
import { textArray } from "./arrays.ts";
import type { Connection } from "./database.ts";
import { plainArray, readTimestampMs, timestamp } from "./literals.ts";
import { showHolderBalance, showHolderBalances, showHouseBalances } from "./sql/show-balances.ts";
import { showCut, showCutAt, showCutSpan } from "./sql/show-cut.ts";
import { showTrialBalance } from "./sql/show-trial-balance.ts";

/** Sums of an account's lines, in minor units. */
export type BalanceSums = {
  readonly path: string;
  readonly currency: string;
  readonly debits: bigint;
  readonly credits: bigint;
};

/** A cut with, per lane, the time from which on lines behind it lie (a timestamptz literal). */
export type CutSpan = readonly { readonly lane: number; readonly block: bigint; readonly laterFrom: string }[];

/** The cut cannot be read: it names blocks that do not exist, or that are archived. `message` is for people. */
export class CutUnreadable extends Error {
  override name = "CutUnreadable";
}

/** @returns the heads of all lanes, and the latest `now` among them; empty before `migrate` */
export async function readPresentCut(connection: Connection): Promise<{ cut: Cut; nowMs: number }> {
  const { rows } = await connection.run(showCut, []);
  const cut = new Map(rows.map((row) => [row["lane"] as number, row["block"] as bigint]));
  return { cut, nowMs: rows.reduce((latest, row) => Math.max(latest, readTimestampMs(row["now_at"])), 0) };
}

/** The blocks recorded up to a time.
 *  @throws CutUnreadable when blocks of that time are detached */
export async function readCutAt(connection: Connection, atMs: number): Promise<Cut> {
  const { rows } = await connection.run(showCutAt, [timestamp(atMs)]);
  const gone = rows.find((row) => row["kept"] === false);
  if (gone !== undefined) {
    throw new CutUnreadable(`blocks of lane ${gone["lane"]} from before ${timestamp(atMs)} are archived`);
  }
  return new Map(rows.map((row) => [row["lane"] as number, row["block"] as bigint]));
}

/** @throws CutUnreadable when the cut leaves a lane out, is ahead of a lane, or lies before archived blocks */
export async function readCutSpan(connection: Connection, cut: Cut): Promise<CutSpan> {
  const { cut: present } = await readPresentCut(connection);
  const unknown = [...cut.keys()].filter((lane) => !present.has(lane));
  const missing = [...present.keys()].filter((lane) => !cut.has(lane));
  if (unknown.length > 0) throw new CutUnreadable(`there is no lane ${unknown.join(", ")}; there are ${present.size}`);
  if (missing.length > 0) throw new CutUnreadable(`the cut does not say where lane ${missing.join(", ")} stands`);
  const { rows } = await connection.run(showCutSpan, [plainArray([...cut.keys()]), plainArray([...cut.values()])]);
  return rows.map((row) => {
    const lane = row["lane"] as number;
    const block = cut.get(lane) as bigint;
    if (block > (row["head"] as bigint)) {
      throw new CutUnreadable(`lane ${lane} has ${row["head"]} blocks; the cut names ${block}`);
    }
    const laterFrom = row["later_from"] as string | null;
    if (laterFrom === null) throw new CutUnreadable(`blocks of lane ${lane} behind ${block} are archived`);
    return { lane, block, laterFrom };
  });
}

function cutColumns(span: CutSpan): [string, string, string] {
  return [
    plainArray(span.map(({ lane }) => lane)),
    plainArray(span.map(({ block }) => block)),
    plainArray(span.map(({ laterFrom }) => `"${laterFrom}"`)),
  ];
}

/** House accounts as of a cut, summed over lanes.
 *  @param which one path, or all that begin with a prefix */
export async function readHouseBalances(
  connection: Connection,
  span: CutSpan,
  which: { readonly path: string } | { readonly prefix: string },
): Promise<BalanceSums[]> {
  const path = "path" in which ? which.path : null;
  const prefix = "prefix" in which ? which.prefix : "";
  const { rows } = await connection.run(showHouseBalances, [...cutColumns(span), path, prefix]);
  return rows as unknown as BalanceSums[];
}

/** A holder's account as of a cut; null when it was not open then.
 *  @param lane the holder's home */
export async function readHolderBalance(
  connection: Connection,
  span: CutSpan,
  lane: number,
  path: string,
): Promise<BalanceSums | null> {
  const at = span.find((one) => one.lane === lane);
  if (at === undefined) return null;
  const { rows } = await connection.run(showHolderBalance, [lane, path, at.block, at.laterFrom]);
  return (rows[0] as BalanceSums | undefined) ?? null;
}

/** Holders' accounts as of a cut, in the order of their paths, a page at a time: there may be millions. */
export async function* readHolderBalances(
  connection: Connection,
  span: CutSpan,
  prefix: string,
  pageRows: number,
): AsyncGenerator<BalanceSums> {
  for (let path = "", currency = ""; ; ) {
    const values = [...cutColumns(span), prefix, path, currency, pageRows];
    const page = (await connection.run(showHolderBalances, values)).rows as unknown as BalanceSums[];
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageRows) return;
    ({ path, currency } = last);
  }
}

export type TrialBalanceRow = BalanceSums & { readonly accounts: bigint };

/** Every balance of one moment, summed by house path or holders' template, and currency.
 *  @param templates paths with `{holder}` */
export async function readTrialBalance(
  connection: Connection,
  templates: readonly string[],
): Promise<TrialBalanceRow[]> {
  const parts = templates.map((template) => template.split("{holder}"));
  const values = [textArray(parts.map(([lead = ""]) => lead)), textArray(parts.map(([, tail = ""]) => tail))];
  return (await connection.run(showTrialBalance, values)).rows as unknown as TrialBalanceRow[];
}
