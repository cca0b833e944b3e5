// What differs between the two runs, put together: outcomes, lines and final states by what is alike about them, and money by
// account and currency.

import type { Chart } from "../../domain/accounts.ts";
import { parseHistory } from "../../domain/history.ts";
import { type Apart, type CaseApart, type Comparison, type LineFact, type OutcomeFact, printed } from "./comparison.ts";
import {
  type Counted,
  counted,
  type Findings,
  type InputCounts,
  type NotReproduced,
  type UnansweredCall,
  type UnaskedAnswer,
  type Undecided,
} from "./findings.ts";
import { plainHistory, type RecordedCases } from "./recorded-cases.ts";
import type { Run } from "./run.ts";

export type Change = "added" | "gone" | "changed";

export type OutcomeDifference = Counted & {
  readonly flow: string;
  readonly change: Change;
  /** `payment.captured captured`, with the reason behind it */
  readonly recorded: string | null;
  readonly candidate: string | null;
  /** of one that changed: whether its amounts did */
  readonly amounts: boolean;
};

/** Sums of lines of one posting in one currency, over the cases in which they differ. */
export type LineDifference = Counted & {
  readonly flow: string;
  readonly posting: string;
  readonly currency: string;
  recordedMinor: bigint;
  candidateMinor: bigint;
};

export type StateDifference = Counted & {
  readonly flow: string;
  /** null: the case is not there */
  readonly recorded: string | null;
  readonly candidate: string | null;
};

export type MoneyDifference = {
  readonly account: string;
  readonly currency: string;
  /** by how much its balance would be higher with the candidate, in the account's normal sign */
  readonly differenceMinor: bigint;
};

export type BacktestResult = {
  /** nothing differs, everything was decided, every call has its answer, and every recorded answer its call */
  readonly identical: boolean;
  readonly inputs: InputCounts;
  /** that began in the span */
  readonly cases: number;
  readonly casesThatDiffer: number;
  /** those that wait for an answer that nobody recorded, and what they would have set off */
  readonly casesUnknown: number;
  readonly outcomes: readonly OutcomeDifference[];
  readonly lines: readonly LineDifference[];
  readonly states: readonly StateDifference[];
  readonly money: readonly MoneyDifference[];
  readonly undecidable: readonly Undecided[];
  readonly unanswered: readonly UnansweredCall[];
  readonly unasked: readonly UnaskedAnswer[];
  readonly notReproduced: readonly NotReproduced[];
};

export type ResultOf = {
  readonly runs: { readonly recorded: Run; readonly candidate: Run };
  readonly comparison: Comparison;
  readonly findings: Findings;
  readonly cases: RecordedCases;
  readonly chart: Chart;
};

export function resultOf({ runs, comparison, findings, cases, chart }: ResultOf): BacktestResult {
  const outcomes = new Map<string, OutcomeDifference>();
  const lines = new Map<string, LineDifference>();
  const moved = new Map<string, Moved>();
  const differing = new Set<string>();
  for (const [key, apart] of comparison.apart()) {
    const found = tellOutcomes(outcomes, apart) + tellLines(lines, apart);
    move(moved, apart.lines);
    if (found > 0) differing.add(key);
  }
  const states = compareStates(runs, comparison, differing);
  for (const one of unlikeRecorded(runs.recorded, cases)) findings.notReproducedList.push(one);
  const { undecided, unansweredCalls, unaskedAnswers } = findings;
  const keys = keysOf(runs);
  return {
    identical: differing.size + undecided.length + unansweredCalls.length + unaskedAnswers.length === 0,
    inputs: findings.inputs,
    cases: keys.size,
    casesThatDiffer: differing.size,
    casesUnknown: [...keys].filter((key) => comparison.isUnknown(key)).length,
    outcomes: mostFirst(outcomes),
    lines: mostFirst(lines),
    states,
    money: moneyOf(moved, chart),
    undecidable: undecided,
    unanswered: unansweredCalls,
    unasked: unaskedAnswers,
    notReproduced: findings.notReproducedList,
  };
}

function mostFirst<Of extends Counted>(all: ReadonlyMap<string, Of>): Of[] {
  return [...all.values()].sort((one, other) => other.count - one.count);
}

// Outcomes ----------------------------------------------------------------------------------------------------------------

/** @returns how many outcomes differ */
function tellOutcomes(all: Map<string, OutcomeDifference>, { caseId, flow, outcomes }: CaseApart): number {
  const pairs = pairUp(outcomes);
  for (const { recorded, candidate } of pairs) {
    const change: Change = recorded === null ? "added" : candidate === null ? "gone" : "changed";
    const said = {
      flow,
      change,
      recorded: recorded && told(recorded),
      candidate: candidate && told(candidate),
      amounts: change === "changed" && recorded?.amounts !== candidate?.amounts,
    };
    counted(all, JSON.stringify(said), said, caseId);
  }
  return pairs.length;
}

function told({ type, status, reason }: OutcomeFact): string {
  return `${type} ${status}${reason === null ? "" : ` (${reason})`}`;
}

type Pair = { readonly recorded: OutcomeFact | null; readonly candidate: OutcomeFact | null };

/** What both have in the same order falls away; between two such, the first of the one stands against the first of the
 *  other. */
function pairUp({ recorded, candidate }: Apart<OutcomeFact>): Pair[] {
  const pairs: Pair[] = [];
  const texts = { recorded: recorded.map(textOf), candidate: candidate.map(textOf) };
  const between = (from: readonly [number, number], until: readonly [number, number]): void => {
    const [gone, added] = [recorded.slice(from[0], until[0]), candidate.slice(from[1], until[1])];
    for (let at = 0; at < Math.max(gone.length, added.length); at++)
      pairs.push({ recorded: gone[at] ?? null, candidate: added[at] ?? null });
  };
  let from: [number, number] = [0, 0];
  for (const [one, other] of alike(texts.recorded, texts.candidate)) {
    between(from, [one, other]);
    from = [one + 1, other + 1];
  }
  between(from, [recorded.length, candidate.length]);
  return pairs;
}

