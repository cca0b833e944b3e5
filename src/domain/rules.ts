// What never changes while a process runs: chart, currencies, flows, and what each intent type asks of an intent.

import type { Chart } from "./accounts.ts";
import { assert } from "./assert.ts";
import type { Currencies } from "./currencies.ts";
import type { CompiledFlow } from "./flow/compile/compile.ts";
import { guardScope } from "./guard-scope.ts";
import type { Intent, IntentField } from "./intent.ts";

/** An operator's decision on a case: the event `ops.<decision>`. */
export const DECISION_TYPE = "case_decide";
const DECISION_NEEDS: readonly IntentField[] = ["decision", "principal", "reason"];

export type IntentKind = {
  readonly type: string;
  /** `intent.<type>`; null for an operator's decision, whose event is in the intent */
  readonly event: string | null;
  /** the flows that it opens cases of: the first whose guard holds; none: it moves cases that are there */
  readonly opens: readonly CompiledFlow[];
  /** whoever takes it needs these */
  readonly needs: readonly IntentField[];
  /** path templates (`{holder}`) of accounts that a flow may touch for it, beside those the intent names */
  readonly touches: readonly string[];
};

export type Rules = {
  readonly chart: Chart;
  readonly currencies: Currencies;
  /** those that new cases open on */
  readonly flows: readonly CompiledFlow[];
  /** every version that ever ran, by its number in the database */
  readonly flowsByNumber: ReadonlyMap<number, CompiledFlow>;
  readonly intents: ReadonlyMap<string, IntentKind>;
  /** by decision: what the flows that list it read of the intent */
  readonly decisions: ReadonlyMap<string, readonly IntentField[]>;
  /** flows that a message of this type opens a case of */
  readonly asked: ReadonlyMap<string, CompiledFlow>;
  /** by the name of a gateway's call: path templates (`{holder}`) of accounts that a report of it may touch */
  readonly reported: ReadonlyMap<string, readonly string[]>;
  /** flows that other cases open cases of, by name */
  readonly spawned: ReadonlyMap<string, CompiledFlow>;
  /** events that may open cases beside the one that takes them */
  readonly spawning: ReadonlySet<string>;
  readonly lanes: number;
  readonly caseWindowMs: number;
  readonly caseFutureMs: number;
};

export type RulesGiven = Pick<Rules, "chart" | "currencies" | "flows" | "lanes" | "caseWindowMs" | "caseFutureMs"> & {
  /** versions that new cases do not open on any more, and old cases still live by */
  readonly retired: readonly CompiledFlow[];
};

/** @throws AssertionFailed when two flows open on one thing, or one intent type both opens and moves cases */
export function makeRules(given: RulesGiven): Rules {
  const intents = new Map<string, IntentKind>();
  for (const [type, flows] of openersOf(given.flows)) {
    // What the guards read and what they leave to read, if there is nothing to choose.
    const [only] = flows;
    const needs =
      flows.length === 1 && only !== undefined ? only.needs.opening : unite(flows.map((one) => one.needs.guard));
    const touches = unite(flows.map((one) => one.touches));
    intents.set(type, { type, event: `intent.${type}`, opens: flows, needs, touches });
  }
  for (const flow of given.flows) addMoves(intents, flow, "current");
  for (const flow of given.retired) addMoves(intents, flow, "retired");
  const known = [...given.flows, ...given.retired];
  if (!intents.has(DECISION_TYPE)) addDecision(intents, known);
  return {
    ...given,
    intents,
    decisions: decisionsOf(known),
    reported: reportedOf(known),
    asked: byStart(given.flows, "message", (flow) => flow.start.type),
    spawned: byStart(given.flows, "spawn", (flow) => flow.name),
    spawning: new Set(known.flatMap(({ spawns }) => [...spawns.keys()])),
    flowsByNumber: new Map(known.map((flow) => [flow.number, flow])),
  };
}

/** Of several flows for one intent type the first whose guard holds, in the order of their names; one without comes last. */
function openersOf(flows: readonly CompiledFlow[]): Map<string, CompiledFlow[]> {
  const openers = new Map<string, CompiledFlow[]>();
  for (const flow of flows) {
    if (flow.start.kind !== "intent") continue;
    openers.set(flow.start.type, [...(openers.get(flow.start.type) ?? []), flow]);
  }
  for (const [type, list] of openers) {
    const unguarded = list.filter(({ start }) => start.when === null);
    assert(unguarded.length <= 1, `intent ${type} belongs to two flows`);
    const guarded = list.filter(({ start }) => start.when !== null).sort((a, b) => (a.name < b.name ? -1 : 1));
    openers.set(type, [...guarded, ...unguarded]);
  }
  return openers;
}

