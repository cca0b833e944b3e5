// What an expression can read at its place: names with their types. What an event carries can be read where it is certain
// which events lead there; a state behind a choice may be reached by several.

import { INTENT_VALUES, type IntentValue } from "../../intent.ts";
import type { ExpressionNode, ValueType } from "../expression.ts";
import type { Flow, FlowState } from "../flow.ts";
import { type ExpressionType, INT, TEXT, TIME } from "./kinds.ts";

export type Reach = {
  readonly params: boolean;
  readonly data: boolean;
  /** events of which one is being taken; null where none is */
  readonly events: readonly string[] | null;
};

export type Scope = {
  readonly flow: Flow;
  readonly reach: Reach;
  /** currencies that the guard has found to be the same: the one stands for the other */
  readonly same: Same;
  /** what `let` has named so far */
  readonly lets: ReadonlyMap<string, ExpressionType>;
};

export type Same = ReadonlyMap<string, string>;
export const ALL_DIFFER: Same = new Map();

/** What a guard says of currencies: behind `S == M && …` money of M is money of S. */
export function sameBehind(guard: ExpressionNode): Same {
  const same = new Map<string, string>();
  for (const { operator, left, right } of conjunctsOf(guard)) {
    const pair = [left, right].flatMap((side) => (side.kind === "name" && side.path.length === 1 ? side.path : []));
    const [one, other] = pair.map((symbol) => same.get(symbol) ?? symbol);
    if (operator !== "==" || one === undefined || other === undefined) continue;
    for (const [symbol, stands] of same) if (stands === other) same.set(symbol, one);
    same.set(other, one);
  }
  return same;
}

function conjunctsOf(node: ExpressionNode): (ExpressionNode & { readonly kind: "binary" })[] {
  if (node.kind !== "binary") return [];
  return node.operator === "&&" ? [...conjunctsOf(node.left), ...conjunctsOf(node.right)] : [node];
}

/** The type with the currency that stands for its own. */
export function standingFor<Type extends ExpressionType>(same: Same, type: Type): Type {
  if ((type.kind !== "money" && type.kind !== "currency") || type.symbol === null) return type;
  const stands = same.get(type.symbol);
  return stands === undefined ? type : { ...type, symbol: stands };
}

export type Wrong = { readonly wrong: string; readonly property: TypeProperty };
/** Which of the checker's properties fails. */
export type TypeProperty = "references" | "types" | "context" | "cost";

export const wrong = (property: TypeProperty, sentence: string): Wrong => ({ property, wrong: sentence });

export function isWrong(type: ExpressionType | Wrong): type is Wrong {
  return "wrong" in type;
}

export function typeOfName(scope: Scope, path: readonly string[]): ExpressionType | Wrong {
  const type = typeOfOneName(scope, path);
  return isWrong(type) ? type : standingFor(scope.same, type);
}

function typeOfOneName(scope: Scope, path: readonly string[]): ExpressionType | Wrong {
  const [head = "", ...rest] = path;
  const field = rest.join(".");
  switch (head) {
    case "data":
      return scope.reach.data ? declared("data field", scope.flow.data, field) : outOfReach(`data.${field}`);
    case "params":
      return scope.reach.params ? declared("parameter", scope.flow.params, field) : outOfReach(`params.${field}`);
    case "case":
      if (field !== "id" && field !== "holder") return wrong("references", `a case has case.id and case.holder only`);
      return scope.reach.data ? TEXT : outOfReach(`case.${field}`);
    case "event":
      return typeOfEventField(scope, field);
    case "intent":
      return typeOfIntentField(scope, field);
    default:
      return typeOfOwnName(scope, head, rest);
  }
}

function outOfReach(name: string): Wrong {
  return wrong("context", `${name} cannot be read here`);
}

function declared(
  kind: string,
  parts: readonly { readonly name: string; readonly type: ValueType }[],
  name: string,
): ExpressionType | Wrong {
  const part = parts.find((one) => one.name === name);
  if (part !== undefined) return part.type;
  const known = parts.map((one) => one.name).join(", ") || "none";
  return wrong("references", `${kind} "${name}" is not declared; declared: ${known}`);
}

/** Whether the case is there already, or just being opened: before that no symbol is bound. */
function isBound({ reach }: Scope): boolean {
  return reach.params || reach.data;
}

/** A currency symbol, or what `let` has named, perhaps a field of it. */
function typeOfOwnName(scope: Scope, name: string, rest: readonly string[]): ExpressionType | Wrong {
  const known = scope.lets.get(name);
  const [field, ...more] = rest;
  if (known !== undefined && field === undefined) return known;
  if (known !== undefined) {
    const type = known.kind === "record" && more.length === 0 ? known.fields[field as string] : undefined;
    return type ?? wrong("references", `${name} has no field "${rest.join(".")}"`);
  }
  if (field === undefined && scope.flow.currencies.some(({ symbol }) => symbol === name))
    return isBound(scope) ? { kind: "currency", symbol: name } : outOfReach(name);
  const whole = [name, ...rest].join(".");
  const start = "a name is data.x, params.x, event.x, intent.x, case.x, a currency, or what a let before it has named";
  return wrong("references", `"${whole}" is not known here; ${start}`);
}

