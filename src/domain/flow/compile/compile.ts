// Turns a checked flow into a total transition table of closures: nothing of the file is looked at again per event.
// Names become indexes, paths become resolvers, expressions become functions.

import { assert } from "../../assert.ts";
import { type CaseData, noData, type Variables, variablesOf } from "../../books.ts";
import type { Draft } from "../../decide/draft.ts";
import { type RefusalCode, refusalCode } from "../../refusals.ts";
import { momentOf } from "../duration.ts";
import type { Alternative, Flow, FlowStart, FlowState } from "../flow.ts";
import type { Get, Names, Test } from "../scope.ts";
import { type Context, compileActions, type Step } from "./actions.ts";
import { attentionCodes } from "./attention.ts";
import { type CompiledCall, compileCall } from "./calls.ts";
import { compileEvent, type ReadEvent } from "./events.ts";
import { compileNode, compileTest } from "./expression.ts";
import { compilePath, readsVariable, symbolsOf } from "./names.ts";
import { amountSymbols, guardNeeds, movingNeeds, type Needs, openingNeeds } from "./needs.ts";
import { quoteVariables } from "./quotes.ts";
import { spawnsOf } from "./spawns.ts";

export type CompiledAlternative = {
  /** null: taken whenever none before it was */
  readonly when: Test | null;
  readonly refuse: RefusalCode | null;
  readonly steps: readonly Step[];
  readonly to: number | "stay";
};

/** When it is due, in milliseconds since the epoch, for a state entered at `nowMs`. */
export type CompiledTimer = { readonly name: string; readonly dueMs: (draft: Draft) => number };

export type CompiledState = {
  readonly name: string;
  readonly isFinal: boolean;
  readonly timers: readonly CompiledTimer[];
  readonly entry: readonly Step[];
  readonly on: ReadonlyMap<string, readonly CompiledAlternative[]>;
  /** the first that holds is taken at once on entry; null: the case rests here */
  readonly always: readonly CompiledAlternative[] | null;
};

export type CompiledFlow = {
  /** number of this version in the database's table of flows */
  readonly number: number;
  readonly name: string;
  /** `transfer@1.0.0` */
  readonly ref: string;
  /** first word of its outcomes */
  readonly family: string;
  readonly caseKind: string;
  readonly variables: Variables;
  /** what a case has before its first event */
  readonly noData: CaseData;
  readonly start: { readonly kind: FlowStart["kind"]; readonly type: string; readonly when: Test | null };
  readonly states: readonly CompiledState[];
  readonly stateIndex: ReadonlyMap<string, number>;
  /** states in which a case waits for a person */
  readonly human: ReadonlySet<string>;
  /** codes with which it calls a person, as far as its file names them */
  readonly attention: ReadonlySet<string>;
  readonly initial: number;
  /** the way into the initial state */
  readonly opening: readonly CompiledAlternative[];
  /** binds currency symbols and variables of a new case */
  readonly bind: (draft: Draft) => RefusalCode | null;
  readonly calls: ReadonlyMap<string, CompiledCall>;
  /** how the fields of an event are read, where it has any */
  readonly events: ReadonlyMap<string, ReadEvent>;
  /** what an event does in a state that does not list it, where that is more than nothing */
  readonly alarms: ReadonlyMap<string, readonly CompiledAlternative[]>;
  /** `timer.expiry` by `expiry` */
  readonly timerEvents: ReadonlyMap<string, string>;
  /** fields that an intent must carry to open a case, for the guard alone, and by event to move one */
  readonly needs: { readonly opening: Needs; readonly guard: Needs; readonly moving: ReadonlyMap<string, Needs> };
  /** by event, the symbol of the currency that it reads the intent's amount in */
  readonly amountSymbols: ReadonlyMap<string, string>;
  /** path templates of its holder's accounts */
  readonly touches: readonly string[];
  /** variables that name a quote */
  readonly quotes: readonly string[];
  /** by event, flows that it may open cases of */
  readonly spawns: ReadonlyMap<string, readonly string[]>;
};

/** @param number  of this version in the database's table of flows
 *  @throws AssertionFailed when the flow was not checked before */
export function compileFlow(flow: Flow, number: number): CompiledFlow {
  const words = flow.data.filter(({ type }) => ["word", "text", "bool"].includes(type.kind));
  const variables = variablesOf(namesOf(flow.data), new Set(namesOf(words)));
  const known = { variables: variables.slots };
  const names: Names = {
    ...known,
    symbols: new Set(flow.currencies.map(({ symbol }) => symbol)),
    params: new Map(flow.params.map((param) => [param.name, param.default])),
    accounts: new Map(flow.accounts.map(({ alias, path }) => [alias, compilePath(known, path)])),
    lets: new Map(),
  };
  const stateIndex = new Map(flow.states.map((state, index) => [state.name, index]));
  const initial = flow.states.findIndex((state) => state.kind === "initial");
  assert(initial >= 0, `${flow.name} has no initial state`);
  const calls = new Map(flow.calls.map((call) => [call.name, compileCall(names, call)]));
  const context: Place = { flow, names, symbols: symbolsOf(flow), calls, stateIndex };
  return {
    number,
    name: flow.name,
    ref: `${flow.name}@${flow.version}`,
    family: flow.family,
    caseKind: flow.caseKind,
    variables,
    noData: noData(variables), // not frozen: it would be of another shape than what cases keep, and be met as often
    start: compileStart(names, flow.start),
    states: flow.states.map((state) => compileState(context, state)),
    stateIndex,
    human: new Set(flow.states.filter(({ human }) => human).map(({ name }) => name)),
    attention: attentionCodes(flow),
    initial,
    opening: [{ when: null, refuse: null, steps: [], to: initial }],
    bind: compileBind(context),
    calls,
    events: new Map(flow.events.map((shape) => [shape.event, compileEvent(shape)])),
    alarms: new Map(flow.defaults.alarms.map(({ event, code }) => [event, compileAlarm(code)])),
    timerEvents: new Map(flow.timers.map(({ name }) => [name, `timer.${name}`])),
    needs: { opening: openingNeeds(flow), guard: guardNeeds(flow), moving: movingNeeds(flow) },
    amountSymbols: amountSymbols(flow),
    quotes: quoteVariables(flow),
    spawns: spawnsOf(flow),
    touches: flow.accounts.map((account) => account.path).filter(isHoldersOwn),
  };
}

