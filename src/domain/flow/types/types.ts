// Gives every expression of a flow its type, and says where one has none: names that are not known at their place, money
// of different currencies together, values that do not fit where they go, expressions that cost too much.

import type { Place } from "../../located.ts";
import { type Expression, nodesOf, type ValueType } from "../expression.ts";
import type { Action, Flow, FlowState, NamedExpression } from "../flow.ts";
import { isUnread } from "../flow-reading.ts";
import { once } from "../walk.ts";
import { misfit, typeOf } from "./infer.ts";
import { type ExpressionType, printType } from "./kinds.ts";
import {
  ALL_DIFFER,
  eventsInto,
  isWrong,
  openingEvent,
  type Reach,
  type Same,
  type Scope,
  sameBehind,
  standingFor,
  type TypeProperty,
  typeOfName,
} from "./scope.ts";

/** Every expression's cost is its size: there are no loops. */
export const EXPRESSION_NODES_MAX = 100;

export type TypeFault = { readonly property: TypeProperty; readonly place: Place; readonly message: string };

export type Typed = {
  readonly faults: readonly TypeFault[];
  /** of every expression without a fault */
  readonly types: ReadonlyMap<Expression, ExpressionType>;
};

/** Once for each flow: whatever is asked of it asks for its types. */
export const typeFlow = once((flow): Typed => {
  const typing = new Typing(flow);
  typing.declarations();
  for (const state of flow.states) typing.state(state);
  typing.calls();
  return typing;
});

type WantedKind = "money" | "value" | "known" | "text" | "any";
type Wanted = ValueType | WantedKind;
type Lets = Map<string, ExpressionType>;
/** What can be read at a place, and what the guard before it has settled. */
type Where = Reach & { readonly same?: Same };

/** Money has a currency, and a text may say one. */
const CURRENCY_SOURCES: readonly ExpressionType["kind"][] = ["money", "currency", "text"];
const NOTHING: Reach = { params: false, data: false, events: null };
const BY_ITSELF: Reach = { params: true, data: true, events: null };

class Typing implements Typed {
  readonly faults: TypeFault[] = [];
  readonly types = new Map<Expression, ExpressionType>();
  readonly #flow: Flow;
  readonly #eventsInto: ReadonlyMap<string, readonly string[]>;
  /** by call, the events on whose way it is made */
  readonly #calledBy = new Map<string, Set<string>>();

  constructor(flow: Flow) {
    this.#flow = flow;
    this.#eventsInto = eventsInto(flow);
  }

