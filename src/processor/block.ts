// Decides a batch and makes its block: one pass over the inputs in their order, pure but for the clock that was read with
// the lane row. The order within a block is fixed: timers, reports, intents, and then what these sent within the lane.

import { createHash } from "node:crypto";
import { assert } from "../domain/assert.ts";
import {
  type Account,
  type Books,
  type IntentInput,
  type Line,
  type Missing,
  openBooks,
  type ReportInput,
  type TimerInput,
  type TimerKey,
} from "../domain/books.ts";
import { decideIntent, decideReport, decideTimer, Undecidable } from "../domain/decide/decide.ts";
import type { RateBook } from "../domain/fx/rates.ts";
import { type BlockFacts, blockDigest, type Head, type InputPosition, lineText, recordHash } from "../domain/head.ts";
import type { ParameterBook } from "../domain/parameters/parameters.ts";
import type { Rules } from "../domain/rules.ts";
import type { Codec } from "../kafka/codec.ts";
import type { InputRecord } from "../kafka/port.ts";
import type { AttentionRows, BlockRows, CaseRow, OutgoingMessages, Situation } from "../store/blocks.ts";
import type { ArrivedMessage } from "../store/crossing.ts";
import type { AcceptedPosition } from "../store/lanes.ts";
import { accountsIn, casesOf } from "../store/situation.ts";
import { Crossing, type LanePairs } from "./crossing.ts";
import type { Misfit } from "./intake.ts";
import { encodeMessages, hashMessages, quarantineRow } from "./messages.ts";

/** Consecutive inputs of one lane. `nowMs` is null when timers are alone: then the database's clock decides. */
export type Batch = {
  readonly timers: readonly TimerInput[];
  readonly reports: readonly ReportInput[];
  readonly reportsNext: bigint;
  /** the last record of the reports taken */
  readonly reportsLast: InputRecord | null;
  /** the messages of other lanes among the reports, as they lie in the topic */
  readonly messages: readonly ArrivedMessage[];
  readonly intents: readonly (IntentInput | Misfit)[];
  readonly intentsNext: bigint;
  /** the last record of the intents taken, for the position */
  readonly intentsLast: InputRecord | null;
  readonly nowMs: number | null;
  /** set when this block only takes over a position that an operator accepted after a halt */
  readonly accepted: AcceptedPosition | null;
};

/** What the owner of a lane remembers from block to block. */
export type LaneMemory = { readonly head: Head; readonly house: Map<string, bigint>; readonly pairs: LanePairs };

export type BlockCounts = {
  accepted: number;
  refused: number;
  repeated: number;
  quarantined: Map<string, number>;
  /** one for each `ops.attention` */
  attention: readonly Attention[];
};

/** A person is called. `waits`: the case is then in a state that is left by a decision, and so is listed. */
export type Attention = { readonly flow: string; readonly code: string; readonly waits: boolean };

/** Stands for every code that a flow takes from an event: what providers say makes no labels. */
export const CODE_OF_AN_EVENT = "other";

/** Cases and accounts that the block turned out to need and that were not read: read them, and make it again. */
export class NotRead extends Error {
  override name = "NotRead";
  readonly missing: Missing;

  constructor(missing: Missing) {
    super(`a block needs ${missing.caseIds.size} cases and ${missing.paths.size} accounts that were not read`);
    this.missing = missing;
  }
}

export type Block = {
  readonly rows: BlockRows;
  /** outgoing values with the block's digest in them, by topic, in order of sequence from `from` */
  readonly messages: OutgoingMessages;
  readonly counts: BlockCounts;
  readonly inputs: number;
  /** house accounts that the lane touched for the first time */
  readonly newHouse: readonly Account[];
  /** as the lane remembers them once the block is committed */
  readonly pairs: LanePairs;
};

export type BlockMaker = {
  readonly rules: Rules;
  readonly codec: Codec;
  readonly intentsTopic: string;
  readonly process: bigint;
  /** the newest that this process knows; neither changes while a block is decided, and the block records both versions */
  readonly rates: () => RateBook;
  readonly parameters: () => ParameterBook;
};

/** @throws NotRead when it has to be made again with more; Undecidable when a timer or report cannot be decided, and
 *          ImpossibleMessage when one of another lane cannot be taken: then the lane must halt */
