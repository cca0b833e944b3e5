// Reads what a batch concerns and writes what its block makes: each a flight of prepared statements whose number does
// not grow with the batch. Every statement carries the lane, no statement touches another lane's rows.

import { failed } from "../domain/assert.ts";
import type { Account, CaseRecord, Line, TimerKey } from "../domain/books.ts";
import type { Head } from "../domain/head.ts";
import type { Concerned, Sought } from "../domain/seeking.ts";
import { reach } from "../failpoints.ts";
import {
  byteaArray,
  int2Array,
  int4Array,
  int8Array,
  jsonArray,
  numericArray,
  textArray,
  timestampArray,
  uuidArray,
} from "./arrays.ts";
import { type StoredData, writeData } from "./case-data.ts";
import { type ArrivedMessage, askUnsent, type Unsent, unsentOf } from "./crossing.ts";
import { type Connection, ConnectionLost, type Result, type Step } from "./database.ts";
import { readTimestampMs, timestamp } from "./literals.ts";
import { begin, commit } from "./sql/begin.ts";
import { lockLane } from "./sql/lock-lane.ts";
import { readBalances } from "./sql/read-balances.ts";
import { readCases } from "./sql/read-cases.ts";
import { type OptionalPart, writeBlockWith } from "./sql/write-block.ts";

export const TOPIC_NUMBERS = { outcomes: 0, commands: 1, deadLetters: 2 } as const;
/** Messages to other lanes; the only topic whose sequences count per receiving lane. */
export const CROSSING_TOPIC_NUMBER = 3;
export type OutgoingTopic = keyof typeof TOPIC_NUMBERS;

export type LockedLane = {
  readonly epoch: bigint;
  readonly block: bigint;
  readonly digest: Buffer;
  readonly clockMs: number;
};

/** A case as read; its flow is still a number. */
export type CaseRow = Omit<CaseRecord, "flow" | "data" | "isNew" | "changed"> & {
  readonly flow: number;
  /** `readData` makes of it what a block may change */
  readonly data: StoredData | null;
};
export type BalanceRow = Pick<Account, "id" | "path" | "currency" | "floorMinor" | "status" | "debits" | "credits">;

export type Situation = {
  readonly lane: LockedLane;
  readonly cases: readonly CaseRow[];
  readonly balances: readonly BalanceRow[];
  /** what was asked for; left out where everything there is was given */
  readonly sought?: Sought;
  /** of the messages asked for, those that their senders have not sent */
  readonly unsent?: Unsent;
};

/** Begins the block's dbTransaction, locks the lane row and reads what the batch concerns, in one round trip; in a second one
 *  only where a message was not sent as it arrived.
 *  @param messages of other lanes that are new, to be found in their senders' outboxes
 *  @throws ConnectionLost | DatabaseError */
export async function beginBlock(
  connection: Connection,
  lane: number,
  { caseIds, paths }: Concerned,
  messages: readonly ArrivedMessage[] = [],
): Promise<Situation | null> {
  const steps: Step[] = [
    { statement: begin, values: [] },
    { statement: lockLane, values: [lane] },
  ];
  const ask = (step: Step): number => steps.push(step) - 1;
  const casesAt =
    caseIds.length > 0 ? ask({ statement: readCases, values: [lane, uuidArray(caseIds), ...bounds(caseIds)] }) : null;
  const balancesAt = paths.length > 0 ? ask({ statement: readBalances, values: [lane, textArray(paths)] }) : null;
  const unsent = askUnsent(lane, messages);
  const unsentAt = unsent === null ? null : ask(unsent.step);
  const results = await connection.flight(steps);
  const locked = results[1]?.rows[0];
  if (locked === undefined) return null;
  const rowsOf = (at: number | null) => (at === null ? [] : (results[at] as Result).rows);
  return {
    lane: {
      epoch: locked["epoch"] as bigint,
      block: locked["block"] as bigint,
      digest: locked["digest"] as Buffer,
      clockMs: readTimestampMs(locked["clock_at"]),
    },
    cases: rowsOf(casesAt).map(readCase),
    balances: rowsOf(balancesAt).map(readBalance),
    unsent: await unsentOf(connection, lane, messages, unsent, rowsOf(unsentAt)),
  };
}

/** Further cases and holders' accounts, in the same dbTransaction and in one round trip. */
export async function readMore(
  connection: Connection,
  lane: number,
  { caseIds, paths }: Concerned,
): Promise<Pick<Situation, "cases" | "balances">> {
  const [cases, balances] = await Promise.all([
    caseIds.length === 0 ? null : connection.run(readCases, [lane, uuidArray(caseIds), ...bounds(caseIds)]),
    paths.length === 0 ? null : connection.run(readBalances, [lane, textArray(paths)]),
  ]);
  return { cases: cases?.rows.map(readCase) ?? [], balances: balances?.rows.map(readBalance) ?? [] };
}

