// The database as the auditor reads it: a cut, whole tables of a lane in pages, and one short snapshot for what moves.
// Rows arrive as they are stored; nothing here judges them.

import { type OutgoingTopic, TOPIC_NUMBERS } from "./blocks.ts";
import type { Connection } from "./database.ts";
import { plainArray, readTimestampMs } from "./literals.ts";
import { auditCut, auditHead, auditNext, auditPartitions, auditStanding } from "./sql/audit-cut.ts";
import * as pages from "./sql/audit-pages.ts";
import * as strays from "./sql/audit-strays.ts";
import { readFlows } from "./sql/setup.ts";

export type LaneCut = {
  readonly lane: number;
  readonly epoch: bigint;
  readonly block: bigint;
  readonly digest: Buffer;
  readonly nowAt: string;
  readonly accounts: bigint;
  readonly intentsNext: bigint;
  readonly intentsLast: bigint;
  readonly intentsLastHash: Buffer;
  readonly reportsNext: bigint;
  readonly reportsLast: bigint;
  readonly reportsLastHash: Buffer;
  readonly outcomesNext: bigint;
  readonly commandsNext: bigint;
  readonly deadLettersNext: bigint;
  /** position of the last timer fired; the case with dashes */
  readonly timerDueAt: string;
  readonly timerCaseId: string;
  readonly timerName: string;
  /** of the tables of what lanes have sent each other and taken, as in a block */
  readonly sent: LanePairs;
  readonly seen: LanePairs;
};

/** `3 17,5 2`: a lane and a sequence, pair by pair; null when nothing crossed. */
export type LanePairs = string | null;

/** A sequence by lane. */
export function readLanePairs(text: LanePairs): Map<number, bigint> {
  const pairs = text === null ? [] : text.split(",").map((pair) => pair.split(" "));
  return new Map(pairs.map(([lane = "", sequence = ""]) => [Number(lane), BigInt(sequence)]));
}

/** Times are text as Postgres prints them in UTC: two are equal when their texts are. */
export type BlockRow = {
  readonly block: bigint;
  readonly recordedAt: string;
  readonly epoch: bigint;
  readonly previousDigest: Buffer;
  readonly digest: Buffer;
  readonly linesHash: Buffer;
  readonly messagesHash: Buffer;
  readonly intentsFrom: bigint;
  readonly intentsNext: bigint;
  readonly reportsFrom: bigint;
  readonly reportsNext: bigint;
  /** numbers of the flow versions that it decided by, in order */
  readonly flows: readonly number[];
  readonly timers: number;
  readonly lines: number;
  readonly outcomesFrom: bigint;
  readonly outcomesNext: bigint;
  readonly commandsFrom: bigint;
  readonly commandsNext: bigint;
  readonly deadLettersFrom: bigint;
  readonly deadLettersNext: bigint;
  readonly halt: bigint | null;
  /** the next sequence to each lane that it sent to, and the last that it took from each: those that it moved */
  readonly sent: LanePairs;
  readonly seen: LanePairs;
  /** versions that it decided by; 0n: none */
  readonly ratesVersion: bigint;
  readonly parametersVersion: bigint;
};

export type LineRow = {
  readonly block: bigint;
  readonly index: number;
  readonly recordedAt: string;
  readonly debit: bigint;
  readonly credit: bigint;
  readonly amount: bigint;
  /** 32 hex digits */
  readonly caseId: string;
  readonly currency: string;
  readonly posting: string;
};

export type MessageRow = {
  readonly sequence: bigint;
  readonly recordedAt: string;
  readonly block: bigint;
  readonly key: string;
  readonly value: Buffer;
};

export type QuarantineRow = {
  readonly offset: bigint;
  readonly block: bigint;
  readonly recordedAt: string;
  readonly reason: string;
  readonly detail: string;
  readonly key: string | null;
  readonly sha256: Buffer;
  readonly size: number;
  readonly value: Buffer | null;
};

export type BalanceRow = {
  readonly account: bigint;
  readonly path: string;
  readonly currency: string;
  readonly floorMinor: bigint | null;
  readonly status: string;
  readonly debits: bigint;
  readonly credits: bigint;
  readonly openedBlock: bigint;
};

export type CaseRow = {
  /** 32 hex digits */
  readonly caseId: string;
  readonly kind: string;
  readonly flow: number;
  readonly holderId: string;
  readonly state: string;
  /** `{"c":{…},"v":{…},"t":{…}}`: currencies, values, timers; null when there is nothing to keep */
  readonly data: unknown;
  readonly history: string;
  readonly occurredAtMicros: bigint;
  /** timers that the case waits for and that the timer table does not have */
  readonly missingTimers: readonly string[];
  /** among those that wait for a person */
  readonly isListed: boolean;
};

