// millrace rates list and refused: what is known of exchange rates, and what was not believed.

import { type LifeSpan, type RateRow, spanAt } from "../domain/fx/rates.ts";
import type { Connection } from "../store/database.ts";
import { newestRatesVersion, rateBookAt, readRefusedRates } from "../store/rates.ts";
import type { CliContext } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import type { Column } from "./output.ts";
import { isoTime, position, printable, printRows, type Row, readLimit } from "./rows.ts";
import { usageCheck } from "./usage.ts";

const REFUSED_MAX = 50;

const COLUMNS: readonly Column[] = [
  { key: "pair", title: "Pair" },
  { key: "feed", title: "Feed" },
  { key: "mid", title: "Mid", align: "right" },
  { key: "asOf", title: "As of" },
  { key: "quality", title: "Quality" },
  { key: "extraBps", title: "Extra bps", align: "right" },
  { key: "usableUntil", title: "Usable until" },
  { key: "version", title: "Version", align: "right" },
];

/** @param wanted a version; -1 for the newest
 *  @throws CommandFailed 1 when there is no such version yet */
export async function ratesVersion(connection: Connection, wanted: number): Promise<bigint> {
  const newest = await newestRatesVersion(connection);
  if (BigInt(wanted) > newest)
    throw new CommandFailed(EXIT.failed, `there is no version ${wanted} of rates yet; the newest is ${newest}`);
  return wanted === -1 ? newest : BigInt(wanted);
}

export async function listRates(context: CliContext, { atVersion }: { atVersion?: string }): Promise<void> {
  const usage = usageCheck();
  const wanted = usage.wholeNumber("--at-version", atVersion, { default: -1, min: 0, max: 999_999_999_999_999 });
  const config = await context.config([], usage);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  await withDatabase({ config, databaseUrl, verb: "rates", mode: "read" }, async (connection) => {
    const book = await rateBookAt(connection, await ratesVersion(connection, wanted));
    const rows = [...book.rows()].sort((one, other) => one.priority - other.priority || byPair(one, other));
    const count = await printRows(context.out, COLUMNS, rowsOf(rows, Date.now()));
    context.out.note(count === 0 ? "no rate was taken in yet" : `version ${book.version} of rates`);
  });
}

function byPair(one: RateRow, other: RateRow): number {
  const [left, right] = [`${one.base}/${one.quote}`, `${other.base}/${other.quote}`];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** What a rate is at a moment, in a word. */
export function qualityAt({ mid, life }: RateRow, nowMs: number): LifeSpan["quality"] | "dead" | "withdrawn" {
  return mid === "" ? "withdrawn" : (spanAt(life, nowMs)?.quality ?? "dead");
}

async function* rowsOf(rows: readonly RateRow[], nowMs: number): AsyncGenerator<Row> {
  for (const row of rows) {
    const span = spanAt(row.life, nowMs);
    const usableUntilMs = row.life.findLast(({ quality }) => quality !== "stale")?.untilMs ?? null;
    const shown = {
      feed: row.feed,
      mid: row.mid === "" ? null : row.mid,
      asOf: isoTime(row.asOfMs),
      quality: qualityAt(row, nowMs),
      extraBps: span === null ? null : Number(span.extraBps),
      usableUntil: usableUntilMs === null ? null : isoTime(usableUntilMs),
      version: position(row.version),
    };
    const { base, quote, bid, ask, seq } = row;
    const prices = { bid: bid === "" ? null : bid, ask: ask === "" ? null : ask };
    yield {
      fields: { base, quote, ...shown, ...prices, seq, life: row.life },
      cells: { pair: `${base}/${quote}`, ...shown },
    };
  }
}

const REFUSED_COLUMNS: readonly Column[] = [
  { key: "receivedAt", title: "Received" },
  { key: "feed", title: "Feed" },
  { key: "pair", title: "Pair" },
  { key: "seq", title: "Seq", align: "right" },
  { key: "mid", title: "Mid", align: "right" },
  { key: "reason", title: "Reason" },
  { key: "detail", title: "Detail" },
];

export async function listRefused(context: CliContext, options: { limit?: string }): Promise<void> {
  const usage = usageCheck();
  const limit = readLimit(usage, options.limit) ?? REFUSED_MAX;
  const config = await context.config([], usage);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  await withDatabase({ config, databaseUrl, verb: "rates", mode: "read" }, async (connection) => {
    const found = await readRefusedRates(connection, limit + 1);
    const ticks = found.slice(0, limit);
    const rows = async function* (): AsyncGenerator<Row> {
      for (const { receivedAtMs, asOfMs, accepted, offset, ...tick } of ticks) {
        const receivedAt = isoTime(receivedAtMs);
        const acceptedVersion = accepted === undefined ? null : position(accepted.version);
        const reason = acceptedVersion === null ? tick.reason : `${tick.reason}, accepted as ${acceptedVersion}`;
        yield {
          fields: { ...tick, asOf: isoTime(asOfMs), receivedAt, offset: position(offset), acceptedVersion },
          cells: {
            receivedAt,
            feed: printable(tick.feed),
            pair: printable(`${tick.base}/${tick.quote}`),
            seq: tick.seq,
            mid: printable(tick.mid),
            reason,
            detail: printable(tick.detail),
          },
        };
      }
    };
    const count = await printRows(context.out, REFUSED_COLUMNS, rows());
    if (count === 0) context.out.note("no tick was put aside");
    if (found.length > limit)
      context.out.note(`there are more: these are the newest ${limit}; --limit N shows N of them`);
  });
}
