// Which fields an intent must carry so that a flow can take it: those that are read on any way which the intent may set off,
// but for those that the flow asks after with `has`.

import type { IntentField } from "../../intent.ts";
import { type Expression, nodesOf } from "../expression.ts";
import type { Action, Alternative, Flow, FlowState } from "../flow.ts";
import { symbolOfIntentAmount } from "../types/scope.ts";

export type Needs = readonly IntentField[];

/** The fields that opening a case reads. */
export function openingNeeds(flow: Flow): Needs {
  const found = new Found(flow);
  if (flow.start.kind !== "intent") return [];
  if (flow.start.when !== null) found.read(flow.start.when);
  for (const { from } of flow.currencies) found.name(from);
  for (const { init } of flow.data) found.read(init);
  for (const { path } of flow.accounts) {
    for (const [, name = ""] of path.matchAll(/\{([^}]*)\}/g)) found.name(name);
  }
  const initial = flow.states.find(({ kind }) => kind === "initial");
  if (initial !== undefined) found.enter(initial);
  return found.needs();
}

/** The fields that the guard on opening reads. */
export function guardNeeds(flow: Flow): Needs {
  const found = new Found(flow);
  if (flow.start.kind === "intent" && flow.start.when !== null) found.read(flow.start.when);
  return found.needs();
}

/** By event, `intent.payment_capture` or `ops.approve`: the fields that it reads in any state that lists it. */
export function movingNeeds(flow: Flow): Map<string, Needs> {
  return new Map([...foundByEvent(flow)].map(([event, found]) => [event, found.needs()]));
}

/** By event, the symbol of the currency that it reads the intent's amount in. */
export function amountSymbols(flow: Flow): Map<string, string> {
  const symbol = symbolOfIntentAmount(flow);
  const reading = [...foundByEvent(flow)].filter(([, found]) => found.reads("amount"));
  return new Map(symbol === null ? [] : reading.map(([event]) => [event, symbol]));
}

function foundByEvent(flow: Flow): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const { event, alternatives } of flow.states.flatMap(({ events }) => events)) {
    if (!event.startsWith("intent.") && !event.startsWith("ops.")) continue;
    const one = found.get(event) ?? new Found(flow);
    for (const alternative of alternatives) one.take(alternative);
    found.set(event, one);
  }
  return found;
}

class Found {
  readonly #flow: Flow;
  readonly #read = new Set<string>();
  readonly #askedAfter = new Set<string>();
  readonly #entered = new Set<FlowState>();
  readonly #called = new Set<string>();

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  reads(field: IntentField): boolean {
    return this.#read.has(field);
  }

  needs(): Needs {
    return [...this.#read].filter((field) => !this.#askedAfter.has(field)) as IntentField[];
  }

  /** `intent.amount.minor` reads `amount`. A settlement currency that is absent is the amount's. */
  name(text: string): void {
    if (text === "intent.settlementCurrency") this.#read.add("amount");
    else if (text.startsWith("intent.")) this.#read.add(text.split(".")[1] as string);
  }

  read(expression: Expression): void {
    for (const node of nodesOf(expression.root)) {
      if (node.kind === "name") {
        if (node.path[0] === "intent") this.#read.add(node.path[1] as string);
      } else if (node.kind === "call" && node.name === "has") {
        for (const field of node.arguments) if (field.kind === "name") this.#askedAfter.add(field.path[1] as string);
      }
    }
  }

  take(alternative: Alternative): void {
    if (alternative.when !== null) this.read(alternative.when);
    for (const action of alternative.actions) this.act(action);
    const next = this.#flow.states.find(({ name }) => name === alternative.to);
    if (next !== undefined) this.enter(next);
  }

  enter(state: FlowState): void {
    if (this.#entered.has(state)) return;
    this.#entered.add(state);
    for (const action of state.entry) this.act(action);
    for (const alternative of state.always) this.take(alternative);
  }

  act(action: Action): void {
    switch (action.kind) {
      case "post":
        for (const { value } of action.amounts) this.read(value);
        return;
      case "emit":
        for (const { value } of action.amounts) this.read(value);
        if (action.code !== null) this.read(action.code);
        return;
      case "end":
        if (action.code !== null) this.read(action.code);
        return;
      case "let":
      case "set":
      case "spawn":
      case "tell":
        for (const { value } of action.values) this.read(value);
        return;
      case "call":
        this.#call(action.call);
        return;
      case "consume":
        this.read(action.quote);
        this.read(action.amount);
        return;
      case "change_account":
        this.#read.add("change");
        return;
      case "open_account":
        return;
    }
  }

  #call(name: string): void {
    if (this.#called.has(name)) return;
    this.#called.add(name);
    const call = this.#flow.calls.find((known) => known.name === name);
    if (call === undefined) return;
    for (const { value } of call.payload) this.read(value);
    if (call.to.kind === "message") this.read(call.to.holder);
    else for (const part of call.to.key ?? []) if (part.kind === "value") this.read(part.value);
  }
}
