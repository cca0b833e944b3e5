// What is known of whole numbers, and what follows from it. Equations are solved and put in; for inequalities a goal is
// proven by refuting its opposite: name after name is eliminated by adding up inequalities (Fourier and Motzkin), until
// a number below zero is said to be zero or more. Exact, in whole numbers. A proof that would take too many steps counts
// as none, which is safe: what is not proven is refused.

import { addTimes, constant, isConstant, type Linear, oppositeKey, substitute, termsKey, times } from "./linear.ts";

/** Inequalities that may stand side by side before a proof is given up. */
const INEQUALITIES_MAX = 400;

export class Hypotheses {
  /** each `>= 0`, by the key of its terms */
  #atLeast: Map<string, Linear> = new Map();
  #solved: Map<string, Linear> = new Map();
  #contradicts = false;
  /** names of which something was learnt since it was last seen that all of it can be true */
  #fresh: Set<string> = new Set();
  /** the maps belong to others as well: copied before they are changed */
  #isShared = false;

  copy(): Hypotheses {
    const copy = new Hypotheses();
    copy.#atLeast = this.#atLeast;
    copy.#solved = this.#solved;
    copy.#contradicts = this.#contradicts;
    copy.#fresh = new Set(this.#fresh);
    copy.#isShared = true;
    this.#isShared = true;
    return copy;
  }

  #own(): void {
    if (!this.#isShared) return;
    this.#atLeast = new Map(this.#atLeast);
    this.#solved = new Map(this.#solved);
    this.#isShared = false;
  }

