// A day of `WholeDay` as a recording for a backtest, with any change of a flow as the candidate.

import { RateSnapshot } from "../../src/domain/fx/rates.ts";
import { makeParameterBook } from "../../src/domain/parameters/parameters.ts";
import { readOverlays } from "../../src/domain/parameters/stored.ts";
import { NO_ROUTES, readRoutes } from "../../src/domain/routes/routes.ts";
import { takeIn } from "../../src/processor/intake.ts";
import { readReport } from "../../src/processor/reports.ts";
import type { Backtested, BacktestParts } from "../../src/workload/backtest/backtest.ts";
import { backtest } from "../../src/workload/backtest/backtest.ts";
import { RecordedCases } from "../../src/workload/backtest/recorded-cases.ts";
import type { LaneSpan, RecordedBlock, Recording } from "../../src/workload/backtest/recording.ts";
import { DAY_MS, LANES, RULES } from "./ledger.ts";
import type { MemoryProduction } from "./memory-lane.ts";
import type { WholeDay } from "./whole-day.ts";
import { type Change, wholeRules } from "./whole-flows.ts";

const SETTINGS = { caseWindowMs: 400 * DAY_MS, caseFutureMs: DAY_MS, intentBytesMax: 65_536 };
const TODAY = wholeRules();

/** @param from the first block of each lane that is decided anew; what stood before is taken over
 *  @param wasDecidedBy what the day was decided by, if it is not the files as they are */
export async function backtestDay(
  day: WholeDay,
  flow: string,
  change?: Change,
  { from = 1n, wasDecidedBy }: { readonly from?: bigint; readonly wasDecidedBy?: Change } = {},
): Promise<Backtested> {
  const lanes = [...day.lanes.values()];
  const [first] = lanes as [MemoryProduction];
  const { intent, report } = first.codec.decoders;
  const recorded = wasDecidedBy === undefined ? TODAY : wholeRules(wasDecidedBy);
  const rules = change === undefined ? TODAY : wholeRules(change);
  const candidate = rules.flows.find(({ name }) => name === flow);
  if (candidate === undefined) throw new Error(`no flow ${flow}`);
  const parts: BacktestParts = {
    recording: recordingOf(day, from),
    intake: {
      learn: async () => undefined,
      intent: (record, lane, given) =>
        takeIn(record, lane, given, intent, { recordBytesMax: 65_536, futureMs: DAY_MS }),
      report: (record, lane) => readReport(record, lane, LANES, report),
    },
    flows: {
      chart: RULES.chart,
      currencies: RULES.currencies,
      lanes: LANES,
      versions: recorded.flows,
      declared: new Set(recorded.flows.map(({ number }) => number)),
      candidate: { ...candidate, number: 0 },
    },
    topics: { intents: "intents", reports: "reports" },
    progress: () => undefined,
    stop: new AbortController().signal,
  };
  return (await backtest(parts)) as Backtested;
}

function recordingOf(day: WholeDay, from: bigint): Recording {
  const lanes = [...day.lanes.values()];
  const spans: LaneSpan[] = lanes.map(({ lane, head }) => ({ lane, from, until: head.block }));
  const nameOf = (number: number): string => TODAY.flowsByNumber.get(number)?.name ?? "";
  const cases = new RecordedCases(spans, nameOf);
  for (const lane of lanes) for (const row of lane.cases()) cases.add(lane.lane, row);
  cases.close();
  const waiting = new Map(lanes.map((lane) => [lane.lane, blocksOf(lane, cases).filter(({ block }) => block >= from)]));
  return {
    spans,
    cases,
    accounts: from === 1n ? [] : lanes.flatMap((lane) => accountsOf(lane, from)),
    next: async (lane) => waiting.get(lane)?.shift() ?? null,
    rates: async (version) => ratesAt(day, version),
    parameters: async (version) => {
      const { overlays = "{}", routes = null } = (await day.versions.parameters()).get(version) ?? {};
      const known = routes === null ? NO_ROUTES : readRoutes(routes);
      return { book: makeParameterBook(Number(version), readOverlays(overlays), known), settings: SETTINGS };
    },
  };
}

function blocksOf(lane: MemoryProduction, cases: RecordedCases): RecordedBlock[] {
  const paths = new Map(lane.standing().balances.map(({ account, path }) => [account, path]));
  return lane.blocks.map(({ row, lines, intents, reports }) => ({
    lane: lane.lane,
    block: row.block,
    nowMs: Date.parse(row.recordedAt),
    intents: intents.records,
    reports: reports.records,
    ratesVersion: row.ratesVersion,
    parametersVersion: row.parametersVersion,
    lines: row.lines,
    priorLines: lines
      .filter(({ caseId }) => cases.isPrior(lane.lane, caseId))
      .map(({ debit, credit, currency, amount }) => ({
        debit: paths.get(debit) ?? "",
        credit: paths.get(credit) ?? "",
        currency,
        minor: amount,
      })),
  }));
}

/** Balances as they stood in front of a block: those of the end, less what came since. */
function accountsOf(lane: MemoryProduction, from: bigint): Recording["accounts"] {
  const since = lane.blocks.filter(({ row }) => row.block >= from).flatMap(({ lines }) => lines);
  const sum = (account: bigint, side: "debit" | "credit"): bigint =>
    since.reduce((total, line) => (line[side] === account ? total + line.amount : total), 0n);
  return lane
    .standing()
    .balances.filter(({ account, openedBlock }) => account > 0n && openedBlock < from)
    .map(({ account, path, currency, floorMinor, status, debits, credits }) => ({
      lane: lane.lane,
      path,
      currency,
      floorMinor,
      status: status as "open",
      debits: debits - sum(account, "debit"),
      credits: credits - sum(account, "credit"),
    }));
}

async function ratesAt(day: WholeDay, version: bigint): Promise<RateSnapshot> {
  const rows = await day.versions.rates(0n, version);
  return rows
    .reduce(
      (book, { mid, life, ...row }) =>
        book.with(row.version, [
          {
            ...row,
            bid: mid ?? "",
            mid: mid ?? "",
            ask: mid ?? "",
            seq: row.version,
            asOfMs: 0,
            receivedAtMs: 0,
            life: life.map(([untilMs, quality, extraBps, lockMaxMs]) => ({
              untilMs,
              quality: quality as "fresh",
              extraBps: BigInt(extraBps),
              lockMaxMs,
            })),
          },
        ]),
      RateSnapshot.EMPTY,
    )
    .with(version, []);
}
