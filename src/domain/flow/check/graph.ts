// Properties "reachable", "completion" and "dead": the flow as a graph of the ways that a case can really go. Ways whose
// guards contradict what is certain in their state are none.

import type { Flow } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { type Node, type Passage, pathOfNode } from "../prove/analysis.ts";
import { waits } from "../walk.ts";
import { partOf, type Subject } from "./subject.ts";

export function checkGraph(proof: Proof, subject: Subject): void {
  const { flow, analysis } = subject;
  const entered = new Set(analysis.passages.flatMap(({ way }) => way.entered));
  for (const state of flow.states) {
    if (!entered.has(state)) {
      proof.fails({ property: "reachable", place: state.place, ...partOf(state) }, `${state.name} is never reached`);
    }
  }
  const ending = leadingTo(analysis.passages, ({ state }) => state.kind === "final");
  for (const node of analysis.nodes) {
    const { state } = node;
    if (ending.has(node) || !waits(state)) continue;
    const where = { place: state.place, path: pathOfNode(node), ...partOf(state) };
    proof.fails({ property: "completion", ...where }, `${state.name} leads to no final state`);
  }
  checkDead(proof, subject, entered);
}

/** Nodes from which some way leads to one that is an end. */
export function leadingTo(passages: readonly Passage[], isEnd: (node: Node) => boolean): Set<Node> {
  const into = new Map<Node, Node[]>();
  for (const { from, to } of passages) {
    if (from !== null && to !== null) into.set(to, [...(into.get(to) ?? []), from]);
  }
  const nodes = passages.flatMap(({ from, to }) => [from, to].filter((node) => node !== null));
  const reached = new Set(nodes.filter(isEnd));
  for (const node of reached) for (const before of into.get(node) ?? []) reached.add(before);
  return reached;
}

function checkDead(
  proof: Proof,
  { flow, analysis, owners }: Subject,
  entered: ReadonlySet<Flow["states"][number]>,
): void {
  const taken = new Set(analysis.passages.flatMap(({ way }) => way.taken));
  const untold = new Set(analysis.untold.map(({ state }) => state));
  for (const state of flow.states) {
    if (!entered.has(state) || untold.has(state)) continue;
    const lists = [state.always, ...state.events.map(({ alternatives }) => alternatives)];
    for (const alternatives of lists) {
      const open = alternatives.findIndex(({ when }) => when === null);
      for (const alternative of alternatives.slice(0, open + 1)) {
        if (taken.has(alternative)) continue;
        const guard =
          alternative.when === null ? "one before it always holds" : `"${alternative.when.text}" never holds`;
        const message = `this alternative is never taken: ${guard} in ${state.name}`;
        proof.fails({ property: "dead", place: alternative.place, ...partOf(owners.get(alternative)) }, message);
      }
    }
  }
}