function bounds(ids: readonly string[]): [string, string] {
  let low = ids[0] as string;
  let high = low;
  for (const id of ids) {
    if (id < low) low = id;
    if (id > high) high = id;
  }
  return [low, high];
}

function readCase(row: Record<string, unknown>): CaseRow {
  return {
    id: (row["case_id"] as string).replaceAll("-", ""),
    kind: row["kind"] as string,
    flow: row["flow"] as number,
    holderId: row["holder_id"] as string,
    state: row["state"] as string,
    data: row["data"] as StoredData | null,
    history: row["history"] as string,
    occurredAtMicros: BigInt(readTimestampMs(row["occurred_at"])) * 1000n,
  };
}

function readBalance(row: Record<string, unknown>): BalanceRow {
  return {
    id: row["account"] as bigint,
    path: row["path"] as string,
    currency: row["currency"] as string,
    floorMinor: row["floor_minor"] as bigint | null,
    status: row["status"] as Account["status"],
    debits: row["debits"] as bigint,
    credits: row["credits"] as bigint,
  };
}

export type QuarantineRow = {
  readonly topic: string;
  readonly offset: bigint;
  readonly reason: string;
  readonly detail: string;
  readonly key: string | null;
  readonly sha256: Buffer;
  readonly size: number;
  readonly value: Buffer | null;
};

/** The block's outgoing messages: one buffer, cut by position; per topic in order of sequence. */
export type OutgoingMessages = {
  readonly bytes: Buffer;
  readonly topics: readonly OutgoingTopic[];
  readonly sequences: readonly bigint[];
  readonly keys: readonly string[];
  /** positions in `bytes`, counted from 0 */
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  /** to other lanes, by lane and sequence; in the same buffer, behind the others */
  readonly crossing: CrossingMessages;
};

export type CrossingMessages = {
  readonly toLanes: readonly number[];
  readonly sequences: readonly bigint[];
  readonly keys: readonly string[];
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
};

export const NO_CROSSING_MESSAGES: CrossingMessages = { toLanes: [], sequences: [], keys: [], starts: [], sizes: [] };

/** The pairs that a block moves: by lane, the next sequence to it and the last one taken from it. */
export type CrossingRows = {
  readonly sent: readonly (readonly [number, bigint])[];
  readonly seen: readonly (readonly [number, bigint])[];
};

/** Ids of cases that have come to wait for a person, and of those that wait for one no more. */
export type AttentionRows = { readonly begun: readonly string[]; readonly over: readonly string[] };

export type BlockRows = {
  readonly lane: number;
  readonly process: bigint;
  readonly before: Head;
  readonly after: Head;
  readonly linesHash: Buffer;
  readonly messagesHash: Buffer;
  /** versions that it decided by */
  readonly ratesVersion: bigint;
  readonly parametersVersion: bigint;
  /** how far it has moved the position of timers: those count too that an earlier one of the block has cancelled */
  readonly timersFired: number;
  readonly cases: readonly CaseRecord[];
  readonly accounts: readonly Account[];
  /** ids of accounts that this block opened */
  readonly opened: ReadonlySet<bigint>;
  readonly lines: readonly Line[];
  readonly timersArmed: readonly TimerKey[];
  readonly timersGone: readonly TimerKey[];
  readonly attention: AttentionRows;
  readonly messages: OutgoingMessages;
  /** null when nothing crossed */
  readonly crossing: CrossingRows | null;
  readonly quarantine: readonly QuarantineRow[];
  readonly halt: bigint | null;
};

/** Writes a block, head last, and commits it, in one flight.
 *  @returns what COMMIT was answered with: a failed dbTransaction answers it with ROLLBACK and no error
 *  @throws ConnectionLost (then the outcome is unknown) | DatabaseError; MR001 when the head was not ours to move, MR002
 *          when rows are not those that were read */
export function writeBlock(connection: Connection, rows: BlockRows): Promise<string> {
  const { statement, parameters } = writeBlockWith(partsOf(rows));
  const values = inOrder(parameters, [
    headColumns(rows),
    caseColumns(rows),
    accountColumns(rows),
    lineColumns(rows),
    timerColumns(rows),
    attentionColumns(rows),
    messageColumns(rows),
    quarantineColumns(rows),
    crossingColumns(rows),
  ]);
  const warningsBefore = connection.warnings;
  const answering = connection.answers([
    { statement, values },
    { statement: commit, values: [] },
  ]);
  reach("block.sent");
  return judgeAnswers(connection, warningsBefore, answering);
}

