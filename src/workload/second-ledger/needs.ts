// Fields that an intent must carry for a flow: what the file reads of it on any way that the intent may set off, but for what
// the file asks after with `has`.

import { type SecondFlow, stateOf } from "./flows.ts";
import { once } from "./once.ts";
import { symbolOfAsked } from "./scope.ts";
import { at, entriesOf, itemsOf, type Tree } from "./tree.ts";

/** For an intent that opens a case. */
export const neededToOpen = once((flow: SecondFlow): string[] => {
  const reading = new Needs(flow);
  const { spec } = flow;
  reading.text(at(spec, "starts_on", "when"));
  for (const [, from] of entriesOf(at(spec, "currencies"))) reading.currency(from);
  for (const [, field] of entriesOf(at(spec, "data"))) {
    reading.text(at(field, "init") ?? at(field, "from"), at(field, "default") !== undefined);
  }
  for (const [, account] of entriesOf(at(spec, "accounts"))) reading.text(at(account, "path"));
  for (const [name, state] of entriesOf(at(spec, "states"))) if (at(state, "kind") === "initial") reading.enter(name);
  return reading.fields();
});

/** For one whose flow's guard is still to be asked. */
export function neededToChoose(flow: SecondFlow): string[] {
  const reading = new Needs(flow);
  reading.text(at(flow.spec, "starts_on", "when"));
  return reading.fields();
}

/** For an event, `intent.payment_capture` or `ops.approve`, in any state that lists it. */
export const neededToMove = once((flow: SecondFlow, event: string): string[] => {
  return readToMove(flow, event).fields();
});

/** The currency in which an event reads the intent's amount: that of the amount which opened the case, else the first.
 *  @returns null when it reads none */
export function symbolToMove(flow: SecondFlow, event: string): string | null {
  return readToMove(flow, event).reads("amount") ? symbolOfAsked(flow) : null;
}

const readToMove = once((flow: SecondFlow, event: string): Needs => {
  const reading = new Needs(flow);
  for (const [, state] of entriesOf(at(flow.spec, "states"))) {
    for (const alternative of itemsOf(at(state, "events", event))) reading.take(alternative);
  }
  return reading;
});

class Needs {
  readonly #flow: SecondFlow;
  readonly #read = new Set<string>();
  readonly #askedAfter = new Set<string>();
  readonly #seen = new Set<string>();

  constructor(flow: SecondFlow) {
    this.#flow = flow;
  }

  reads(field: string): boolean {
    return this.#read.has(field);
  }

  fields(): string[] {
    return [...this.#read].filter((field) => !this.#askedAfter.has(field));
  }

  /** @param isOptional whether the file says what to take when the intent is silent */
  text(tree: Tree | undefined, isOptional = false): void {
    if (typeof tree !== "string") return;
    for (const [, field] of tree.matchAll(/has\(\s*intent\.(\w+)/g)) this.#askedAfter.add(field as string);
    for (const [, field] of tree.matchAll(/(?<![\w.])intent\.(\w+)/g)) {
      this.#read.add(field as string);
      if (isOptional) this.#askedAfter.add(field as string);
    }
  }

  /** A settlement currency that is not there is the amount's. */
  currency(from: Tree): void {
    if (from === "intent.settlementCurrency") this.#read.add("amount");
    else this.text(from);
  }

  take(alternative: Tree): void {
    this.text(at(alternative, "when"));
    for (const action of itemsOf(at(alternative, "do"))) this.#act(action);
    const to = at(alternative, "to");
    if (typeof to === "string") this.enter(to);
  }

  enter(name: string): void {
    if (this.#seen.has(`state ${name}`)) return;
    this.#seen.add(`state ${name}`);
    const state = stateOf(this.#flow, name);
    for (const action of itemsOf(at(state, "entry"))) this.#act(action);
    for (const alternative of itemsOf(at(state, "always"))) this.take(alternative);
  }

  #act(action: Tree): void {
    const [[what = "", argument] = []] = entriesOf(action).filter(([name]) => KINDS.includes(name));
    if (what === "change_account") this.#read.add("change");
    else if (what === "call") this.#call(String(argument));
    else if (what === "let" || what === "set") for (const [, value] of entriesOf(argument)) this.text(value);
    else {
      if (what === "consume") this.text(argument);
      for (const [name, value] of entriesOf(action)) if (name !== what) this.#beside(value);
    }
  }

  #beside(value: Tree): void {
    this.text(value);
    for (const [, amount] of entriesOf(value)) this.text(amount);
  }

  #call(name: string): void {
    const call = at(this.#flow.spec, "calls", name);
    for (const [, value] of entriesOf(at(call, "with"))) this.text(value);
    this.text(at(call, "holder"));
    this.text(at(call, "key"));
  }
}

const KINDS = [
  "let",
  "post",
  "set",
  "emit",
  "call",
  "end",
  "spawn",
  "tell",
  "consume",
  "open_account",
  "change_account",
];
