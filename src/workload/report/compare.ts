// Two reports side by side, with a verdict for each row: is the difference more than chance explains?
//
// What chance does is read off the runs themselves, second by second. How far a second usually is from the run's middle is
// their median absolute deviation, times 1.4826 (which makes it the standard deviation where there is one): a single pause
// does not enlarge it, so a pause cannot excuse itself. From these deviations dA and dB follows the spread of the difference:
//
//   what all seconds make together (answers a second, p50 to p99)    sqrt(dA² / nA + dB² / nB)
//   what single seconds make (p99.9, the highest, the longest lag)   sqrt(dA² + dB²)
//   shares of outcomes                                               sqrt(p (1 - p) (1 / NA + 1 / NB)), N answers each
//
// n is the number of seconds, but at most ten: seconds that follow each other are alike, as a queue that is long now is long
// a moment later, so more of them do not tell more in proportion. A difference is *beyond the spread* when it is more than
// three times that, and at least one per cent.
//
// This tells two runs apart. It does not tell two builds apart: what else the machine did in each run is in the figures
// too. Run both several times, in turn.

import type { Interval, Report } from "./report.ts";

export type Verdict = "better" | "worse" | "differs" | "within the spread" | "too short to tell" | "not measured";

export type ComparedRow = {
  readonly what: string;
  /** goes behind the numbers */
  readonly unit: string;
  /** the figure of each whole run; null: not measured */
  readonly a: number | null;
  readonly b: number | null;
  /** from A to B in per cent of A; null when there is nothing to divide by */
  readonly changePercent: number | null;
  /** of the difference, in the unit of the row; null: not known */
  readonly spread: number | null;
  readonly verdict: Verdict;
};

type Wish = "more" | "less" | "neither";

/** What makes the figure of a run: its seconds together, or the worst of them. */
type Made = "together" | "worst";

type Row = {
  readonly what: string;
  readonly unit: string;
  readonly wish: Wish;
  readonly made: Made;
  readonly whole: (report: Report) => number | null;
  /** null: nothing was due or measured in that second */
  readonly second: (interval: Interval, report: Report) => number | null;
};

const SEPARATE_MAX = 10;
const SECONDS_MIN = 5;
const SPREADS_BEYOND = 3;
const DEVIATIONS = 1.4826;
const LEAST_PERCENT = 1;

const perSecond = (count: number | null, { intervalSeconds }: Report): number | null =>
  count === null ? null : count / intervalSeconds;

const ROWS: readonly Row[] = [
  {
    ...row(
      "answered a second",
      "/s",
      "together",
      (one) => one.perSecond,
      (at, one) => perSecond(at.answered, one),
    ),
    wish: "more",
  },
  row(
    "p50",
    "ms",
    "together",
    (one) => one.latency?.p50Ms,
    (at) => at.latency?.p50Ms,
  ),
  row(
    "p90",
    "ms",
    "together",
    (one) => one.latency?.p90Ms,
    (at) => at.latency?.p90Ms,
  ),
  row(
    "p99",
    "ms",
    "together",
    (one) => one.latency?.p99Ms,
    (at) => at.latency?.p99Ms,
  ),
  row(
    "p99.9",
    "ms",
    "worst",
    (one) => one.latency?.p999Ms,
    (at) => at.latency?.p999Ms,
  ),
  row(
    "highest",
    "ms",
    "worst",
    (one) => one.latency?.maxMs,
    (at) => at.latency?.maxMs,
  ),
  row(
    "acknowledged p50",
    "ms",
    "together",
    (one) => one.acknowledgement?.p50Ms,
    (at) => at.acknowledgement?.p50Ms,
  ),
  row(
    "acknowledged p99",
    "ms",
    "together",
    (one) => one.acknowledgement?.p99Ms,
    (at) => at.acknowledgement?.p99Ms,
  ),
  row(
    "generator late at most",
    "ms",
    "worst",
    (one) => one.late?.maxMs,
    (at) => at.lateMsMax,
  ),
  row(
    "lag at most",
    "",
    "worst",
    (one) => most(one.intervals.map(({ lag }) => lag)),
    (at) => at.lag,
  ),
  row(
    "not answered",
    "",
    "worst",
    (one) => one.totals?.unanswered,
    () => null,
  ),
];

type Maybe = number | null | undefined;

/** A row in which less is better. */
function row(
  what: string,
  unit: string,
  made: Made,
  whole: (report: Report) => Maybe,
  second: (interval: Interval, report: Report) => Maybe,
): Row {
  const [wholeOf, secondOf] = [
    (one: Report) => whole(one) ?? null,
    (at: Interval, one: Report) => second(at, one) ?? null,
  ];
  return { what, unit, wish: "less", made, whole: wholeOf, second: secondOf };
}

export function compareReports(a: Report, b: Report): readonly ComparedRow[] {
  const rows = ROWS.map((one) => compareRow(one, a, b)).filter((one) => one.a !== null || one.b !== null);
  return [...rows, ...compareOutcomes(a, b)];
}

