// A recording as it lies in the database and in the topics: which blocks a span comes to, and everything that a backtest is
// told of them.

import { openPartitionReader } from "../../kafka/partitions.ts";
import type { InputRecord, KafkaSettings, PartitionReader, TopicAdmin } from "../../kafka/port.ts";
import {
  type BlockRow,
  blockPages,
  casePages,
  type LaneCut,
  type LineRow,
  linePages,
  readBalances,
  timeMs,
} from "../../store/audit.ts";
import type { Connection } from "../../store/database.ts";
import { emptyStream, partitionStream, type Stream, tableStream } from "../audit/stream.ts";
import { type Place, ReplayRefused } from "../replay/span.ts";
import { RecordedCases } from "./recorded-cases.ts";
import type { LaneSpan, PriorLine, RecordedAccount, RecordedBlock } from "./recording.ts";

/** More intents are refused before anything is decided: the cases of both runs are held in memory. */
export const INTENTS_MAX = 100_000n;

const ROWS_A_PAGE = 2_000;
const FETCH = { maxBytes: 1 << 20, partitionMaxBytes: 1 << 20, aheadMaxBytes: 2 << 20 };

/** Whole blocks of one lane, with what they took. */
export type LaneBlocks = LaneSpan & {
  readonly intentsFrom: bigint;
  readonly intentsNext: bigint;
  readonly reportsFrom: bigint;
  readonly reportsNext: bigint;
  /** of the last block; "" when there is none */
  readonly digest: string;
};

/** The blocks that places in the topic of intents come to. An offset is that of a record: the block that took it is in the
 *  span, and with `to` the block that took the one before it. A time is a block's own.
 *  @param cut the heads of all lanes, read in one statement
 *  @throws ReplayRefused when blocks of the span are not there any more, or it is too long */
export async function findBlocks(
  connection: Connection,
  cut: readonly LaneCut[],
  { from, to }: { readonly from: Place; readonly to: Place },
): Promise<readonly LaneBlocks[]> {
  const named = from.kind === "offsets" ? from.offsets : to.kind === "offsets" ? to.offsets : null;
  const lanes = cut.filter(({ lane }) => named === null || named.has(lane));
  const unknown = [...(named?.keys() ?? [])].filter((lane) => !cut.some((one) => one.lane === lane));
  if (unknown.length > 0) throw new ReplayRefused(`there is no partition ${unknown.join(", ")}`);
  const found: LaneBlocks[] = [];
  for (const head of lanes) found.push(await findInLane(connection, head, from, to));
  const intents = found.reduce((sum, one) => sum + one.intentsNext - one.intentsFrom, 0n);
  if (intents > INTENTS_MAX) {
    throw new ReplayRefused(
      `the span has ${intents} intents, and at most ${INTENTS_MAX} are decided at once: narrow it with --from and --to`,
    );
  }
  return found;
}

async function findInLane(connection: Connection, head: LaneCut, from: Place, to: Place): Promise<LaneBlocks> {
  const { lane } = head;
  const rows = tableStream(blockPages(connection, lane, { after: null, until: head.block }, ROWS_A_PAGE));
  let first: BlockRow | null = null;
  let last: BlockRow | null = null;
  let isFirstOfAll = true;
  /** set once the records before `to` are all taken: blocks without intents still belong to the span */
  let endedAt: bigint | null = null;
  for (let row = await rows.peek(); row !== null; row = await rows.peek()) {
    rows.advance();
    if (isFirstOfAll && row.block > 1n && from.kind === "beginning") throw detached(lane, row.block);
    isFirstOfAll = false;
    if (endedAt !== null && row.intentsNext > endedAt) break;
    if (isBehind(row, to, lane)) break;
    if (first === null && !isReached(row, from, lane)) continue;
    first ??= row;
    last = row;
    if (endsIn(row, to, lane)) endedAt = row.intentsNext;
  }
  if (first === null || last === null) return nothingOf(head);
  return {
    lane,
    from: first.block,
    until: last.block,
    intentsFrom: first.intentsFrom,
    intentsNext: last.intentsNext,
    reportsFrom: first.reportsFrom,
    reportsNext: last.reportsNext,
    digest: last.digest.toString("hex"),
  };
}