  /** With every solved name put in. */
  reduce(linear: Linear): Linear {
    return substitute(linear, (name) => this.#solved.get(name) ?? null);
  }

  assumeAtLeastZero(linear: Linear): void {
    const reduced = tightened(this.reduce(linear));
    if (isConstant(reduced)) {
      if (reduced.constant < 0n) this.#contradicts = true;
      return;
    }
    const opposite = oppositeKey(reduced);
    if (this.#atLeast.get(opposite)?.constant === -reduced.constant) {
      // Neither above nor below zero: an equation, which takes a name out of everything else.
      this.#own();
      this.#atLeast.delete(opposite);
      this.assumeZero(reduced);
      return;
    }
    this.#own();
    if (keepTightest(this.#atLeast, reduced)) for (const name of reduced.terms.keys()) this.#fresh.add(name);
  }

  assumeZero(linear: Linear): void {
    const reduced = this.reduce(linear);
    if (isConstant(reduced)) {
      if (reduced.constant !== 0n) this.#contradicts = true;
      return;
    }
    const unit = [...reduced.terms].find(([, factor]) => factor === 1n || factor === -1n);
    if (unit === undefined) {
      this.assumeAtLeastZero(reduced);
      this.assumeAtLeastZero(times(reduced, -1n));
      return;
    }
    const [name, factor] = unit;
    const rest = addTimes(reduced, { constant: 0n, terms: new Map([[name, 1n]]) }, -factor);
    this.#solve(name, times(rest, -factor));
  }

  #solve(name: string, value: Linear): void {
    this.#own();
    const of = (one: string): Linear | null => (one === name ? value : null);
    for (const [key, known] of this.#solved) {
      if (known.terms.has(name)) this.#solved.set(key, substitute(known, of));
    }
    this.#solved.set(name, value);
    const touched = [...this.#atLeast].filter(([, known]) => known.terms.has(name));
    for (const [key] of touched) this.#atLeast.delete(key);
    for (const [, known] of touched) this.assumeAtLeastZero(substitute(known, of));
  }

  provesAtLeastZero(goal: Linear): boolean {
    if (this.#contradicts) return true;
    const reduced = this.reduce(goal);
    if (isConstant(reduced)) return reduced.constant >= 0n;
    const same = this.#atLeast.get(termsKey(reduced));
    if (same !== undefined && same.constant <= reduced.constant) return true;
    if (this.#leastOf(reduced) >= 0n) return true;
    const opposite = tightened(addTimes(constant(-1n), reduced, -1n));
    return isRefuted([...this.#related(opposite.terms.keys()), opposite]);
  }

  /** What a form is at least, by what is known of each of its names alone; below zero when nothing is known. */
  #leastOf({ constant: rest, terms }: Linear): bigint {
    let least = rest;
    for (const [name, factor] of terms) {
      const bound = this.#atLeast.get(factor > 0n ? `1*${name}` : `-1*${name}`);
      if (bound === undefined) return -1n;
      least -= (factor > 0n ? factor : -factor) * bound.constant;
    }
    return least;
  }

  provesZero(goal: Linear): boolean {
    const reduced = this.reduce(goal);
    if (this.#contradicts || isConstant(reduced)) return this.#contradicts || reduced.constant === 0n;
    return this.provesAtLeastZero(reduced) && this.provesAtLeastZero(times(reduced, -1n));
  }

  /** No numbers fulfil all of it. */
  isImpossible(): boolean {
    if (!this.#contradicts && this.#fresh.size > 0) this.#contradicts = isRefuted(this.#related(this.#fresh));
    this.#fresh.clear();
    return this.#contradicts;
  }

  /** Inequalities with one of these names, or with one that such an inequality has, and so on. Others cannot matter. */
  #related(first: Iterable<string>): Linear[] {
    const names = new Set(first);
    const open = new Set(this.#atLeast.values());
    const found: Linear[] = [];
    for (let grown = true; grown; ) {
      grown = false;
      for (const known of open) {
        if (!hasOneOf(known.terms, names)) continue;
        open.delete(known);
        found.push(known);
        for (const name of known.terms.keys()) names.add(name);
        grown = true;
      }
    }
    return found;
  }
}

/** Of two inequalities with the same terms the smaller constant says more.
 *  @returns whether it was news */
function keepTightest(inequalities: Map<string, Linear>, linear: Linear): boolean {
  const key = termsKey(linear);
  const known = inequalities.get(key);
  if (known !== undefined && known.constant <= linear.constant) return false;
  inequalities.set(key, linear);
  return true;
}

/** Divided by the common divisor of its factors; the rest rounds down, since the numbers are whole. */
function tightened(linear: Linear): Linear {
  let divisor = 0n;
  for (const factor of linear.terms.values()) {
    divisor = greatestCommonDivisor(divisor, factor < 0n ? -factor : factor);
    if (divisor === 1n) return linear;
  }
  if (divisor === 0n) return linear;
  const terms = new Map([...linear.terms].map(([name, factor]) => [name, factor / divisor]));
  const { constant: rest } = linear;
  return { terms, constant: rest >= 0n ? rest / divisor : -((-rest + divisor - 1n) / divisor) };
}

function greatestCommonDivisor(one: bigint, other: bigint): bigint {
  let [a, b] = [one, other];
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** Whether no numbers make every form zero or more. False also when it would take too long to tell. */
function isRefuted(inequalities: readonly Linear[]): boolean {
  let current: readonly Linear[] = tightestOf(inequalities);
  while (current.length > 0 && current.length <= INEQUALITIES_MAX) {
    const { oneSided, cheapest } = namesOf(current);
    if (oneSided.size > 0) {
      // A name that only helps, or only hinders, can be as large as it likes: what it stands in is fulfilled.
      current = current.filter(({ terms }) => !hasOneOf(terms, oneSided));
      continue;
    }
    const sums = without(cheapest, current);
    if (sums === null) return true;
    current = tightestOf(sums);
  }
  return false;
}

/** Few are quicker to go on with than to compare. */
const COMPARED_FROM = 40;

function tightestOf(inequalities: readonly Linear[]): readonly Linear[] {
  if (inequalities.length < COMPARED_FROM) return inequalities;
  const tightest = new Map<string, Linear>();
  for (const one of inequalities) keepTightest(tightest, one);
  return [...tightest.values()];
}

function hasOneOf(terms: ReadonlyMap<string, bigint>, names: ReadonlySet<string>): boolean {
  for (const name of terms.keys()) if (names.has(name)) return true;
  return false;
}

/** The inequalities without a name: those without it, and every sum of two in which it falls out.
 *  @returns null when one of them says that a number below zero is zero or more */
function without(name: string, inequalities: readonly Linear[]): Linear[] | null {
  const lower: Linear[] = [];
  const upper: Linear[] = [];
  const sums: Linear[] = [];
  for (const one of inequalities) {
    const factor = one.terms.get(name) ?? 0n;
    (factor === 0n ? sums : factor > 0n ? lower : upper).push(one);
  }
  for (const low of lower) {
    for (const up of upper) {
      const sum = tightened(eliminated(name, low, up));
      if (!isConstant(sum)) sums.push(sum);
      else if (sum.constant < 0n) return null;
    }
  }
  return sums;
}

function eliminated(name: string, low: Linear, up: Linear): Linear {
  const one = low.terms.get(name) as bigint;
  const other = -(up.terms.get(name) as bigint);
  return addTimes(times(low, other), up, one);
}

/** Names that stand on one side only, and the name whose elimination leaves the fewest inequalities. */
function namesOf(inequalities: readonly Linear[]): { oneSided: ReadonlySet<string>; cheapest: string } {
  const counts = new Map<string, { lower: number; upper: number }>();
  for (const { terms } of inequalities) {
    for (const [name, factor] of terms) {
      const known = counts.get(name);
      if (known === undefined) counts.set(name, { lower: factor > 0n ? 1 : 0, upper: factor > 0n ? 0 : 1 });
      else if (factor > 0n) known.lower += 1;
      else known.upper += 1;
    }
  }
  const oneSided = new Set<string>();
  let cheapest = "";
  let least = Number.POSITIVE_INFINITY;
  for (const [name, { lower, upper }] of counts) {
    if (lower === 0 || upper === 0) oneSided.add(name);
    const cost = lower * upper - lower - upper;
    if (cost < least) [cheapest, least] = [name, cost];
  }
  return { oneSided, cheapest };
}
