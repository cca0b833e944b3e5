// A backtest as a file: what was decided anew, by what, and what came of it, under one hash. Whoever promotes a candidate
// attaches it; a changed or a stale one is told by its hash and by what it says of candidate, flow and ledger.

import { createHash } from "node:crypto";
import type { BacktestResult } from "./result.ts";

export type ReportedLane = {
  readonly lane: number;
  readonly fromBlock: string;
  readonly untilBlock: string;
  /** of the last block: digests are chained, so it stands for the ledger up to there */
  readonly digest: string;
  readonly intentsFrom: string;
  readonly intentsNext: string;
};

export type BacktestReport = {
  readonly report: "backtest/v1";
  readonly candidate: { readonly flow: string; readonly version: string; readonly contentHash: string };
  /** the version that is declared in its place, with its content; null when none is */
  readonly declared: { readonly version: string; readonly contentHash: string } | null;
  /** versions that the recording opened cases of this flow on */
  readonly against: readonly string[];
  readonly topic: string;
  readonly lanes: readonly ReportedLane[];
  readonly madeAt: string;
  readonly result: unknown;
};

export type HashedReport = BacktestReport & { readonly hash: string };

/** Amounts and offsets become digits. */
export function makeReport(said: Omit<BacktestReport, "report" | "result">, result: BacktestResult): HashedReport {
  const plain = JSON.parse(
    JSON.stringify(result, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
  ) as unknown;
  const report: BacktestReport = { report: "backtest/v1", ...said, result: plain };
  return { ...report, hash: hashOf(report) };
}

export function contentHash(source: string): string {
  return createHash("sha256").update(source).digest("hex");
}

/** The same whatever the order of keys and the layout of the file. */
function hashOf(report: BacktestReport): string {
  return contentHash(canonical(report));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(",")}}`;
}

/** @returns what is wrong with it, as text */
export function readReport(text: string): HashedReport | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "it is no JSON";
  }
  if (typeof value !== "object" || value === null || !isReport(value as Partial<HashedReport>))
    return "it is no report of a backtest";
  const report = value as HashedReport;
  return isUnchanged(report) ? report : "it was changed after it was made: its hash is of other content";
}

function isUnchanged({ hash, ...report }: HashedReport): boolean {
  try {
    return hash === hashOf(report);
  } catch {
    return false; // nested deeper than the stack, as none was made
  }
}

function isReport({
  report,
  candidate,
  declared,
  against,
  topic,
  lanes,
  madeAt,
  result,
  hash,
}: Partial<HashedReport>): boolean {
  const isText = (one: unknown): boolean => typeof one === "string";
  const isVersion = (one: { version?: unknown; contentHash?: unknown } | null | undefined): boolean =>
    typeof one === "object" && one !== null && isText(one.version) && isText(one.contentHash);
  return (
    report === "backtest/v1" &&
    isVersion(candidate) &&
    isText(candidate?.flow) &&
    (declared === null || isVersion(declared)) &&
    Array.isArray(against) &&
    isText(topic) &&
    Array.isArray(lanes) &&
    lanes.every((one) => Number.isInteger(one?.lane) && isText(one?.untilBlock) && isText(one?.digest)) &&
    isText(madeAt) &&
    typeof result === "object" &&
    result !== null &&
    isText(hash)
  );
}

/** What a promotion has to know of a result.
 *  @returns null when the report says nothing of it */
export function verdictOf({ result }: BacktestReport): Verdict | null {
  const { identical, undecidable, casesThatDiffer, cases } = result as Partial<Record<string, unknown>>;
  if (typeof identical !== "boolean" || !Array.isArray(undecidable)) return null;
  if (typeof casesThatDiffer !== "number" || typeof cases !== "number") return null;
  return { identical, undecidable: undecidable.length, casesThatDiffer, cases };
}

export type Verdict = {
  readonly identical: boolean;
  readonly undecidable: number;
  readonly casesThatDiffer: number;
  readonly cases: number;
};