function nothingOf({ lane, block, intentsNext, reportsNext }: LaneCut): LaneBlocks {
  const at = { intentsFrom: intentsNext, intentsNext, reportsFrom: reportsNext, reportsNext };
  return { lane, from: block + 1n, until: block, ...at, digest: "" };
}

function detached(lane: number, first: bigint): ReplayRefused {
  return new ReplayRefused(
    `lane ${lane} begins at block ${first}: earlier days were detached; begin later with --from`,
  );
}

function offsetIn(place: Place, lane: number): bigint | null {
  if (place.kind === "offset") return place.offset;
  return place.kind === "offsets" ? (place.offsets.get(lane) ?? null) : null;
}

function isReached(row: BlockRow, from: Place, lane: number): boolean {
  if (from.kind === "beginning") return true;
  if (from.kind === "end") return false;
  const offset = offsetIn(from, lane);
  if (from.kind === "time") return timeMs(row.recordedAt) >= from.atMs;
  return offset === null || offset === 0n || row.intentsNext > offset;
}

function isBehind(row: BlockRow, to: Place, lane: number): boolean {
  if (to.kind === "beginning") return true;
  if (to.kind === "time") return timeMs(row.recordedAt) >= to.atMs;
  const offset = offsetIn(to, lane);
  return offset !== null && row.intentsFrom >= offset && row.intentsNext > row.intentsFrom;
}

function endsIn(row: BlockRow, to: Place, lane: number): boolean {
  const offset = offsetIn(to, lane);
  return offset !== null && row.intentsNext >= offset;
}

// What is read --------------------------------------------------------------------------------------------------------------

/** Reads the cases of all lanes once: their histories say when timers fired and which version they began on.
 *  @param nameOf the flow of a version's number */
export async function readCases(
  connection: Connection,
  spans: readonly LaneSpan[],
  nameOf: (flow: number) => string,
): Promise<RecordedCases> {
  const cases = new RecordedCases(spans, nameOf);
  for (const { lane } of spans) {
    const rows = tableStream(casePages(connection, lane, ROWS_A_PAGE));
    for (let page = await rows.takePage(); page !== null; page = await rows.takePage())
      for (const row of page) cases.add(lane, row);
  }
  cases.close();
  return cases;
}

type Paths = ReadonlyMap<bigint, { readonly path: string; readonly currency: string }>;

/** Accounts of holders as they stood in front of the span: as they are, less what came since. Floor and status have no
 *  history, so they are those of today. */
async function readAccounts(
  connection: Connection,
  span: LaneSpan,
): Promise<{ accounts: RecordedAccount[]; paths: Paths }> {
  const { lane, from } = span;
  const rows: Parameters<Parameters<typeof readBalances>[2]>[0][] = [];
  const { block: until } = await readBalances(connection, lane, (row) => rows.push(row));
  const paths = new Map(rows.map(({ account, path, currency }) => [account, { path, currency }]));
  if (from === 1n) return { accounts: [], paths };
  const since = new Map<bigint, { debits: bigint; credits: bigint }>();
  const of = (account: bigint): { debits: bigint; credits: bigint } => {
    const sum = since.get(account) ?? { debits: 0n, credits: 0n };
    since.set(account, sum);
    return sum;
  };
  const lines = tableStream(linePages(connection, lane, { from, until }, ROWS_A_PAGE));
  for (let page = await lines.takePage(); page !== null; page = await lines.takePage()) {
    for (const { debit, credit, amount } of page) {
      of(debit).debits += amount;
      of(credit).credits += amount;
    }
  }
  const accounts = rows
    .filter(({ account, openedBlock }) => account > 0n && openedBlock < from)
    .map(({ account, path, currency, floorMinor, status, debits, credits }) => ({
      lane,
      path,
      currency,
      floorMinor,
      status: status as RecordedAccount["status"],
      debits: debits - of(account).debits,
      credits: credits - of(account).credits,
    }));
  return { accounts, paths };
}

