// Properties "balance", "home" and "types" of what lines are made of. A line has two sides and one currency, so it
// balances by construction, if each amount is given in the currency of the line that it goes to (`types` sees to that),
// and both sides are accounts that this lane may write.

import type { Chart } from "../../accounts.ts";
import type { Action, Flow, FlowAccount, FlowPosting } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { actionsOf, placeholdersIn } from "../walk.ts";

/** A path that somebody names as a whole: whoever opens the case, or one that a variable remembers. */
export const NAMED_ACCOUNT = /^\{(intent\.(account|from|to)|event\.[a-z][a-z0-9_]*|[a-z][a-z0-9_]*)\}$/;

export function checkPostings(proof: Proof, flow: Flow, chart: Chart): void {
  for (const account of flow.accounts) if (account.path !== "") checkAccount(proof, chart, account);
  for (const account of flow.accounts) checkCurrency(proof, flow, account);
  for (const posting of flow.postings) checkPosting(proof, flow, posting);
  for (const action of actionsOf(flow)) checkAction(proof, flow, chart, action);
}

function checkAccount(proof: Proof, chart: Chart, { place, path, alias, drains }: FlowAccount): void {
  if (NAMED_ACCOUNT.test(path)) {
    if (drains)
      proof.fails({ property: "home", place }, `${alias} is named from outside and cannot be the flow's to empty`);
    return; // judged per intent: not_home, unknown_account
  }
  if (placeholdersIn(path).some((name) => /^(intent|event)\./.test(name))) {
    const message = `${path}: {intent.from}, {intent.to}, {intent.account} and {event.x} stand for a path as a whole`;
    proof.fails({ property: "references", place }, message);
    return;
  }
  const account = resolveTemplate(chart, path);
  if (account === null) proof.fails({ property: "references", place }, `${path} is not in the chart of accounts`);
  else if (account.kind === "holder" && !path.includes("{holder}")) {
    proof.fails(
      { property: "home", place },
      `${path} belongs to one holder for ever; the case's own holder is {holder}`,
    );
  }
}

/** An account of a holder has one currency, whichever line comes first. A report, a timer or another holder's answer that
 *  found another one there could not be refused, so that its lane would stand still: a case sees to it when it opens. */
function checkCurrency(proof: Proof, flow: Flow, { place, path, alias, currency }: FlowAccount): void {
  if (currency !== null && !isOwnHolders(path)) {
    const message = `${alias} is no account of the case's own holder, so it has no currency to be opened in`;
    return proof.fails({ property: "home", place }, message);
  }
  if (currency !== null && !flow.currencies.some(({ symbol }) => symbol === currency)) {
    return proof.fails({ property: "references", place }, `currency ${currency} of ${alias} is not declared`);
  }
  const isPosted = flow.postings.some(({ lines }) => lines.some((line) => [line.debit, line.credit].includes(alias)));
  const meetsFacts = flow.calls.length + flow.timers.length > 0;
  if (currency !== null || !isPosted || !meetsFacts || !isOwnHolders(path)) return;
  const message = `${alias} lacks "currency": a later report or timer that finds the account in another one could not be refused`;
  proof.fails({ property: "home", place }, message);
}

function isOwnHolders(path: string): boolean {
  return path !== "" && placeholdersIn(path).join() === "holder";
}

/** The account that a path template stands for: any holder's, and any provider's, are alike. */
export function resolveTemplate(chart: Chart, path: string): ReturnType<Chart["resolve"]> {
  const provider = chart.providers[0]?.name ?? "any";
  return chart.resolve(path.replace("{holder}", "anyone").replace(/\{[^}]*\}/g, provider));
}

function checkPosting(proof: Proof, flow: Flow, posting: FlowPosting): void {
  const { name, place, inputs, lines } = posting;
  if (lines.length === 0) proof.fails({ property: "balance", place }, `posting ${name} has no lines`);
  const twice = inputs.find((input, index) => input !== "" && inputs.indexOf(input) !== index);
  if (twice !== undefined) proof.fails({ property: "references", place }, `input "${twice}" of ${name} is named twice`);
  for (const line of lines) {
    if (line.debit !== "" && pathOf(flow, line.debit) === pathOf(flow, line.credit)) {
      proof.fails({ property: "balance", place: line.place }, `the line moves money from ${line.debit} to itself`);
    }
    if (line.amount !== "" && !inputs.includes(line.amount)) {
      const known = inputs.join(", ") || "none";
      const message = `"${line.amount}" is not an input of ${name}; inputs: ${known}`;
      proof.fails({ property: "references", place: line.place }, message);
    }
    const first = lines.find(({ amount }) => amount === line.amount) ?? line;
    if (first.currency !== line.currency) {
      const message = `"${line.amount}" is used as ${first.currency} and as ${line.currency} in one posting`;
      proof.fails({ property: "balance", place: line.place }, message);
    }
  }
}

function pathOf(flow: Flow, alias: string): string {
  return flow.accounts.find((account) => account.alias === alias)?.path ?? alias;
}

function checkAction(proof: Proof, flow: Flow, chart: Chart, action: Action): void {
  const { place } = action;
  if (action.kind === "open_account" || action.kind === "change_account") {
    if (resolveTemplate(chart, pathOf(flow, action.account))?.kind !== "house") return;
    const message = `${action.account} is a house account, which no intent opens or changes`;
    return proof.fails({ property: "types", place }, message);
  }
  if (action.kind !== "post") return;
  const posting = flow.postings.find(({ name }) => name === action.posting);
  if (posting === undefined) return;
  for (const input of posting.inputs) {
    if (input === "" || action.amounts.some(({ name }) => name === input)) continue;
    const message = `${posting.name} needs an amount for its input "${input}"`;
    proof.fails({ property: "references", place }, message);
  }
  for (const value of action.amounts) {
    if (posting.inputs.includes(value.name)) continue;
    const known = posting.inputs.join(", ") || "none";
    const message = `${posting.name} has no input "${value.name}"; inputs: ${known}`;
    proof.fails({ property: "references", place: value.place }, message);
  }
}
