// Actions become steps: closures that add to the draft of an event, or say why it is refused.

import { assert } from "../../assert.ts";
import type { OutcomeAmount } from "../../books.ts";
import { type Draft, NO_AMOUNTS } from "../../decide/draft.ts";
import { reasonOf } from "../../reasons.ts";
import { firstRefusal, type RefusalCode } from "../../refusals.ts";
import type { ExpressionNode, Value } from "../expression.ts";
import type { Action, Flow, NamedExpression } from "../flow.ts";
import type { Get, Names, Path, Scope } from "../scope.ts";
import type { CompiledCall } from "./calls.ts";
import { compileNode } from "./expression.ts";
import { compileFigures } from "./functions.ts";
import { slotOf } from "./names.ts";
import { type Symbols, symbolOf } from "./symbols.ts";

/** One step of a transition. It adds to the draft, or says why the event is refused. Steps behind a refused one run all
 *  the same, because theirs may take precedence; the draft is thrown away in the end. */
export type Step = (draft: Draft) => RefusalCode | null;

export type Context = {
  readonly flow: Flow;
  readonly names: Names;
  readonly symbols: Symbols;
  readonly calls: ReadonlyMap<string, CompiledCall>;
};

/** A list of actions: what a `let` binds is known to those behind it, and to no other list. */
export function compileActions(context: Context, actions: readonly Action[]): Step[] {
  const lets = new Map<string, number>();
  const symbols = new Map(context.symbols);
  const known: Context = { ...context, names: { ...context.names, lets }, symbols };
  let slot = 0;
  return actions.map((action) => {
    if (action.kind !== "let") return compileAction(known, action);
    const bound = action.values.map(({ name, value }) => {
      const step = compileLet(known.names, slot, value.root);
      return { name, slot: slot++, step, symbol: symbolOf(symbols, value.root) };
    });
    for (const one of bound) {
      lets.set(one.name, one.slot);
      symbols.delete(one.name);
      if (one.symbol !== null) symbols.set(one.name, one.symbol);
    }
    return inOrder(bound.map(({ step }) => step));
  });
}

function compileLet(names: Names, slot: number, node: ExpressionNode): Step {
  const get: (scope: Scope) => Draft["lets"][number] =
    compileFigures(names, (part) => compileNode(names, part), node) ?? compileNode(names, node);
  return (draft) => {
    draft.lets[slot] = get(draft);
    return null;
  };
}

function inOrder(steps: readonly Step[]): Step {
  const [only] = steps;
  if (steps.length === 1 && only !== undefined) return only;
  return (draft) => {
    for (const step of steps) step(draft);
    return null;
  };
}

