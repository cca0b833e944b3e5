// Turns a checked flow into a total transition table of closures: nothing of the file is looked at again per event.
// Names become indexes, paths become resolvers, amounts become getters.

import { assert } from "../assert.ts";
import type { Draft } from "../draft.ts";
import type { IntentField } from "../intent.ts";
import { firstRefusal, type RefusalCode } from "../refusals.ts";
import type { Action, Alternative, Flow, FlowState, NamedValue } from "./flow.ts";

/** One step of a transition. It adds to the draft, or says why the event is refused. Steps behind a refused one run all
 *  the same, because theirs may take precedence; the draft is thrown away in the end. */
export type Step = (draft: Draft) => RefusalCode | null;

export type CompiledAlternative = { readonly steps: readonly Step[]; readonly to: number | "stay" };

export type CompiledTimer = { readonly name: string; readonly afterMs: number };

export type CompiledState = {
  readonly name: string;
  readonly isFinal: boolean;
  readonly timers: readonly CompiledTimer[];
  readonly entry: readonly Step[];
  readonly on: ReadonlyMap<string, CompiledAlternative>;
  /** taken at once on entry; null: the case rests here */
  readonly always: CompiledAlternative | null;
};

export type CompiledFlow = {
  /** number of this version in the database's table of flows */
  readonly number: number;
  readonly name: string;
  /** `transfer@1.0.0` */
  readonly ref: string;
  readonly caseKind: string;
  readonly startsOn: string;
  readonly states: readonly CompiledState[];
  readonly stateIndex: ReadonlyMap<string, number>;
  readonly initial: number;
  /** binds currency symbols and variables of a new case */
  readonly bind: (draft: Draft) => void;
  /** fields an intent of this type must carry for this flow */
  readonly needs: ReadonlyMap<string, readonly IntentField[]>;
  /** path templates of its holder's accounts */
  readonly touches: readonly string[];
};

type Amount = (draft: Draft) => bigint;
type Path = (draft: Draft) => string;

/** @param number  of this version in the database's table of flows
 *  @throws AssertionFailed when the flow was not checked before */
export function compileFlow(flow: Flow, number: number): CompiledFlow {
  const stateIndex = new Map(flow.states.map((state, index) => [state.name, index]));
  const initial = flow.states.findIndex((state) => state.kind === "initial");
  assert(initial >= 0, `${flow.name} has no initial state`);
  const context: Context = {
    flow,
    stateIndex,
    accounts: new Map(flow.accounts.map(({ alias, path }) => [alias, pathGetter(path)])),
  };
  return {
    number,
    name: flow.name,
    ref: `${flow.name}@${flow.version}`,
    caseKind: flow.caseKind,
    startsOn: flow.startsOn,
    states: flow.states.map((state) => compileState(context, state)),
    stateIndex,
    initial,
    bind: compileBind(flow),
    needs: neededFields(flow),
    touches: flow.accounts.map((account) => account.path).filter((path) => path.includes("{holder}")),
  };
}

type Context = {
  readonly flow: Flow;
  readonly stateIndex: ReadonlyMap<string, number>;
  readonly accounts: ReadonlyMap<string, Path>;
};

function compileState(context: Context, state: FlowState): CompiledState {
  const always = state.always[0];
  const on = new Map<string, CompiledAlternative>();
  for (const event of state.events) {
    const [alternative] = event.alternatives;
    assert(alternative !== undefined, `${event.event} has no alternative`);
    on.set(event.event, compileAlternative(context, alternative));
  }
  return {
    name: state.name,
    isFinal: state.kind === "final",
    timers: state.timers.map(({ name }) => {
      const timer = context.flow.timers.find((known) => known.name === name);
      assert(timer !== undefined, `timer ${name} is not declared`);
      return { name, afterMs: timer.afterMs };
    }),
    entry: state.entry.map((action) => compileAction(context, action)),
    on,
    always: always === undefined ? null : compileAlternative(context, always),
  };
}

function compileAlternative(context: Context, alternative: Alternative): CompiledAlternative {
  const to = alternative.to === "stay" ? "stay" : context.stateIndex.get(alternative.to);
  assert(to !== undefined, `state ${alternative.to} is not declared`);
  return { steps: alternative.actions.map((action) => compileAction(context, action)), to };
}

