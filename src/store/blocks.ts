// Reads what a batch concerns and writes what its block makes: each a flight of prepared statements whose number does
// not grow with the batch. Every statement carries the lane, no statement touches another lane's rows.

import type { Account, CaseData, CaseRecord, Line, TimerKey } from "../domain/books.ts";
import type { Head, InputPosition } from "../domain/head.ts";
import type { Connection, Result, Step } from "./database.ts";
import { byteaArray, plainArray, readTimestampMs, textArray, timestamp, timestampMicros } from "./literals.ts";
import { addBalances } from "./sql/add-balances.ts";
import { begin } from "./sql/begin.ts";
import { changeAccounts } from "./sql/change-accounts.ts";
import { deleteTimers } from "./sql/delete-timers.ts";
import { insertBalances } from "./sql/insert-balances.ts";
import { insertBlock } from "./sql/insert-block.ts";
import { insertCases } from "./sql/insert-cases.ts";
import { insertLines } from "./sql/insert-lines.ts";
import { insertOutbox } from "./sql/insert-outbox.ts";
import { insertQuarantine } from "./sql/insert-quarantine.ts";
import { insertTimers } from "./sql/insert-timers.ts";
import { lockLane } from "./sql/lock-lane.ts";
import { moveHead } from "./sql/move-head.ts";
import { readBalances } from "./sql/read-balances.ts";
import { readCases } from "./sql/read-cases.ts";
import { updateCases } from "./sql/update-cases.ts";

export const TOPIC_NUMBERS = { outcomes: 0, commands: 1, deadLetters: 2 } as const;
export type OutgoingTopic = keyof typeof TOPIC_NUMBERS;

export type LockedLane = {
  readonly epoch: bigint;
  readonly block: bigint;
  readonly digest: Buffer;
  readonly clockMs: number;
};

/** A case as read; its flow is still a number. */
export type CaseRow = Omit<CaseRecord, "flow" | "isNew" | "changed"> & { readonly flow: number };
export type BalanceRow = Pick<Account, "id" | "path" | "currency" | "floorMinor" | "status" | "debits" | "credits">;

export type Concerned = { readonly caseIds: readonly string[]; readonly paths: readonly string[] };
export type Situation = {
  readonly lane: LockedLane;
  readonly cases: readonly CaseRow[];
  readonly balances: readonly BalanceRow[];
};

/** Begins the block's dbTransaction, locks the lane row and reads what the batch concerns, in one round trip.
 *  @throws ConnectionLost | DatabaseError */
export async function beginBlock(
  connection: Connection,
  lane: number,
  concerned: Concerned,
): Promise<Situation | null> {
  const steps: Step[] = [
    { statement: begin, values: [] },
    { statement: lockLane, values: [lane] },
  ];
  const { caseIds, paths } = concerned;
  if (caseIds.length > 0) {
    const [low, high] = bounds(caseIds);
    steps.push({ statement: readCases, values: [lane, plainArray(caseIds), low, high] });
  }
  if (paths.length > 0) steps.push({ statement: readBalances, values: [lane, textArray(paths)] });
  const results = await connection.flight(steps);
  const locked = results[1]?.rows[0];
  if (locked === undefined) return null;
  const at = caseIds.length > 0 ? 3 : 2;
  return {
    lane: {
      epoch: locked["epoch"] as bigint,
      block: locked["block"] as bigint,
      digest: locked["digest"] as Buffer,
      clockMs: readTimestampMs(locked["clock_at"]),
    },
    cases: caseIds.length > 0 ? (results[2] as Result).rows.map(readCase) : [],
    balances: paths.length > 0 ? (results[at] as Result).rows.map(readBalance) : [],
  };
}

/** Further holders' accounts, in the same dbTransaction. */
export async function readMoreBalances(
  connection: Connection,
  lane: number,
  paths: readonly string[],
): Promise<BalanceRow[]> {
  if (paths.length === 0) return [];
  return (await connection.run(readBalances, [lane, textArray(paths)])).rows.map(readBalance);
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
    data: readData(row["data"] as StoredData | null),
    history: row["history"] as string,
    occurredAtMicros: BigInt(readTimestampMs(row["occurred_at"])) * 1000n,
  };
}

type StoredData = { c?: Record<string, string>; v?: Record<string, string>; t?: Record<string, number> };

function readData(stored: StoredData | null): CaseData {
  const values = Object.entries(stored?.v ?? {}).map(([name, digits]) => [name, BigInt(digits)] as const);
  return { currencies: stored?.c ?? {}, values: Object.fromEntries(values), timers: stored?.t ?? {} };
}