/** A case that is listed as waiting for a person. */
export type AttentionRow = {
  /** with dashes */
  readonly caseId: string;
  readonly hasCase: boolean;
};

export type TimerRow = {
  readonly dueAt: string;
  /** with dashes */
  readonly caseId: string;
  readonly name: string;
  readonly hasCase: boolean;
  /** its case waits for it, at this time */
  readonly isArmed: boolean;
  /** the lane's position is past it, so it would never fire */
  readonly isPassed: boolean;
};

/** A page of rows behind `after` (null: from the beginning); a page shorter than its limit is the last. */
export type Pager<Row> = { readonly limit: number; readonly page: (after: Row | null) => Promise<readonly Row[]> };

const LOWEST = "-9223372036854775808";
const NIL = "00000000-0000-0000-0000-000000000000";

/** Makes a session fit for reading whole tables beside a working service: it cannot write, and goes by index in pages. */
export async function beginReading(connection: Connection): Promise<void> {
  await connection.plain("set default_transaction_read_only = on");
  // Tables that were never analysed look empty to the planner, and it would read and sort all of them for each page.
  await connection.plain("set enable_seqscan = off");
  await connection.plain("set enable_bitmapscan = off");
  await connection.plain("set enable_sort = off");
}

export async function readCut(connection: Connection): Promise<LaneCut[]> {
  return (await connection.run(auditCut, [])).rows as unknown as LaneCut[];
}

/** Next sequence of each outgoing topic of a lane, as of now. */
export async function readNext(connection: Connection, lane: number): Promise<Record<OutgoingTopic, bigint>> {
  return (await connection.run(auditNext, [lane])).rows[0] as unknown as Record<OutgoingTopic, bigint>;
}

/** Names of the attached time partitions of blocks, outbox and cases; they carry the beginning of their time in UTC. */
export async function readPartitionNames(connection: Connection): Promise<Set<string>> {
  return new Set((await connection.run(auditPartitions, [])).rows.map((row) => row["name"] as string));
}

export async function readFlowSources(
  connection: Connection,
): Promise<{ ref: string; number: number; source: string }[]> {
  const { rows } = await connection.run(readFlows, []);
  return rows.map((row) => ({
    ref: `${row["name"]}@${row["version"]}`,
    number: row["flow"] as number,
    source: row["source"] as string,
  }));
}

/** A rate as far as conversions hang on it; `life`: spans behind each other, each until when, how good, how many basis points
 *  on top, and the longest lock. */
export type RateRow = {
  readonly version: bigint;
  readonly feed: string;
  readonly priority: number;
  readonly pivot: string;
  readonly base: string;
  readonly quote: string;
  readonly mid: string | null;
  readonly life: readonly (readonly [untilMs: number, quality: string, extraBps: number, lockMs: number | null])[];
};

/** Rates of versions with `after < version <= until`, older ones first. */
export function ratePages(
  connection: Connection,
  versions: { readonly after: bigint; readonly until: bigint },
  limit: number,
): Pager<RateRow> {
  return pager(limit, (after: RateRow | null) => {
    const key =
      after === null ? [versions.after + 1n, "", "", ""] : [after.version, after.feed, after.base, after.quote];
    return connection.run(pages.auditRates, [...key, versions.until, limit]);
  });
}

/** A time as `recordedAt` has it, in milliseconds. */
export const timeMs = readTimestampMs;

// Tables in pages -----------------------------------------------------------------------------------------------------

/** Blocks with `after < block <= until`; null: from the first that there is. */
export function blockPages(
  connection: Connection,
  lane: number,
  blocks: { readonly after: bigint | null; readonly until: bigint },
  limit: number,
): Pager<BlockRow> {
  const start = blocks.after === null ? [LOWEST, "-infinity"] : [blocks.after, "infinity"];
  return pager(limit, (after: BlockRow | null) => {
    const key = after === null ? start : [after.block, after.recordedAt];
    return connection.run(pages.auditBlocks, [lane, ...key, blocks.until, limit]);
  });
}

/** The first block that a lane still has; null when there is none. */
export async function readFirstBlock(connection: Connection, lane: number): Promise<BlockRow | null> {
  const all = { after: null, until: 9_223_372_036_854_775_807n };
  return (await blockPages(connection, lane, all, 1).page(null))[0] ?? null;
}

