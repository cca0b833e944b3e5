// Property "unused": nothing is declared and not used. What nobody uses is a slip of the pen or a leftover.

import type { Place } from "../located.ts";
import { namesIn } from "./expression.ts";
import type { Flow } from "./flow.ts";
import type { Proof } from "./proof.ts";
import { actionsOf, valuesOf } from "./walk.ts";

export function checkUse(proof: Proof, flow: Flow): void {
  const lines = flow.postings.flatMap((posting) => posting.lines);
  const actions = actionsOf(flow);
  const values = new Set(actions.flatMap((action) => valuesOf(action).flatMap(({ value }) => namesIn(value.root))));
  const accounts = new Set(lines.flatMap(({ debit, credit }) => [debit, credit]));
  const currencies = new Set([
    ...lines.map(({ currency }) => currency),
    ...flow.data.flatMap(({ type }) => (type.kind === "money" ? [type.symbol] : [])),
  ]);
  const postings = new Set<string>();
  for (const action of actions) {
    if (action.kind === "post") postings.add(action.posting);
    if (action.kind === "open_account" || action.kind === "change_account") accounts.add(action.account);
    if (action.kind === "open_account") currencies.add(action.currency);
  }
  const timers = new Set(flow.states.flatMap((state) => state.timers.map(({ name }) => name)));

  const mustUse = (what: string, place: Place, name: string, isUsed: boolean): void => {
    if (!isUsed) proof.fails("unused", place, `${what} "${name}" is declared and never used`);
  };
  for (const { place, symbol } of flow.currencies) mustUse("currency", place, symbol, currencies.has(symbol));
  for (const { place, name } of flow.data) mustUse("data field", place, name, values.has(`data.${name}`));
  for (const { place, alias } of flow.accounts) mustUse("account", place, alias, accounts.has(alias));
  for (const { place, name } of flow.timers) mustUse("timer", place, name, timers.has(name));
  for (const { place, name, inputs, lines: own } of flow.postings) {
    mustUse("posting", place, name, postings.has(name));
    for (const input of inputs)
      mustUse(
        `input of ${name}`,
        place,
        input,
        own.some(({ amount }) => amount === input),
      );
  }
}
