// Properties "kinds", "choice", "dead" (an alternative behind one without a guard) and "timers": each state by itself,
// and circles of states that do not wait.

import type { Alternative, Flow, FlowState, StateKind } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { stateNamed } from "../walk.ts";

/** More states in a row that do not wait an event does not pass. */
export const CHOICES_MAX = 32;

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
  const kinds = { property: "kinds" } as const;
  if (initial.length === 0) proof.fails({ ...kinds, place: flow.place }, "no state is initial");
  for (const { place, name } of initial.slice(1)) proof.fails({ ...kinds, place }, `${name} is a second initial state`);
  if (!flow.states.some(({ kind }) => kind === "final"))
    proof.fails({ ...kinds, place: flow.place }, "no state is final");
  for (const state of flow.states) {
    checkKind(proof, state);
    checkLists(proof, state);
    checkTimers(proof, flow, state);
    checkCircle(proof, flow, state);
  }
  checkRows(proof, flow);
}

function checkKind(proof: Proof, state: FlowState): void {
  const { place, name, kind } = state;
  const kinds = { property: "kinds", place } as const;
  if (RESERVED.includes(name)) proof.fails(kinds, `the name "${name}" has a meaning of its own`);
  for (const part of ["events", "always", "timers"] as const) {
    if (state[part].length > 0 && !CAN_HAVE[kind].includes(part)) {
      proof.fails(kinds, `${name} is ${kind} and cannot have ${part}`);
    }
  }
  if (state.always.length > 0 && (state.events.length > 0 || state.timers.length > 0) && kind === "initial") {
    proof.fails(kinds, `${name} goes on at once and cannot wait for events or timers as well`);
  }
  if (state.human && (kind === "choice" || kind === "final" || state.always.length > 0)) {
    proof.fails(kinds, `${name} does not wait, so no human is waited for`);
  }
  if (kind === "choice" && state.always.length === 0) {
    proof.fails({ property: "choice", place }, `${name} is a choice without an alternative`);
  }
}

/** The first alternative whose guard holds is taken, so the last one is for whatever is left. */
function checkLists(proof: Proof, state: FlowState): void {
  const lists = [
    { what: state.name, alternatives: state.always },
    ...state.events.map(({ event, alternatives }) => ({ what: event, alternatives })),
  ];
  for (const { what, alternatives } of lists) {
    const open = alternatives.findIndex(({ when }) => when === null);
    for (const { place } of open === -1 ? [] : alternatives.slice(open + 1)) {
      proof.fails({ property: "dead", place }, "this alternative is never taken: one before it has no guard");
    }
    const last: Alternative | undefined = alternatives.at(-1);
    if (last === undefined || open !== -1) continue;
    const message = `${what} has no answer when no guard holds: the last alternative stands without "when"`;
    proof.fails({ property: "choice", place: last.place }, message);
  }
}

function checkTimers(proof: Proof, flow: Flow, state: FlowState): void {
  const armed = state.timers.map(({ name }) => name);
  const handled = state.events.map(({ event }) => event);
  for (const [index, { place, name }] of state.timers.entries()) {
    const timers = { property: "timers", place } as const;
    if (armed.indexOf(name) !== index) proof.fails(timers, `timer ${name} is armed twice in ${state.name}`);
    if (!handled.includes(`timer.${name}`))
      proof.fails(timers, `${state.name} arms timer ${name} and does not handle it`);
  }
  for (const { place, event } of state.events) {
    const name = event.startsWith("timer.") ? event.slice("timer.".length) : null;
    if (name !== null && flow.timers.some((timer) => timer.name === name) && !armed.includes(name)) {
      proof.fails({ property: "timers", place }, `${state.name} handles timer ${name} and does not arm it`);
    }
  }
}

/** Follows what goes on at once: whatever the guards say, it must come to a state that waits or ends. */
function checkCircle(proof: Proof, flow: Flow, state: FlowState): void {
  for (const { place, to, refuse } of state.always) {
    if (to === "stay" && refuse === null)
      proof.fails({ property: "choice", place }, `${state.name} does not wait, so it cannot stay`);
  }
  const passed = new Map<FlowState, readonly string[]>([[state, [state.name]]]);
  for (const [at, way] of passed) {
    for (const { to } of at.always) {
      const next = stateNamed(flow, to);
      if (next === state) {
        const circle = way.join(", ");
        proof.fails(
          { property: "choice", place: state.place },
          `states that do not wait go round in a circle: ${circle}`,
        );
        return;
      }
      if (next !== undefined && !passed.has(next)) passed.set(next, [...way, next.name]);
    }
  }
}

/** How many states an event passes without waiting, at most. Circles, which pass any number, are told of elsewhere. */
export function checkRows(proof: Proof, flow: Flow): void {
  const rows = new Map<FlowState, number>();
  const rowFrom = (state: FlowState | undefined): number => {
    if (state === undefined || state.always.length === 0) return 0;
    const known = rows.get(state);
    if (known !== undefined) return known;
    rows.set(state, 0);
    const row = 1 + Math.max(...state.always.map(({ to }) => rowFrom(stateNamed(flow, to))));
    rows.set(state, row);
    return row;
  };
  for (const state of flow.states) {
    if (rowFrom(state) !== CHOICES_MAX + 1) continue; // where the row becomes too long, and not at each before it
    const message = `${state.name} is the first of ${CHOICES_MAX + 1} states in a row that do not wait; at most ${CHOICES_MAX} are passed`;
    proof.fails({ property: "choice", place: state.place }, message);
  }
}