/** Lines of blocks with `from <= block <= until`. */
export function linePages(
  connection: Connection,
  lane: number,
  span: { readonly from: bigint | null; readonly until: bigint },
  limit: number,
): Pager<LineRow> {
  const start = [span.from === null ? LOWEST : span.from - 1n, 2_147_483_647, "infinity"];
  return pager(limit, (after: LineRow | null) => {
    const key = after === null ? start : [after.block, after.index, after.recordedAt];
    return connection.run(pages.auditLines, [lane, ...key, span.until, limit]);
  });
}

/** Messages of one topic with `from <= sequence < next`. */
export function messagePages(
  connection: Connection,
  lane: number,
  topic: OutgoingTopic,
  span: { readonly from: bigint; readonly next: bigint },
  limit: number,
): Pager<MessageRow> {
  return pager(limit, (after: MessageRow | null) => {
    const key = after === null ? [span.from - 1n, "infinity"] : [after.sequence, after.recordedAt];
    return connection.run(pages.auditMessages, [lane, TOPIC_NUMBERS[topic], ...key, span.next, limit]);
  });
}

/** A message to another lane. */
export type CrossingRow = MessageRow & { readonly toLane: number };

/** Messages to one other lane with `from <= sequence`. */
export function crossingPages(
  connection: Connection,
  of: { readonly lane: number; readonly toLane: number; readonly from: bigint },
  limit: number,
): Pager<CrossingRow> {
  return pager(limit, (after: CrossingRow | null) => {
    const key = after === null ? [of.from - 1n, "infinity"] : [after.sequence, after.recordedAt];
    return connection.run(pages.auditCrossing, [of.lane, of.toLane, ...key, limit]);
  });
}

/** Currencies by the accounts of a path in a lane. */
export async function readAccountsOf(connection: Connection, lane: number, path: string): Promise<Map<bigint, string>> {
  const { rows } = await connection.run(pages.auditAccountsOf, [lane, path]);
  return new Map(rows.map((row) => [row["account"] as bigint, row["currency"] as string]));
}

/** Quarantine rows of one topic, of blocks with `after < block <= until`, by offset. */
export function quarantinePages(
  connection: Connection,
  lane: number,
  topic: string,
  blocks: { readonly after: bigint; readonly until: bigint },
  limit: number,
): Pager<QuarantineRow> {
  return pager(limit, (after: QuarantineRow | null) =>
    connection.run(pages.auditQuarantine, [
      lane,
      topic,
      after?.offset ?? LOWEST,
      after?.block ?? LOWEST,
      blocks.after,
      blocks.until,
      limit,
    ]),
  );
}

/** @param first begins behind this id; null: at the first case */
export function casePages(
  connection: Connection,
  lane: number,
  limit: number,
  first: string | null = null,
): Pager<CaseRow> {
  return pager(limit, (after: CaseRow | null) =>
    connection.run(pages.auditCases, [lane, after?.caseId ?? first ?? NIL, limit]),
  );
}

/** Cases by their ids; those that are not there are left out. */
export async function readCasesAt(connection: Connection, lane: number, ids: readonly string[]): Promise<CaseRow[]> {
  if (ids.length === 0) return [];
  return (await connection.run(pages.auditCasesAt, [lane, plainArray(ids)])).rows as unknown as CaseRow[];
}

export function timerPages(connection: Connection, lane: number, limit: number): Pager<TimerRow> {
  return pager(limit, (after: TimerRow | null) =>
    connection.run(pages.auditTimers, [
      lane,
      after?.dueAt ?? "-infinity",
      after?.caseId ?? NIL,
      after?.name ?? "",
      limit,
    ]),
  );
}

export function attentionPages(connection: Connection, lane: number, limit: number): Pager<AttentionRow> {
  return pager(limit, (after: AttentionRow | null) =>
    connection.run(pages.auditAttention, [lane, after?.caseId ?? NIL, limit]),
  );
}

/** Outcomes by their sequences; those that the outbox has let go of are left out. */
export async function readOutcomesAt(
  connection: Connection,
  lane: number,
  sequences: readonly bigint[],
): Promise<Map<bigint, Buffer>> {
  const { rows } = await connection.run(pages.auditOutcomesAt, [lane, plainArray(sequences)]);
  return new Map(rows.map((row) => [row["sequence"] as bigint, row["value"] as Buffer]));
}

function pager<Row>(limit: number, ask: (after: Row | null) => ReturnType<Connection["run"]>): Pager<Row> {
  return { limit, page: async (after) => (await ask(after)).rows as unknown as Row[] };
}

// What moves ----------------------------------------------------------------------------------------------------------

export type Standing = { readonly block: bigint; readonly accounts: bigint };

const BALANCES_A_PAGE = 5_000;

