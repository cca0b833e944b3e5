// One of two ledgers that are compared, read up to its ends. Rows of both are brought into forms that are equal when the
// ledgers are: numbers of blocks, digests, account numbers and times of recording hang on where blocks end, and are left
// out or put as what they stand for.

import { AssertionFailed } from "../../domain/assert.ts";
import { type HistoryEntry, parseHistory } from "../../domain/history.ts";
import { type Codec, type Decoder, Undecodable } from "../../kafka/codec.ts";
import {
  type BalanceRow,
  casePages,
  linePages,
  type MessageRow,
  messagePages,
  quarantinePages,
  readBalances,
} from "../../store/audit.ts";
import type { OutgoingTopic } from "../../store/blocks.ts";
import type { Connection } from "../../store/database.ts";
import { type Stream, tableStream } from "../audit/stream.ts";
import { ReplayRefused } from "../replay/span.ts";
import type { LaneEnd } from "./cut.ts";

/** `fields` are compared one by one in their order; `place` says where this side has it. */
export type Item = {
  /** what the item is called in both ledgers: a sequence, a case id, an account */
  readonly key: string;
  readonly place: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

export type Side = {
  readonly connection: Connection;
  readonly decoders: Pick<Codec["decoders"], "outcome" | "deadLetter">;
  /** `name@version` by number */
  readonly flows: ReadonlyMap<number, string>;
  readonly intentsTopic: string;
  /** what an offset of this side's topic is in the other one's */
  readonly offsetOf: (lane: number, offset: bigint) => bigint;
};

const PAGE_ROWS = 2_000;

export type Items = AsyncGenerator<Item, void>;

async function* rowsOf<Row>(stream: Stream<Row>): AsyncGenerator<Row, void> {
  for (let page = await stream.takePage(); page !== null; page = await stream.takePage()) yield* page;
}

/** Outcomes in the order of the lane. */
export async function* outcomes(side: Side, end: LaneEnd): Items {
  for await (const row of messages(side, end, "outcomes")) {
    const place = `sequence ${row.sequence}, block ${row.block}`;
    const message = await decoded(side.decoders.outcome, row.value);
    if (typeof message === "string") {
      yield unreadable(row, place, message);
      continue;
    }
    const { blockDigest: _digest, block: _block, recordedAt: _at, ...rest } = message;
    const outcomeId = inputNamed(side, end.lane, rest.outcomeId);
    yield { key: String(row.sequence), place, fields: { key: row.key, ...rest, outcomeId } };
  }
}

/** Dead letters in the order of the lane. */
export async function* deadLetters(side: Side, end: LaneEnd): Items {
  for await (const row of messages(side, end, "deadLetters")) {
    const place = `dead letter ${row.sequence}, block ${row.block}`;
    const message = await decoded(side.decoders.deadLetter, row.value);
    if (typeof message === "string") {
      yield unreadable(row, place, message);
      continue;
    }
    const { blockDigest: _digest, block: _block, recordedAt: _at, topic: _topic, ...rest } = message;
    const offset = side.offsetOf(end.lane, rest.offset);
    yield { key: String(row.sequence), place, fields: { key: row.key, ...rest, offset } };
  }
}

/** @returns a sentence when it cannot be read: that is a difference like any other */
async function decoded<Message>(decoder: Decoder<Message>, value: Buffer): Promise<Message | string> {
  try {
    return await decoder.read(value);
  } catch (error) {
    if (error instanceof Undecodable) return error.detail;
    throw error;
  }
}

function unreadable({ sequence, value }: MessageRow, place: string, why: string): Item {
  return { key: String(sequence), place, fields: { unreadable: why, value } };
}

async function* messages(
  { connection }: Side,
  { lane, outcomesNext, deadLettersNext }: LaneEnd,
  topic: OutgoingTopic,
): AsyncGenerator<MessageRow, void> {
  const span = { from: 0n, next: topic === "outcomes" ? outcomesNext : deadLettersNext };
  let isFirst = true;
  for await (const row of rowsOf(tableStream(messagePages(connection, lane, topic, span, PAGE_ROWS)))) {
    if (isFirst && row.sequence > 0n) {
      throw new ReplayRefused(
        `the outbox of lane ${lane} begins at sequence ${row.sequence} of ${topic}: what came before was let go, and only a whole ledger can be compared`,
      );
    }
    isFirst = false;
    yield row;
  }
}

/** `i-0-17-1`: the answer to the intent at offset 17 of lane 0, its second outcome. */
function inputNamed(side: Side, lane: number, outcomeId: string): string {
  return outcomeId.replace(/^i-\d+-(\d+)/, (_, offset: string) => `i-${lane}-${side.offsetOf(lane, BigInt(offset))}`);
}

/** What was put aside, by offset. */
export async function* quarantine(side: Side, { lane, block }: LaneEnd): Items {
  const pages = quarantinePages(side.connection, lane, side.intentsTopic, { after: 0n, until: block }, PAGE_ROWS);
  for await (const row of rowsOf(tableStream(pages))) {
    const offset = side.offsetOf(lane, row.offset);
    const { reason, detail, key, sha256, size, value } = row;
    const place = `quarantine ${lane}:${row.offset}, block ${row.block}`;
    yield { key: String(offset), place, fields: { offset, reason, detail, key, sha256, size, value } };
  }
}

/** Cases with what they remember up to the end, by id. */
export async function* cases(side: Side, { lane, block: until }: LaneEnd): Items {
  for await (const row of rowsOf(tableStream(casePages(side.connection, lane, PAGE_ROWS)))) {
    const whole = historyOf(row.history);
    if (whole === null) {
      yield { key: row.caseId, place: `case ${row.caseId}`, fields: { history: row.history } };
      continue;
    }
    const entries = whole.filter(({ block }) => block <= until);
    if (entries.length === 0) continue;
    // A case that went on behind the end was, at the end, where its last event until then had left it.
    const state = entries.length === whole.length ? row.state : entries.at(-1)?.state;
    const history = entries.map(({ block: _block, offset, source, ...entry }) => ({
      ...entry,
      source,
      offset: source === "i" ? side.offsetOf(lane, offset) : offset,
    }));
    const { kind, holderId, occurredAtMicros } = row;
    const flow = side.flows.get(row.flow) ?? `flow ${row.flow}`;
    const place = `case ${row.caseId}, block ${entries.at(-1)?.block}`;
    yield { key: row.caseId, place, fields: { kind, flow, holderId, occurredAtMicros, state, history } };
  }
}

/** @returns null when it is not of its form: that is a difference like any other */
function historyOf(text: string): HistoryEntry[] | null {
  try {
    return parseHistory(text);
  } catch (error) {
    if (error instanceof AssertionFailed || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Path and currency of accounts by their number in this ledger. */
export type Accounts = ReadonlyMap<bigint, string>;

/** Lines in the order of the lane, and so those of each case in theirs. */
export async function* lines(side: Side, { lane, block: until }: LaneEnd, accounts: Accounts): Items {
  let count = 0;
  for await (const row of rowsOf(tableStream(linePages(side.connection, lane, { from: null, until }, PAGE_ROWS)))) {
    const { caseId, posting, currency, amount } = row;
    const named = (account: bigint): string => accounts.get(account) ?? `account ${account}, which has no balance`;
    const fields = { caseId, posting, debit: named(row.debit), credit: named(row.credit), currency, amount };
    yield { key: String(count++), place: `block ${row.block}, line ${row.index}`, fields };
  }
}

export type Balances = {
  readonly accounts: Accounts;
  /** by path and currency, sorted */
  readonly items: readonly Item[];
  /** the ledger had gone on when balances were read: floors and states of accounts are those of later */
  readonly isLater: boolean;
};

/** Balances as of the end: those of now, less the lines that came behind it. */
export async function readBalancesAt(side: Side, { lane, block }: LaneEnd): Promise<Balances> {
  const rows: BalanceRow[] = [];
  const standing = await readBalances(side.connection, lane, (row) => rows.push(row));
  const later = new Map<bigint, { debits: bigint; credits: bigint }>();
  const span = { from: block + 1n, until: standing.block };
  if (standing.block > block) {
    for await (const { debit, credit, amount } of rowsOf(
      tableStream(linePages(side.connection, lane, span, PAGE_ROWS)),
    )) {
      add(later, debit, amount, 0n);
      add(later, credit, 0n, amount);
    }
  }
  const accounts = new Map(rows.map(({ account, path, currency }) => [account, `${path} ${currency}`]));
  const items = rows.flatMap((row) => (row.openedBlock > block ? [] : [balanceItem(row, later.get(row.account))]));
  items.sort((one, other) => (one.key < other.key ? -1 : 1));
  return { accounts, items, isLater: standing.block > block };
}

function add(sums: Map<bigint, { debits: bigint; credits: bigint }>, account: bigint, debits: bigint, credits: bigint) {
  const sum = sums.get(account) ?? { debits: 0n, credits: 0n };
  sums.set(account, { debits: sum.debits + debits, credits: sum.credits + credits });
}

function balanceItem(row: BalanceRow, later = { debits: 0n, credits: 0n }): Item {
  const { path, currency, floorMinor, status } = row;
  const debits = row.debits - later.debits;
  const credits = row.credits - later.credits;
  return {
    key: `${path} ${currency}`,
    place: `account ${row.account}`,
    fields: { debits, credits, floorMinor, status },
  };
}