/** Events of the system itself, which tell nothing but when they happened. */
const SILENT = /^(timer|ops|intent)\./;

function typeOfEventField(scope: Scope, field: string): ExpressionType | Wrong {
  const { events } = scope.reach;
  if (events === null) return outOfReach(`event.${field}`);
  if (events.length === 0) return wrong("context", `event.${field} is read where no event leads`);
  if (field === "at") return TIME;
  let type: ValueType | null = null;
  for (const event of events) {
    const found = fieldOfEvent(scope.flow, event, field);
    if (found === null) return missingField(scope.flow, event, field);
    if (type !== null && JSON.stringify(type) !== JSON.stringify(found))
      return wrong("types", `event.${field} is of another type in ${event} than in ${events[0]}`);
    type = found;
  }
  return type ?? INT;
}

function fieldOfEvent(flow: Flow, event: string, field: string): ValueType | null {
  const isReport = !/^(timer|ops|intent|child|message)\.|^spawn$/.test(event);
  if (field === "attempt" && isReport) return { kind: "int" };
  const shape = flow.events.find((one) => one.event === event);
  return shape?.fields.find(({ name }) => name === field)?.type ?? null;
}

function missingField(flow: Flow, event: string, field: string): Wrong {
  if (SILENT.test(event)) return wrong("context", `event.${field} is read on the way of ${event}, which carries none`);
  const fields = flow.events.find((one) => one.event === event)?.fields.map(({ name }) => name) ?? [];
  const listed = fields.join(", ") || "none";
  return wrong("references", `event.${field} is not listed for ${event} under events; listed: ${listed}`);
}

function typeOfIntentField(scope: Scope, field: string): ExpressionType | Wrong {
  const { events } = scope.reach;
  if (events === null || events.length === 0) return outOfReach(`intent.${field}`);
  const other = events.find((event) => !/^(intent|ops)\./.test(event));
  if (other !== undefined)
    return wrong("context", `intent.${field} is read on the way of ${other}, which has no intent`);
  if (!Object.hasOwn(INTENT_VALUES, field)) {
    const known = Object.keys(INTENT_VALUES).join(", ");
    return wrong("references", `an intent has no field "${field}"; it has: ${known}`);
  }
  return typeOfIntentValue(scope.flow, INTENT_VALUES[field as keyof typeof INTENT_VALUES]);
}

function typeOfIntentValue(flow: Flow, value: IntentValue): ExpressionType | Wrong {
  if (value.kind === "currency") return { kind: "currency", symbol: null };
  if (value.kind === "word") return value;
  if (value.kind !== "money") return { kind: value.kind };
  const symbol = symbolOfIntentAmount(flow);
  if (symbol !== null) return { kind: "money", symbol };
  return wrong(
    "types",
    "intent.amount.minor is money of a currency that no symbol stands for: {S: intent.amount.currency}",
  );
}

/** The currency that the amounts of intents are in. A later intent in another one is refused `currency_mismatch`. */
export function symbolOfIntentAmount(flow: Flow): string | null {
  const bound = flow.currencies.find(({ from }) => from === "intent.amount.currency");
  if (bound !== undefined || flow.start.kind === "intent") return bound?.symbol ?? null;
  return flow.currencies[0]?.symbol ?? null;
}

/** The event that opens a case. */
export function openingEvent(flow: Flow): string {
  return flow.start.kind === "spawn" ? "spawn" : `${flow.start.kind}.${flow.start.type}`;
}

/** By state, the events of which one is being taken when the state is entered. */
export function eventsInto(flow: Flow): ReadonlyMap<string, readonly string[]> {
  const into = new Map<string, Set<string>>(flow.states.map(({ name }) => [name, new Set<string>()]));
  const queue: (readonly [state: string, event: string])[] = [];
  const lead = (state: string, event: string): void => {
    const events = into.get(state);
    if (events === undefined || events.has(event)) return;
    events.add(event);
    queue.push([state, event]);
  };
  for (const state of flow.states) {
    if (state.kind === "initial") lead(state.name, openingEvent(flow));
    for (const { event, alternatives } of state.events) for (const { to } of alternatives) lead(to, event);
  }
  const byName = new Map<string, FlowState>(flow.states.map((state) => [state.name, state]));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const { to } of byName.get(next[0])?.always ?? []) lead(to, next[1]);
  }
  return new Map([...into].map(([name, events]) => [name, [...events]]));
}
