// Property "together", of what one input sets off by itself: children that are opened, parents told, quotes consumed, and
// messages to other holders, which the same block takes where they live in one lane. It must come to an end, whatever the
// numbers are: a child that tells its parent at once, whose answer opens a child, would go on for ever. What happens in one
// event must also be no more than the core takes for one. A report of a provider, a timer or a person stands between two
// inputs and is not followed; a call that is made again on its own answers is looked at where it counts (retries.ts).

import { CONSUME_EVENT, QUOTE_FAMILY } from "../../fx/quotes.ts";
import type { Place } from "../../located.ts";
import type { Action, Alternative, Flow, FlowState } from "../flow.ts";
import { callNamed, stateNamed } from "../walk.ts";

/** More than this an event may not set off in other cases of its holder: all of it is one step, done or undone as one. */
export const FOLLOW_UPS_MAX = 64;

/** Something that sets itself off again, or too much. */
export type Round = {
  /** the flow in which it stands */
  readonly flow: Flow;
  readonly place: Place;
  readonly what: string;
  /** every flow that has a part in it */
  readonly flows: ReadonlySet<Flow>;
};

/** An event of a flow; what opens its cases is OPENS. */
type Node = { readonly flow: Flow; readonly event: string; readonly alternatives: readonly Alternative[] };
type Edge = {
  readonly from: Node;
  readonly to: Node;
  readonly place: Place;
  readonly how: "event" | "message" | "answer";
};

const OPENS = "opening";

/** @param today those that cases are opened of
 *  @param kept  versions that only their cases live by: they open and tell those of today, and are told by them */
export function roundsOf(today: readonly Flow[], kept: readonly Flow[] = []): Round[] {
  const rounds = new Rounds(today, [...today, ...kept]);
  const circles = rounds.circles();
  return circles.length > 0 ? circles : rounds.excesses();
}

class Rounds {
  readonly #today: readonly Flow[];
  readonly #all: readonly Flow[];
  readonly #nodes = new Map<string, Node>();
  readonly #edges = new Map<Node, readonly Edge[]>();
  readonly #most = new Map<Node, number>();

  constructor(today: readonly Flow[], all: readonly Flow[]) {
    this.#today = today;
    this.#all = all;
    for (const flow of all) {
      for (const [event, alternatives] of alternativesByEvent(flow)) this.#node(flow, event, alternatives);
    }
    for (const node of this.#nodes.values()) this.#edges.set(node, this.#edgesOf(node));
  }

  /** Each told once, at the first step by which it goes into another case. */
  circles(): Round[] {
    const found = new Map<string, Round>();
    for (const edge of [...this.#edges.values()].flat()) {
      const way = edge.how === "answer" ? null : this.#wayBack(edge);
      if (way === null) continue;
      const names = way.map(({ to }) => `${to.flow.name} ${to.event}`);
      const key = [...new Set(names)].sort().join();
      if (found.has(key)) continue;
      const what = `${names.at(-1)} sets itself off again (${names.join(" → ")}): nothing from outside stands between, so it would never end`;
      const flows = new Set(way.map(({ to }) => to.flow));
      found.set(key, { flow: edge.from.flow, place: edge.place, what, flows });
    }
    return [...found.values()];
  }

  /** The shortest way on from an edge to where it began, itself first. */
  #wayBack(first: Edge): readonly Edge[] | null {
    const ways = new Map<Node, readonly Edge[]>([[first.to, [first]]]);
    for (const [node, way] of ways) {
      if (node === first.from) return way;
      for (const edge of this.#edges.get(node) ?? []) if (!ways.has(edge.to)) ways.set(edge.to, [...way, edge]);
    }
    return null;
  }

  /** Events that set off more than the core takes for one; there must be no circle. */
  excesses(): Round[] {
    return [...this.#nodes.values()].flatMap((node) => {
      const most = this.#mostOf(node);
      if (most <= FOLLOW_UPS_MAX) return [];
      const { flow, event } = node;
      const what = `${flow.name} ${event} may set off ${most} events of other cases, and at most ${FOLLOW_UPS_MAX} are one step`;
      const place = this.#edges.get(node)?.[0]?.place ?? flow.place;
      return [{ flow, place, what, flows: new Set([flow]) }];
    });
  }

  /** @param alternatives when it is made; an event that no state waits for has none */
  #node(flow: Flow, event: string, alternatives: readonly Alternative[] = []): Node {
    const key = `${flow.name}@${flow.version} ${event}`;
    const node = this.#nodes.get(key) ?? { flow, event, alternatives };
    this.#nodes.set(key, node);
    return node;
  }