function namesOf(fields: Flow["data"]): string[] {
  return fields.map(({ name }) => name);
}

type Place = Context & { readonly stateIndex: ReadonlyMap<string, number> };

function compileStart(names: Names, start: FlowStart): CompiledFlow["start"] {
  if (start.kind === "spawn") return { kind: "spawn", type: "", when: null };
  const when = start.kind === "intent" && start.when !== null ? compileTest(names, start.when) : null;
  return { kind: start.kind, type: start.type, when };
}

function compileState(context: Place, state: FlowState): CompiledState {
  const on = new Map(
    state.events.map(({ event, alternatives }) => {
      assert(alternatives.length > 0, `${event} has no alternative`);
      return [event, alternatives.map((one) => compileAlternative(context, one))];
    }),
  );
  return {
    name: state.name,
    isFinal: state.kind === "final",
    timers: state.timers.map(({ name }) => compileTimer(context, name)),
    entry: compileActions(context, state.entry),
    on,
    always: state.always.length === 0 ? null : state.always.map((one) => compileAlternative(context, one)),
  };
}

function compileAlternative(context: Place, alternative: Alternative): CompiledAlternative {
  const { when, refuse, actions } = alternative;
  const guard = when === null ? null : compileTest(context.names, when);
  if (refuse !== null) return { when: guard, refuse: refusalCode(refuse), steps: [], to: "stay" };
  const to = alternative.to === "stay" ? "stay" : context.stateIndex.get(alternative.to);
  assert(to !== undefined, `state ${alternative.to} is not declared`);
  return { when: guard, refuse: null, steps: compileActions(context, actions), to };
}

/** Due at the anchor and what comes after; from now on where the anchor is not known. What has passed is due at once, and
 *  that is a millisecond from now: a block's timers lie behind the timers that fired before it. */
function compileTimer({ flow, names }: Place, name: string): CompiledTimer {
  const timer = flow.timers.find((known) => known.name === name);
  assert(timer !== undefined, `timer ${name} is not declared`);
  const after = compileNode(names, timer.after.root);
  const anchor: Get = timer.anchor === null ? () => null : compileNode(names, timer.anchor.root);
  return {
    name,
    dueMs: (draft) => {
      const from = (anchor(draft) as bigint | null) ?? BigInt(draft.nowMs);
      return Math.max(momentOf(from + ((after(draft) as bigint | null) ?? 0n)), draft.nowMs + 1);
    },
  };
}

/** What an event does that only raises `ops.attention` with a code. */
export function compileAlarm(code: string): CompiledAlternative[] {
  const step: Step = (draft) => {
    draft.alarm(code);
    return null;
  };
  return [{ when: null, refuse: null, steps: [step], to: "stay" }];
}

function compileBind({ flow, names }: Place): (draft: Draft) => RefusalCode | null {
  const symbols = flow.currencies.map(({ symbol, from }) => ({ symbol, get: compileCurrency(from) }));
  const inits = flow.data.map(({ init }) => compileNode(names, init.root)); // in the order of their slots
  const paths = flow.accounts.filter(({ path }) => readsVariable(path)).map(({ path }) => compilePath(names, path));
  const own = ownAccounts(flow).map(({ path, symbol }) => ({ get: compilePath(names, path), symbol }));
  return (draft) => {
    for (const { symbol, get } of symbols) draft.bindCurrency(symbol, get(draft));
    for (let slot = 0; slot < inits.length; slot++) draft.set(slot, (inits[slot] as Get)(draft));
    for (const path of paths) if (isUnknown(draft, path(draft))) draft.refuse("unknown_account");
    for (const { get, symbol } of own) draft.meetAccount(get(draft), draft.currencyOf(symbol));
    return draft.refused;
  };
}

/** Opened with the case when they are not there: an account has one currency, and a report that found another one could
 *  not be refused. */
function ownAccounts(flow: Flow): { readonly path: string; readonly symbol: string }[] {
  return flow.accounts.flatMap(({ path, currency }) => (currency === null ? [] : [{ path, symbol: currency }]));
}

function isHoldersOwn(path: string): boolean {
  return /^[^{]*\{holder\}[^{]*$/.test(path);
}

/** A path that is empty as a whole will be known later, such as where money would go back to. */
function isUnknown(draft: Draft, path: string): boolean {
  return path !== "" && draft.placeOf(path) === null;
}

/** From what opens the case. A settlement currency that is not said is the amount's. */
function compileCurrency(from: string): (draft: Draft) => string {
  if (from.startsWith("event.")) {
    const field = from.slice("event.".length);
    return (draft) => draft.eventCurrency(field);
  }
  if (from === "intent.currency") return (draft) => draft.intent?.currency ?? "";
  if (from === "intent.amount.currency") return (draft) => draft.asked().currency;
  assert(from === "intent.settlementCurrency", `a currency cannot be bound from ${from}`);
  return (draft) => draft.intent?.settlementCurrency ?? draft.asked().currency;
}
