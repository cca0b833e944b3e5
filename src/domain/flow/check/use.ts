// Property "unused": nothing is declared and not used. What nobody uses is a slip of the pen or a leftover.

import type { Place } from "../../located.ts";
import { namesIn } from "../expression.ts";
import type { Flow } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { actionsOf, everyExpression, placeholdersIn } from "../walk.ts";

/** Read by the system itself: parameters are laid over by them. */
const OVERLAID_BY = ["tenant", "provider"];
/** Read by the core of a flow whose cases are quotes (src/domain/fx/quotes.ts). */
const OF_QUOTES = ["gives", "receives", "spread", "taken", "by"];

export function checkUse(proof: Proof, flow: Flow): void {
  const read = new Set(everyExpression(flow).flatMap(({ root }) => namesIn(root)));
  const lines = flow.postings.flatMap((posting) => posting.lines);
  const used = usedByActions(flow);
  for (const { debit, credit, currency } of lines) {
    used.accounts.add(debit).add(credit);
    used.currencies.add(currency);
  }
  for (const { account, symbol } of flow.invariants) {
    used.accounts.add(account);
    used.currencies.add(symbol);
  }
  const typed = [...flow.data, ...flow.events.flatMap(({ fields }) => fields)];
  for (const { type } of typed) if (type.kind === "money") used.currencies.add(type.symbol);
  const paths = new Set(flow.accounts.flatMap(({ path }) => placeholdersIn(path)));
  const timers = new Set(flow.states.flatMap((state) => state.timers.map(({ name }) => name)));
  const listed = new Set(flow.states.flatMap(({ events }) => events.map(({ event }) => event)));

  const bySystem = listed.has("quote.consume") ? [...OVERLAID_BY, ...OF_QUOTES] : OVERLAID_BY;
  const mustUse = (what: string, place: Place, name: string, isUsed: boolean): void => {
    if (!isUsed) proof.fails({ property: "unused", place }, `${what} "${name}" is declared and never used`);
  };
  for (const { place, symbol } of flow.currencies)
    mustUse("currency", place, symbol, used.currencies.has(symbol) || read.has(symbol));
  for (const { place, name } of flow.params) mustUse("parameter", place, name, read.has(`params.${name}`));
  for (const { place, name } of flow.data)
    mustUse("data field", place, name, read.has(`data.${name}`) || paths.has(name) || bySystem.includes(name));
  for (const { place, alias } of flow.accounts)
    mustUse("account", place, alias, used.accounts.has(alias) || read.has(alias));
  for (const { place, name } of flow.timers) mustUse("timer", place, name, timers.has(name));
  for (const { place, name } of flow.calls) mustUse("call", place, name, used.calls.has(name));
  for (const { place, event } of flow.events) {
    if (event !== "spawn" && !event.startsWith("message.")) mustUse("event", place, event, listed.has(event));
  }
  for (const { place, name, inputs, lines: own } of flow.postings) {
    mustUse("posting", place, name, used.postings.has(name));
    for (const input of inputs) {
      const isTaken = own.some(({ amount }) => amount === input);
      mustUse(`input of ${name}`, place, input, isTaken);
    }
  }
  checkLets(proof, flow);
}

type Used = Record<"accounts" | "currencies" | "postings" | "calls", Set<string>>;

function usedByActions(flow: Flow): Used {
  const used: Used = { accounts: new Set(), currencies: new Set(), postings: new Set(), calls: new Set() };
  for (const action of actionsOf(flow)) {
    if (action.kind === "post") used.postings.add(action.posting);
    if (action.kind === "call") used.calls.add(action.call);
    if (action.kind === "open_account" || action.kind === "change_account") used.accounts.add(action.account);
    if (action.kind === "open_account") used.currencies.add(action.currency);
  }
  return used;
}

/** A name that a `let` gives must be read by some action. */
function checkLets(proof: Proof, flow: Flow): void {
  const read = new Set(everyExpression(flow).flatMap(({ root }) => namesIn(root).map((name) => name.split(".")[0])));
  for (const action of actionsOf(flow)) {
    if (action.kind !== "let") continue;
    for (const { place, name } of action.values) {
      if (!read.has(name)) proof.fails({ property: "unused", place }, `"${name}" is named and never used`);
    }
  }
}