export function makeBlock(
  maker: BlockMaker,
  lane: number,
  memory: LaneMemory,
  batch: Batch,
  situation: Situation,
): Block {
  const { head } = memory;
  const versions = { rates: maker.rates(), parameters: maker.parameters() };
  // Never back, and never before a timer that fires: so a timer armed here is due after the position of those fired.
  const nowMs = Math.max(head.nowMs, batch.nowMs ?? situation.lane.clockMs, batch.timers.at(-1)?.timer.dueMs ?? 0);
  const books = openBooks({
    rules: maker.rules,
    ...versions,
    lane,
    block: head.block + 1n,
    nowMs,
    outcomesNext: head.outcomesNext,
    commandsNext: head.commandsNext,
    accounts: head.accounts,
    house: memory.house,
    cases: casesOf(maker.rules, situation.cases),
    holderAccounts: new Map(),
    readAccount: accountsIn(maker.rules, situation.balances),
    ...(situation.sought === undefined ? {} : { sought: situation.sought }),
  });
  const crossing = new Crossing(memory.pairs, situation.unsent);
  const { counts, misfits } = decideBatch(books, crossing, batch);
  const attention = netAttention(books, situation.cases);
  return assemble(maker, { lane, memory, batch, books, crossing, misfits, counts, nowMs, attention });
}

/** @throws as makeBlock */
function decideBatch(books: Books, crossing: Crossing, batch: Batch): Pick<Decided, "counts" | "misfits"> {
  const counts: BlockCounts = { accepted: 0, refused: 0, repeated: 0, quarantined: new Map(), attention: [] };
  const misfits: Misfit[] = [];
  try {
    for (const timer of batch.timers) decideTimer(books, timer);
    for (const input of batch.reports) {
      const { from } = input.report;
      if (from === null || crossing.isNew(from, input.offset)) decideReport(books, input);
    }
    for (const input of batch.intents) {
      if (input.kind === "misfit") {
        misfits.push(input);
        counts.quarantined.set(input.reason, (counts.quarantined.get(input.reason) ?? 0) + 1);
      } else {
        counts[decideIntent(books, input)] += 1;
      }
    }
    crossing.settle(books);
  } catch (error) {
    // A case that was not looked for seems not to be there; whether it is comes to light the next time.
    if (!(error instanceof Undecidable) || !isWanting(books)) throw error;
  }
  if (isWanting(books)) throw new NotRead(books.missing);
  return { counts: { ...counts, attention: calledFor(books) }, misfits };
}

function isWanting({ missing }: Books): boolean {
  return missing.caseIds.size + missing.paths.size > 0;
}

type Decided = {
  readonly lane: number;
  readonly memory: LaneMemory;
  readonly batch: Batch;
  readonly books: Books;
  readonly crossing: Crossing;
  readonly misfits: readonly Misfit[];
  readonly counts: BlockCounts;
  readonly nowMs: number;
  readonly attention: AttentionRows;
};

function assemble(maker: BlockMaker, decided: Decided): Block {
  const { lane, memory, batch, books, crossing, misfits } = decided;
  const before = memory.head;
  const messages = encodeMessages({
    codec: maker.codec,
    intentsTopic: maker.intentsTopic,
    books,
    deadLettersNext: before.deadLettersNext,
    misfits,
    crossing: crossing.outgoing,
  });
  const linesHash = hashLines(books.lines);
  const messagesHash = hashMessages(messages);
  const undigested = nextHead(decided);
  const facts = factsOf(decided, undigested);
  const after: Head = { ...undigested, digest: blockDigest(before.digest, facts, linesHash, messagesHash) };
  messages.stamp(after.digest);
  const isNew = (one: Account): boolean => isOpened(one, before.accounts);
  const accounts = [...books.holderAccounts.values(), ...books.houseAccounts.values()].filter((one) =>
    isTouched(one, before.accounts),
  );
  assertBalanced(books.lines, accounts);
  const rows: BlockRows = {
    lane,
    process: maker.process,
    before,
    after,
    linesHash,
    messagesHash,
    ratesVersion: facts.ratesVersion,
    parametersVersion: facts.parametersVersion,
    timersFired: batch.timers.length,
    cases: [...books.cases.values()],
    accounts,
    opened: new Set(accounts.filter(isNew).map((one) => one.id)),
    lines: books.lines,
    ...netTimers(books),
    attention: decided.attention,
    messages: messages.outgoing,
    crossing: crossing.isEmpty ? null : { sent: [...crossing.sent], seen: [...crossing.seen] },
    quarantine: misfits.map((one) => quarantineRow(one, maker.intentsTopic)),
    halt: batch.accepted?.halt ?? null,
  };
  return {
    rows,
    messages: messages.outgoing,
    counts: decided.counts,
    inputs: batch.timers.length + batch.reports.length + batch.intents.length,
    newHouse: accounts.filter((one) => one.id < 0n && isNew(one)),
    pairs: crossing.after(),
  };
}