function textOf(fact: OutcomeFact): string {
  return JSON.stringify(fact);
}

/** Longer lists than this are compared in their order alone: a case has a handful of outcomes. */
const ALIKE_MAX = 500;

/** Places of a longest common subsequence. */
function alike(one: readonly string[], other: readonly string[]): [number, number][] {
  if (one.length > ALIKE_MAX || other.length > ALIKE_MAX) return [];
  const lengths = Array.from({ length: one.length + 1 }, () => Array.from({ length: other.length + 1 }, () => 0));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = one.length - 1; i >= 0; i--) {
    const row = lengths[i] as number[];
    for (let j = other.length - 1; j >= 0; j--)
      row[j] = one[i] === other[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const places: [number, number][] = [];
  for (let i = 0, j = 0; i < one.length && j < other.length; ) {
    if (one[i] === other[j]) places.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
  return places;
}

// Money -------------------------------------------------------------------------------------------------------------------

/** @returns how many postings differ */
function tellLines(all: Map<string, LineDifference>, { caseId, flow, lines }: CaseApart): number {
  const sums = new Map<
    string,
    { posting: string; currency: string; recorded: bigint; candidate: bigint; net: bigint }
  >();
  const add = (which: "recorded" | "candidate", { posting, debit, credit, currency, minor }: LineFact): void => {
    const key = `${posting} ${debit} ${credit} ${currency}`;
    const sum = sums.get(key) ?? { posting, currency, recorded: 0n, candidate: 0n, net: 0n };
    sum[which] += minor;
    sum.net += which === "recorded" ? -minor : minor;
    sums.set(key, sum);
  };
  for (const line of lines.recorded) add("recorded", line);
  for (const line of lines.candidate) add("candidate", line);
  const differing = [...sums.values()].filter(({ net }) => net !== 0n);
  for (const { posting, currency, recorded, candidate } of differing) {
    const said = { flow, posting, currency, recordedMinor: 0n, candidateMinor: 0n };
    const one = counted(all, `${flow} ${posting} ${currency}`, said, caseId);
    one.recordedMinor += recorded;
    one.candidateMinor += candidate;
  }
  return differing.length;
}

/** `minor`: debits less credits with the candidate, less those of the recording. */
type Moved = { readonly account: string; readonly currency: string; minor: bigint };

function move(all: Map<string, Moved>, { recorded, candidate }: Apart<LineFact>): void {
  const add = (account: string, currency: string, by: bigint): void => {
    const key = `${account} ${currency}`;
    const known = all.get(key) ?? { account, currency, minor: 0n };
    known.minor += by;
    all.set(key, known);
  };
  const book = ({ debit, credit, currency, minor }: LineFact, sign: bigint): void => {
    add(debit, currency, sign * minor);
    add(credit, currency, -sign * minor);
  };
  for (const line of recorded) book(line, -1n);
  for (const line of candidate) book(line, 1n);
}

function moneyOf(moved: ReadonlyMap<string, Moved>, chart: Chart): MoneyDifference[] {
  const differing = [...moved].filter(([, { minor }]) => minor !== 0n).sort(([one], [other]) => (one < other ? -1 : 1));
  return differing.map(([, { account, currency, minor }]) => {
    const isCredit = chart.resolve(account)?.side === "credit";
    return { account, currency, differenceMinor: isCredit ? -minor : minor };
  });
}

// Cases -------------------------------------------------------------------------------------------------------------------

function keysOf({ recorded, candidate }: ResultOf["runs"]): Set<string> {
  const keys = [recorded, candidate].flatMap((run) =>
    [...run.lanes].flatMap(({ lane, cases }) => [...cases.keys()].map((uuid) => `${lane} ${uuid}`)),
  );
  return new Set(keys);
}

function compareStates(
  { recorded, candidate }: ResultOf["runs"],
  comparison: Comparison,
  differing: Set<string>,
): StateDifference[] {
  const all = new Map<string, StateDifference>();
  for (const key of keysOf({ recorded, candidate })) {
    if (comparison.isUnknown(key)) continue;
    const [lane = "", uuid = ""] = key.split(" ");
    const then = recorded.lane(Number(lane)).cases.get(uuid);
    const now = candidate.lane(Number(lane)).cases.get(uuid);
    const known = then ?? now;
    if (known === undefined || then?.state === now?.state) continue;
    differing.add(key);
    const said = { flow: known.flow.name, recorded: then?.state ?? null, candidate: now?.state ?? null };
    counted(all, JSON.stringify(said), said, printed(known));
  }
  return mostFirst(all);
}

/** Cases that the recording's own run does not decide as they are recorded: what is said of them is a guess. */
function unlikeRecorded(run: Run, cases: RecordedCases): NotReproduced[] {
  const found: NotReproduced[] = [];
  const left = new Map(cases.histories);
  for (const { lane, cases: decided } of run.lanes) {
    for (const [uuid, one] of decided) {
      const recorded = left.get(`${lane} ${uuid}`);
      left.delete(`${lane} ${uuid}`);
      if (recorded === plainHistory(parseHistory(one.history))) continue;
      const why = recorded === undefined ? "is not in the recording" : "has another history in the recording";
      found.push({ partition: lane, why: `${printed(one)} ${why}` });
    }
  }
  for (const key of left.keys()) {
    const [lane = "", uuid = ""] = key.split(" ");
    found.push({ partition: Number(lane), why: `${uuid} is recorded and was not decided anew` });
  }
  return found;
}
