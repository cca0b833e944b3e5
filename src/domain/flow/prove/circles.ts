// Circles among the ways of a case, and whether a counter bounds them.

import type { ExpressionNode } from "../expression.ts";
import type { Alternative, Flow } from "../flow.ts";
import type { Node, Passage } from "./analysis.ts";
import { atom, isConstant, minus } from "./linear.ts";
import type { Symbolic } from "./values.ts";

/** The passages that lie on circles, in groups that are connected: from each node of a group every other is reached. */
export function circlesOf(passages: readonly Passage[]): Passage[][] {
  const reach = new Map<Node, Set<Node>>();
  const next = new Map<Node, Set<Node>>();
  for (const { from, to } of passages) {
    if (from !== null && to !== null) next.set(from, (next.get(from) ?? new Set()).add(to));
  }
  const reachable = (node: Node): Set<Node> => {
    const known = reach.get(node);
    if (known !== undefined) return known;
    const found = new Set(next.get(node));
    for (const one of found) for (const follower of next.get(one) ?? []) found.add(follower);
    reach.set(node, found);
    return found;
  };
  const groups = new Map<Node, Passage[]>();
  for (const passage of passages) {
    const { from, to } = passage;
    if (from === null || to === null || !(from === to || reachable(to).has(from))) continue;
    const leader = [...groups.keys()].find(
      (node) => node === from || (reachable(node).has(from) && reachable(from).has(node)),
    );
    groups.set(leader ?? from, [...(groups.get(leader ?? from) ?? []), passage]);
  }
  return [...groups.values()];
}

/** The circles that are left when every way is taken out that counts a counter up to a limit: each such way can be gone
 *  only so often, unless another way of the circle sets the counter back. */
export function endlessCircles(flow: Flow, passages: readonly Passage[]): Passage[][] {
  return circlesOf(passages).flatMap((circle) => {
    const unbounded = circle.filter((passage) => !isBounded(flow, passage, circle));
    return unbounded.length === circle.length ? [circle] : endlessCircles(flow, unbounded);
  });
}

function isBounded(flow: Flow, { way }: Passage, circle: readonly Passage[]): boolean {
  return countersOf(flow, way.taken).some((name) => {
    const isCounted = changeOf(way.data.get(name), name);
    return (
      isCounted !== null &&
      isCounted > 0n &&
      circle.every((one) => (changeOf(one.way.data.get(name), name) ?? -1n) >= 0n)
    );
  });
}

/** By how much a variable changes; null when that is not certain. */
function changeOf(value: Symbolic | undefined, name: string): bigint | null {
  if (value?.kind !== "number") return null;
  const change = minus(value.linear, atom(`data.${name}`));
  return isConstant(change) ? change.constant : null;
}

/** Counters that must be below something for these alternatives to be taken. */
function countersOf(flow: Flow, taken: readonly Alternative[]): string[] {
  return taken.flatMap((alternative) => [
    ...(alternative.when === null ? [] : boundedBy(alternative.when.root, true)),
    ...passedOver(flow, alternative).flatMap((before) =>
      before.when === null ? [] : boundedBy(before.when.root, false),
    ),
  ]);
}

/** Alternatives before one in its list: their guards did not hold. */
function passedOver(flow: Flow, alternative: Alternative): readonly Alternative[] {
  for (const state of flow.states) {
    for (const list of [state.always, ...state.events.map(({ alternatives }) => alternatives)]) {
      const index = list.indexOf(alternative);
      if (index !== -1) return list.slice(0, index);
    }
  }
  return [];
}

/** `data.polls < params.limit` bounds polls; so does `data.polls >= params.limit` that is not true. */
function boundedBy(node: ExpressionNode, isTrue: boolean): string[] {
  if (node.kind === "not") return boundedBy(node.operand, !isTrue);
  if (node.kind !== "binary") return [];
  const { operator, left, right } = node;
  if (operator === (isTrue ? "&&" : "||")) return [...boundedBy(left, isTrue), ...boundedBy(right, isTrue)];
  const [below, above] = isTrue
    ? [
        ["<", "<="],
        [">", ">="],
      ]
    : [
        [">=", ">"],
        ["<=", "<"],
      ];
  if (below?.includes(operator)) return variable(left, right);
  return above?.includes(operator) ? variable(right, left) : [];
}

/** The variable, if the other side is a number or a parameter: nothing that the case itself moves along. */
function variable(counter: ExpressionNode, limit: ExpressionNode): string[] {
  if (counter.kind !== "name" || counter.path[0] !== "data") return [];
  const isFixed = limit.kind === "literal" || (limit.kind === "name" && limit.path[0] === "params");
  return isFixed ? [counter.path[1] ?? ""] : [];
}