function nextHead({ memory, batch, books, misfits, nowMs }: Decided): Omit<Head, "digest"> {
  const { head } = memory;
  return {
    epoch: head.epoch,
    block: head.block + 1n,
    nowMs,
    intents: moved(head.intents, batch.intentsNext, batch.intentsLast, batch.accepted?.intentsAt ?? null),
    reports: moved(head.reports, batch.reportsNext, batch.reportsLast, batch.accepted?.reportsAt ?? null),
    timer: batch.timers.at(-1)?.timer ?? head.timer,
    outcomesNext: books.outcomesNext,
    commandsNext: books.commandsNext,
    deadLettersNext: head.deadLettersNext + BigInt(misfits.length),
    accounts: books.accounts,
  };
}

function factsOf({ lane, memory, batch, books, nowMs }: Decided, after: Omit<Head, "digest">): BlockFacts {
  const before = memory.head;
  return {
    lane,
    block: after.block,
    nowMs,
    intentsFrom: before.intents.next,
    intentsNext: after.intents.next,
    intentsLastHash: after.intents.lastHash,
    reportsFrom: before.reports.next,
    reportsNext: after.reports.next,
    reportsLastHash: after.reports.lastHash,
    timers: batch.timers.length,
    lines: books.lines.length,
    outcomesNext: after.outcomesNext,
    commandsNext: after.commandsNext,
    deadLettersNext: after.deadLettersNext,
    ratesVersion: books.rates.version,
    parametersVersion: BigInt(books.parameters.version),
  };
}

function moved(
  before: InputPosition,
  next: bigint,
  last: InputRecord | null,
  acceptedAt: bigint | null,
): InputPosition {
  assert(next >= before.next || acceptedAt !== null, `a position never goes back: ${before.next} to ${next}`);
  if (last === null) {
    // A position that an operator accepted has no record of ours behind it, be it the one where the lane stood: what was
    // accepted then is the log, and the record that is not ours must not halt the next takeover.
    return acceptedAt === null ? { ...before, next } : { next, last: -1n, lastAtMs: 0, lastHash: Buffer.alloc(0) };
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

/** A timer armed and gone within one block never reaches the table. One that is left and entered again within a block may be
 *  armed twice for the same moment and gone once: it waits. */
function netTimers(books: Books): Pick<BlockRows, "timersArmed" | "timersGone"> {
  const nets = new Map<string, { timer: TimerKey; net: number }>();
  const add = (timer: TimerKey, more: number): void => {
    const name = `${timer.dueMs} ${timer.caseId} ${timer.name}`;
    nets.set(name, { timer, net: (nets.get(name)?.net ?? 0) + more });
  };
  for (const timer of books.timersArmed) add(timer, 1);
  for (const timer of books.timersGone) add(timer, -1);
  const those = (net: number): TimerKey[] => [...nets.values()].flatMap((one) => (one.net === net ? [one.timer] : []));
  return { timersArmed: those(1), timersGone: those(-1) };
}

function calledFor({ outcomes, rules }: Books): Attention[] {
  const calls: Attention[] = [];
  for (const { type, reason, status, flow: ref } of outcomes) {
    if (type !== "ops.attention") continue;
    const flow = [...rules.flowsByNumber.values()].find((one) => one.ref === ref);
    assert(flow !== undefined && reason !== null, `${type} has a reason and comes of a flow, not of ${ref}`);
    const code = flow.attention.has(reason.code) ? reason.code : CODE_OF_AN_EVENT;
    calls.push({ flow: flow.name, code, waits: flow.human.has(status) });
  }
  return calls;
}

/** @param read the cases as they were before the block */
function netAttention(books: Books, read: readonly CaseRow[]): AttentionRows {
  const waited = new Set<string>();
  for (const { id, flow, state } of read)
    if (books.rules.flowsByNumber.get(flow)?.human.has(state) === true) waited.add(id);
  const begun: string[] = [];
  const over: string[] = [];
  for (const { id, flow, state } of books.cases.values()) {
    const waits = flow.human.has(state);
    if (waits === waited.has(id)) continue;
    (waits ? begun : over).push(id);
  }
  return { begun, over };
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

/** SHA-256 over `debit credit currency amount case posting` of every line, in order. */
function hashLines(lines: readonly Line[]): Buffer {
  let text = "";
  for (const line of lines)
    text += lineText(line.debit.id, line.credit.id, line.currency, line.minor, line.caseId, line.posting);
  return createHash("sha256").update(text).digest();
}
