// Versions of rates: read by whoever decides or audits, written by whoever judges ticks, one writer at a time.

import { type LifeSpan, type RateQuality, type RateRow, RateSnapshot } from "../domain/fx/rates.ts";
import { jsonArray, textArray } from "./arrays.ts";
import type { Connection } from "./database.ts";
import { plainArray, readTimestampMs, timestamp } from "./literals.ts";
import { begin, commit, rollback } from "./sql/begin.ts";
import * as sql from "./sql/rates.ts";

/** A tick that was not believed, and why. Prices are as received: they may be no numbers at all. */
export type RefusedRate = {
  readonly feed: string;
  readonly seq: bigint;
  readonly base: string;
  readonly quote: string;
  readonly reason: string;
  readonly detail: string;
  readonly bid: string;
  readonly mid: string;
  readonly ask: string;
  readonly asOfMs: number;
  readonly receivedAtMs: number;
  readonly offset: bigint;
  /** the version that it became when an operator accepted it */
  readonly accepted?: { readonly version: bigint; readonly reason: string };
};

/** The book as of a version; the newest one when none is named. */
export async function rateBookAt(connection: Connection, version: bigint | null = null): Promise<RateSnapshot> {
  const at = version ?? (await newestRatesVersion(connection));
  const { rows } = await connection.run(sql.readRatesAt, [at]);
  return RateSnapshot.EMPTY.with(at, rows.map(readRow));
}

/** The book with everything that came after it; the same one when nothing did. */
export async function followRates(connection: Connection, book: RateSnapshot): Promise<RateSnapshot> {
  const { rows } = await connection.run(sql.readRatesSince, [book.version]);
  const last = rows.at(-1);
  return last === undefined ? book : book.with(last["version"] as bigint, rows.map(readRow));
}

export async function newestRatesVersion(connection: Connection): Promise<bigint> {
  return (await connection.run(sql.newestRates, [])).rows[0]?.["version"] as bigint;
}

/** The version that was the newest when it was `atMs`. */
export async function ratesVersionAt(connection: Connection, atMs: number): Promise<bigint> {
  return (await connection.run(sql.ratesVersionAt, [timestamp(atMs)])).rows[0]?.["version"] as bigint;
}

/** What only the holder of the lock may do, within its dbTransaction. */
export type RateWriter = {
  /** the highest number of a feed that was believed, or refused as a jump; -1n: none yet */
  readonly highestSeq: (feed: string) => Promise<bigint>;
  /** writes rows as the next version
   *  @returns its number */
  readonly write: (rows: readonly Omit<RateRow, "version">[]) => Promise<bigint>;
  readonly refuse: (ticks: readonly RefusedRate[]) => Promise<void>;
  readonly accepted: (tick: RefusedRate, version: bigint, reason: string) => Promise<void>;
  readonly position: (topic: string, next: bigint) => Promise<void>;
};

/** Runs `work` in one dbTransaction, alone among all that write rates. */
export async function writingRates<T>(connection: Connection, work: (writer: RateWriter) => Promise<T>): Promise<T> {
  await connection.flight([
    { statement: begin, values: [] },
    { statement: sql.lockRates, values: [] },
  ]);
  try {
    const result = await work(writerOn(connection));
    // A COMMIT of a failed dbTransaction is answered, without any error, with ROLLBACK.
    const { command } = await connection.run(commit, []);
    if (command !== "COMMIT") throw new Error(`COMMIT of rates was answered with ${command}`);
    return result;
  } catch (error) {
    if (!connection.broken) await connection.run(rollback, []).catch(() => connection.destroy());
    throw error;
  }
}

function writerOn(connection: Connection): RateWriter {
  return {
    highestSeq: async (feed) => (await connection.run(sql.highestSeq, [feed])).rows[0]?.["seq"] as bigint,
    write: async (rows) => {
      const version = (await newestRatesVersion(connection)) + 1n;
      await connection.run(sql.insertRates, columnsOf(version, rows));
      await connection.run(sql.insertRatePairs, [
        textArray(rows.map(({ feed }) => feed)),
        textArray(rows.map(({ base }) => base)),
        textArray(rows.map(({ quote }) => quote)),
      ]);
      return version;
    },
    refuse: async (ticks) => {
      await connection.run(sql.insertRefusedRates, refusedColumns(ticks));
    },
    accepted: async ({ feed, seq, base, quote, offset }, version, reason) => {
      await connection.run(sql.acceptRefusedRate, [feed, seq, base, quote, offset, version, reason]);
    },
    position: async (topic, next) => {
      await connection.run(sql.writeRatePosition, [topic, next]);
    },
  };
}

