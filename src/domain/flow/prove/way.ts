// One event carried through a flow without knowing the numbers: from where the case rests, through every choice behind
// the event, to where it comes to rest. Each way that is not impossible is given, with all that is known at its end.

import type { Action, Alternative, Flow, FlowPosting, FlowState, NamedExpression } from "../flow.ts";
import { callNamed, eventNamed, sourceOf, stateNamed } from "../walk.ts";
import { ALWAYS, clausesOf, type Fact } from "./formula.ts";
import { addTimes, type Linear, ZERO } from "./linear.ts";
import type { Situation } from "./situation.ts";
import { type Demand, evaluate, formulaOf, type Scope, type Spendable } from "./symbolic.ts";
import { printed, type Symbolic } from "./values.ts";

/** An amount that the event moves or tells, and where it stands. */
export type Amount = {
  readonly action: Action;
  readonly value: NamedExpression;
  readonly linear: Linear;
  readonly what: string;
};

/** An action as it is reached: with the case's variables of that moment. */
export type Step = { readonly action: Action; readonly data: ReadonlyMap<string, Symbolic> };

export type Way = {
  /** null: the case opens */
  readonly start: FlowState | null;
  readonly event: string;
  /** alternatives taken, in order */
  readonly taken: readonly Alternative[];
  /** states entered, in order */
  readonly entered: readonly FlowState[];
  readonly steps: readonly Step[];
  readonly amounts: readonly Amount[];
  /** what must hold wherever an expression was evaluated */
  readonly demands: readonly Demand[];
  /** what accounts were asked for what can be spent */
  readonly spendables: readonly Spendable[];
  /** debits less credits by account path and currency symbol: `clearing:payment S` */
  readonly effects: ReadonlyMap<string, Linear>;
  /** of them what postings do that are not `forced` */
  readonly unforced: ReadonlyMap<string, Linear>;
  readonly data: ReadonlyMap<string, Symbolic>;
  readonly situation: Situation;
  /** the intent is answered with this code, and nothing of the way is done */
  readonly refuse: string | null;
  /** where the case rests in the end */
  readonly rest: FlowState;
  /** false: it stayed where it was */
  readonly left: boolean;
};

/** Types of outcomes behind which the case counts as having succeeded, and one whose end would contradict it. */
export type Successes = ReadonlySet<string>;

export const ENDED = "#ended";
export const SUCCEEDED = "#succeeded";

/** Ways of one event before the checker gives up on it. */
const WAYS_MAX = 3000;

export class TooManyWays extends Error {
  override name = "TooManyWays";
}

export type Begin = {
  readonly flow: Flow;
  readonly successes: Successes;
  readonly situation: Situation;
  readonly data: ReadonlyMap<string, Symbolic>;
};

/** The ways of an event that the state lists.
 *  @throws TooManyWays */
export function waysOf(begin: Begin, start: FlowState, event: string): Way[] {
  const alternatives = eventNamed(start, event)?.alternatives ?? [];
  const walker = new Walker(begin, start, event);
  const at = walker.begin();
  // What a named person decides may contradict what the case has told; so may what is learnt while one looks at it.
  if (start.human || sourceOf(event) === "operator")
    at.data = new Map([...at.data, [ENDED, no(at)], [SUCCEEDED, no(at)]]);
  walker.choose(at, alternatives);
  return walker.found;
}

/** The ways of a case that opens.
 *  @throws TooManyWays */
export function openingWays(begin: Begin, initial: FlowState, event: string): Way[] {
  const walker = new Walker(begin, null, event);
  walker.enter(walker.begin(), initial);
  return walker.found;
}

type Walking = {
  situation: Situation;
  data: ReadonlyMap<string, Symbolic>;
  lets: ReadonlyMap<string, Symbolic>;
  effects: ReadonlyMap<string, Linear>;
  unforced: ReadonlyMap<string, Linear>;
  taken: readonly Alternative[];
  entered: readonly FlowState[];
  steps: readonly Step[];
  amounts: readonly Amount[];
  demands: Demand[];
  spendables: Spendable[];
};