/** `{"c":{"S":"EUR"},"v":{"amount":"1000"},"t":{"expiry":1763690000000}}`; null when there is nothing to keep. */
function writeData(data: CaseData): string | null {
  const stored: StoredData = {};
  const values = Object.entries(data.values);
  if (Object.keys(data.currencies).length > 0) stored.c = data.currencies;
  if (values.length > 0) stored.v = Object.fromEntries(values.map(([name, value]) => [name, value.toString()]));
  if (Object.keys(data.timers).length > 0) stored.t = data.timers;
  return Object.keys(stored).length === 0 ? null : JSON.stringify(stored);
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
};

export type BlockRows = {
  readonly lane: number;
  readonly process: bigint;
  readonly before: Head;
  readonly after: Head;
  readonly linesHash: Buffer;
  readonly messagesHash: Buffer;
  readonly timersFired: number;
  readonly cases: readonly CaseRecord[];
  readonly accounts: readonly Account[];
  /** ids of accounts that this block opened */
  readonly opened: ReadonlySet<bigint>;
  readonly lines: readonly Line[];
  readonly timersArmed: readonly TimerKey[];
  readonly timersGone: readonly TimerKey[];
  readonly messages: OutgoingMessages;
  readonly quarantine: readonly QuarantineRow[];
  readonly halt: bigint | null;
};

type Expected = Step & { readonly rows: number };

/** Writes a block, head last, in one flight.
 *  @returns null when every statement wrote as many rows as sent, else which did not (the caller must roll back)
 *  @throws ConnectionLost | DatabaseError; MR001 when the head was not ours to move */
export async function writeBlock(connection: Connection, rows: BlockRows): Promise<string | null> {
  const steps = [
    ...caseSteps(rows),
    ...accountSteps(rows),
    ...lineSteps(rows),
    ...timerSteps(rows),
    ...messageSteps(rows),
    blockStep(rows),
    headStep(rows),
  ];
  const results = await connection.flight(steps);
  const wrong = steps.findIndex((step, index) => results[index]?.rowCount !== step.rows);
  if (wrong === -1) return null;
  return `${steps[wrong]?.statement.name} wrote ${results[wrong]?.rowCount} rows of ${steps[wrong]?.rows}`;
}

function caseSteps({ lane, cases }: BlockRows): Expected[] {
  const fresh = cases.filter((one) => one.isNew);
  const moved = cases.filter((one) => !one.isNew && one.changed);
  const steps: Expected[] = [];
  if (fresh.length > 0) {
    const values = [
      lane,
      plainArray(fresh.map((one) => one.id)),
      textArray(fresh.map((one) => one.kind)),
      plainArray(fresh.map((one) => one.flow.number)),
      textArray(fresh.map((one) => one.holderId)),
      textArray(fresh.map((one) => one.state)),
      textArray(fresh.map((one) => writeData(one.data))),
      textArray(fresh.map((one) => one.history)),
      plainArray(fresh.map((one) => `"${timestampMicros(one.occurredAtMicros)}"`)),
    ];
    steps.push({ statement: insertCases, values, rows: fresh.length });
  }
  if (moved.length > 0) {
    const ids = moved.map((one) => one.id);
    const columns = [
      plainArray(ids),
      textArray(moved.map((one) => one.state)),
      textArray(moved.map((one) => writeData(one.data))),
      textArray(moved.map((one) => one.history)),
    ];
    steps.push({ statement: updateCases, values: [lane, ...columns, ...bounds(ids)], rows: moved.length });
  }
  return steps;
}

function accountSteps({ lane, accounts, opened, after }: BlockRows): Expected[] {
  const fresh = accounts.filter((one) => opened.has(one.id));
  const known = accounts.filter((one) => !opened.has(one.id));
  const added = known.filter((one) => one.addedDebits !== 0n || one.addedCredits !== 0n);
  const changed = known.filter((one) => one.changed);
  const ids = (some: readonly Account[]): string => plainArray(some.map((one) => one.id));
  const steps: Expected[] = [];
  if (fresh.length > 0) {
    const columns = [
      ids(fresh),
      textArray(fresh.map((one) => one.path)),
      textArray(fresh.map((one) => one.currency)),
      floors(fresh),
      plainArray(fresh.map((one) => one.status)),
      plainArray(fresh.map((one) => one.addedDebits)),
      plainArray(fresh.map((one) => one.addedCredits)),
    ];
    steps.push({ statement: insertBalances, values: [lane, ...columns, after.block], rows: fresh.length });
  }
  if (added.length > 0) {
    const columns = [plainArray(added.map((one) => one.addedDebits)), plainArray(added.map((one) => one.addedCredits))];
    steps.push({ statement: addBalances, values: [lane, ids(added), ...columns], rows: added.length });
  }
  if (changed.length > 0) {
    const columns = [floors(changed), plainArray(changed.map((one) => one.status))];
    steps.push({ statement: changeAccounts, values: [lane, ids(changed), ...columns], rows: changed.length });
  }
  return steps;
}

