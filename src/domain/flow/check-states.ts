// Properties "kinds", "choice", "dead" and "timers": each state by itself, and circles of states that do not wait.

import type { Alternative, Flow, FlowState, StateKind } from "./flow.ts";
import type { Proof } from "./proof.ts";
import { stateNamed } from "./walk.ts";

/** The core's own: the status of a refused create, and of an intent without a case. `stay` is no state at all. */
const RESERVED = ["rejected", "none", "stay"];

type Part = "events" | "always" | "timers";
/** What a state of this kind can have. */
const CAN_HAVE: Record<StateKind, readonly Part[]> = {
  initial: ["events", "always", "timers"],
  active: ["events", "timers"],
  choice: ["always"],
  quiescent: ["events", "timers"],
  final: [],
};

export function checkStates(proof: Proof, flow: Flow): void {
  const initial = flow.states.filter(({ kind }) => kind === "initial");
  if (initial.length === 0) proof.fails("kinds", flow.place, "no state is initial");
  for (const state of initial.slice(1)) proof.fails("kinds", state.place, `${state.name} is a second initial state`);
  if (!flow.states.some(({ kind }) => kind === "final")) proof.fails("kinds", flow.place, "no state is final");
  for (const state of flow.states) {
    checkKind(proof, state);
    checkAlternatives(proof, state);
    checkTimers(proof, flow, state);
    checkCircle(proof, flow, state);
  }
}

function checkKind(proof: Proof, state: FlowState): void {
  const { place, name, kind } = state;
  if (RESERVED.includes(name)) proof.fails("kinds", place, `the name "${name}" has a meaning of its own`);
  for (const part of ["events", "always", "timers"] as const) {
    if (state[part].length > 0 && !CAN_HAVE[kind].includes(part)) {
      proof.fails("kinds", place, `${name} is ${kind} and cannot have ${part}`);
    }
  }
  if (state.always.length > 0 && (state.events.length > 0 || state.timers.length > 0) && kind === "initial") {
    proof.fails("kinds", place, `${name} goes on at once and cannot wait for events or timers as well`);
  }
  if (state.human && (kind === "choice" || kind === "final" || state.always.length > 0)) {
    proof.fails("kinds", place, `${name} does not wait, so no human is waited for`);
  }
  if (kind === "choice" && state.always.length === 0) {
    proof.fails("choice", place, `${name} is a choice without an alternative`);
  }
}

function checkAlternatives(proof: Proof, state: FlowState): void {
  const lists: (readonly Alternative[])[] = [state.always, ...state.events.map(({ alternatives }) => alternatives)];
  for (const alternatives of lists) {
    for (const { place } of alternatives.slice(1)) {
      proof.fails("dead", place, "this alternative is never taken: the one before it has no guard");
    }
  }
}

function checkTimers(proof: Proof, flow: Flow, state: FlowState): void {
  const armed = state.timers.map(({ name }) => name);
  const handled = state.events.map(({ event }) => event);
  for (const [index, { place, name }] of state.timers.entries()) {
    if (armed.indexOf(name) !== index) proof.fails("timers", place, `timer ${name} is armed twice in ${state.name}`);
    if (!handled.includes(`timer.${name}`))
      proof.fails("timers", place, `${state.name} arms timer ${name} and does not handle it`);
  }
  for (const { place, event } of state.events) {
    const name = event.startsWith("timer.") ? event.slice("timer.".length) : null;
    if (name !== null && flow.timers.some((timer) => timer.name === name) && !armed.includes(name)) {
      proof.fails("timers", place, `${state.name} handles timer ${name} and does not arm it`);
    }
  }
}

/** Follows what goes on at once: it must come to a state that waits or ends. */
function checkCircle(proof: Proof, flow: Flow, state: FlowState): void {
  for (const { place, to } of state.always) {
    if (to === "stay") proof.fails("choice", place, `${state.name} does not wait, so it cannot stay`);
  }
  const passed = new Set<FlowState>();
  let at: FlowState | undefined = state;
  while (at !== undefined && !passed.has(at)) {
    passed.add(at);
    const to: string | undefined = at.always[0]?.to;
    at = to === undefined ? undefined : stateNamed(flow, to);
  }
  if (at === state) {
    const circle = [...passed].map(({ name }) => name).join(", ");
    proof.fails("choice", state.place, `states that do not wait go round in a circle: ${circle}`);
  }
}