function compileAction(context: Context, action: Action): Step {
  switch (action.kind) {
    case "post":
      return compilePost(context, action.posting, action.amounts);
    case "set": {
      const values = action.values.map((value) => [value.name, compileAmount(value.value)] as const);
      return (draft) => {
        for (const [name, amount] of values) draft.set(name, amount(draft));
        return null;
      };
    }
    case "emit": {
      const amounts = action.amounts.map((value) => ({
        name: value.name,
        amount: compileAmount(value.value),
        symbol: symbolOf(context.flow, value),
      }));
      return (draft) => {
        draft.emit(
          action.type,
          amounts.map(({ name, amount, symbol }) => ({
            name,
            minor: amount(draft),
            currency: draft.currencyOf(symbol),
          })),
        );
        return null;
      };
    }
    case "open_account": {
      const path = pathOf(context, action.account);
      return (draft) => draft.openAccount(path(draft), draft.currencyOf(action.currency));
    }
    case "change_account": {
      const path = pathOf(context, action.account);
      return (draft) => draft.changeAccount(path(draft));
    }
  }
}

function compilePost(context: Context, name: string, given: readonly NamedValue[]): Step {
  const posting = context.flow.postings.find((known) => known.name === name);
  assert(posting !== undefined, `posting ${name} is not declared`);
  const amounts = new Map(given.map((value) => [value.name, compileAmount(value.value)]));
  const lines = posting.lines.map((line) => {
    const amount = amounts.get(line.amount);
    assert(amount !== undefined, `amount ${line.amount} of ${name} is not given`);
    return { debit: pathOf(context, line.debit), credit: pathOf(context, line.credit), amount, symbol: line.currency };
  });
  return (draft) => {
    let refused: RefusalCode | null = null;
    for (const line of lines) {
      const currency = draft.currencyOf(line.symbol);
      const code = draft.post(posting, currency, line.amount(draft), line.debit(draft), line.credit(draft));
      refused = firstRefusal(refused, code);
    }
    return refused;
  };
}

function pathOf(context: Context, alias: string): Path {
  const path = context.accounts.get(alias);
  assert(path !== undefined, `account ${alias} is not declared`);
  return path;
}

/** `{intent.from}` as a whole, or a path in which `{holder}` stands for the case's holder. */
function pathGetter(template: string): Path {
  const field = /^\{intent\.(account|from|to)\}$/.exec(template)?.[1] as "account" | "from" | "to" | undefined;
  if (field !== undefined) return (draft) => draft.path(field);
  const [before, after, ...rest] = template.split("{holder}");
  assert(rest.length === 0, `path ${template} names its holder twice`);
  if (after === undefined) return () => template;
  return (draft) => `${before}${draft.holderId}${after}`;
}

function compileAmount(value: string): Amount {
  if (value.startsWith("data.")) {
    const name = value.slice(5);
    return (draft) => draft.value(name);
  }
  if (value === "intent.amount.minor") return (draft) => draft.asked().minor;
  const minor = BigInt(value);
  return () => minor;
}

function symbolOf(flow: Flow, value: NamedValue): string {
  const field = flow.data.find((known) => `data.${known.name}` === value.value);
  const symbol = field?.type.money ?? flow.currencies[0]?.symbol;
  assert(symbol !== undefined, `${value.value} has no currency`);
  return symbol;
}

function compileBind(flow: Flow): (draft: Draft) => void {
  const symbols = flow.currencies.map(({ symbol, from }) => [symbol, from] as const);
  const fields = flow.data.map(
    (field) =>
      [field.name, compileAmount("minor" in field.from ? String(field.from.minor) : field.from.intent)] as const,
  );
  return (draft) => {
    for (const [symbol, from] of symbols) draft.bindCurrency(symbol, from);
    for (const [name, amount] of fields) draft.set(name, amount(draft));
  };
}

/** Which intent fields each intent type of this flow must carry, read off the references in the file. */
function neededFields(flow: Flow): Map<string, readonly IntentField[]> {
  const sources = flow.data.map((field) => ("intent" in field.from ? field.from.intent : ""));
  const text = JSON.stringify([flow.currencies, flow.accounts, sources]);
  const used = [
    ...new Set(
      [...text.matchAll(/intent\.(account|currency|from|to|amount)/g)].map((match) => match[1] as IntentField),
    ),
  ];
  const actions = flow.states.flatMap((state) => [state.entry, ...state.always.map((a) => a.actions)]).flat();
  if (actions.some((action) => action.kind === "change_account")) used.push("change");
  const needs = new Map<string, readonly IntentField[]>([[flow.startsOn, used]]);
  for (const event of flow.states.flatMap((state) => state.events)) {
    if (!event.event.startsWith("intent.")) continue;
    const asks = JSON.stringify(event.alternatives).includes("intent.amount");
    needs.set(event.event.slice("intent.".length), asks ? ["amount"] : []);
  }
  return needs;
}
