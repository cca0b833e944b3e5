// What may be true in a state beside the declared invariants: candidates, each an inequality over the case's money and
// counters. Which of them hold where is found by trial: all are assumed, and what some way into a state does not prove
// is struck off there, until nothing changes. What is left proves itself.

import { type Expression, namesIn } from "../expression.ts";
import type { Flow } from "../flow.ts";
import { actionsOf, alternativesOf, expressionsOf, placeholdersIn } from "../walk.ts";
import { clausesOf } from "./formula.ts";
import { atom, constant, type Linear, minus, plus, printLinear, times } from "./linear.ts";
import { Situation } from "./situation.ts";
import { formulaOf } from "./symbolic.ts";
import { number, type Symbolic } from "./values.ts";
import { pathOf } from "./way.ts";

/** A balance of the case itself, by account path and currency symbol. */
export type Balance = { readonly path: string; readonly symbol: string };

export function balanceName({ path, symbol }: Balance): string {
  return `bal(${path}, ${symbol})`;
}

/** Money on its way to another holder. */
export const TRANSIT = "clearing:transit";

/** Balances that anything is claimed of: those of invariants and draining accounts, money on its way, what the case has set
 *  aside on accounts of its holder, and accounts whose path hangs on a variable that changes. @param isSetAside tells those accounts by their path */
export function balancesOf(flow: Flow, isSetAside: (path: string) => boolean): Balance[] {
  const found = new Map<string, Balance>();
  const add = (path: string, symbol: string): void => {
    found.set(`${path} ${symbol}`, { path, symbol });
  };
  for (const { account, symbol } of flow.invariants) add(pathOf(flow, account), symbol);
  for (const { lines } of flow.postings) {
    for (const { debit, credit, currency } of lines) {
      for (const path of [debit, credit].map((alias) => pathOf(flow, alias))) {
        const drains = flow.accounts.some((account) => account.path === path && account.drains);
        // What a flow only puts somewhere it takes from nobody.
        const isTaken = isSetAside(path) && path === pathOf(flow, debit);
        if (drains || path === TRANSIT || isTaken || moves(flow, path)) add(path, currency);
      }
    }
  }
  return [...found.values()];
}

/** Whether the path of an account is another one once the case has changed a variable. */
export function moves(flow: Flow, path: string): boolean {
  const names = placeholdersIn(path);
  return actionsOf(flow).some(({ kind, ...action }) => {
    const values = kind === "set" && "values" in action ? action.values : [];
    return values.some(({ name }) => names.includes(name));
  });
}

/** Each is zero or more where it holds. */
export function candidatesOf(flow: Flow, balances: readonly Balance[]): Linear[] {
  const found = new Map<string, Linear>();
  const add = (linear: Linear): void => {
    if (linear.terms.size > 0) found.set(printLinear(linear), linear);
  };
  const both = (linear: Linear): void => {
    add(linear);
    add(times(linear, -1n));
  };
  for (const { name, type } of flow.data) {
    const variable = atom(`data.${name}`);
    if (type.kind === "int") add(variable);
    if (type.kind !== "money") continue;
    both(variable);
    add(minus(variable, constant(1n)));
  }
  for (const balance of balances) {
    both(atom(balanceName(balance)));
    const isClaimed = flow.invariants.some(
      ({ account, symbol }) => pathOf(flow, account) === balance.path && symbol === balance.symbol,
    );
    for (const { name, type } of isClaimed ? [] : flow.data) {
      // What was put there is often what a variable says: money set aside is credited, so the two sum to nothing.
      if (type.kind === "money") both(plus(atom(balanceName(balance)), atom(`data.${name}`)));
    }
  }
  for (const [one, other] of pairsOf(flow)) both(minus(atom(`data.${one}`), atom(`data.${other}`)));
  for (const linear of guardsOf(flow)) add(linear);
  return [...found.values()];
}

/** Money variables of one currency that some expression or assignment names together. */
function pairsOf(flow: Flow): [string, string][] {
  const symbols = new Map(flow.data.flatMap(({ name, type }) => (type.kind === "money" ? [[name, type.symbol]] : [])));
  const found = new Map<string, [string, string]>();
  for (const group of groupsOf(flow)) {
    const names = [...new Set(group)].filter((name) => symbols.has(name)).sort();
    for (const one of names) {
      for (const other of names) {
        if (one < other && symbols.get(one) === symbols.get(other)) found.set(`${one} ${other}`, [one, other]);
      }
    }
  }
  return [...found.values()];
}

function groupsOf(flow: Flow): string[][] {
  const variables = (expression: Expression): string[] =>
    namesIn(expression.root).flatMap((name) => (name.startsWith("data.") ? [name.slice("data.".length)] : []));
  const groups = guardsIn(flow).map(variables);
  for (const action of actionsOf(flow)) {
    groups.push(...expressionsOf(action).map(variables));
    if (action.kind === "set") groups.push(...action.values.map(({ name, value }) => [name, ...variables(value)]));
  }
  return groups;
}

function guardsIn(flow: Flow): Expression[] {
  return flow.states.flatMap((state) => alternativesOf(state).flatMap(({ when }) => (when === null ? [] : [when])));
}

/** What guards say of the case's variables alone, and the opposite of it. */
function guardsOf(flow: Flow): Linear[] {
  const data = new Map(flow.data.map(({ name }) => [name, number(atom(`data.${name}`)) as Symbolic]));
  return guardsIn(flow).flatMap((guard) => {
    const scope = { flow, situation: new Situation(), event: "", data, lets: new Map() };
    const formula = formulaOf(scope, guard.root);
    const facts = [...clausesOf(formula, true), ...clausesOf(formula, false)].flat();
    return facts.flatMap((fact) => {
      if (fact.kind === "one_of" || ![...fact.linear.terms.keys()].every((name) => name.startsWith("data."))) return [];
      return fact.kind === "zero" ? [fact.linear, times(fact.linear, -1n)] : [fact.linear];
    });
  });
}
