// Holds two runs against each other, case by case, while they go on: what both have said alike is forgotten at once, so only
// what differs takes memory.

import type { Books, CaseRecord, Line, Outcome } from "../../domain/books.ts";
import { formatCaseId, parseCaseId } from "../../domain/ids.ts";

export type Which = "recorded" | "candidate";

export type OutcomeFact = {
  readonly type: string;
  readonly status: string;
  /** `funds: insufficient_funds` */
  readonly reason: string | null;
  /** `captured=EUR:1000 net=EUR:970` */
  readonly amounts: string;
};

export type LineFact = {
  readonly posting: string;
  readonly debit: string;
  readonly credit: string;
  readonly currency: string;
  readonly minor: bigint;
};

/** What one run has of a case and the other has not, or not at its place. */
export type Apart<Fact> = { readonly recorded: Fact[]; readonly candidate: Fact[] };

export type CaseApart = {
  readonly caseId: string;
  readonly flow: string;
  readonly outcomes: Apart<OutcomeFact>;
  readonly lines: Apart<LineFact>;
};

type Texted<Fact> = { readonly text: string; readonly fact: Fact };
type Trail = {
  caseId: string;
  flow: string;
  readonly outcomes: Apart<Texted<OutcomeFact>>;
  readonly lines: Apart<Texted<LineFact>>;
};

export class Comparison {
  readonly #trails = new Map<string, Trail>();
  /** cases of which nobody knows how they would have gone on with the candidate */
  readonly #unknown = new Set<string>();

  /** @param cause `<lane> <case>` of the case whose message brought the input, if it was one */
  add(which: Which, books: Books, cause: string | null = null): void {
    const { lane } = books;
    this.#spread(books, cause);
    for (const outcome of books.outcomes) {
      const key = keyOfOutcome(lane, outcome);
      const trail = this.#trail(key, outcome.caseId ?? "no case", outcome.flow?.split("@")[0] ?? "");
      if (trail !== null) put(trail.outcomes, which, textedOutcome(outcome));
    }
    for (const line of books.lines) {
      const key = `${lane} ${line.caseId}`;
      const one = books.cases.get(line.caseId);
      const trail = this.#trail(key, one === undefined ? line.caseId : printed(one), one?.flow.name ?? "");
      if (trail !== null) put(trail.lines, which, textedLine(line));
    }
    this.#forget(books);
  }

  /** How the case would have gone on from here is unknown. What differs so far stays. */
  lose(key: string): void {
    this.#unknown.add(key);
  }

  isUnknown(key: string): boolean {
    return this.#unknown.has(key);
  }

  /** What a case of which nothing is known sets off at others is as unknown. */
  #spread(books: Books, cause: string | null): void {
    if (this.#unknown.size === 0) return;
    const changed = [...books.cases].filter(([, one]) => one.changed || one.isNew).map(([id]) => `${books.lane} ${id}`);
    const isLost = (cause !== null && this.#unknown.has(cause)) || changed.some((key) => this.#unknown.has(key));
    if (isLost) for (const key of changed) this.#unknown.add(key);
  }

  #trail(key: string, caseId: string, flow: string): Trail | null {
    if (this.#unknown.has(key)) return null;
    const known = this.#trails.get(key);
    if (known !== undefined) return known;
    const trail: Trail = { caseId, flow, outcomes: nothing(), lines: nothing() };
    this.#trails.set(key, trail);
    return trail;
  }

  #forget({ lane, outcomes, lines }: Books): void {
    const keys = [...outcomes.map((one) => keyOfOutcome(lane, one)), ...lines.map(({ caseId }) => `${lane} ${caseId}`)];
    for (const key of keys) {
      const trail = this.#trails.get(key);
      if (trail !== undefined && isEmpty(trail.outcomes) && isEmpty(trail.lines)) this.#trails.delete(key);
    }
  }

  /** The cases that differ, by `<lane> <case>`. */
  *apart(): Generator<[string, CaseApart]> {
    for (const [key, { caseId, flow, outcomes, lines }] of this.#trails)
      yield [key, { caseId, flow, outcomes: facts(outcomes), lines: facts(lines) }];
  }
}

function nothing<Fact>(): Apart<Fact> {
  return { recorded: [], candidate: [] };
}

function isEmpty({ recorded, candidate }: Apart<unknown>): boolean {
  return recorded.length === 0 && candidate.length === 0;
}

function put<Fact>(apart: Apart<Texted<Fact>>, which: Which, one: Texted<Fact>): void {
  const [own, other] = which === "recorded" ? [apart.recorded, apart.candidate] : [apart.candidate, apart.recorded];
  if (own.length === 0 && other[0]?.text === one.text) other.shift();
  else own.push(one);
}

function facts<Fact>({ recorded, candidate }: Apart<Texted<Fact>>): Apart<Fact> {
  return { recorded: recorded.map(({ fact }) => fact), candidate: candidate.map(({ fact }) => fact) };
}

function textedOutcome({ type, status, reason, amounts }: Outcome): Texted<OutcomeFact> {
  const told = Object.entries(amounts).map(([name, { currency, minor }]) => `${name}=${currency}:${minor}`);
  const fact = {
    type,
    status,
    reason: reason === null ? null : `${reason.category}: ${reason.code}`,
    amounts: told.sort().join(" "),
  };
  return { text: JSON.stringify(fact), fact };
}

function textedLine({ posting, debit, credit, currency, minor }: Line): Texted<LineFact> {
  const fact = { posting, debit: debit.path, credit: credit.path, currency, minor };
  return { text: `${posting} ${debit.path} ${credit.path} ${currency} ${minor}`, fact };
}

/** An id that is none stands for itself. */
function keyOfOutcome(lane: number, { caseId, outcomeId }: Outcome): string {
  return `${lane} ${caseId === null ? outcomeId : (parseCaseId(caseId)?.uuid ?? caseId)}`;
}

export function printed({ kind, id }: Pick<CaseRecord, "kind" | "id">): string {
  return formatCaseId({ kind, uuid: id, timeMs: 0 });
}
