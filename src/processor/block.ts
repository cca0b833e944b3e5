// Decides a batch and makes its block: one pass over the inputs in their order, pure but for the clock that was read with
// the lane row. The order within a block is fixed: timers, reports, intents.

import { createHash } from "node:crypto";
import { assert } from "../domain/assert.ts";
import {
  type Account,
  type Books,
  type CaseRecord,
  type IntentInput,
  type Line,
  openBooks,
  type TimerInput,
} from "../domain/books.ts";
import { decideIntent, decideTimer, Undecidable } from "../domain/decide.ts";
import { blockDigest, type Head, type InputPosition, lineText, recordHash } from "../domain/head.ts";
import type { Rules } from "../domain/rules.ts";
import { BLOCK_DIGEST_BYTES, BLOCK_DIGEST_OFFSET, type Codec, MessageBuffer } from "../kafka/codec.ts";
import { DEAD_LETTER_VALUE_BYTES } from "../kafka/codec-messages.ts";
import type { InputRecord } from "../kafka/port.ts";
import type {
  BalanceRow,
  BlockRows,
  CaseRow,
  OutgoingMessages,
  OutgoingTopic,
  QuarantineRow,
  Situation,
} from "../store/blocks.ts";
import type { Misfit } from "./intake.ts";

/** Consecutive inputs of one lane. `nowMs` is null when timers are alone: then the database's clock decides. */
export type Batch = {
  readonly timers: readonly TimerInput[];
  readonly reports: readonly InputRecord[];
  readonly reportsNext: bigint;
  readonly intents: readonly (IntentInput | Misfit)[];
  readonly intentsNext: bigint;
  /** the last record of the intents taken, for the position */
  readonly intentsLast: InputRecord | null;
  readonly nowMs: number | null;
  /** set when this block only takes over a position that an operator accepted after a halt */
  readonly acceptedHalt: bigint | null;
};

/** What the owner of a lane remembers from block to block. */
export type LaneMemory = { readonly head: Head; readonly house: Map<string, bigint> };

export type BlockCounts = { accepted: number; refused: number; repeated: number; quarantined: Map<string, number> };

export type Block = {
  readonly rows: BlockRows;
  /** outgoing values with the block's digest in them, by topic, in order of sequence from `from` */
  readonly messages: OutgoingMessages;
  readonly counts: BlockCounts;
  readonly inputs: number;
  /** house accounts that the lane touched for the first time */
  readonly newHouse: readonly Account[];
};

export type BlockMaker = {
  readonly rules: Rules;
  readonly codec: Codec;
  readonly intentsTopic: string;
  readonly process: bigint;
};

/** @throws Undecidable when a timer or report cannot be decided; the lane must halt */
export function makeBlock(
  maker: BlockMaker,
  lane: number,
  memory: LaneMemory,
  batch: Batch,
  situation: Situation,
): Block {
  const { head } = memory;
  // Never back, and never before a timer that fires: so a timer armed here is due after the position of those fired.
  const nowMs = Math.max(head.nowMs, batch.nowMs ?? situation.lane.clockMs, batch.timers.at(-1)?.timer.dueMs ?? 0);
  const books = openBooks({
    ...{ rules: maker.rules, lane, block: head.block + 1n, nowMs },
    ...{ outcomesNext: head.outcomesNext, accounts: head.accounts, house: memory.house },
    cases: casesOf(maker.rules, situation.cases),
    holderAccounts: accountsOf(maker.rules, situation.balances),
  });
  const counts: BlockCounts = { accepted: 0, refused: 0, repeated: 0, quarantined: new Map() };
  const misfits: Misfit[] = [];
  for (const timer of batch.timers) decideTimer(books, timer);
  for (const report of batch.reports)
    throw new Undecidable(`report at offset ${report.offset} answers no call of any case`);
  for (const input of batch.intents) {
    if (input.kind === "misfit") {
      misfits.push(input);
      counts.quarantined.set(input.reason, (counts.quarantined.get(input.reason) ?? 0) + 1);
    } else {
      counts[decideIntent(books, input)] += 1;
    }
  }
  return assemble(maker, { lane, memory, batch, books, misfits, counts, nowMs });
}

type Decided = {
  readonly lane: number;
  readonly memory: LaneMemory;
  readonly batch: Batch;
  readonly books: Books;
  readonly misfits: readonly Misfit[];
  readonly counts: BlockCounts;
  readonly nowMs: number;
};