class Walker {
  readonly found: Way[] = [];
  readonly #begin: Begin;
  readonly #start: FlowState | null;
  readonly #event: string;

  constructor(begin: Begin, start: FlowState | null, event: string) {
    this.#begin = begin;
    this.#start = start;
    this.#event = event;
  }

  begin(): Walking {
    const { situation, data } = this.#begin;
    situation.isImpossible();
    const none = {
      lets: new Map(),
      effects: new Map(),
      unforced: new Map(),
      taken: [],
      entered: [],
      steps: [],
      amounts: [],
      demands: [],
      spendables: [],
    };
    return { situation, data, ...none };
  }

  /** The first alternative whose guard holds: each is taken where its guard may hold and those before it may not. */
  choose(at: Walking, alternatives: readonly Alternative[]): void {
    let open = [at];
    for (const alternative of alternatives) {
      const next: Walking[] = [];
      for (const one of open) {
        const own = {
          ...one,
          situation: one.situation.with([]),
          demands: [...one.demands],
          spendables: [...one.spendables],
        };
        const formula =
          alternative.when === null
            ? ALWAYS
            : formulaOf({ ...this.#scope(own), place: alternative.when.place }, alternative.when.root);
        own.situation.isImpossible(); // told once here, and not again for each fork
        for (const taken of forks(own, clausesOf(formula, true))) this.#take(taken, alternative);
        next.push(...forks(own, clausesOf(formula, false)));
      }
      open = next;
    }
  }

  enter(at: Walking, state: FlowState): void {
    const inside = { ...at, entered: [...at.entered, state], lets: new Map() };
    for (const action of state.entry) this.#act(inside, action);
    if (state.always.length > 0) this.choose(inside, state.always);
    else this.#rest(inside, state, null);
  }

  #take(at: Walking, alternative: Alternative): void {
    const here = { ...at, taken: [...at.taken, alternative], lets: new Map() };
    if (alternative.refuse !== null) return this.#rest(here, this.#start, alternative.refuse);
    for (const action of alternative.actions) this.#act(here, action);
    if (alternative.to === "stay") return this.#rest(here, this.#start, null);
    const state = stateNamed(this.#begin.flow, alternative.to);
    if (state !== undefined) this.enter(here, state);
  }

  #rest(at: Walking, state: FlowState | null, refuse: string | null): void {
    if (this.found.length >= WAYS_MAX) throw new TooManyWays(this.#event);
    const rest = state ?? (at.entered[0] as FlowState);
    const { lets: _lets, ...known } = at;
    this.found.push({ ...known, start: this.#start, event: this.#event, refuse, rest, left: at.entered.length > 0 });
  }

  #scope(at: Walking): Scope {
    const { flow } = this.#begin;
    const { situation, data, lets, effects } = at;
    return {
      flow,
      situation,
      event: this.#event,
      data,
      lets,
      effects,
      demand: (one) => at.demands.push(one),
      spendable: (one) => at.spendables.push(one),
    };
  }

  // Actions ---------------------------------------------------------------------------------------------------------------

  #act(at: Walking, action: Action): void {
    at.steps = [...at.steps, { action, data: at.data }];
    switch (action.kind) {
      case "let": {
        const scope = this.#scope(at);
        const values = action.values.map(({ name, value }) => [name, evaluate(scope, value)] as const);
        at.lets = new Map([...at.lets, ...values]);
        return;
      }
      case "set": {
        const scope = this.#scope(at);
        const values = action.values.map(({ name, value }) => [name, evaluate(scope, value)] as const);
        at.data = new Map([...at.data, ...values]);
        return;
      }
      case "post":
        return this.#post(at, action);
      case "emit":
        this.#amounts(at, action, action.amounts, `of ${action.type}`);
        if (this.#begin.successes.has(action.type)) at.data = new Map(at.data).set(SUCCEEDED, yes(at));
        return;
      case "end":
        at.data = new Map(at.data).set(ENDED, yes(at));
        return;
      case "call":
        return this.#call(at, action);
      case "spawn":
        return this.#amounts(at, action, action.values, `given to ${action.flow}`);
      case "tell":
        return this.#amounts(at, action, action.values, `told as ${action.word}`);
      case "consume":
        return this.#consume(at, action);
      case "open_account":
      case "change_account":
        return;
    }
  }

  #amounts(at: Walking, action: Action, values: readonly NamedExpression[], what: string): void {
    for (const value of values) {
      const result = evaluate(this.#scope(at), value.value);
      if (result.kind === "number") at.amounts = [...at.amounts, { action, value, linear: result.linear, what }];
    }
  }

  /** What goes along is made of the case and the event, not of names that the actions before have given. */
  #call(at: Walking, action: Action & { readonly kind: "call" }): void {
    const { lets } = at;
    at.lets = new Map();
    this.#amounts(at, action, callNamed(this.#begin.flow, action.call)?.payload ?? [], `of the call ${action.call}`);
    at.lets = lets;
  }

  #consume(at: Walking, action: Action & { readonly kind: "consume" }): void {
    this.#amounts(at, action, [{ place: action.place, name: "amount", value: action.amount }], "taken out of a quote");
    const scope = this.#scope(at);
    const asked = `quote.usable(${[action.quote, action.amount].map((one) => printed(evaluate(scope, one))).join(", ")}, `;
    const isMet = [...at.situation.choices].some(
      ([subject, { words, but }]) => subject.startsWith(asked) && !but && words.size === 1 && words.has("true"),
    );
    at.demands.push({ needs: "quote", what: `consume ${action.quote.text}`, isMet, place: action.place });
  }

  #post(at: Walking, action: Action & { readonly kind: "post" }): void {
    const posting = this.#begin.flow.postings.find(({ name }) => name === action.posting);
    if (posting === undefined) return;
    const given = new Map<string, Linear>();
    for (const { name, value } of action.amounts) {
      const result = evaluate(this.#scope(at), value);
      if (result.kind === "number") given.set(name, result.linear);
    }
    this.#amounts(at, action, action.amounts, `of ${action.posting}`);
    const movements = movementsOf(this.#begin.flow, posting, given);
    at.effects = added(at.effects, movements);
    if (!posting.forced) at.unforced = added(at.unforced, movements);
  }
}

function forks(at: Walking, clauses: readonly (readonly Fact[])[]): Walking[] {
  return clauses
    .map((facts) => ({
      ...at,
      situation: at.situation.with(facts),
      demands: [...at.demands],
      spendables: [...at.spendables],
    }))
    .filter(({ situation }) => !situation.isImpossible());
}

const yes = (at: Walking): Symbolic => fixed(at, "true");
const no = (at: Walking): Symbolic => fixed(at, "false");

function fixed({ situation }: Walking, word: string): Symbolic {
  const subject = `word:${word}`;
  if (situation.meets(subject)) situation.restrict(subject, { words: new Set([word]), but: false });
  return { kind: "word", subject };
}

type Movement = readonly [path: string, symbol: string, by: Linear];

function added(effects: ReadonlyMap<string, Linear>, movements: readonly Movement[]): ReadonlyMap<string, Linear> {
  const sums = new Map(effects);
  for (const [path, symbol, by] of movements) {
    const name = `${path} ${symbol}`;
    sums.set(name, addTimes(sums.get(name) ?? ZERO, by, 1n));
  }
  return sums;
}

/** What a posting does to each account: debits count up, credits down. */
function movementsOf(flow: Flow, posting: FlowPosting, given: ReadonlyMap<string, Linear>): Movement[] {
  return posting.lines.flatMap(({ debit, credit, currency, amount }) => {
    const linear = given.get(amount) ?? ZERO;
    return [
      [pathOf(flow, debit), currency, linear] as const,
      [pathOf(flow, credit), currency, addTimes(ZERO, linear, -1n)] as const,
    ];
  });
}

export function pathOf(flow: Flow, alias: string): string {
  return flow.accounts.find((account) => account.alias === alias)?.path ?? alias;
}