async function judgeAnswers(
  connection: Connection,
  warningsBefore: number,
  answering: Promise<PromiseSettledResult<Result>[]>,
): Promise<string> {
  const [written, done] = (await answering) as [PromiseSettledResult<Result>, PromiseSettledResult<Result>];
  if (written.status === "rejected") throw written.reason;
  // An error at COMMIT proves nothing, and a warning says that it is on this server's disk alone (a cancelled synchronous
  // wait): either way only the lane's row tells, asked on another connection.
  if (done.status === "rejected" || connection.warnings > warningsBefore) {
    connection.destroy();
    throw new ConnectionLost("COMMIT was answered with an error or a warning", {
      cause: done.status === "rejected" ? done.reason : undefined,
    });
  }
  return done.value.command;
}

type Columns = Readonly<Record<string, unknown>>;

/** In which group of columns each parameter is; learnt once, because every block has the same groups. */
const groupOf = new Map<string, number>();

/** The parameters' values in their order. Spread into one object first, seventy keys cost more than the decision on ten
 *  intents. */
function inOrder(parameters: readonly string[], groups: readonly Columns[]): unknown[] {
  return parameters.map((name) => {
    let group = groupOf.get(name);
    if (group === undefined) {
      group = groups.findIndex((columns) => Object.hasOwn(columns, name));
      if (group === -1) failed(`${name} of a block is not given`);
      groupOf.set(name, group);
    }
    return (groups[group] as Columns)[name];
  });
}

function partsOf({
  cases,
  accounts,
  opened,
  timersArmed,
  timersGone,
  attention,
  quarantine,
  crossing,
}: BlockRows): OptionalPart[] {
  const parts: OptionalPart[] = [];
  if (movedCases(cases).length > 0) parts.push("movedCases");
  if (opened.size > 0) parts.push("openedAccounts");
  if (accounts.length > opened.size) parts.push("movedAccounts");
  if (timersArmed.length > 0) parts.push("armed");
  if (timersGone.length > 0) parts.push("gone");
  if (attention.begun.length + attention.over.length > 0) parts.push("attention");
  if (quarantine.length > 0) parts.push("putAside");
  if (crossing !== null) parts.push("crossing");
  return parts;
}

function caseColumns({ cases }: BlockRows) {
  const fresh = cases.filter((one) => one.isNew);
  const moved = movedCases(cases);
  const decidedBy = new Set(cases.filter((one) => one.changed).map((one) => one.flow.number));
  return {
    newCaseIds: uuidArray(fresh.map((one) => one.id)),
    newKinds: textArray(fresh.map((one) => one.kind)),
    newFlows: int2Array(fresh.map((one) => one.flow.number)),
    flows: int2Array([...decidedBy].sort((a, b) => a - b)),
    newHolders: textArray(fresh.map((one) => one.holderId)),
    newStates: textArray(fresh.map((one) => one.state)),
    newData: jsonArray(fresh.map((one) => writeData(one.data))),
    newHistories: textArray(fresh.map((one) => one.history)),
    newOccurredAt: timestampArray(fresh.map((one) => one.occurredAtMicros)),
    caseIds: uuidArray(moved.map((one) => one.id)),
    states: textArray(moved.map((one) => one.state)),
    data: jsonArray(moved.map((one) => writeData(one.data))),
    histories: textArray(moved.map((one) => one.history)),
  };
}

function movedCases(cases: readonly CaseRecord[]): CaseRecord[] {
  return cases.filter((one) => !one.isNew && one.changed);
}

function accountColumns({ accounts, opened }: BlockRows) {
  const fresh = accounts.filter((one) => opened.has(one.id));
  const known = accounts.filter((one) => !opened.has(one.id));
  return {
    newAccounts: int8Array(fresh.map((one) => one.id)),
    newPaths: textArray(fresh.map((one) => one.path)),
    newCurrencies: textArray(fresh.map((one) => one.currency)),
    newFloors: numericArray(fresh.map((one) => one.floorMinor)),
    newStatuses: textArray(fresh.map((one) => one.status)),
    newDebits: numericArray(fresh.map((one) => one.addedDebits)),
    newCredits: numericArray(fresh.map((one) => one.addedCredits)),
    // Floor and status go along whether they changed or not: a second update of the same row in the same statement, for
    // those that did, would silently lose one of the two.
    accounts: int8Array(known.map((one) => one.id)),
    debits: numericArray(known.map((one) => one.addedDebits)),
    credits: numericArray(known.map((one) => one.addedCredits)),
    floors: numericArray(known.map((one) => one.floorMinor)),
    statuses: textArray(known.map((one) => one.status)),
  };
}