  // What an event does --------------------------------------------------------------------------------------------------

  #edgesOf(from: Node): Edge[] {
    const actions: Action[] = [];
    const entered = new Set<FlowState>();
    const enter = (state: FlowState | undefined): void => {
      if (state === undefined || entered.has(state)) return;
      entered.add(state);
      actions.push(...state.entry);
      for (const one of state.always) take(one);
    };
    const take = ({ refuse, actions: own, to }: Alternative): void => {
      if (refuse !== null) return;
      actions.push(...own);
      enter(stateNamed(from.flow, to));
    };
    if (from.event === OPENS) enter(from.flow.states.find(({ kind }) => kind === "initial"));
    for (const one of from.alternatives) take(one);
    return actions.flatMap((action) => this.#setOffBy(from, action));
  }

  #setOffBy(from: Node, action: Action): Edge[] {
    const { place } = action;
    const within = this.#toldBy(from, action).map((to): Edge => ({ from, to, place, how: "event" }));
    const call = action.kind === "call" ? callNamed(from.flow, action.call) : undefined;
    if (call?.to.kind !== "message") return within;
    const { type } = call.to;
    const receivers = this.#today.filter(({ start }) => start.kind === "message" && start.type === type);
    return [
      ...receivers.map((flow): Edge => ({ from, to: this.#node(flow, OPENS), place, how: "message" })),
      ...call.results.map(({ event }): Edge => ({ from, to: this.#node(from.flow, event), place, how: "answer" })),
    ];
  }

  /** Events of other cases that are taken with the one that asks for them. */
  #toldBy({ flow }: Node, action: Action): Node[] {
    switch (action.kind) {
      case "spawn":
        return this.#today.flatMap((child) => (child.name === action.flow ? [this.#node(child, OPENS)] : []));
      case "tell": {
        const event = `child.${flow.name}.${action.word}`;
        return this.#all.flatMap((parent) => (listens(parent, event) ? [this.#node(parent, event)] : []));
      }
      case "consume":
        return this.#all.flatMap((quote) => (quote.family === QUOTE_FAMILY ? [this.#node(quote, CONSUME_EVENT)] : []));
      default:
        return [];
    }
  }

  // How much that may be ------------------------------------------------------------------------------------------------

  /** Events of other cases that an event may set off, theirs included. */
  #mostOf(node: Node): number {
    const known = this.#most.get(node);
    if (known !== undefined) return known;
    const initial = node.event === OPENS ? node.flow.states.find(({ kind }) => kind === "initial") : undefined;
    const entering = new Map<FlowState, number>();
    const most = Math.max(this.#mostInto(node, initial, entering), this.#mostOfAny(node, node.alternatives, entering));
    this.#most.set(node, most);
    return most;
  }

  #mostOfAny(node: Node, alternatives: readonly Alternative[], entering: Map<FlowState, number>): number {
    const counts = alternatives.map(({ refuse, actions, to }) =>
      refuse === null
        ? this.#mostOfActions(node, actions) + this.#mostInto(node, stateNamed(node.flow, to), entering)
        : 0,
    );
    return Math.max(0, ...counts);
  }

  #mostInto(node: Node, state: FlowState | undefined, entering: Map<FlowState, number>): number {
    if (state === undefined) return 0;
    const known = entering.get(state);
    if (known !== undefined) return known;
    entering.set(state, 0); // states that do not wait go round nowhere (states.ts)
    const most = this.#mostOfActions(node, state.entry) + this.#mostOfAny(node, state.always, entering);
    entering.set(state, most);
    return most;
  }

  #mostOfActions(node: Node, actions: readonly Action[]): number {
    return actions.reduce((sum, action) => {
      const told = this.#toldBy(node, action);
      const isAsked = action.kind === "spawn" || action.kind === "tell" || action.kind === "consume";
      return sum + (isAsked ? 1 : 0) + Math.max(0, ...told.map((one) => this.#mostOf(one)));
    }, 0);
  }
}

function listens(flow: Flow, event: string): boolean {
  return flow.states.some(({ events }) => events.some((one) => one.event === event));
}

/** What a flow does on each event, in whatever state, and nothing by itself on the opening one. */
function alternativesByEvent(flow: Flow): ReadonlyMap<string, readonly Alternative[]> {
  const found = new Map<string, Alternative[]>([[OPENS, []]]);
  for (const { events } of flow.states) {
    for (const { event, alternatives } of events) {
      const known = found.get(event);
      if (known === undefined) found.set(event, [...alternatives]);
      else known.push(...alternatives);
    }
  }
  return found;
}
