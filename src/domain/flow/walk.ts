// What a flow consists of, gathered for the checks.

import type { Expression } from "./expression.ts";
import type { Action, Alternative, Flow, FlowCall, FlowEvent, FlowState, NamedExpression } from "./flow.ts";

export function stateNamed(flow: Flow, name: string): FlowState | undefined {
  return flow.states.find((state) => state.name === name);
}

export function alternativesOf(state: FlowState): Alternative[] {
  return [...state.always, ...state.events.flatMap(({ alternatives }) => alternatives)];
}

/** What is gathered of a flow, which never changes, is gathered once. */
export function once<T>(gather: (flow: Flow) => T): (flow: Flow) => T {
  const known = new WeakMap<Flow, T>();
  return (flow) => {
    const found = known.get(flow) ?? gather(flow);
    known.set(flow, found);
    return found;
  };
}

/** Every action of the flow, in the order of the file. */
export const actionsOf = once((flow): readonly Action[] =>
  flow.states.flatMap((state) => [...state.entry, ...alternativesOf(state).flatMap(({ actions }) => actions)]),
);

/** Whether a case rests in this state until something happens. */
export function waits(state: FlowState): boolean {
  return state.always.length === 0 && state.kind !== "choice";
}

/** Values that an action names: amounts, variables, payload. */
export function valuesOf(action: Action): readonly NamedExpression[] {
  switch (action.kind) {
    case "post":
    case "emit":
      return action.amounts;
    case "let":
    case "set":
    case "spawn":
    case "tell":
      return action.values;
    case "consume":
    case "call":
    case "end":
    case "open_account":
    case "change_account":
      return [];
  }
}

/** Every expression of an action. */
export function expressionsOf(action: Action): readonly Expression[] {
  const named = valuesOf(action).map(({ value }) => value);
  if (action.kind === "consume") return [action.quote, action.amount];
  if ((action.kind === "emit" || action.kind === "end") && action.code !== null) return [...named, action.code];
  return named;
}

/** Expressions of a call: payload, key and its lifetime, and for a message its holder. */
export function expressionsOfCall({ to, payload }: FlowCall): readonly Expression[] {
  const named = payload.map(({ value }) => value);
  if (to.kind === "message") return [...named, to.holder];
  const key = (to.key ?? []).flatMap((part) => (part.kind === "value" ? [part.value] : []));
  return [...named, ...key, ...(to.keyLifetime === null ? [] : [to.keyLifetime])];
}

/** Who an event comes from. A wish can be refused, a fact cannot. */
export type Source = "intent" | "operator" | "timer" | "report" | "child" | "quote";

export function sourceOf(event: string): Source {
  const [word] = event.split(".");
  if (word === "intent") return "intent";
  if (word === "ops") return "operator";
  if (word === "timer") return "timer";
  return word === "child" || word === "quote" ? word : "report";
}

export function isWish(event: string): boolean {
  const source = sourceOf(event);
  return source === "intent" || source === "operator";
}

export function eventNamed(state: FlowState, event: string): FlowEvent | undefined {
  return state.events.find((one) => one.event === event);
}

export function callNamed(flow: Flow, name: string): FlowCall | undefined {
  return flow.calls.find((call) => call.name === name);
}

/** What opens a case, in the words of a path: `payment_create`. */
export function openingOf({ start, name }: Flow): string {
  return start.kind === "spawn" ? `spawn ${name}` : start.type;
}

/** Every expression of the file. */
export const everyExpression = once((flow): readonly Expression[] => {
  const guards = flow.states.flatMap((state) => alternativesOf(state).flatMap(({ when }) => when ?? []));
  const start = flow.start.kind === "intent" && flow.start.when !== null ? [flow.start.when] : [];
  return [
    ...start,
    ...flow.data.map(({ init }) => init),
    ...flow.invariants.map(({ equals }) => equals),
    ...flow.timers.flatMap(({ after, anchor }) => (anchor === null ? [after] : [after, anchor])),
    ...flow.calls.flatMap(expressionsOfCall),
    ...guards,
    ...actionsOf(flow).flatMap(expressionsOf),
  ];
});

/** `provider` of `memo:auth_exposure:{provider}`. */
export function placeholdersIn(path: string): readonly string[] {
  return [...path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] as string);
}