function compileAction(context: Context, action: Exclude<Action, { kind: "let" }>): Step {
  switch (action.kind) {
    case "post":
      return compilePost(context, action.posting, action.amounts);
    case "set":
      return compileSet(context.names, action.values);
    case "emit":
      return compileEmit(context, action);
    case "call": {
      const call = context.calls.get(action.call);
      assert(call !== undefined, `call ${action.call} is not declared`);
      return (draft) => draft.send(call);
    }
    case "end":
      return compileEnd(context, action);
    case "spawn": {
      const values = compileValues(context.names, action.values);
      const currencies = compileCurrencies(context, action.values);
      return (draft) => draft.spawn(action.flow, values(draft), currencies(draft));
    }
    case "tell": {
      const values = compileValues(context.names, action.values);
      const event = `child.${context.flow.name}.${action.word}`;
      return (draft) => draft.tell(event, values(draft));
    }
    case "consume": {
      const quote = compileNode(context.names, action.quote.root);
      const amount = compileNode(context.names, action.amount.root);
      return (draft) => draft.consume(quote(draft) as string, amount(draft) as bigint);
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

function compilePost(context: Context, name: string, given: readonly NamedExpression[]): Step {
  const declared = context.flow.postings.find((known) => known.name === name);
  assert(declared !== undefined, `posting ${name} is not declared`);
  const posting = { name, forced: declared.forced };
  const amounts = new Map(given.map((value) => [value.name, compileNode(context.names, value.value.root)]));
  const lines = declared.lines.map((line) => {
    const amount = amounts.get(line.amount);
    assert(amount !== undefined, `amount ${line.amount} of ${name} is not given`);
    return { debit: pathOf(context, line.debit), credit: pathOf(context, line.credit), amount, symbol: line.currency };
  });
  return (draft) => {
    let refused: RefusalCode | null = null;
    for (const line of lines) {
      const minor = line.amount(draft) as bigint;
      if (minor === 0n) continue;
      const currency = draft.currencyOf(line.symbol);
      const code = draft.post(posting, currency, minor, line.debit(draft), line.credit(draft));
      refused = firstRefusal(refused, code);
    }
    return refused;
  };
}

/** All right sides are read before the first variable changes. */
function compileSet(names: Names, given: readonly NamedExpression[]): Step {
  const values = given.map(({ name, value }) => ({ slot: slotOf(names, name), get: compileNode(names, value.root) }));
  const [only] = values;
  if (values.length === 1 && only !== undefined) {
    return (draft) => {
      draft.set(only.slot, only.get(draft));
      return null;
    };
  }
  const read: Value[] = []; // one for all events: nothing runs between reading and setting
  return (draft) => {
    for (let at = 0; at < values.length; at++) read[at] = (values[at] as { get: Get }).get(draft);
    for (let at = 0; at < values.length; at++) draft.set((values[at] as { slot: number }).slot, read[at] as Value);
    return null;
  };
}

function compileEmit(context: Context, action: Extract<Action, { kind: "emit" }>): Step {
  const code = action.code === null ? null : compileNode(context.names, action.code.root);
  const amounts = action.amounts.map(({ name, value }) => ({
    name,
    get: compileNode(context.names, value.root),
    symbol: symbolOf(context.symbols, value.root) ?? firstSymbol(context.flow, value.text),
  }));
  return (draft) => {
    const told: Record<string, OutcomeAmount> = {};
    for (const { name, get, symbol } of amounts) {
      const currency = draft.currencyOf(symbol);
      const minor = get(draft) as bigint;
      draft.judgeSize(minor);
      told[name] = { currency, scale: draft.scaleOf(currency), minor: minor.toString() };
    }
    draft.emit(action.type, told, code === null ? null : reasonOf(code(draft) as string));
    return null;
  };
}

function firstSymbol({ currencies }: Flow, text: string): string {
  const symbol = currencies[0]?.symbol;
  assert(symbol !== undefined, `${text} has no currency`);
  return symbol;
}

function compileEnd({ flow, names }: Context, action: Extract<Action, { kind: "end" }>): Step {
  const type = `${flow.family}.${action.result}`;
  const code = action.code === null ? null : compileNode(names, action.code.root);
  return (draft) => {
    if (draft.end(action.result)) draft.emit(type, NO_AMOUNTS, code === null ? null : reasonOf(code(draft) as string));
    return null;
  };
}

function compileValues(names: Names, given: readonly NamedExpression[]): (draft: Draft) => Record<string, Value> {
  const values = given.map(({ name, value }) => ({ name, get: compileNode(names, value.root) }));
  return (draft) => {
    const made: Record<string, Value> = {};
    for (const { name, get } of values) {
      const value = get(draft);
      draft.judgeSize(value);
      made[name] = value;
    }
    return made;
  };
}

/** In which currency each amount is that a child is given. */
function compileCurrencies(
  { symbols }: Context,
  given: readonly NamedExpression[],
): (draft: Draft) => Record<string, string> {
  const known = given.flatMap(({ name, value }) => {
    const symbol = symbolOf(symbols, value.root);
    return symbol === null ? [] : [{ name, symbol }];
  });
  return (draft) => {
    const made: Record<string, string> = {};
    for (const { name, symbol } of known) made[name] = draft.currencyOf(symbol);
    return made;
  };
}

function pathOf({ names }: Context, alias: string): Path {
  const path = names.accounts.get(alias);
  assert(path !== undefined, `account ${alias} is not declared`);
  return path;
}
