// What the checks of a flow's behaviour look at: the flow, what it stands in, and every way that a case can go.

import type { Chart } from "../../accounts.ts";

import type { OutcomeCatalogue } from "../../outcomes.ts";
import type { Expression } from "../expression.ts";
import type { Action, Alternative, Flow, FlowState } from "../flow.ts";
import type { Where } from "../proof.ts";
import { type Analysis, type Passage, pathOfWay } from "../prove/analysis.ts";
import type { Way } from "../prove/way.ts";
import type { ExpressionType } from "../types/kinds.ts";
import { alternativesOf, sourceOf } from "../walk.ts";

export type Subject = {
  readonly flow: Flow;
  readonly chart: Chart;
  readonly outcomes: OutcomeCatalogue;
  readonly types: ReadonlyMap<Expression, ExpressionType>;
  readonly analysis: Analysis;
  readonly owners: Owners;
};

/** By alternative and action, the state that it stands in. */
export type Owners = ReadonlyMap<Alternative | Action, FlowState>;

export function ownersOf(flow: Flow): Owners {
  const owners = new Map<Alternative | Action, FlowState>();
  for (const state of flow.states) {
    for (const action of state.entry) owners.set(action, state);
    for (const alternative of alternativesOf(state)) {
      owners.set(alternative, state);
      for (const action of alternative.actions) owners.set(action, state);
    }
  }
  return owners;
}

/** Whoever asked can be told no: a producer, an operator, another holder; for a child its parent. */
export function isRefusable({ start, event }: Way): boolean {
  const source = sourceOf(event);
  return source === "intent" || source === "operator" || start === null;
}

/** The fault of a way stands at the last alternative on it that has to do with it, else at its first one. */
export function faultOf(
  subject: Subject,
  passage: Passage,
  concerns: (actions: readonly Action[]) => boolean = () => false,
): Pick<Where, "place" | "part" | "path"> {
  const { way } = passage;
  const found = way.taken.findLast(({ actions }) => concerns(actions)) ?? way.taken[0];
  const state = (found && subject.owners.get(found)) ?? way.start ?? way.entered[0];
  const place = found?.place ?? state?.place ?? subject.flow.place;
  return { place, path: pathOfWay(passage), ...partOf(state) };
}

export function partOf(state: FlowState | undefined): { part?: string } {
  return state === undefined ? {} : { part: `states.${state.name}` };
}

/** Passages whose event is done: it was not refused. */
export function donePassages({ analysis }: Subject): readonly Passage[] {
  return analysis.passages.filter(({ way }) => way.refuse === null);
}
