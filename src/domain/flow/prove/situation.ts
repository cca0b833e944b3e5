// What is known at one point of an event's way: of numbers (hypotheses) and of words, flags and other things with few
// values (choices).

import type { Fact } from "./formula.ts";
import { Hypotheses } from "./hypotheses.ts";

/** The value is one of `words`, or with `but` anything else. */
export type Choice = { readonly words: ReadonlySet<string>; readonly but: boolean };

export class Situation {
  readonly numbers: Hypotheses;
  #choices: Map<string, Choice>;
  /** names of values whose laws are known already */
  #met: Set<string>;
  /** map and set belong to others as well: copied before they are changed */
  #isShared = false;

  constructor(from?: Situation) {
    this.numbers = from?.numbers.copy() ?? new Hypotheses();
    this.#choices = from?.share().choices ?? new Map();
    this.#met = from?.share().met ?? new Set();
    this.#isShared = from !== undefined;
  }

  get choices(): ReadonlyMap<string, Choice> {
    return this.#choices;
  }

  share(): { choices: Map<string, Choice>; met: Set<string> } {
    this.#isShared = true;
    return { choices: this.#choices, met: this.#met };
  }

  #own(): void {
    if (!this.#isShared) return;
    this.#choices = new Map(this.#choices);
    this.#met = new Set(this.#met);
    this.#isShared = false;
  }

  /** True the first time only: whoever meets a value first says what is known of it. */
  meets(name: string): boolean {
    if (this.#met.has(name)) return false;
    this.#own();
    this.#met.add(name);
    return true;
  }

  assume(fact: Fact): void {
    if (fact.kind === "at_least_zero") this.numbers.assumeAtLeastZero(fact.linear);
    else if (fact.kind === "zero") this.numbers.assumeZero(fact.linear);
    else this.restrict(fact.subject, fact);
  }

  /** The value of `subject` is one of these, beside all that is known of it. */
  restrict(subject: string, choice: Choice): void {
    const known = this.#choices.get(subject);
    this.#own();
    this.#choices.set(subject, known === undefined ? choice : both(known, choice));
  }

  wordsOf(subject: string): Choice {
    return this.#choices.get(subject) ?? { words: new Set(), but: true };
  }

  isImpossible(): boolean {
    for (const { words, but } of this.#choices.values()) if (!but && words.size === 0) return true;
    return this.numbers.isImpossible();
  }

  with(facts: readonly Fact[]): Situation {
    const next = new Situation(this);
    for (const fact of facts) next.assume(fact);
    return next;
  }
}

function both(one: Choice, other: Choice): Choice {
  if (one.but && other.but) return { words: new Set([...one.words, ...other.words]), but: true };
  const [listed, second] = one.but ? [other, one] : [one, other];
  return { words: new Set([...listed.words].filter((word) => second.words.has(word) !== second.but)), but: false };
}