function compareRow(compared: Row, one: Report, other: Report): ComparedRow {
  const { what, unit, wish, whole } = compared;
  const [a, b] = [whole(one), whole(other)];
  const [spreadA, spreadB] = [spreadOf(compared, one), spreadOf(compared, other)];
  const spread = spreadA === null || spreadB === null ? null : Math.hypot(spreadA, spreadB);
  const found = { what, unit, a, b, changePercent: changeOf(a, b), spread };
  if (a === null || b === null) return { ...found, verdict: "not measured" };
  if (spread === null) return { ...found, verdict: a === b ? "within the spread" : "too short to tell" };
  return { ...found, verdict: judge(a, b, spread, wish) };
}

/** One run's part of the spread. null when it has too few seconds: the warm-up is left out, and the last second, which is
 *  mostly not a whole one. */
function spreadOf({ made, second }: Row, report: Report): number | null {
  const warmUp = Number(report.settings["warmUpSeconds"] ?? 0);
  const measured = report.intervals.slice(0, -1).filter(({ fromSecond }) => fromSecond >= warmUp);
  const values = measured.map((interval) => second(interval, report)).filter((value) => value !== null);
  if (values.length < SECONDS_MIN) return null;
  if (made === "worst") return deviation(values);
  return deviation(values) / Math.sqrt(Math.min(SEPARATE_MAX, values.length));
}

function deviation(values: readonly number[]): number {
  const middle = median(values);
  return DEVIATIONS * median(values.map((value) => Math.abs(value - middle)));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}

/** A difference below a per cent is of no use to anybody, however sure it is. */
function judge(from: number, to: number, spread: number, wish: Wish): Verdict {
  const difference = to - from;
  const isLarge = Math.abs(difference) >= (Math.abs(from) * LEAST_PERCENT) / 100;
  if (!isLarge || difference === 0 || Math.abs(difference) <= SPREADS_BEYOND * spread) return "within the spread";
  if (wish === "neither") return "differs";
  return difference > 0 === (wish === "more") ? "better" : "worse";
}

/** Shares of all answers, in per cent. That more is refused is neither good nor bad: it depends on what was asked. */
function compareOutcomes(a: Report, b: Report): ComparedRow[] {
  const names = new Map([...a.outcomes, ...b.outcomes].map((one) => [nameOf(one), one]));
  const [allA, allB] = [sumOf(a), sumOf(b)];
  if (allA === 0 || allB === 0) return [];
  return [...names.keys()].map((name) => {
    const [shareA, shareB] = [countOf(a, name) / allA, countOf(b, name) / allB];
    const together = (shareA * allA + shareB * allB) / (allA + allB);
    const spread = 100 * Math.sqrt(together * (1 - together) * (1 / allA + 1 / allB));
    const [from, to] = [shareA * 100, shareB * 100];
    return {
      what: name,
      unit: "%",
      a: from,
      b: to,
      changePercent: changeOf(from, to),
      spread,
      verdict: judge(from, to, spread, "neither"),
    };
  });
}

function nameOf({ type, code }: { readonly type: string; readonly code: string | null }): string {
  return code === null ? type : `${type} (${code})`;
}

function countOf({ outcomes }: Report, name: string): number {
  return outcomes.find((one) => nameOf(one) === name)?.count ?? 0;
}

function sumOf({ outcomes }: Report): number {
  return outcomes.reduce((sum, { count }) => sum + count, 0);
}

function changeOf(a: number | null, b: number | null): number | null {
  return a === null || b === null || a === 0 ? null : ((b - a) / a) * 100;
}

function most(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>(
    (found, value) => (value === null ? found : Math.max(found ?? value, value)),
    null,
  );
}

/** Rows in which B is worse than A by more than `percent`, beyond the spread. */
export function worsened(rows: readonly ComparedRow[], percent: number): readonly ComparedRow[] {
  return rows.filter(
    ({ verdict, changePercent }) =>
      verdict === "worse" && (changePercent === null || Math.abs(changePercent) > percent),
  );
}

/** What stands among the settings and is of one run only: what chance began with, and what came out. */
const OF_ONE_RUN: ReadonlySet<string> = new Set([
  "seed",
  "runAt",
  "topic",
  "sent",
  "loadAverageBefore",
  "lateMsMax",
  "p90Ms",
  "p999Ms",
  "ackP50Ms",
  "ackP99Ms",
  "secondsFromStart",
  "perSecondFromStart",
]);

/** Settings that are not the same in both: the figures may differ because of them. */
export function settingsApart(a: Report, b: Report): readonly string[] {
  const [left, right] = [factsOf(a), factsOf(b)];
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter((name) => !OF_ONE_RUN.has(name));
  return names.flatMap((name) => {
    const [one, other] = [JSON.stringify(left[name] ?? null), JSON.stringify(right[name] ?? null)];
    return one === other ? [] : [`${name}: ${one} and ${other}`];
  });
}

function factsOf({ name, settings, versions, host: { cores, cpu } }: Report): Record<string, unknown> {
  return { name, ...settings, ...versions, cores, cpu };
}