function assemble(maker: BlockMaker, decided: Decided): Block {
  const { lane, memory, batch, books, misfits, nowMs } = decided;
  const before = memory.head;
  const messages = encode(maker, decided);
  const linesHash = hashLines(books.lines);
  const messagesHash = hashMessages(messages);
  const after: Omit<Head, "digest"> = {
    ...{ epoch: before.epoch, block: before.block + 1n, nowMs },
    intents: moved(before.intents, batch.intentsNext, batch.intentsLast, batch.acceptedHalt),
    reports: moved(before.reports, batch.reportsNext, batch.reports.at(-1) ?? null, batch.acceptedHalt),
    timer: batch.timers.at(-1)?.timer ?? before.timer,
    ...{ outcomesNext: books.outcomesNext, commandsNext: before.commandsNext },
    ...{ deadLettersNext: before.deadLettersNext + BigInt(misfits.length), accounts: books.accounts },
  };
  const facts = {
    ...{ lane, block: after.block, nowMs, timers: batch.timers.length, lines: books.lines.length },
    ...{ intentsFrom: before.intents.next, intentsNext: after.intents.next, intentsLastHash: after.intents.lastHash },
    ...{ reportsFrom: before.reports.next, reportsNext: after.reports.next, reportsLastHash: after.reports.lastHash },
    ...{ outcomesNext: after.outcomesNext, commandsNext: after.commandsNext, deadLettersNext: after.deadLettersNext },
  };
  const digest = blockDigest(before.digest, facts, linesHash, messagesHash);
  messages.stamp(digest);
  const isNew = (one: Account): boolean => isOpened(one, before.accounts);
  const accounts = [...books.holderAccounts.values(), ...books.houseAccounts.values()].filter((one) =>
    isTouched(one, before.accounts),
  );
  assertBalanced(books.lines, accounts);
  return {
    rows: {
      ...{ lane, process: maker.process, before, after: { ...after, digest }, linesHash, messagesHash },
      ...{ timersFired: batch.timers.length, cases: [...books.cases.values()], lines: books.lines },
      ...{ accounts, opened: new Set(accounts.filter(isNew).map((one) => one.id)) },
      ...netTimers(books),
      ...{
        messages: messages.outgoing,
        quarantine: misfits.map((one) => quarantineRow(one, maker.intentsTopic)),
        halt: batch.acceptedHalt,
      },
    },
    ...{ messages: messages.outgoing, counts: decided.counts },
    inputs: batch.timers.length + batch.reports.length + batch.intents.length,
    newHouse: accounts.filter((one) => one.id < 0n && isNew(one)),
  };
}

function casesOf(rules: Rules, rows: readonly CaseRow[]): Map<string, CaseRecord> {
  const cases = new Map<string, CaseRecord>();
  for (const row of rows) {
    const flow = rules.flowsByNumber.get(row.flow);
    assert(
      flow !== undefined,
      `flow ${row.flow} of case ${row.id} is not known to this process; restart it with the newer release`,
    );
    const { id, kind, holderId, state, data, history, occurredAtMicros } = row;
    cases.set(id, { id, kind, flow, holderId, state, data, history, occurredAtMicros, isNew: false, changed: false });
  }
  return cases;
}

function accountsOf(rules: Rules, rows: readonly BalanceRow[]): Map<string, Account> {
  const accounts = new Map<string, Account>();
  for (const row of rows) {
    const place = rules.chart.resolve(row.path);
    assert(place !== null && place.kind === "holder", `account ${row.path} has left the chart`);
    const { id, path, currency, floorMinor, status, debits, credits } = row;
    const { side, holderId } = place;
    const added = { addedDebits: 0n, addedCredits: 0n, changed: false };
    accounts.set(path, { id, path, currency, holderId, side, floorMinor, status, debits, credits, ...added });
  }
  return accounts;
}

function moved(
  before: InputPosition,
  next: bigint,
  last: InputRecord | null,
  acceptedHalt: bigint | null,
): InputPosition {
  assert(next >= before.next || acceptedHalt !== null, `a position never goes back: ${before.next} to ${next}`);
  if (last === null) {
    // A position that an operator accepted has no record of ours behind it.
    return acceptedHalt === null || next === before.next
      ? { ...before, next }
      : { next, last: -1n, lastAtMs: 0, lastHash: Buffer.alloc(0) };
  }
  return {
    next,
    last: last.offset,
    lastAtMs: last.appendedAtMs,
    lastHash: recordHash(last.offset, last.key, last.value),
  };
}

/** A house account whose only event was refused has no id; a holder's that was only looked at has nothing to write. */
function isTouched(account: Account, accountsBefore: bigint): boolean {
  if (account.id === 0n) return false;
  return (
    account.changed || account.addedDebits !== 0n || account.addedCredits !== 0n || isOpened(account, accountsBefore)
  );
}

function isOpened(account: Account, accountsBefore: bigint): boolean {
  const number = (account.id < 0n ? -account.id : account.id) & ((1n << 40n) - 1n);
  return number > accountsBefore;
}