  declarations(): void {
    const { start, data, timers, invariants } = this.#flow;
    const opening = [openingEvent(this.#flow)];
    this.#currencies(opening);
    if (start.kind === "intent" && start.when !== null)
      this.#give(start.when, "when", { kind: "bool" }, { ...NOTHING, events: opening });
    for (const { name, type, init } of data)
      this.#give(init, name, type, { params: true, data: false, events: opening });
    for (const { after, anchor } of timers) {
      this.#give(after, "after", { kind: "duration" }, BY_ITSELF);
      if (anchor !== null) this.#give(anchor, "anchor", { kind: "time" }, BY_ITSELF);
    }
    for (const { symbol, equals } of invariants)
      this.#give(equals, "the right side", { kind: "money", symbol }, { ...NOTHING, data: true });
  }

  #currencies(opening: readonly string[]): void {
    const reach = { ...NOTHING, events: opening };
    const scope: Scope = { flow: this.#flow, reach, same: ALL_DIFFER, lets: new Map() };
    for (const { place, symbol, from } of this.#flow.currencies) {
      const type = from === "" ? null : typeOfName(scope, from.split("."));
      if (type === null || (!isWrong(type) && CURRENCY_SOURCES.includes(type.kind))) continue;
      const why = isWrong(type) ? type.wrong : `${from} is ${printType(type)}, which has no currency`;
      this.#fault(isWrong(type) ? type.property : "types", place, `currency ${symbol}: ${why}`);
    }
  }

  state(state: FlowState): void {
    const into = this.#eventsInto.get(state.name) ?? [];
    this.#actions(state.entry, { ...BY_ITSELF, events: into });
    const reacting = [
      { events: into, alternatives: state.always },
      ...state.events.map(({ event, alternatives }) => ({ events: [event], alternatives })),
    ];
    for (const { events, alternatives } of reacting) {
      for (const { when, actions } of alternatives) {
        const same = when === null ? ALL_DIFFER : sameBehind(when.root);
        if (when !== null) this.#give(when, "when", { kind: "bool" }, { ...BY_ITSELF, events, same });
        this.#actions(actions, { ...BY_ITSELF, events, same });
      }
    }
  }

  /** What goes along with a call can read of the event what every event carries on whose way it is made. The key is made
   *  of the case alone, so that the same call always has the same. */
  calls(): void {
    for (const { name, to, payload } of this.#flow.calls) {
      const events = [...(this.#calledBy.get(name) ?? [])];
      const reach = { ...BY_ITSELF, events };
      this.#values(payload, reach);
      if (to.kind === "message") {
        this.#give(to.holder, "holder", "text", reach);
        continue;
      }
      for (const part of to.key ?? []) if (part.kind === "value") this.#give(part.value, "key", "known", BY_ITSELF);
      if (to.keyLifetime !== null) this.#give(to.keyLifetime, "key_lifetime", { kind: "duration" }, BY_ITSELF);
    }
  }

  #actions(actions: readonly Action[], where: Where): void {
    const lets: Lets = new Map();
    for (const action of actions) this.#action(action, where, lets);
  }

  #action(action: Action, where: Where, lets: Lets): void {
    switch (action.kind) {
      case "let":
        return this.#let(action.values, where, lets);
      case "post":
        for (const { name, value } of action.amounts)
          this.#give(value, name, this.#moneyOfInput(action.posting, name), where, lets);
        return;
      case "set":
        for (const { name, value } of action.values) {
          const type = this.#flow.data.find((field) => field.name === name)?.type;
          this.#give(value, name, type ?? "any", where, lets);
        }
        return;
      case "emit":
        for (const { name, value } of action.amounts) this.#give(value, name, "money", where, lets);
        if (action.code !== null) this.#give(action.code, "code", "text", where, lets);
        return;
      case "end":
        if (action.code !== null) this.#give(action.code, "code", "text", where, lets);
        return;
      case "call":
        this.#noteCall(action.call, where);
        return;
      case "spawn":
      case "tell":
        return this.#values(action.values, where, lets);
      case "consume":
        this.#give(action.quote, "consume", "text", where, lets);
        this.#give(action.amount, "amount", "money", where, lets);
        return;
      case "open_account":
      case "change_account":
        return;
    }
  }

  /** All right sides are read before any name is known: `{a: 1, b: a}` asks for an earlier `a`. */
  #let(values: readonly NamedExpression[], where: Where, lets: Lets): void {
    const found = values.map(({ name, value }) => [name, this.#give(value, name, "any", where, lets)] as const);
    for (const [at, [name, type]] of found.entries()) {
      const isSymbol = this.#flow.currencies.some(({ symbol }) => symbol === name);
      if (isSymbol || RESERVED.includes(name))
        this.#fault("references", values[at]?.place as Place, `the name "${name}" has a meaning of its own`);
      if (type !== null) lets.set(name, type);
    }
  }

  #values(values: readonly NamedExpression[], where: Where, lets?: Lets): void {
    for (const { name, value } of values) this.#give(value, name, "value", where, lets);
  }

  #noteCall(name: string, where: Where): void {
    const events = this.#calledBy.get(name) ?? new Set<string>();
    for (const event of where.events ?? []) events.add(event);
    this.#calledBy.set(name, events);
  }

  #moneyOfInput(posting: string, input: string): Wanted {
    const lines = this.#flow.postings.find(({ name }) => name === posting)?.lines ?? [];
    const symbol = lines.find(({ amount }) => amount === input)?.currency;
    return symbol === undefined || symbol === "" ? "any" : { kind: "money", symbol };
  }

  /** Judges one expression. @returns its type; null when it has none */
  #give(
    expression: Expression,
    what: string,
    wanted: Wanted,
    where: Where,
    lets: Lets = new Map(),
  ): ExpressionType | null {
    if (isUnread(expression)) return null;
    const { place, root } = expression;
    const nodes = nodesOf(root).length;
    if (nodes > EXPRESSION_NODES_MAX) {
      const limit = `an expression has at most ${EXPRESSION_NODES_MAX}, because its cost is known when the file is read`;
      return this.#fault("cost", place, `${what} has ${nodes} parts; ${limit}`);
    }
    const scope: Scope = { flow: this.#flow, reach: where, same: where.same ?? ALL_DIFFER, lets };
    const type = typeOf(scope, root);
    if (isWrong(type)) return this.#fault(type.property, place, `${what}: ${type.wrong}`);
    const fault =
      typeof wanted === "string"
        ? misfitOfKind(type, wanted)
        : misfit(scope, root, type, standingFor(scope.same, wanted));
    if (fault !== null) return this.#fault("types", place, `${what} is ${fault}`);
    this.types.set(expression, type);
    return type;
  }

  #fault(property: TypeProperty, place: Place, message: string): null {
    this.faults.push({ property, place, message });
    return null;
  }
}

/** What a let may not be called: the name would say two things. */
const RESERVED: readonly string[] = ["data", "params", "event", "intent", "case"];

function misfitOfKind(type: ExpressionType, wanted: WantedKind): string | null {
  const isFit: Record<WantedKind, boolean> = {
    any: type.kind !== "list" && type.kind !== "null" && type.kind !== "amounts",
    value: type.kind !== "list" && type.kind !== "record" && type.kind !== "amounts",
    known: !["list", "record", "amounts", "time", "null"].includes(type.kind),
    text: type.kind === "text" || type.kind === "word",
    money: type.kind === "money",
  };
  if (isFit[wanted]) return null;
  const needed: Record<WantedKind, string> = {
    any: "a value",
    value: "a single value",
    known: "a value that is always known",
    text: "a text",
    money: "money, so that its currency is known",
  };
  return `${printType(type)} where ${needed[wanted]} is wanted`;
}
