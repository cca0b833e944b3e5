// Properties "reachable", "completion" and "unattended": the flow as a graph of states.

import type { Flow, FlowState } from "./flow.ts";
import type { Proof } from "./proof.ts";
import { alternativesOf, stateNamed } from "./walk.ts";

export function checkGraph(proof: Proof, flow: Flow): void {
  const reached = spread(
    flow.states.filter(({ kind }) => kind === "initial"),
    (state) => followersOf(flow, state),
  );
  const ending = spread(flow.states.filter(isEnd), (state) =>
    flow.states.filter((other) => followersOf(flow, other).includes(state)),
  );
  for (const state of flow.states) {
    if (!reached.has(state)) proof.fails("reachable", state.place, `${state.name} is never reached`);
    else if (!ending.has(state)) proof.fails("completion", state.place, `${state.name} leads to no final state`);
    else checkSilence(proof, flow, state);
  }
}

/** A case ends here, or a named human is waited for. */
function isEnd(state: FlowState): boolean {
  return state.kind === "final" || state.human;
}

function followersOf(flow: Flow, state: FlowState): FlowState[] {
  return alternativesOf(state).flatMap(({ to }) => stateNamed(flow, to) ?? []);
}

function spread(from: readonly FlowState[], next: (state: FlowState) => readonly FlowState[]): Set<FlowState> {
  const reached = new Set(from);
  for (const state of reached) for (const follower of next(state)) reached.add(follower);
  return reached;
}

/** Without any intent a case has exactly one way: what goes on at once, else the timer that is due first and leaves the
 *  state. That way must come to an end. A later timer does not help a state that an earlier one enters anew, for ever. */
function checkSilence(proof: Proof, flow: Flow, from: FlowState): void {
  const passed = new Set<FlowState>();
  let at: FlowState | undefined = from;
  while (at !== undefined && !isEnd(at) && !passed.has(at)) {
    passed.add(at);
    at = silentFollower(flow, at);
  }
  if (at !== undefined && isEnd(at)) return;
  const way = [...passed].map(({ name }) => name).join(", ");
  const why = at === undefined ? "waits for ever" : "goes round in a circle";
  proof.fails("unattended", from.place, `when no intent comes, a case in ${from.name} ${why} (${way})`);
}

function silentFollower(flow: Flow, state: FlowState): FlowState | undefined {
  const always = state.always[0];
  if (always !== undefined) return stateNamed(flow, always.to);
  const leaving = state.timers.flatMap(({ name }) => {
    const afterMs = afterMsOf(flow, name);
    const to = state.events.find(({ event }) => event === `timer.${name}`)?.alternatives[0]?.to;
    return afterMs === undefined || to === undefined || to === "stay" ? [] : [{ name, afterMs, to }];
  });
  // Timers that are due at the same time fire in the order of their names.
  leaving.sort((one, other) => Number(one.afterMs - other.afterMs) || (one.name < other.name ? -1 : 1));
  return leaving[0] === undefined ? undefined : stateNamed(flow, leaving[0].to);
}

/** As the file says it: written out, or the default of a parameter. */
function afterMsOf(flow: Flow, name: string): bigint | undefined {
  const root = flow.timers.find((timer) => timer.name === name)?.after.root;
  const param = root?.kind === "name" && root.path[0] === "params" ? root.path[1] : undefined;
  const value = root?.kind === "literal" ? root.value : flow.params.find((one) => one.name === param)?.default;
  return typeof value === "bigint" ? value : undefined;
}