export async function readRatePosition(connection: Connection, topic: string): Promise<bigint> {
  const row = (await connection.run(sql.readRatePosition, [topic])).rows[0];
  return (row?.["next_offset"] as bigint | undefined) ?? 0n;
}

/** The newest refused ticks, newest first. */
export async function readRefusedRates(connection: Connection, limit: number): Promise<RefusedRate[]> {
  return (await connection.run(sql.readRefusedRates, [limit])).rows.map(readRefused);
}

export async function findRefusedRate(
  connection: Connection,
  { feed, seq, base, quote }: Pick<RefusedRate, "feed" | "seq" | "base" | "quote">,
): Promise<RefusedRate | null> {
  const row = (await connection.run(sql.readRefusedRate, [feed, seq, base, quote])).rows[0];
  return row === undefined ? null : readRefused(row);
}

function columnsOf(version: bigint, rows: readonly Omit<RateRow, "version">[]): unknown[] {
  const price = (text: string): string => (text === "" ? "null" : text);
  const times = (all: readonly number[]): string => plainArray(all.map((ms) => `"${timestamp(ms)}"`));
  return [
    plainArray(rows.map(() => version)),
    textArray(rows.map(({ feed }) => feed)),
    textArray(rows.map(({ base }) => base)),
    textArray(rows.map(({ quote }) => quote)),
    plainArray(rows.map(({ seq }) => seq)),
    plainArray(rows.map(({ bid }) => price(bid))),
    plainArray(rows.map(({ mid }) => price(mid))),
    plainArray(rows.map(({ ask }) => price(ask))),
    times(rows.map(({ asOfMs }) => asOfMs)),
    times(rows.map(({ receivedAtMs }) => receivedAtMs)),
    plainArray(rows.map(({ priority }) => priority)),
    textArray(rows.map(({ pivot }) => pivot)),
    jsonArray(rows.map(({ life }) => JSON.stringify(life.map(writeSpan)))),
  ];
}

function refusedColumns(ticks: readonly RefusedRate[]): unknown[] {
  const texts = (pick: (tick: RefusedRate) => string): Buffer => textArray(ticks.map(pick));
  const times = (pick: (tick: RefusedRate) => number): string =>
    plainArray(ticks.map((tick) => `"${timestamp(pick(tick))}"`));
  return [
    texts(({ feed }) => feed),
    plainArray(ticks.map(({ seq }) => seq)),
    texts(({ base }) => base),
    texts(({ quote }) => quote),
    texts(({ reason }) => reason),
    texts(({ detail }) => detail),
    texts(({ bid }) => bid),
    texts(({ mid }) => mid),
    texts(({ ask }) => ask),
    times(({ asOfMs }) => asOfMs),
    times(({ receivedAtMs }) => receivedAtMs),
    plainArray(ticks.map(({ offset }) => offset)),
  ];
}

type StoredSpan = readonly [untilMs: number, quality: RateQuality, extraBps: number, lockMaxMs: number | null];

function writeSpan({ untilMs, quality, extraBps, lockMaxMs }: LifeSpan): StoredSpan {
  return [untilMs, quality, Number(extraBps), lockMaxMs];
}

function readSpan([untilMs, quality, extraBps, lockMaxMs]: StoredSpan): LifeSpan {
  return { untilMs, quality, extraBps: BigInt(extraBps), lockMaxMs };
}

function readRow(row: Record<string, unknown>): RateRow {
  return {
    version: row["version"] as bigint,
    feed: row["feed"] as string,
    priority: row["priority"] as number,
    pivot: row["pivot"] as string,
    base: row["base"] as string,
    quote: row["quote"] as string,
    bid: (row["bid"] as string | null) ?? "",
    mid: (row["mid"] as string | null) ?? "",
    ask: (row["ask"] as string | null) ?? "",
    seq: row["seq"] as bigint,
    asOfMs: readTimestampMs(row["as_of"]),
    receivedAtMs: readTimestampMs(row["received_at"]),
    life: (row["life"] as StoredSpan[]).map(readSpan),
  };
}

function readRefused(row: Record<string, unknown>): RefusedRate {
  const text = (name: string): string => row[name] as string;
  const version = row["accepted_version"] as bigint | null;
  return {
    feed: text("feed"),
    seq: row["seq"] as bigint,
    base: text("base"),
    quote: text("quote"),
    reason: text("reason"),
    detail: text("detail"),
    bid: text("bid"),
    mid: text("mid"),
    ask: text("ask"),
    asOfMs: readTimestampMs(row["as_of"]),
    receivedAtMs: readTimestampMs(row["received_at"]),
    offset: row["record_offset"] as bigint,
    ...(version === null ? {} : { accepted: { version, reason: text("accepted_reason") } }),
  };
}
