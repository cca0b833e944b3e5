// Every way that a case can go, with what is known on each. A case rests in a node: a state, and what is certain there.
// What is certain is found by going all ways until nothing changes any more (facts.ts). The declared invariants are taken
// for granted where a way begins and are to be proven where it ends, so that a breach is named once, where it happens.

import { namesIn, nodesOf, type ValueType } from "../expression.ts";
import type { Flow, FlowInvariant, FlowState } from "../flow.ts";
import { everyExpression, waits } from "../walk.ts";
import { type Balance, balanceName, balancesOf, candidatesOf } from "./facts.ts";
import { clausesOf, equal, not } from "./formula.ts";
import { addTimes, atom, isAtom, type Linear, minus, substitute, ZERO } from "./linear.ts";
import { type Choice, Situation } from "./situation.ts";
import { evaluate, unknown } from "./symbolic.ts";
import { number, type Symbolic, withData } from "./values.ts";
import {
  type Begin,
  ENDED,
  openingWays,
  pathOf,
  SUCCEEDED,
  type Successes,
  TooManyWays,
  type Way,
  waysOf,
} from "./way.ts";

export type Node = {
  readonly state: FlowState;
  /** numbers of the candidates that hold whenever a case rests here */
  facts: ReadonlySet<number>;
  /** what words, flags and times can be here, by their name */
  choices: ReadonlyMap<string, Choice>;
  /** shortest events that lead here, the opening first; null until it is known */
  path: readonly string[] | null;
};

/** A way between two nodes; `to` null when the event was refused. */
export type Passage = { readonly from: Node | null; readonly way: Way; readonly to: Node | null };

export type Analysis = {
  readonly flow: Flow;
  /** balances of the case that are followed */
  readonly balances: readonly Balance[];
  readonly nodes: readonly Node[];
  readonly passages: readonly Passage[];
  /** events with more ways than can be followed */
  readonly untold: readonly { readonly state: FlowState; readonly event: string }[];
};

/** Flags of the case's life that no variable holds. */
const LIFE = [ENDED, SUCCEEDED];
/** More nodes take too long; the flow is then looked at with fewer words told apart. */
const NODES_MAX = 300;

export class TooManyNodes extends Error {
  override name = "TooManyNodes";
}

/** @param splitting names of words, flags and times by whose values a state falls into several nodes
 *  @throws TooManyNodes */
export function analyse(flow: Flow, setting: Setting, splitting: readonly string[]): Analysis {
  return new Analyst(flow, setting, splitting).run();
}

/** What an analysis needs to know of the world around a flow. */
export type Setting = {
  readonly successes: Successes;
  /** whether money that a case puts on the account at a path is set aside there for itself */
  readonly isSetAside: (path: string) => boolean;
};

/** What states can be taken apart by, one attempt after the other: by whether two currencies are one, by each word and flag that a guard asks for, by whether there is anything of an amount that a guard
 *  asks that of. What one of them proves is proven. */
export function splittings(flow: Flow): (readonly string[])[] {
  const asked = new Set(everyExpression(flow).flatMap(({ root }) => namesIn(root)));
  const words = flow.data.flatMap(({ name, type }) =>
    (type.kind === "word" || type.kind === "bool") && asked.has(`data.${name}`) ? [[name]] : [],
  );
  const currencies = symbolPairs(flow);
  const amounts = amountsAskedFor(flow).map((name) => [...currencies, `${SOME}${name}`]);
  return [...(currencies.length > 0 ? [currencies] : []), ...amounts, ...words, LIFE];
}

/** Whether it is told apart by what the case has told, which says something of ends and successes only. */
export function isOfLife(splitting: readonly string[]): boolean {
  return splitting === LIFE;
}

/** Before the name of a money variable: whether there is anything of it. */
const SOME = "some ";

/** Money variables that some guard compares with zero. */
function amountsAskedFor(flow: Flow): string[] {
  const nodes = everyExpression(flow).flatMap(({ root }) => nodesOf(root));
  const compared = nodes.flatMap((node) => {
    if (node.kind !== "binary" || node.right.kind !== "literal" || node.right.value !== 0n) return [];
    return node.left.kind === "name" && node.left.path[0] === "data" ? [node.left.path[1] ?? ""] : [];
  });
  return flow.data.flatMap(({ name, type }) => (type.kind === "money" && compared.includes(name) ? [name] : []));
}

class Analyst {
  readonly #flow: Flow;
  readonly #successes: Successes;
  readonly #candidates: readonly Linear[];
  readonly #balances: readonly Balance[];
  readonly #splitting: readonly string[];
  readonly #nodes = new Map<string, Node>();
  readonly #open = new Set<Node>();
  readonly #names: readonly string[];
  readonly #changes = new WeakMap<Way, ReadonlyMap<string, Linear>>();
  readonly #untold = new Map<string, { state: FlowState; event: string }>();