export type StoredParts = {
  readonly connection: Connection;
  readonly kafka: KafkaSettings;
  readonly admin: TopicAdmin;
  readonly topics: { readonly intents: string; readonly reports: string };
};

type LaneReading = {
  readonly span: LaneBlocks;
  readonly blocks: Stream<BlockRow>;
  readonly lines: Stream<LineRow>;
  readonly intents: Stream<InputRecord>;
  readonly reports: Stream<InputRecord>;
  readonly paths: Paths;
};

/** Hands out the blocks of the lanes one after another. */
export class StoredBlocks {
  readonly accounts: RecordedAccount[] = [];
  readonly #parts: StoredParts;
  readonly #cases: RecordedCases;
  readonly #lanes = new Map<number, LaneReading>();
  readonly #readers: PartitionReader[] = [];

  constructor(parts: StoredParts, cases: RecordedCases) {
    this.#parts = parts;
    this.#cases = cases;
  }

  /** @throws ReplayRefused when records of the span have left their topic */
  async open(spans: readonly LaneBlocks[]): Promise<void> {
    const { connection, topics } = this.#parts;
    for (const span of spans) {
      const { lane, from, until } = span;
      const { accounts, paths } = await readAccounts(connection, span);
      this.accounts.push(...accounts);
      this.#lanes.set(lane, {
        span,
        paths,
        blocks: tableStream(blockPages(connection, lane, { after: from - 1n, until }, ROWS_A_PAGE)),
        // Only lines of cases that are not decided anew are asked for.
        lines: from === 1n ? emptyStream() : tableStream(linePages(connection, lane, { from, until }, ROWS_A_PAGE)),
        intents: await this.#records(topics.intents, lane, span.intentsFrom, span.intentsNext),
        reports: await this.#records(topics.reports, lane, span.reportsFrom, span.reportsNext),
      });
    }
  }

  /** @returns null behind the last */
  async next(lane: number): Promise<RecordedBlock | null> {
    const reading = this.#lanes.get(lane);
    const row = (await reading?.blocks.peek()) ?? null;
    if (reading === undefined || row === null) return null;
    reading.blocks.advance();
    const lines = await reading.lines.takeWhile(({ block }) => block <= row.block);
    const intents = await taken(reading.intents, row.intentsFrom, row.intentsNext);
    const reports = await taken(reading.reports, row.reportsFrom, row.reportsNext);
    // The block moved a position only: what lies before it nobody took.
    const isMoved = row.halt !== null;
    return {
      lane,
      block: row.block,
      nowMs: timeMs(row.recordedAt),
      intents: isMoved ? [] : intents,
      reports: isMoved ? [] : reports,
      ratesVersion: row.ratesVersion,
      parametersVersion: row.parametersVersion,
      lines: row.lines,
      priorLines: lines
        .filter(({ block, caseId }) => block === row.block && this.#cases.isPrior(lane, caseId))
        .map((line) => priorLine(reading.paths, line)),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()));
  }

  async #records(topic: string, lane: number, from: bigint, next: bigint): Promise<Stream<InputRecord>> {
    if (next <= from) return emptyStream();
    const { admin, kafka } = this.#parts;
    const { low, end } = await admin.bounds(topic, lane);
    if (low > from) {
      throw new ReplayRefused(
        `${topic}/${lane} begins at offset ${low}: what was at ${from} has expired; begin later with --from ${lane}:…`,
      );
    }
    const reader = await openPartitionReader(kafka, [{ topic, partition: lane, offset: from }], FETCH);
    this.#readers.push(reader);
    return partitionStream(reader, from, next < end ? next : end, `${topic}/${lane}`);
  }
}

async function taken(records: Stream<InputRecord>, from: bigint, next: bigint): Promise<readonly InputRecord[]> {
  const all = await records.takeWhile(({ offset }) => offset < next);
  return all.filter(({ offset }) => offset >= from);
}

function priorLine(paths: Paths, { debit, credit, currency, amount }: LineRow): PriorLine {
  return { debit: paths.get(debit)?.path ?? "", credit: paths.get(credit)?.path ?? "", currency, minor: amount };
}