function floors(accounts: readonly Account[]): string {
  return plainArray(accounts.map((one) => one.floorMinor ?? "null"));
}

function lineSteps({ lane, lines, after }: BlockRows): Expected[] {
  if (lines.length === 0) return [];
  const columns = [
    plainArray(lines.map((line) => line.debit.id)),
    plainArray(lines.map((line) => line.credit.id)),
    plainArray(lines.map((line) => line.minor)),
    plainArray(lines.map((line) => line.caseId)),
    textArray(lines.map((line) => line.currency)),
    textArray(lines.map((line) => line.posting)),
  ];
  const values = [lane, after.block, timestamp(after.nowMs), ...columns];
  return [{ statement: insertLines, values, rows: lines.length }];
}

function timerSteps({ lane, timersArmed, timersGone }: BlockRows): Expected[] {
  const columns = (timers: readonly TimerKey[]): string[] => [
    plainArray(timers.map((timer) => `"${timestamp(timer.dueMs)}"`)),
    plainArray(timers.map((timer) => timer.caseId)),
    textArray(timers.map((timer) => timer.name)),
  ];
  const steps: Expected[] = [];
  if (timersArmed.length > 0) {
    steps.push({ statement: insertTimers, values: [lane, ...columns(timersArmed)], rows: timersArmed.length });
  }
  if (timersGone.length > 0) {
    steps.push({ statement: deleteTimers, values: [lane, ...columns(timersGone)], rows: timersGone.length });
  }
  return steps;
}

function messageSteps({ lane, messages, quarantine, after }: BlockRows): Expected[] {
  const steps: Expected[] = [];
  const at = timestamp(after.nowMs);
  if (messages.sequences.length > 0) {
    const columns = [
      plainArray(messages.topics.map((topic) => TOPIC_NUMBERS[topic])),
      plainArray(messages.sequences),
      textArray(messages.keys),
      plainArray(messages.starts.map((start) => start + 1)), // SQL counts bytes from 1
      plainArray(messages.sizes),
    ];
    const values = [lane, at, after.block, messages.bytes, ...columns];
    steps.push({ statement: insertOutbox, values, rows: messages.sequences.length });
  }
  if (quarantine.length > 0) {
    const columns = [
      textArray(quarantine.map((row) => row.topic)),
      plainArray(quarantine.map((row) => row.offset)),
      textArray(quarantine.map((row) => row.reason)),
      textArray(quarantine.map((row) => row.detail)),
      textArray(quarantine.map((row) => row.key)),
      byteaArray(quarantine.map((row) => row.sha256)),
      plainArray(quarantine.map((row) => row.size)),
      byteaArray(quarantine.map((row) => row.value)),
    ];
    steps.push({ statement: insertQuarantine, values: [lane, after.block, at, ...columns], rows: quarantine.length });
  }
  return steps;
}

function blockStep({
  lane,
  process,
  before,
  after,
  linesHash,
  messagesHash,
  timersFired,
  lines,
  halt,
}: BlockRows): Expected {
  const values = [
    ...[lane, after.block, timestamp(after.nowMs), after.epoch, process],
    ...[before.digest, after.digest, linesHash, messagesHash],
    ...[before.intents.next, after.intents.next, before.reports.next, after.reports.next],
    ...[timersFired, lines.length, before.outcomesNext, after.outcomesNext],
    ...[before.commandsNext, after.commandsNext, before.deadLettersNext, after.deadLettersNext, halt],
  ];
  return { statement: insertBlock, values, rows: 1 };
}

function headStep({ lane, before, after }: BlockRows): Expected {
  const position = (input: InputPosition): unknown[] => [
    input.next,
    input.last,
    timestamp(input.lastAtMs),
    input.lastHash,
  ];
  const values = [
    ...[lane, after.epoch, after.block, after.digest, timestamp(after.nowMs)],
    ...position(after.intents),
    ...position(after.reports),
    ...[timestamp(after.timer.dueMs), after.timer.caseId, after.timer.name],
    ...[after.outcomesNext, after.commandsNext, after.deadLettersNext, after.accounts, before.digest],
  ];
  return { statement: moveHead, values, rows: 1 };
}
