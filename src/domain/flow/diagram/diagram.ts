// A flow as a picture's content: states with their timers, what moves a case between them, and the money that goes with
// it. Renderers (mermaid.ts, svg.ts) only draw what stands here.

import type { Action, Alternative, Flow, FlowState, StateKind } from "../flow.ts";

export type Diagram = {
  readonly name: string;
  readonly version: string;
  /** what opens a case: `payment_create when intent.method == 'card'` */
  readonly opens: string;
  readonly states: readonly DiagramState[];
  readonly postings: readonly DiagramPosting[];
};

export type DiagramState = {
  readonly name: string;
  readonly kind: StateKind;
  readonly human: boolean;
  /** `poll after params.poll_every` */
  readonly timers: readonly string[];
  /** what is done on entering */
  readonly entry: Effects;
  readonly transitions: readonly Transition[];
};

export type Transition = {
  /** `intent.payment_capture`; empty behind a choice */
  readonly event: string;
  /** the guard, `else` behind guarded ones, or empty */
  readonly guard: string;
  readonly effects: Effects;
  /** a state; null when the case stays or the intent is refused */
  readonly to: string | null;
  /** the code of a refusal */
  readonly refuses: string | null;
};

export type Effects = {
  /** postings: `P01 x: event.approved` */
  readonly money: readonly string[];
  /** outcomes, calls, children: `emits payment.captured` */
  readonly others: readonly string[];
};

export type DiagramPosting = {
  readonly name: string;
  readonly title: string;
  readonly forced: boolean;
  /** `receivable → clearing S x` */
  readonly lines: readonly string[];
};

export function diagramOf(flow: Flow): Diagram {
  return {
    name: flow.name,
    version: flow.version,
    opens: opening(flow),
    states: flow.states.map((state) => stateOf(flow, state)),
    postings: flow.postings.map(({ name, title, forced, lines }) => ({
      name,
      title,
      forced,
      lines: lines.map(({ debit, credit, currency, amount }) => `${debit} → ${credit} ${currency} ${amount}`),
    })),
  };
}

function opening({ start }: Flow): string {
  if (start.kind === "spawn") return "opened by another case";
  if (start.kind === "message") return `the message ${start.type} of another holder`;
  return start.when === null ? start.type : `${start.type} when ${start.when.text}`;
}

function stateOf(flow: Flow, state: FlowState): DiagramState {
  const timers = state.timers.map(({ name }) => {
    const timer = flow.timers.find((one) => one.name === name);
    const anchor = timer?.anchor ? ` from ${timer.anchor.text}` : "";
    return `${name} after ${timer?.after.text ?? "?"}${anchor}`;
  });
  const always = state.always.map((one, index) => transitionOf("", state.always, one, index));
  const listed = state.events.flatMap(({ event, alternatives }) =>
    alternatives.map((one, index) => transitionOf(event, alternatives, one, index)),
  );
  return {
    name: state.name,
    kind: state.kind,
    human: state.human,
    timers,
    entry: effectsOf(state.entry),
    transitions: [...always, ...listed],
  };
}

function transitionOf(event: string, all: readonly Alternative[], one: Alternative, index: number): Transition {
  const otherwise = all.length > 1 && index > 0 ? "else" : "";
  return {
    event,
    guard: one.when?.text ?? otherwise,
    effects: effectsOf(one.actions),
    to: one.refuse !== null || one.to === "stay" ? null : one.to,
    refuses: one.refuse,
  };
}

function effectsOf(actions: readonly Action[]): Effects {
  const money: string[] = [];
  const others: string[] = [];
  for (const action of actions) {
    if (action.kind === "post") {
      const amounts = action.amounts.map(({ name, value }) => `${name}: ${value.text}`);
      money.push(`${action.posting} ${amounts.join(", ")}`);
    } else others.push(...effectOf(action));
  }
  return { money, others };
}

/** Values that an alternative names or sets are not shown: they move neither the case nor money. */
function effectOf(action: Action): string[] {
  switch (action.kind) {
    case "emit":
      return [`emits ${action.type}${action.code === null ? "" : ` (${action.code.text})`}`];
    case "end":
      return [`ends ${action.result}${action.code === null ? "" : ` (${action.code.text})`}`];
    case "call":
      return [`calls ${action.call}`];
    case "spawn":
      return [`opens ${action.flow}`];
    case "tell":
      return [`tells ${action.word}`];
    case "consume":
      return [`uses quote ${action.quote.text}`];
    case "open_account":
      return [`opens account ${action.account}`];
    case "change_account":
      return [`changes account ${action.account}`];
    default:
      return [];
  }
}

/** A text in at most so many characters; what is left out is shown by `…`. */
export function short(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1).trimEnd()}…`;
}

/** A state's column in a drawing from left to right: how many steps it is from the first, the final ones all at the end. */
export function columnsOf(diagram: Diagram): Map<string, number> {
  const columns = new Map<string, number>();
  const first = diagram.states.find(({ kind }) => kind === "initial") ?? diagram.states[0];
  let wave = first === undefined ? [] : [first];
  const byName = new Map(diagram.states.map((state) => [state.name, state]));
  for (let column = 0; wave.length > 0; column++) {
    for (const { name } of wave) columns.set(name, column);
    const next = new Set(wave.flatMap(({ transitions }) => transitions.flatMap(({ to }) => to ?? [])));
    wave = [...next].filter((name) => !columns.has(name)).flatMap((name) => byName.get(name) ?? []);
  }
  const last = Math.max(0, ...columns.values());
  const isFinal = (name: string): boolean => byName.get(name)?.kind === "final";
  const isLastFull = [...columns].some(([name, column]) => column === last && !isFinal(name));
  for (const { name } of diagram.states) {
    if (!columns.has(name) || isFinal(name)) columns.set(name, isLastFull ? last + 1 : last);
  }
  return columns;
}
