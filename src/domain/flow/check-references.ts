// Property "references": every name that is used is declared, and declared once. Names that the parser could not read
// are empty and have their fault already.

import type { Place } from "../located.ts";
import { namesIn } from "./expression.ts";
import type { Action, Flow } from "./flow.ts";
import type { Proof } from "./proof.ts";
import { actionsOf, alternativesOf, valuesOf } from "./walk.ts";

type Kind = "state" | "timer" | "account" | "currency" | "posting" | "data field";

class Names {
  readonly #proof: Proof;
  readonly #declared: Record<Kind, ReadonlySet<string>>;

  constructor(proof: Proof, flow: Flow) {
    this.#proof = proof;
    this.#declared = {
      state: new Set(flow.states.map(({ name }) => name)),
      timer: new Set(flow.timers.map(({ name }) => name)),
      account: new Set(flow.accounts.map(({ alias }) => alias)),
      currency: new Set(flow.currencies.map(({ symbol }) => symbol)),
      posting: new Set(flow.postings.map(({ name }) => name)),
      "data field": new Set(flow.data.map(({ name }) => name)),
    };
  }

  use(kind: Kind, place: Place, name: string): void {
    if (name === "" || this.#declared[kind].has(name)) return;
    const known = [...this.#declared[kind]].join(", ") || "none";
    this.#proof.fails("references", place, `${kind} "${name}" is not declared; declared: ${known}`);
  }
}

export function checkReferences(proof: Proof, flow: Flow): void {
  const names = new Names(proof, flow);
  for (const { place, type } of flow.data) if (type.kind === "money") names.use("currency", place, type.symbol);
  for (const posting of flow.postings) {
    for (const line of posting.lines) {
      names.use("account", line.place, line.debit);
      names.use("account", line.place, line.credit);
      names.use("currency", line.place, line.currency);
    }
  }
  for (const state of flow.states) {
    for (const timer of state.timers) names.use("timer", timer.place, timer.name);
    for (const { place, event } of state.events) {
      if (event.startsWith("timer.")) names.use("timer", place, event.slice("timer.".length));
    }
    for (const { place, to } of alternativesOf(state)) if (to !== "stay") names.use("state", place, to);
  }
  for (const action of actionsOf(flow)) useOfAction(names, action);
}

function useOfAction(names: Names, action: Action): void {
  for (const { place, value } of valuesOf(action)) {
    for (const name of namesIn(value.root))
      if (name.startsWith("data.")) names.use("data field", place, name.slice("data.".length));
  }
  switch (action.kind) {
    case "post":
      return names.use("posting", action.place, action.posting);
    case "set":
      for (const { place, name } of action.values) names.use("data field", place, name);
      return;
    case "open_account":
      names.use("currency", action.place, action.currency);
      return names.use("account", action.place, action.account);
    case "change_account":
      return names.use("account", action.place, action.account);
    default:
      return;
  }
}