/** A timer armed and gone within one block never reaches the table. */
function netTimers(books: Books): Pick<BlockRows, "timersArmed" | "timersGone"> {
  const name = (timer: { dueMs: number; caseId: string; name: string }): string =>
    `${timer.dueMs} ${timer.caseId} ${timer.name}`;
  const armed = new Map(books.timersArmed.map((timer) => [name(timer), timer]));
  const gone = books.timersGone.filter((timer) => !armed.delete(name(timer)));
  return { timersArmed: [...armed.values()], timersGone: gone };
}

/** Every currency of a block sums to zero, over the sums that are added to the balances. */
function assertBalanced(lines: readonly Line[], accounts: readonly Account[]): void {
  for (const { debit, credit, minor } of lines) {
    assert(
      minor > 0n && debit.id !== 0n && credit.id !== 0n && debit !== credit,
      "a line moves money between two accounts",
    );
  }
  const sums = new Map<string, bigint>();
  for (const { currency, addedDebits, addedCredits } of accounts) {
    sums.set(currency, (sums.get(currency) ?? 0n) + addedDebits - addedCredits);
  }
  for (const [currency, sum] of sums) assert(sum === 0n, `a block does not balance in ${currency}`);
}

// Messages ----------------------------------------------------------------------------------------------------------------

type Encoded = { readonly outgoing: OutgoingMessages; stamp(digest: Buffer): void };

const scratch = new MessageBuffer(1 << 20);

/** Encodes a block's messages behind each other. The scratch buffer is shared by all lanes: nothing awaits between here
 *  and the copy that the block keeps. */
function encode(maker: BlockMaker, { lane, memory, books, misfits, nowMs }: Decided): Encoded {
  scratch.clear();
  const topics: OutgoingTopic[] = [];
  const sequences: bigint[] = [];
  const keys: string[] = [];
  for (const outcome of books.outcomes) {
    maker.codec.encoders.outcome.encodeInto(scratch, outcome);
    topics.push("outcomes");
    sequences.push(outcome.sequence);
    keys.push(outcome.holderId);
  }
  misfits.forEach((misfit, index) => {
    const sequence = memory.head.deadLettersNext + BigInt(index);
    const row = quarantineRow(misfit, maker.intentsTopic);
    maker.codec.encoders.deadLetter.encodeInto(scratch, {
      ...{
        lane,
        sequence,
        block: books.block,
        reason: row.reason,
        detail: row.detail,
        topic: row.topic,
        partition: lane,
      },
      ...{ offset: row.offset, sha256: row.sha256.toString("hex"), size: row.size, value: row.value },
      ...{ appendedAt: BigInt(misfit.record.appendedAtMs) * 1000n, recordedAt: BigInt(nowMs) * 1000n },
    });
    topics.push("deadLetters");
    sequences.push(sequence);
    keys.push(row.key ?? "");
  });
  const bytes = Buffer.from(scratch.bytes());
  const starts = scratch.ends.map((_end, index) => scratch.start(index));
  const sizes = scratch.ends.map((end, index) => end - (starts[index] as number));
  const stamp = (digest: Buffer): void => {
    for (const start of starts) digest.copy(bytes, start + BLOCK_DIGEST_OFFSET, 0, BLOCK_DIGEST_BYTES);
  };
  return { outgoing: { bytes, topics, sequences, keys, starts, sizes }, stamp };
}

/** SHA-256 over `debit credit currency amount case posting` of every line, in order. */
export function hashLines(lines: readonly Line[]): Buffer {
  let text = "";
  for (const line of lines)
    text += lineText(line.debit.id, line.credit.id, line.currency, line.minor, line.caseId, line.posting);
  return createHash("sha256").update(text).digest();
}

/** SHA-256 over the sizes of all messages and then their bytes, while the digest's own bytes are zero. */
export function hashMessages({ outgoing }: Encoded): Buffer {
  return createHash("sha256")
    .update(`${outgoing.sizes.join(",")}\n`)
    .update(outgoing.bytes)
    .digest();
}

/** @returns the row; its value is at most what a dead letter carries, and nothing for a card number */
function quarantineRow(misfit: Misfit, topic: string): QuarantineRow {
  const { record, reason, detail } = misfit;
  const value = record.value ?? Buffer.alloc(0);
  return {
    ...{ topic, offset: record.offset, reason, detail: detail.replaceAll("\u0000", "\\0") },
    key: record.key === null ? null : printableKey(record.key),
    sha256: createHash("sha256").update(value).digest(),
    size: value.length,
    value: reason === "card_number" || record.value === null ? null : value.subarray(0, DEAD_LETTER_VALUE_BYTES),
  };
}

function printableKey(key: Buffer): string {
  const text = key.subarray(0, 64).toString("utf8");
  return /^[\x20-\x7e]+$/.test(text) ? text : `0x${key.subarray(0, 64).toString("hex")}`;
}