/** Hands every balance row of a lane to `each`, and tells at which block they stand: one snapshot, held for the time that
 *  it takes to read these rows. The connection must be free for it. */
export async function readBalances(
  connection: Connection,
  lane: number,
  each: (row: BalanceRow) => void,
): Promise<Standing> {
  await connection.plain("begin isolation level repeatable read, read only");
  try {
    const standing = (await connection.run(auditStanding, [lane])).rows[0] as Standing;
    for (let after: bigint | string = LOWEST; ; ) {
      const { rows } = await connection.run(pages.auditBalances, [lane, after, BALANCES_A_PAGE]);
      for (const row of rows as unknown as BalanceRow[]) each(row);
      if (rows.length < BALANCES_A_PAGE) return standing;
      after = (rows.at(-1) as unknown as BalanceRow).account;
    }
  } finally {
    if (!connection.broken) await connection.plain("commit");
  }
}

/** Where a lane stands: its head, and what its blocks up to there have left. */
export type LaneStanding = {
  readonly head: LaneCut;
  readonly balances: readonly BalanceRow[];
  readonly timers: readonly ArmedTimer[];
};

export type ArmedTimer = Pick<TimerRow, "dueAt" | "caseId" | "name">;

/** Head, balances and timers of a lane in one snapshot, held for the time that it takes to read them. The connection must
 *  be free for it.
 *  @returns null when there is no such lane */
export async function readStanding(connection: Connection, lane: number): Promise<LaneStanding | null> {
  await connection.plain("begin isolation level repeatable read, read only");
  try {
    const head = (await connection.run(auditHead, [lane])).rows[0] as LaneCut | undefined;
    if (head === undefined) return null;
    const balances = await everyRow<BalanceRow>(BALANCES_A_PAGE, (after) =>
      connection.run(pages.auditBalances, [lane, after?.account ?? LOWEST, BALANCES_A_PAGE]),
    );
    const timers = await everyRow<ArmedTimer>(BALANCES_A_PAGE, (after) =>
      connection.run(pages.auditArmed, [
        lane,
        after?.dueAt ?? "-infinity",
        after?.caseId ?? NIL,
        after?.name ?? "",
        BALANCES_A_PAGE,
      ]),
    );
    return { head, balances, timers };
  } finally {
    if (!connection.broken) await connection.plain("commit");
  }
}

async function everyRow<Row>(limit: number, ask: (after: Row | null) => ReturnType<Connection["run"]>): Promise<Row[]> {
  const all: Row[] = [];
  for (;;) {
    const rows = (await ask(all.at(-1) ?? null)).rows as unknown as Row[];
    all.push(...rows);
    if (rows.length < limit) return all;
  }
}

// Rows out of place ---------------------------------------------------------------------------------------------------

export type MovedPosition = {
  readonly block: bigint;
  readonly halt: bigint;
  readonly intentsNext: bigint;
  readonly reportsNext: bigint;
  /** null when there is no such halt */
  readonly cause: string | null;
  readonly isResumed: boolean;
};

/** Blocks that took over a position which an operator had accepted. */
export async function readMovedPositions(connection: Connection, lane: number): Promise<MovedPosition[]> {
  return (await connection.run(strays.auditHalts, [lane])).rows as unknown as MovedPosition[];
}

/** Whether the lane's output topics were made anew, and an operator let it go on with them. */
export async function readOutputsAnew(connection: Connection, lane: number): Promise<boolean> {
  return (await connection.run(strays.auditOutputsAnew, [lane])).rows[0]?.["isAnew"] === true;
}

export type BeyondHead = { readonly table: string; readonly at: bigint };

/** The first row of each table that lies beyond its lane's head. */
export async function readBeyondHead(connection: Connection, lane: number): Promise<BeyondHead[]> {
  return (await connection.run(strays.auditBeyondHead, [lane])).rows as unknown as BeyondHead[];
}

export type StrayQuarantine = { readonly topic: string; readonly offset: bigint; readonly block: bigint };

/** Quarantine rows of blocks behind `after` that are not there, or of another topic than `topic`. */
export async function readStrayQuarantine(
  connection: Connection,
  lane: number,
  topic: string,
  { after, limit }: { readonly after: bigint; readonly limit: number },
): Promise<StrayQuarantine[]> {
  const { rows } = await connection.run(strays.auditStrayQuarantine, [lane, topic, after, limit]);
  return rows as unknown as StrayQuarantine[];
}

/** Lanes that tables have rows of and that do not exist. */
export async function readForeignLanes(connection: Connection): Promise<{ table: string; lane: number }[]> {
  return (await connection.run(strays.auditForeignLanes, [])).rows as unknown as { table: string; lane: number }[];
}