  constructor(flow: Flow, { successes, isSetAside }: Setting, splitting: readonly string[]) {
    this.#flow = flow;
    this.#successes = successes;
    this.#splitting = splitting;
    this.#balances = balancesOf(flow, isSetAside);
    this.#candidates = candidatesOf(flow, this.#balances);
    this.#names = [...new Set(this.#candidates.flatMap(({ terms }) => [...terms.keys()]))];
  }

  run(): Analysis {
    const opening = this.#opening();
    const leaving = new Map<Node, readonly Way[]>();
    for (const way of opening) this.#arrive(null, way);
    for (let node = this.#next(); node !== undefined; node = this.#next()) {
      this.#open.delete(node);
      const ways = this.#leaving(node);
      leaving.set(node, ways); // of the last time that it was looked at, which is what is certain in the end
      for (const way of ways) this.#arrive(node, way);
    }
    const nodes = [...this.#nodes.values()];
    const passages = [
      ...opening.flatMap((way) => this.#passages(null, way)),
      ...nodes.flatMap((node) => (leaving.get(node) ?? []).flatMap((way) => this.#passages(node, way))),
    ];
    findPaths(passages);
    return { flow: this.#flow, balances: this.#balances, nodes, passages, untold: [...this.#untold.values()] };
  }

  /** The one that was found first: what is certain early on is settled before what hangs on it. */
  #next(): Node | undefined {
    for (const node of this.#nodes.values()) if (this.#open.has(node)) return node;
    return undefined;
  }

  // Ways ------------------------------------------------------------------------------------------------------------------

  #opening(): Way[] {
    const initial = this.#flow.states.find(({ kind }) => kind === "initial");
    if (initial === undefined) return [];
    const situation = new Situation();
    const event = this.#flow.start.kind === "message" ? `message.${this.#flow.start.type}` : openEvent(this.#flow);
    let data: ReadonlyMap<string, Symbolic> = new Map(LIFE.map((name) => [name, fixedWord(situation, "false")]));
    for (const { name, init, type } of this.#flow.data) {
      const scope = { flow: this.#flow, situation, event, data, lets: new Map() };
      const value = evaluate(scope, init);
      const isFitting = type.kind !== "word" || value.kind === "word";
      data = new Map(data).set(name, isFitting ? value : unknown(scope, `data.${name}`, type));
      if (type.kind === "word" && value.kind === "word") {
        situation.restrict(value.subject, { words: new Set(type.words), but: false });
      }
    }
    for (const balance of this.#balances) situation.numbers.assumeZero(atom(balanceName(balance)));
    return this.#told(initial, event, () => openingWays(this.#begin(situation, data), initial, event));
  }

  #leaving(node: Node): Way[] {
    return node.state.events.flatMap(({ event }) =>
      this.#told(node.state, event, () => {
        const { situation, data } = this.#resting(node);
        return waysOf(this.#begin(situation, data), node.state, event);
      }),
    );
  }

  #begin(situation: Situation, data: ReadonlyMap<string, Symbolic>): Begin {
    return { flow: this.#flow, successes: this.#successes, situation, data };
  }

  #told(state: FlowState, event: string, ways: () => Way[]): Way[] {
    try {
      return ways().filter(({ situation }) => !situation.isImpossible());
    } catch (error) {
      if (!(error instanceof TooManyWays)) throw error;
      this.#untold.set(`${state.name} ${event}`, { state, event });
      return [];
    }
  }

  /** All that is known of a case that rests in a node. */
  #resting(node: Node): { situation: Situation; data: Map<string, Symbolic> } {
    const situation = new Situation();
    const data = new Map<string, Symbolic>();
    for (const name of LIFE) data.set(name, { kind: "word", subject: `data.${name}` });
    for (const { name, type } of this.#flow.data) {
      data.set(name, restingValue(situation, name, type));
    }
    for (const [subject, choice] of node.choices) situation.restrict(subject, choice);
    for (const invariant of this.#flow.invariants) {
      situation.numbers.assumeZero(invariantOf(this.#flow, invariant, situation, data));
    }
    // So is it taken for granted that accounts which must be empty here are.
    for (const balance of this.#balances) {
      if (isDrained(this.#flow, node.state, balance)) situation.numbers.assumeZero(atom(balanceName(balance)));
    }
    for (const index of node.facts) situation.numbers.assumeAtLeastZero(this.#candidates[index] as Linear);
    return { situation, data };
  }

  // Nodes -----------------------------------------------------------------------------------------------------------------

  #passages(from: Node | null, way: Way): Passage[] {
    if (way.refuse !== null) return [{ from, way, to: null }];
    return this.#apart(way).map((one) => ({ from, way: one, to: this.#nodes.get(this.#keyOf(one)) ?? null }));
  }

  #arrive(from: Node | null, whole: Way): void {
    if (whole.refuse !== null || !waits(whole.rest)) return;
    for (const way of this.#apart(whole)) {
      const key = this.#keyOf(way);
      const node = this.#nodes.get(key);
      const choices = this.#choicesOf(way);
      const changes = this.#changesOf(whole);
      const holds = (index: number): boolean => this.#holds(from, changes, way, index);
      if (node === undefined) {
        const facts = new Set([...this.#candidates.keys()].filter(holds));
        const fresh: Node = { state: way.rest, facts, choices, path: null };
        this.#nodes.set(key, fresh);
        if (this.#nodes.size > NODES_MAX) throw new TooManyNodes(this.#flow.name);
        this.#open.add(fresh);
        continue;
      }
      const facts = new Set([...node.facts].filter(holds));
      const joined = joinedChoices(node.choices, choices);
      if (facts.size === node.facts.size && joined === node.choices) continue;
      node.facts = facts;
      node.choices = joined;
      this.#open.add(node);
    }
  }

  /** One way for each combination of what the words that states fall apart by are at its end. */
  #apart(way: Way): Way[] {
    let ways = [way];
    for (const name of this.#splitting) {
      ways = ways.flatMap((one) => {
        const value = valueOf(one, name);
        const choice = choiceOf(one, value);
        if (choice === null || choice.but || choice.words.size < 2) return [one];
        return [...choice.words].flatMap((word) => restricted(one, value, word));
      });
    }
    return ways;
  }

  #keyOf(way: Way): string {
    const words = this.#splitting.map((name) => {
      const choice = choiceOf(way, valueOf(way, name));
      return choice === null || choice.but ? "" : [...choice.words].sort().join("|");
    });
    return `${way.rest.name} ${words.join(" ")}`;
  }

  #choicesOf(way: Way): Map<string, Choice> {
    const choices = new Map<string, Choice>();
    for (const [name, value] of way.data) {
      const subject = value.kind === "time" ? `known(data.${name})` : `data.${name}`;
      const choice = choiceOf(way, value);
      if (choice !== null) choices.set(subject, choice);
    }
    for (const subject of symbolPairs(this.#flow)) choices.set(subject, way.situation.wordsOf(subject));
    return choices;
  }

  /** What variables and balances are at the end of a way, where that is not what they were at its start. */
  #changesOf(way: Way): ReadonlyMap<string, Linear> {
    const known = this.#changes.get(way);
    if (known !== undefined) return known;
    const changes = new Map<string, Linear>();
    for (const name of this.#names) {
      const after = valueAfter(way, atom(name), this.#balances);
      if (!isAtom(after, name)) changes.set(name, after);
    }
    this.#changes.set(way, changes);
    return changes;
  }

  /** Whether a candidate is certain at the end of a way. */
  #holds(from: Node | null, changes: ReadonlyMap<string, Linear>, way: Way, index: number): boolean {
    const candidate = this.#candidates[index] as Linear;
    const after = substitute(candidate, (name) => changes.get(name) ?? null);
    if (after === candidate && from?.facts.has(index) === true) return true;
    return way.situation.numbers.provesAtLeastZero(after);
  }
}

/** Whether an account must hold nothing of a case that rests in a state. */
export function isDrained({ accounts }: Flow, { kind }: FlowState, { path }: Balance): boolean {
  const isRest = kind === "quiescent" || kind === "final";
  return isRest && accounts.some((account) => account.path === path && account.drains);
}

/** Money of the case can have any sign, and a time be unknown: what is known of them are the facts and choices. */
function restingValue(situation: Situation, name: string, type: ValueType): Symbolic {
  const linear = atom(`data.${name}`);
  if (type.kind === "money") return number(linear);
  if (type.kind === "time") return { kind: "time", linear, knowledge: `known(data.${name})` };
  return unknown({ situation }, `data.${name}`, type);
}

function openEvent(flow: Flow): string {
  return flow.start.kind === "intent" ? `intent.${flow.start.type}` : "spawn";
}

function fixedWord(situation: Situation, word: string): Symbolic {
  situation.restrict(`word:${word}`, { words: new Set([word]), but: false });
  return { kind: "word", subject: `word:${word}` };
}

/** Zero when the invariant holds. */
export function invariantOf(
  flow: Flow,
  { account, symbol, equals }: FlowInvariant,
  situation: Situation,
  data: ReadonlyMap<string, Symbolic>,
): Linear {
  const value = evaluate({ flow, situation, event: "", data, lets: new Map() }, equals);
  const right = value.kind === "number" ? value.linear : atom("no number");
  return minus(atom(balanceName({ path: pathOf(flow, account), symbol })), right);
}

/** Pairs of currency symbols as guards compare them; a case never changes its currencies. */
function symbolPairs({ currencies }: Flow): string[] {
  const symbols = currencies.map(({ symbol }) => symbol).sort();
  return symbols.flatMap((one, index) => symbols.slice(index + 1).map((other) => `${one} == ${other}`));
}

// Effects -----------------------------------------------------------------------------------------------------------------

/** What a way does to a balance of the case: the sum of its lines in that symbol. Two symbols may be one currency; then
 *  the account holds the sum of both balances, and what is claimed of each is claimed of the sum. */
export function effectOn(way: Way, { path, symbol }: Balance): Linear {
  return way.effects.get(`${path} ${symbol}`) ?? ZERO;
}

/** A form over the case's variables and balances, at the end of a way. */
export function valueAfter(way: Way, linear: Linear, balances: readonly Balance[]): Linear {
  return substitute(linear, (name) => {
    const balance = balances.find((one) => balanceName(one) === name);
    if (balance === undefined) return withData(atom(name), way.data);
    return addTimes(atom(name), effectOn(way, balance), 1n);
  });
}

/** What is told apart: a word or flag of the case, whether two currencies are one, whether there is something of an
 *  amount. */
function valueOf(way: Way, name: string): Symbolic {
  const amount = name.startsWith(SOME) ? way.data.get(name.slice(SOME.length)) : undefined;
  if (amount?.kind === "number") return { kind: "truth", formula: not(equal(amount.linear, ZERO)) };
  return way.data.get(name) ?? { kind: "word", subject: name };
}

// Choices -----------------------------------------------------------------------------------------------------------------

/** What a word, a flag or a time can be at the end of a way; null for a number. */
export function choiceOf(way: Way, value: Symbolic): Choice | null {
  switch (value.kind) {
    case "word":
      return way.situation.wordsOf(value.subject);
    case "time":
      return way.situation.wordsOf(value.knowledge);
    case "truth": {
      const words = [true, false].filter((isTrue) =>
        clausesOf(value.formula, isTrue).some((facts) => !way.situation.with(facts).isImpossible()),
      );
      return { words: new Set(words.map(String)), but: false };
    }
    case "number":
    case "record":
      return null;
  }
}

function restricted(way: Way, value: Symbolic, word: string): Way[] {
  if (value.kind !== "truth") {
    const subject = value.kind === "word" ? value.subject : value.kind === "time" ? value.knowledge : "";
    const situation = way.situation.with([{ kind: "one_of", subject, words: new Set([word]), but: false }]);
    return situation.isImpossible() ? [] : [{ ...way, situation }];
  }
  return clausesOf(value.formula, word === "true")
    .map((facts) => ({ ...way, situation: way.situation.with(facts) }))
    .filter(({ situation }) => !situation.isImpossible());
}

/** What can be in either case. The same map when nothing is new. */
function joinedChoices(
  known: ReadonlyMap<string, Choice>,
  more: ReadonlyMap<string, Choice>,
): ReadonlyMap<string, Choice> {
  const joined = new Map<string, Choice>();
  let isNew = false;
  for (const [subject, choice] of known) {
    const either = eitherOf(choice, more.get(subject) ?? { words: new Set(), but: true });
    isNew ||= either.but !== choice.but || either.words.size !== choice.words.size;
    joined.set(subject, either);
  }
  return isNew ? joined : known;
}

function eitherOf(one: Choice, other: Choice): Choice {
  if (!one.but && !other.but) return { words: new Set([...one.words, ...other.words]), but: false };
  const [excluded, listed] = one.but ? [one, other] : [other, one];
  const words = [...excluded.words].filter((word) => listed.words.has(word) === listed.but);
  return { words: new Set(words), but: true };
}

// Paths -------------------------------------------------------------------------------------------------------------------

/** Gives every node the shortest events that lead to it. */
function findPaths(passages: readonly Passage[]): void {
  const reached: Node[] = [];
  const reach = ({ way, to }: Passage, before: readonly string[]): void => {
    if (to === null || to.path !== null) return;
    to.path = [...before, way.event];
    reached.push(to);
  };
  for (const passage of passages) if (passage.from === null) reach(passage, []);
  const byNode = new Map<Node, Passage[]>();
  for (const passage of passages) {
    if (passage.from !== null) byNode.set(passage.from, [...(byNode.get(passage.from) ?? []), passage]);
  }
  for (const node of reached) for (const passage of byNode.get(node) ?? []) reach(passage, node.path ?? []);
}

/** The events from the start to the end of a way, as people name them: `payment_create`. */
export function pathOfWay({ from, way }: Passage): readonly string[] {
  return [...(from?.path ?? []), way.event].map(shortName);
}

export function pathOfNode(node: Node): readonly string[] {
  return (node.path ?? []).map(shortName);
}

function shortName(event: string): string {
  return event.replace(/^(intent|message)\./, "");
}
