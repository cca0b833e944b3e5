// A batch of ticks becomes a version of rates, in one dbTransaction, or nothing of it does. Several processes may do this
// at once: one at a time holds the lock, and what another has taken is known by its number.

import type { Currencies } from "../domain/currencies.ts";
import type { RateFeeds } from "../domain/fx/feeds.ts";
import type { RateRow, RateSnapshot } from "../domain/fx/rates.ts";
import type { Connection } from "../store/database.ts";
import { followRates, type RateWriter, type RefusedRate, rateBookAt, writingRates } from "../store/rates.ts";
import { type Judgement, judgeTick, type RefusedTick, rowOf, type Tick } from "./judge.ts";

/** A record of the topic: a tick, or why it is none. */
export type TakenTick =
  | { readonly kind: "tick"; readonly offset: bigint; readonly tick: Tick }
  | { readonly kind: "undecodable"; readonly offset: bigint; readonly receivedAtMs: number; readonly detail: string };

export type TickBatch = {
  readonly topic: string;
  readonly ticks: readonly TakenTick[];
  readonly nextOffset: bigint;
};

export type TickRules = { readonly feeds: RateFeeds; readonly currencies: Currencies };

export type Taken = {
  /** null: no rate was believed, so there is no new version */
  readonly version: bigint | null;
  readonly book: RateSnapshot;
  readonly believed: number;
  readonly dropped: number;
  readonly refused: readonly { readonly feed: string; readonly reason: RefusedTick; readonly detail: string }[];
};

/** @param book what the caller knows; brought up to date under the lock
 *  @throws ConnectionLost | DatabaseError: nothing was written, or all of it was; the batch may be taken again */
export async function takeTicks(
  connection: Connection,
  rules: TickRules,
  batch: TickBatch,
  book: RateSnapshot,
): Promise<Taken> {
  return writingRates(connection, async (writer) => {
    const before = await followRates(connection, book);
    const judged = await judgeAll(writer, rules, batch.ticks, before);
    if (judged.refused.length > 0) await writer.refuse(judged.refused);
    const version = judged.rows.length === 0 ? null : await writer.write(judged.rows);
    await writer.position(batch.topic, batch.nextOffset);
    const after =
      version === null
        ? before
        : before.with(
            version,
            judged.rows.map((row) => ({ ...row, version })),
          );
    return {
      version,
      book: after,
      believed: judged.rows.length,
      dropped: judged.dropped,
      refused: judged.refused.map(({ feed, reason, detail }) => ({ feed, reason: reason as RefusedTick, detail })),
    };
  });
}

type Judged = { rows: Omit<RateRow, "version">[]; refused: RefusedRate[]; dropped: number };

/** Exported for tests. */
export async function judgeAll(
  writer: Pick<RateWriter, "highestSeq">,
  rules: TickRules,
  ticks: readonly TakenTick[],
  before: RateSnapshot,
): Promise<Judged> {
  const judged: Judged = { rows: [], refused: [], dropped: 0 };
  const highest = new Map<string, bigint>();
  let book = before;
  for (const taken of ticks) {
    if (taken.kind === "undecodable") {
      const { offset, receivedAtMs, detail } = taken;
      const why = { reason: "undecodable", detail };
      judged.refused.push(refusedRow({ ...NO_TICK, asOfMs: receivedAtMs, receivedAtMs }, offset, why));
      continue;
    }
    const { tick, offset } = taken;
    const highestSeq = highest.get(tick.feed) ?? (await highestSeqOf(writer, rules, tick.feed));
    const judgement = judgeTick({ ...rules, book, highestSeq }, tick);
    highest.set(tick.feed, raises(judgement) && tick.seq > highestSeq ? tick.seq : highestSeq);
    if (judgement.kind === "dropped") judged.dropped += 1;
    else if (judgement.kind === "refused") judged.refused.push(refusedRow(tick, offset, judgement));
    else {
      // What was believed a moment ago measures the next: the version is given in the end, once for all of them.
      judged.rows = [...judged.rows.filter((row) => !isSamePair(row, tick)), judgement.row];
      book = book.with(book.version, [{ ...judgement.row, version: book.version }]);
    }
  }
  return judged;
}

/** The name of a feed that nobody declared is any text at all, and not for the database. */
async function highestSeqOf(
  writer: Pick<RateWriter, "highestSeq">,
  { feeds }: TickRules,
  feed: string,
): Promise<bigint> {
  return feeds.feeds.has(feed) ? await writer.highestSeq(feed) : -1n;
}

/** The number of a tick that nobody may believe counts for nothing: one wrong number, however high, would have every later
 *  tick of its feed dropped. A jump may yet be accepted, and what comes behind it is newer. */
function raises(judgement: Judgement): boolean {
  return judgement.kind === "believed" || (judgement.kind === "refused" && judgement.reason === "jump");
}

/** A version has one row a pair: of several ticks in one batch the last one that was believed. */
function isSamePair(row: Omit<RateRow, "version">, tick: Tick): boolean {
  return row.feed === tick.feed && row.base === tick.base && row.quote === tick.quote;
}

const NO_TICK = { feed: "", seq: 0n, base: "", quote: "", bid: "", mid: "", ask: "" } as const;

/** Three names are in the key of a row, and one of a btree has at most 2704 bytes. */
const NAME_CHARS_MAX = 200;

/** Texts are as received but for what Postgres takes in none, a NUL, and in no key, a long name: with one of these in it the
 *  batch could never be written. */
function refusedRow(tick: Tick, offset: bigint, why: { reason: string; detail: string }): RefusedRate {
  const { feed, base, quote, seq, bid, mid, ask, asOfMs, receivedAtMs } = tick;
  return {
    feed: printable(feed).slice(0, NAME_CHARS_MAX),
    base: printable(base).slice(0, NAME_CHARS_MAX),
    quote: printable(quote).slice(0, NAME_CHARS_MAX),
    seq,
    bid: printable(bid ?? ""),
    mid: printable(mid ?? ""),
    ask: printable(ask ?? ""),
    reason: why.reason,
    detail: printable(why.detail),
    asOfMs,
    receivedAtMs,
    offset,
  };
}

const printable = (text: string): string => text.replaceAll("\u0000", "\\0");

/** Why an operator cannot accept a refused tick. */
export class NotAcceptable extends Error {
  override name = "NotAcceptable";
}

/** Believes a tick that was put aside, because a person has looked at it.
 *  @returns the version that it became
 *  @throws NotAcceptable when its prices are none, its pair has a newer rate, or it was accepted before */
export async function acceptTick(
  connection: Connection,
  rules: TickRules,
  refused: RefusedRate,
  reason: string,
): Promise<bigint> {
  return writingRates(connection, async (writer) => {
    const book = await rateBookAt(connection);
    const feed = rules.feeds.feeds.get(refused.feed);
    const { feed: name, base, quote, seq } = refused;
    if (refused.accepted !== undefined) throw new NotAcceptable(`it became version ${refused.accepted.version}`);
    if (refused.reason !== "jump" || feed === undefined)
      throw new NotAcceptable(
        `it was put aside as ${refused.reason}: only a jump can be accepted, the rest has no usable price`,
      );
    const newer = book.row(name, base, quote);
    if (newer !== null && newer.seq > seq)
      throw new NotAcceptable(`the feed's number ${newer.seq} came later and is believed`);
    const version = await writer.write([rowOf(rules.feeds, feed, refused)]);
    await writer.accepted(refused, version, reason);
    return version;
  });
}
