// Property "references": every name that is used is declared, and every event can come. Names within expressions are
// `types`'. Names that the parser could not read are empty and have their fault already.

import type { Place } from "../../located.ts";
import type { Action, Flow } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { actionsOf, alternativesOf, placeholdersIn, sourceOf } from "../walk.ts";

type Kind = "state" | "timer" | "account" | "currency" | "posting" | "data field" | "call";

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
      call: new Set(flow.calls.map(({ name }) => name)),
    };
  }

  use(kind: Kind, place: Place, name: string): void {
    if (name === "" || this.#declared[kind].has(name)) return;
    const known = [...this.#declared[kind]].join(", ") || "none";
    this.#proof.fails({ property: "references", place }, `${kind} "${name}" is not declared; declared: ${known}`);
  }
}

export function checkReferences(proof: Proof, flow: Flow): void {
  const names = new Names(proof, flow);
  for (const { place, type } of flow.data) if (type.kind === "money") names.use("currency", place, type.symbol);
  for (const { place, type } of flow.events.flatMap(({ fields }) => fields)) {
    if (type.kind === "money") names.use("currency", place, type.symbol);
  }
  for (const { place, account, symbol } of flow.invariants) {
    names.use("account", place, account);
    names.use("currency", place, symbol);
  }
  for (const { place, path } of flow.accounts) checkPlaceholders(proof, flow, place, path);
  for (const { lines } of flow.postings) {
    for (const { place, debit, credit, currency } of lines) {
      names.use("account", place, debit);
      names.use("account", place, credit);
      names.use("currency", place, currency);
    }
  }
  for (const state of flow.states) {
    for (const { place, name } of state.timers) names.use("timer", place, name);
    for (const { place, event } of state.events) checkEvent(proof, names, flow, place, event);
    for (const { place, to } of alternativesOf(state)) if (to !== "stay") names.use("state", place, to);
  }
  for (const { place, event } of [...flow.events, ...flow.defaults.alarms]) {
    if (event !== "spawn" && sourceOf(event) === "report" && !event.startsWith("message.")) {
      checkEvent(proof, names, flow, place, event);
    }
  }
  for (const action of actionsOf(flow)) {
    useOfAction(names, action);
    if (action.kind !== "tell" || flow.start.kind === "spawn") continue;
    const message = `nobody hears "${action.word}": ${flow.name} does not start on a spawn, so its cases have no parent`;
    proof.fails({ property: "references", place: action.place }, message);
  }
}

function checkPlaceholders(proof: Proof, flow: Flow, place: Place, path: string): void {
  for (const name of placeholdersIn(path)) {
    if (name === "holder" || /^(intent|event)\./.test(name)) continue;
    if (flow.data.find((field) => field.name === name)?.type.kind === "text") continue;
    const message = `{${name}} in ${path} is neither {holder} nor a text variable of the case`;
    proof.fails({ property: "references", place }, message);
  }
}

/** An event must be able to come. */
function checkEvent(proof: Proof, names: Names, flow: Flow, place: Place, event: string): void {
  const source = sourceOf(event);
  if (source === "timer") return names.use("timer", place, event.slice("timer.".length));
  if (source === "child") {
    const spawned = event.split(".")[1];
    const isSpawned = actionsOf(flow).some((action) => action.kind === "spawn" && action.flow === spawned);
    if (!isSpawned) proof.fails({ property: "references", place }, `${event} never comes: no action spawns ${spawned}`);
    return;
  }
  if (source !== "report" || event === "") return;
  if (flow.calls.some(({ results }) => results.some((result) => result.event === event))) return;
  proof.fails({ property: "references", place }, `${event} never comes: no call has a result that becomes it`);
}

function useOfAction(names: Names, action: Action): void {
  const { place } = action;
  switch (action.kind) {
    case "post":
      return names.use("posting", place, action.posting);
    case "set":
      for (const value of action.values) names.use("data field", value.place, value.name);
      return;
    case "call":
      return names.use("call", place, action.call);
    case "open_account":
      names.use("currency", place, action.currency);
      return names.use("account", place, action.account);
    case "change_account":
      return names.use("account", place, action.account);
    default:
      return;
  }
}
