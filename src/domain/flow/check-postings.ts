// Properties "types", "balance" and "home": what lines are made of. A line has two sides and one currency, so it balances
// by construction, if each amount given is in the currency of the line that it goes to, and both sides are accounts that
// this lane may write.

import type { Chart } from "../accounts.ts";
import { namesIn } from "./expression.ts";
import type { Action, Flow, FlowAccount, FlowLine, FlowPosting, NamedExpression } from "./flow.ts";
import { isUnread } from "./flow-reading.ts";
import type { Proof } from "./proof.ts";
import { actionsOf } from "./walk.ts";

export const INTENT_ACCOUNT = /^\{intent\.(account|from|to)\}$/;

export function checkPostings(proof: Proof, flow: Flow, chart: Chart): void {
  for (const account of flow.accounts) if (account.path !== "") checkAccount(proof, chart, account);
  for (const posting of flow.postings) checkPosting(proof, flow, posting);
  for (const { place, name, type, init } of flow.data) {
    if (type.kind !== "money" || !namesIn(init.root).includes("intent.amount.minor")) continue;
    if (!isOtherCurrency(flow, type.symbol)) continue;
    const message = `${name} is read from intent.amount, so ${type.symbol} must be intent.amount.currency`;
    proof.fails("types", place, message);
  }
  for (const action of actionsOf(flow)) checkAction(proof, flow, chart, action);
}

function checkAccount(proof: Proof, chart: Chart, { place, path }: FlowAccount): void {
  if (INTENT_ACCOUNT.test(path)) return; // judged per intent: not_home, unknown_account
  if (/[{}]/.test(path.replace("{holder}", ""))) {
    const message = `${path} is neither {intent.account}, {intent.from} or {intent.to} as a whole nor a path with one {holder}`;
    proof.fails("references", place, message);
    return;
  }
  const account = chart.resolve(path.replace("{holder}", "anyone"));
  if (account === null) proof.fails("references", place, `${path} is not in the chart of accounts`);
  else if (account.kind === "holder" && !path.includes("{holder}")) {
    proof.fails("home", place, `${path} belongs to one holder for ever; the case's own holder is {holder}`);
  }
}

function checkPosting(proof: Proof, flow: Flow, posting: FlowPosting): void {
  const { name, place, inputs, lines } = posting;
  if (lines.length === 0) proof.fails("balance", place, `posting ${name} has no lines`);
  const twice = inputs.find((input, index) => input !== "" && inputs.indexOf(input) !== index);
  if (twice !== undefined) proof.fails("references", place, `input "${twice}" of ${name} is named twice`);
  for (const line of lines) {
    if (line.debit !== "" && pathOf(flow, line.debit) === pathOf(flow, line.credit)) {
      proof.fails("balance", line.place, `the line moves money from ${line.debit} to itself`);
    }
    if (line.amount !== "" && !inputs.includes(line.amount)) {
      proof.fails(
        "references",
        line.place,
        `"${line.amount}" is not an input of ${name}; inputs: ${inputs.join(", ") || "none"}`,
      );
    }
    const first = lines.find(({ amount }) => amount === line.amount) ?? line;
    if (first.currency !== line.currency) {
      const message = `"${line.amount}" is used as ${first.currency} and as ${line.currency} in one posting`;
      proof.fails("balance", line.place, message);
    }
  }
}

function pathOf(flow: Flow, alias: string): string {
  return flow.accounts.find((account) => account.alias === alias)?.path ?? alias;
}

function checkAction(proof: Proof, flow: Flow, chart: Chart, action: Action): void {
  switch (action.kind) {
    case "post":
      return checkPost(proof, flow, action);
    case "set":
      for (const value of action.values) {
        const field = flow.data.find(({ name }) => name === value.name);
        if (field?.type.kind === "money") checkCurrency(proof, flow, value, field.type.symbol);
      }
      return;
    case "emit":
      for (const { place, name, value } of action.amounts) {
        if (isUnread(value) || (value.root.kind === "name" && value.root.path[0] === "data")) continue;
        proof.fails("types", place, `amount ${name} of an outcome must be a data field, so that its currency is known`);
      }
      return;
    case "let":
    case "call":
    case "end":
    case "spawn":
    case "tell":
    case "consume":
      return;
    case "open_account":
    case "change_account":
      if (chart.resolve(pathOf(flow, action.account))?.kind === "house") {
        proof.fails("types", action.place, `${action.account} is a house account, which no intent opens or changes`);
      }
  }
}

function checkPost(proof: Proof, flow: Flow, action: Action & { readonly kind: "post" }): void {
  const posting = flow.postings.find(({ name }) => name === action.posting);
  if (posting === undefined) return;
  for (const input of posting.inputs) {
    if (input === "" || action.amounts.some(({ name }) => name === input)) continue;
    proof.fails("references", action.place, `${posting.name} needs an amount for its input "${input}"`);
  }
  for (const value of action.amounts) {
    if (!posting.inputs.includes(value.name)) {
      const inputs = posting.inputs.join(", ") || "none";
      proof.fails("references", value.place, `${posting.name} has no input "${value.name}"; inputs: ${inputs}`);
    }
    const line: FlowLine | undefined = posting.lines.find(({ amount }) => amount === value.name);
    if (line !== undefined) checkCurrency(proof, flow, value, line.currency);
  }
}

/** A value goes where `symbol` is wanted. Digits are minor units of whatever is wanted. */
function checkCurrency(proof: Proof, flow: Flow, { place, name, value }: NamedExpression, symbol: string): void {
  if (!flow.currencies.some((currency) => currency.symbol === symbol)) return;
  const field = flow.data.find((one) => `data.${one.name}` === value.text);
  if (field?.type.kind === "money" && field.type.symbol !== symbol) {
    proof.fails("types", place, `${name} is in ${symbol}, but ${value.text} is in ${field.type.symbol}`);
  }
  if (value.text === "intent.amount.minor" && isOtherCurrency(flow, symbol)) {
    proof.fails("types", place, `${name} is in ${symbol}, which is not intent.amount.currency`);
  }
}

function isOtherCurrency(flow: Flow, symbol: string): boolean {
  const currency = flow.currencies.find((one) => one.symbol === symbol);
  return currency !== undefined && currency.from !== "" && currency.from !== "intent.amount.currency";
}
