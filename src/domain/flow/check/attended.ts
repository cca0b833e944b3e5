// Properties "attended" and "progress": what becomes of a case when nobody asks for anything. Every state must lead, by
// timers and by what providers, lanes and children answer, to an end or to a named human; and it must not go round for
// ever on the way. In each state something is on its way: a timer, an answer, a child.

import type { Flow, FlowState, FlowTimer } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { type Node, type Passage, pathOfNode, pathOfWay } from "../prove/analysis.ts";
import { endlessCircles } from "../prove/circles.ts";
import { callNamed, isWish, sourceOf, waits } from "../walk.ts";
import { leadingTo } from "./graph.ts";
import { donePassages, faultOf, partOf, type Subject } from "./subject.ts";

export function checkAttended(proof: Proof, subject: Subject): void {
  const passages = donePassages(subject);
  const byThemselves = passages.filter(({ way }) => !isWish(way.event) || way.start === null);
  const attended = leadingTo(byThemselves, isEnd);
  for (const node of subject.analysis.nodes) {
    const { state } = node;
    if (attended.has(node) || !waits(state) || isEnd(node)) continue;
    const message = `a case in ${state.name} that nobody asks anything of comes to no end and to no human`;
    proof.fails({ property: "attended", place: state.place, path: pathOfNode(node), ...partOf(state) }, message);
  }
  checkRounds(proof, subject, byThemselves);
  for (const node of subject.analysis.nodes) checkProgress(proof, subject, node, passages);
}

/** A case ends here, or a named human is waited for. */
function isEnd({ state }: Node): boolean {
  return state.kind === "final" || state.human;
}

// Rounds of timers --------------------------------------------------------------------------------------------------------

/** With timers alone, the one that is due first goes; entering a state anew arms all of its timers anew, so that a later
 *  one may never come. Only one that counts from a moment of the case is not put off. */
function checkRounds(proof: Proof, { flow }: Subject, passages: readonly Passage[]): void {
  const silent = passages.filter(({ from, way, to }) => {
    if (from === null || to === null || isEnd(from) || isEnd(to) || !way.left) return false;
    return sourceOf(way.event) === "timer" && mayBeFirst(flow, from.state, timerOf(flow, way.event));
  });
  for (const circle of endlessCircles(flow, silent)) {
    if (circle.some(({ from }) => from !== null && isLeftInTime(flow, from.state, circle))) continue;
    const [first] = circle;
    const state = first?.from?.state;
    if (first === undefined || state === undefined) continue;
    const names = [...new Set(circle.map(({ from }) => from?.state.name))].join(", ");
    const message = `a case in ${state.name} that nobody asks anything of goes round for ever (${names}): no counter ends it`;
    proof.fails({ property: "attended", place: state.place, path: pathOfWay(first), ...partOf(state) }, message);
  }
}

function timerOf(flow: Flow, event: string): FlowTimer | undefined {
  return flow.timers.find(({ name }) => `timer.${name}` === event);
}

/** A timer with a fixed delay is never first beside one with a shorter fixed delay that leaves the state. */
function mayBeFirst(flow: Flow, state: FlowState, timer: FlowTimer | undefined): boolean {
  const delay = timer === undefined ? null : delayOf(timer);
  if (delay === null) return true;
  return !state.timers.some(({ name }) => {
    const other = flow.timers.find((one) => one.name === name);
    const otherDelay = other === undefined ? null : delayOf(other);
    return otherDelay !== null && otherDelay < delay && leaves(state, name);
  });
}

function delayOf({ after, anchor }: FlowTimer): bigint | null {
  const { root } = after;
  return anchor === null && root.kind === "literal" && typeof root.value === "bigint" ? root.value : null;
}

function leaves(state: FlowState, timer: string): boolean {
  const alternatives = state.events.find(({ event }) => event === `timer.${timer}`)?.alternatives ?? [];
  return alternatives.length > 0 && alternatives.every(({ to }) => to !== "stay");
}

/** Whether a timer that is not put off by going round leads out of the circle. */
function isLeftInTime(flow: Flow, state: FlowState, circle: readonly Passage[]): boolean {
  const inside = new Set(circle.map(({ from }) => from?.state.name));
  return state.timers.some(({ name }) => {
    const anchor = flow.timers.find((timer) => timer.name === name)?.anchor;
    const { root } = anchor ?? { root: null };
    if (root?.kind !== "name" || root.path[0] !== "data") return false;
    const variable = root.path[1] ?? "";
    const isMoved = circle.some(({ way }) => {
      const value = way.data.get(variable);
      return value?.kind !== "time" || value.knowledge !== `known(data.${variable})`;
    });
    const alternatives = state.events.find(({ event }) => event === `timer.${name}`)?.alternatives ?? [];
    return !isMoved && alternatives.length > 0 && alternatives.every(({ to }) => to !== "stay" && !inside.has(to));
  });
}

// Progress ----------------------------------------------------------------------------------------------------------------

function checkProgress(proof: Proof, subject: Subject, node: Node, passages: readonly Passage[]): void {
  const { state } = node;
  if (isEnd(node) || !waits(state)) return;
  for (const { name } of state.timers) checkFired(proof, subject, node, name);
  if (state.timers.length > 0) return;
  for (const passage of passages) {
    if (passage.to !== node || !passage.way.left || isAnswered(subject, passage, state)) continue;
    const message = `nothing is on its way in ${state.name}: no timer, no call that was made on the way there, no child`;
    proof.fails({ property: "progress", ...faultOf(subject, passage), place: state.place, ...partOf(state) }, message);
  }
  const answers = new Set(subject.flow.calls.flatMap(({ results }) => results.map(({ event }) => event)));
  for (const { event, alternatives } of state.events) {
    for (const { to, place } of alternatives) {
      if (to !== "stay" || !answers.has(event)) continue;
      const message = `${state.name} stays on ${event} and then waits for nothing: it has no timer`;
      proof.fails({ property: "progress", place, path: [...pathOfNode(node), event], ...partOf(state) }, message);
    }
  }
}

/** A timer that has fired is gone: whoever stays on it must have another one. */
function checkFired(proof: Proof, { flow }: Subject, node: Node, name: string): void {
  const { state } = node;
  const event = `timer.${name}`;
  const others = state.timers.filter((timer) => timer.name !== name && leaves(state, timer.name));
  if (others.length > 0 || timerOf(flow, event) === undefined) return;
  for (const { to, place } of state.events.find((one) => one.event === event)?.alternatives ?? []) {
    if (to !== "stay") continue;
    const message = `${state.name} stays on ${event}, which is gone then, and has no other timer that leaves it`;
    proof.fails({ property: "progress", place, path: [...pathOfNode(node), event], ...partOf(state) }, message);
  }
}

/** Whether what was asked for on the way into the state will answer there. */
function isAnswered({ flow }: Subject, { way }: Passage, state: FlowState): boolean {
  return way.steps.some(({ action }) => {
    if (action.kind === "spawn") return state.events.some(({ event }) => event.startsWith(`child.${action.flow}.`));
    if (action.kind !== "call") return false;
    const results = callNamed(flow, action.call)?.results ?? [];
    return results.every((result) => state.events.some(({ event }) => event === result.event));
  });
}