function lineColumns({ lines }: BlockRows) {
  return {
    lineDebits: int8Array(lines.map((line) => line.debit.id)),
    lineCredits: int8Array(lines.map((line) => line.credit.id)),
    lineAmounts: numericArray(lines.map((line) => line.minor)),
    lineCases: uuidArray(lines.map((line) => line.caseId)),
    lineCurrencies: textArray(lines.map((line) => line.currency)),
    linePostings: textArray(lines.map((line) => line.posting)),
    lineCount: lines.length,
  };
}

function timerColumns({ timersArmed, timersGone, timersFired }: BlockRows) {
  const times = (timers: readonly TimerKey[]): Buffer =>
    timestampArray(timers.map(({ dueMs }) => BigInt(dueMs) * 1000n));
  return {
    armedAt: times(timersArmed),
    armedCases: uuidArray(timersArmed.map((timer) => timer.caseId)),
    armedNames: textArray(timersArmed.map((timer) => timer.name)),
    goneAt: times(timersGone),
    goneCases: uuidArray(timersGone.map((timer) => timer.caseId)),
    goneNames: textArray(timersGone.map((timer) => timer.name)),
    timers: timersFired,
  };
}

function attentionColumns({ attention }: BlockRows) {
  return { attentionBegun: uuidArray(attention.begun), attentionOver: uuidArray(attention.over) };
}

function messageColumns({ messages }: BlockRows) {
  return {
    messages: messages.bytes,
    messageTopics: int2Array(messages.topics.map((topic) => TOPIC_NUMBERS[topic])),
    messageSequences: int8Array(messages.sequences),
    messageKeys: textArray(messages.keys),
    messageStarts: int4Array(messages.starts.map((start) => start + 1)), // SQL counts bytes from 1
    messageSizes: int4Array(messages.sizes),
  };
}

function quarantineColumns({ quarantine }: BlockRows) {
  return {
    asideTopics: textArray(quarantine.map((row) => row.topic)),
    asideOffsets: int8Array(quarantine.map((row) => row.offset)),
    asideReasons: textArray(quarantine.map((row) => row.reason)),
    asideDetails: textArray(quarantine.map((row) => row.detail)),
    asideKeys: textArray(quarantine.map((row) => row.key)),
    asideHashes: byteaArray(quarantine.map((row) => row.sha256)),
    asideSizes: int4Array(quarantine.map((row) => row.size)),
    asideValues: byteaArray(quarantine.map((row) => row.value)),
  };
}

function crossingColumns({ messages, crossing }: BlockRows) {
  const { sent, seen } = crossing ?? NOTHING_CROSSED;
  return {
    crossingTo: int2Array(messages.crossing.toLanes),
    crossingSequences: int8Array(messages.crossing.sequences),
    crossingKeys: textArray(messages.crossing.keys),
    crossingStarts: int4Array(messages.crossing.starts.map((start) => start + 1)),
    crossingSizes: int4Array(messages.crossing.sizes),
    sentTo: int4Array(sent.map(([lane]) => lane)),
    sentNext: int8Array(sent.map(([, next]) => next)),
    seenFrom: int4Array(seen.map(([lane]) => lane)),
    seenSequences: int8Array(seen.map(([, sequence]) => sequence)),
  };
}

const NOTHING_CROSSED: CrossingRows = { sent: [], seen: [] };

function headColumns(rows: BlockRows) {
  const { lane, process, before, after, linesHash, messagesHash, halt, ratesVersion, parametersVersion } = rows;
  const expected = [
    movedCases(rows.cases).length,
    rows.accounts.length - rows.opened.size,
    rows.timersGone.length,
    ...(rows.crossing === null ? [] : [rows.crossing.sent.length, rows.crossing.seen.length]),
  ];
  return {
    lane,
    process,
    linesHash,
    messagesHash,
    halt,
    ratesVersion,
    parametersVersion,
    block: after.block,
    nowAt: timestamp(after.nowMs),
    epoch: after.epoch,
    previousDigest: before.digest,
    digest: after.digest,
    intentsFrom: before.intents.next,
    intentsNext: after.intents.next,
    intentsLast: after.intents.last,
    intentsLastAt: timestamp(after.intents.lastAtMs),
    intentsLastHash: after.intents.lastHash,
    reportsFrom: before.reports.next,
    reportsNext: after.reports.next,
    reportsLast: after.reports.last,
    reportsLastAt: timestamp(after.reports.lastAtMs),
    reportsLastHash: after.reports.lastHash,
    timerDueAt: timestamp(after.timer.dueMs),
    timerCase: after.timer.caseId,
    timerName: after.timer.name,
    outcomesFrom: before.outcomesNext,
    outcomesNext: after.outcomesNext,
    commandsFrom: before.commandsNext,
    commandsNext: after.commandsNext,
    deadLettersFrom: before.deadLettersNext,
    deadLettersNext: after.deadLettersNext,
    accountCount: after.accounts,
    expected: int8Array(expected.map(BigInt)),
  };
}
