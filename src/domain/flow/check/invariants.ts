// Properties "invariant" and "drained". An invariant is proven by induction: taken for granted where an event finds the
// case, it must hold where the event leaves it, whatever the numbers are. What an account holds of the case is counted
// from the lines of its postings. A draining account is empty where the case rests or ends: that is one more claim of the
// same kind, which needs the facts that are certain there (`data.held == 0`).

import type { Action, Flow, FlowInvariant } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { invariantOf, isDrained, type Passage, valueAfter } from "../prove/analysis.ts";
import { balanceName } from "../prove/facts.ts";
import { atom, type Linear, printLinear } from "../prove/linear.ts";
import { Situation } from "../prove/situation.ts";
import { number } from "../prove/values.ts";
import { pathOf } from "../prove/way.ts";
import { donePassages, faultOf, type Subject } from "./subject.ts";

export function checkInvariants(proof: Proof, subject: Subject): void {
  const { flow } = subject;
  const claims = flow.invariants.map((invariant) => ({ invariant, linear: claimOf(flow, invariant) }));
  for (const passage of donePassages(subject)) {
    for (const { invariant, linear } of claims) {
      const wrong = brokenBy(subject, passage, linear);
      if (wrong === null) continue;
      const where = faultOf(subject, passage, (actions) => concerns(flow, actions, pathOf(flow, invariant.account)));
      const claim = `not proven: ${invariant.text} behind ${passage.way.event}`;
      proof.fails({ property: "invariant", ...where }, claim, `off by ${printLinear(wrong)}`);
    }
    checkDrains(proof, subject, passage);
  }
}

/** Zero when the invariant holds. */
function claimOf(flow: Flow, invariant: FlowInvariant): Linear {
  const data = new Map(flow.data.map(({ name }) => [name, number(atom(`data.${name}`))]));
  return invariantOf(flow, invariant, new Situation(), data);
}

/** What is left over where it should be nothing; null when it is proven that nothing is. */
function brokenBy({ analysis }: Subject, { way }: Passage, claim: Linear): Linear | null {
  const left = valueAfter(way, claim, analysis.balances);
  return way.situation.numbers.provesZero(left) ? null : way.situation.numbers.reduce(left);
}

function checkDrains(proof: Proof, subject: Subject, passage: Passage): void {
  const { flow } = subject;
  const { way } = passage;
  for (const balance of subject.analysis.balances) {
    const { path, symbol } = balance;
    const account = flow.accounts.find((one) => one.path === path);
    if (account === undefined || !isDrained(flow, way.rest, balance)) continue;
    const wrong = brokenBy(subject, passage, atom(balanceName(balance)));
    if (wrong === null) continue;
    const where = faultOf(subject, passage, (actions) => concerns(flow, actions, path));
    const claim = `not proven: ${account.alias} is empty of ${symbol} when the case rests in ${way.rest.name}`;
    proof.fails({ property: "drained", ...where }, claim, `it may hold ${printLinear(wrong)}`);
  }
}

/** Whether these actions move money on the account, or change a variable. */
function concerns(flow: Flow, actions: readonly Action[], path: string): boolean {
  return actions.some((action) => {
    if (action.kind !== "post") return action.kind === "set";
    const lines = flow.postings.find(({ name }) => name === action.posting)?.lines ?? [];
    return lines.some(({ debit, credit }) => [debit, credit].some((alias) => pathOf(flow, alias) === path));
  });
}
