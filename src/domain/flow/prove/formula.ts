// What a guard says, as and, or and not over a few kinds of facts, and the ways in which it can come true.

import { addTimes, constant, type Linear, minus, times } from "./linear.ts";

/** `one_of`: the word, flag or yes-or-no named `subject` is one of `words`; with `but`, anything else. */
export type Fact =
  | { readonly kind: "at_least_zero"; readonly linear: Linear }
  | { readonly kind: "zero"; readonly linear: Linear }
  | { readonly kind: "one_of"; readonly subject: string; readonly words: ReadonlySet<string>; readonly but: boolean };

export type Formula =
  | { readonly kind: "and" | "or"; readonly parts: readonly Formula[] }
  | { readonly kind: "not"; readonly part: Formula }
  | { readonly kind: "fact"; readonly fact: Fact };

export const ALWAYS: Formula = { kind: "and", parts: [] };
export const NEVER: Formula = { kind: "or", parts: [] };

export function not(part: Formula): Formula {
  return { kind: "not", part };
}

export function oneOf(subject: string, ...words: readonly string[]): Formula {
  return { kind: "fact", fact: { kind: "one_of", subject, words: new Set(words), but: false } };
}

export function atLeast(one: Linear, other: Linear): Formula {
  return { kind: "fact", fact: { kind: "at_least_zero", linear: minus(one, other) } };
}

export function equal(one: Linear, other: Linear): Formula {
  return { kind: "fact", fact: { kind: "zero", linear: minus(one, other) } };
}

/** More ways than this, and nothing is concluded from the guard: a guard has a hundred nodes at most. */
const CLAUSES_MAX = 24;
const ANYHOW: readonly (readonly Fact[])[] = [[]];

/** The ways in which a formula comes true (or false): in each, all of its facts hold; in every case one of them does.
 *  None: it never comes true. */
export function clausesOf(formula: Formula, isTrue: boolean): readonly (readonly Fact[])[] {
  switch (formula.kind) {
    case "fact":
      return isTrue ? [[formula.fact]] : opposites(formula.fact);
    case "not":
      return clausesOf(formula.part, !isTrue);
    case "and":
    case "or": {
      const ways = formula.parts.map((part) => clausesOf(part, isTrue));
      const result = (formula.kind === "and") === isTrue ? combined(ways) : ways.flat();
      return result.length > CLAUSES_MAX ? ANYHOW : result;
    }
  }
}

function combined(ways: readonly (readonly (readonly Fact[])[])[]): readonly (readonly Fact[])[] {
  let result = ANYHOW;
  for (const way of ways) {
    const next = result.flatMap((before) => way.map((facts) => [...before, ...facts]));
    // Leaving a part out says less, and what says less is safe to conclude from.
    if (next.length <= CLAUSES_MAX) result = next;
  }
  return result;
}

function opposites(fact: Fact): readonly (readonly Fact[])[] {
  const below = (linear: Linear): Fact => ({
    kind: "at_least_zero",
    linear: addTimes(constant(-1n), linear, -1n),
  });
  switch (fact.kind) {
    case "at_least_zero":
      return [[below(fact.linear)]];
    case "zero":
      return [[below(fact.linear)], [below(times(fact.linear, -1n))]];
    case "one_of":
      return [[{ ...fact, but: !fact.but }]];
  }
}