function byStart(
  flows: readonly CompiledFlow[],
  kind: "message" | "spawn",
  nameOf: (flow: CompiledFlow) => string,
): Map<string, CompiledFlow> {
  const found = new Map<string, CompiledFlow>();
  for (const flow of flows.filter(({ start }) => start.kind === kind)) {
    assert(!found.has(nameOf(flow)), `two flows start on ${nameOf(flow)}`);
    found.set(nameOf(flow), flow);
  }
  return found;
}

/** A case stays on its version, so the intents that move it are taken as long as it may be there, and what they touch is
 *  read with them. What opened it opens cases of the newer version, if there is one. */
function addMoves(intents: Map<string, IntentKind>, flow: CompiledFlow, age: "current" | "retired"): void {
  for (const [event, needs] of flow.needs.moving) {
    if (!event.startsWith("intent.")) continue;
    const type = event.slice("intent.".length);
    const known = intents.get(type);
    if (age === "retired" && known !== undefined && known.opens.length > 0) continue;
    assert(known === undefined || known.opens.length === 0, `intent ${type} both opens and moves cases`);
    const own = age === "retired" && known !== undefined ? [] : needs; // what newer versions read decides what is asked
    intents.set(type, {
      type,
      event,
      opens: [],
      needs: unite([known?.needs ?? [], own]),
      touches: unite([known?.touches ?? [], flow.touches]),
    });
  }
}

function addDecision(intents: Map<string, IntentKind>, flows: readonly CompiledFlow[]): void {
  const deciding = flows.filter(({ needs }) => [...needs.moving.keys()].some((event) => event.startsWith("ops.")));
  const touches = unite(deciding.map((flow) => flow.touches));
  intents.set(DECISION_TYPE, { type: DECISION_TYPE, event: null, opens: [], needs: DECISION_NEEDS, touches });
}

function decisionsOf(flows: readonly CompiledFlow[]): Map<string, readonly IntentField[]> {
  const decisions = new Map<string, readonly IntentField[]>();
  for (const [event, needs] of flows.flatMap((flow) => [...flow.needs.moving])) {
    if (!event.startsWith("ops.")) continue;
    const decision = event.slice("ops.".length);
    decisions.set(decision, unite([decisions.get(decision) ?? [], needs]));
  }
  return decisions;
}

function reportedOf(flows: readonly CompiledFlow[]): Map<string, readonly string[]> {
  const reported = new Map<string, readonly string[]>();
  for (const { calls, touches } of flows) {
    for (const { name, to } of calls.values())
      if (to.kind === "gateway") reported.set(name, unite([reported.get(name) ?? [], touches]));
  }
  return reported;
}

function unite<T>(lists: readonly (readonly T[])[]): T[] {
  return [...new Set(lists.flat())];
}

/** The flow that an intent opens a case of; null when it moves one that is there. */
export function openerOf(rules: Rules, intent: Intent): CompiledFlow | null {
  const kind = rules.intents.get(intent.type);
  assert(kind !== undefined, `intent ${intent.type} is taken by no flow, which intake should have seen`);
  if (kind.opens.length === 0) return null;
  const flow = openedBy(kind, intent);
  assert(flow !== undefined, `no flow takes this ${intent.type}, which intake should have seen`);
  return flow;
}

/** The guards share one scope: there are as many as methods of payment. */
function openedBy({ opens }: IntentKind, intent: Intent): CompiledFlow | undefined {
  const scope = guardScope(intent);
  return opens.find(({ start }) => start.when === null || start.when(scope));
}

/** Every field that an intent must carry, given what it says of itself.
 *  @returns null when no flow takes it: all of those for its type ask for something else */
export function neededFields(rules: Rules, intent: Intent): readonly IntentField[] | null {
  const kind = rules.intents.get(intent.type);
  if (kind === undefined) return null;
  if (kind.event === null) return unite([kind.needs, rules.decisions.get(intent.decision ?? "") ?? []]);
  if (kind.opens.every(({ start }) => start.when === null)) return kind.needs;
  if (kind.needs.some((field) => intent[field] === null)) return kind.needs; // the guards could not be asked
  const flow = openedBy(kind, intent);
  return flow === undefined ? null : unite([kind.needs, flow.needs.opening]);
}
