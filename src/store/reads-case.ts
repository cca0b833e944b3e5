// A case as it is read: its state and history, when its blocks were, its lines, and the outcomes that are still kept.

import { type HistoryEntry, parseHistory } from "../domain/history.ts";
import type { Connection } from "./database.ts";
import { plainArray, readTimestampMs } from "./literals.ts";
import { type OutboxMessage, readMessages } from "./outbox.ts";
import { type LedgerLine, readLine } from "./reads-lines.ts";
import {
  showAttention,
  showBlockTimes,
  showCase,
  showCaseCommands,
  showCaseLines,
  showOwners,
  showWaiting,
} from "./sql/show-case.ts";

export type StoredCase = {
  readonly lane: number;
  readonly kind: string;
  /** `name@version` */
  readonly flow: string;
  readonly holderId: string;
  readonly state: string;
  /** currencies, values and timers as they are stored; null when there are none */
  readonly data: unknown;
  readonly history: readonly HistoryEntry[];
  readonly occurredAtMs: number;
  /** when its blocks were recorded; those detached are left out */
  readonly timesMs: ReadonlyMap<bigint, number>;
  readonly lines: readonly LedgerLine[];
};

/** @param uuid 32 hex digits
 *  @returns one for each lane that has a case of this id: two holders may use one id */
export async function readCase(connection: Connection, uuid: string): Promise<StoredCase[]> {
  const found: StoredCase[] = [];
  for (const row of (await connection.run(showCase, [uuid])).rows) {
    const lane = row["lane"] as number;
    const history = parseHistory(row["history"] as string);
    const blocks = plainArray([...new Set(history.map((entry) => entry.block))]);
    const times = await connection.run(showBlockTimes, [lane, blocks]);
    const lines = await connection.run(showCaseLines, [lane, blocks, uuid]);
    found.push({
      lane,
      history,
      kind: row["kind"] as string,
      flow: row["flow"] as string,
      holderId: row["holder_id"] as string,
      state: row["state"] as string,
      data: row["data"],
      occurredAtMs: readTimestampMs(row["occurred_at"]),
      timesMs: new Map(times.rows.map((time) => [time["block"] as bigint, readTimestampMs(time["recorded_at"])])),
      lines: lines.rows.map(readLine),
    });
  }
  return found;
}

/** Whose case it is; `flow` is `name@version`, `currencies` those that its symbols are bound to. */
export type CaseOwner = { readonly holderId: string; readonly flow: string; readonly currencies: readonly string[] };

/** @param uuid 32 hex digits
 *  @returns one for each holder that has a case of this id */
export async function readOwners(connection: Connection, uuid: string): Promise<CaseOwner[]> {
  const { rows } = await connection.run(showOwners, [uuid]);
  return rows.map((row) => ({
    holderId: row["holder_id"] as string,
    flow: row["flow"] as string,
    currencies: Object.values((row["currencies"] ?? {}) as Record<string, string>),
  }));
}

const OUTCOMES_MAX = 16;

/** Outcomes of the lane from a sequence on that are still in the outbox and belong to one block: those of one event, and
 *  perhaps of events behind it. Empty when they have been dropped. */
export async function readOutcomesFrom(
  connection: Connection,
  lane: number,
  sequence: bigint,
  block: bigint,
): Promise<OutboxMessage[]> {
  const span = { from: sequence, until: sequence + BigInt(OUTCOMES_MAX), limit: OUTCOMES_MAX };
  const messages = await readMessages(connection, lane, "outcomes", span);
  if (messages[0]?.sequence !== sequence) return [];
  return messages.filter((message) => message.block === block);
}

/** Commands of the holder in the blocks of its case that are still in the outbox, in their order. */
export async function readCommandsOf(connection: Connection, one: StoredCase): Promise<OutboxMessage[]> {
  const blocks = plainArray([...new Set(one.history.map((entry) => entry.block))]);
  const { rows } = await connection.run(showCaseCommands, [one.lane, blocks, one.holderId]);
  return rows as unknown as OutboxMessage[];
}

/** A case that waits for a person. */
export type WaitingCase = {
  /** with dashes */
  readonly uuid: string;
  readonly kind: string;
  readonly lane: number;
  readonly holderId: string;
  /** `name@version` */
  readonly flow: string;
  readonly state: string;
  readonly sinceMs: number;
};

/** Those that have waited longest first.
 *  @param limit at most this many; null for all */
export async function readWaiting(connection: Connection, limit: number | null): Promise<WaitingCase[]> {
  return (await connection.run(showWaiting, [limit])).rows.map((row) => ({
    uuid: row["case_id"] as string,
    kind: row["kind"] as string,
    lane: row["lane"] as number,
    holderId: row["holder_id"] as string,
    flow: row["flow"] as string,
    state: row["state"] as string,
    sinceMs: readTimestampMs(row["since"]),
  }));
}

/** How many cases of a lane wait for a person, and since when the first of them does. */
export type LaneAttention = { readonly lane: number; readonly cases: number; readonly sinceMs: number };

/** Of the lanes that have any. */
export async function readAttention(connection: Connection): Promise<LaneAttention[]> {
  return (await connection.run(showAttention, [])).rows.map((row) => ({
    lane: row["lane"] as number,
    cases: row["cases"] as number,
    sinceMs: readTimestampMs(row["since"]),
  }));
}
