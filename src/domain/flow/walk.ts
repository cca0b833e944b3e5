// Ways through a flow, for the checks: what an event sets off until the case rests again.

import type { Action, Alternative, Flow, FlowState, NamedExpression } from "./flow.ts";

/** Who sets something off: the intent that opens the case, a later intent, or a timer. */
export type Cause = "opening" | "intent" | "timer";

/** What one event sets off: the steps in order, through all states that do not wait. */
export type Reaction = {
  readonly cause: Cause;
  readonly start: FlowState;
  readonly alternative: Alternative | null;
  readonly actions: readonly Action[];
};

/** Every reaction that a flow has. The opening one has no alternative: it begins by entering the initial state. */
export function reactionsOf(flow: Flow): Reaction[] {
  const reactions: Reaction[] = [];
  for (const state of flow.states) {
    if (state.kind === "initial")
      reactions.push({ cause: "opening", start: state, alternative: null, actions: entering(flow, state) });
    for (const { event, alternatives } of state.events) {
      const cause: Cause = event.startsWith("timer.") ? "timer" : "intent";
      for (const alternative of alternatives) {
        reactions.push({ cause, start: state, alternative, actions: taking(flow, alternative) });
      }
    }
  }
  return reactions;
}

function taking(flow: Flow, alternative: Alternative): Action[] {
  const next = alternative.to === "stay" ? undefined : stateNamed(flow, alternative.to);
  return [...alternative.actions, ...(next === undefined ? [] : entering(flow, next))];
}

/** Entry actions of a state and of all that follow at once. A circle of choices is followed once round. */
function entering(flow: Flow, state: FlowState): Action[] {
  const actions: Action[] = [];
  const passed = new Set<FlowState>();
  for (let at: FlowState | undefined = state; at !== undefined && !passed.has(at); ) {
    passed.add(at);
    const always: Alternative | undefined = at.always[0];
    actions.push(...at.entry, ...(always?.actions ?? []));
    at = always === undefined ? undefined : stateNamed(flow, always.to);
  }
  return actions;
}

export function stateNamed(flow: Flow, name: string): FlowState | undefined {
  return flow.states.find((state) => state.name === name);
}

export function alternativesOf(state: FlowState): Alternative[] {
  return [...state.always, ...state.events.flatMap(({ alternatives }) => alternatives)];
}

/** Every action of the flow, in the order of the file. */
export function actionsOf(flow: Flow): Action[] {
  return flow.states.flatMap((state) => [...state.entry, ...alternativesOf(state).flatMap(({ actions }) => actions)]);
}

/** The values that an action reads. */
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
    case "call":
    case "end":
    case "consume":
    case "open_account":
    case "change_account":
      return [];
  }
}
