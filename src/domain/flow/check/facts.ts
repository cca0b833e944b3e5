// Property "facts": what has happened is never refused. A timer, a report, an answer or a child cannot be told no: were
// something on its way refused, the lane would halt. So on these ways
//
//   - no alternative refuses, and no account is one that somebody names then
//   - a conversion stands behind `fx.usable` or `quote.usable`
//   - a holder's account with a floor is taken from only by a `forced` posting, by no more than what the same event puts
//     there or `spendable` has said is there, or out of what the case itself has set aside on an account that is open to
//     flows alone

import type { Flow } from "../flow.ts";
import type { Proof } from "../proof.ts";
import type { Passage } from "../prove/analysis.ts";
import { minus, printLinear, times, ZERO } from "../prove/linear.ts";
import type { Way } from "../prove/way.ts";
import { checkNamed } from "./named.ts";
import { resolveTemplate } from "./postings.ts";
import { isOwnShare, type Take, takesOf } from "./shares.ts";
import { faultOf, isRefusable, type Subject } from "./subject.ts";

/** Named by the event that opens the case, and known to no later one. */
const OF_OPENING = /^\{(intent|event)\./;

export function checkFacts(proof: Proof, subject: Subject): void {
  checkNamed(proof, subject);
  for (const passage of subject.analysis.passages) {
    if (isRefusable(passage.way)) continue;
    checkRefused(proof, subject, passage);
    if (passage.way.refuse === null)
      for (const take of takesOf(subject, passage.way, passage.way.unforced)) checkTake(proof, subject, passage, take);
  }
}

function checkRefused(proof: Proof, subject: Subject, passage: Passage): void {
  const { way } = passage;
  const where = { property: "facts", ...faultOf(subject, passage) } as const;
  const last = way.taken.at(-1);
  if (way.refuse !== null) {
    proof.fails(
      { ...where, place: last?.place ?? where.place },
      `${way.event} is a fact and cannot be refused (${way.refuse})`,
    );
  }
  const needs = { rate: "fx.usable", quote: "quote.usable", holder: "home", route: "route.has", divisor: "" } as const;
  for (const { needs: need, what, isMet, place } of way.demands) {
    if (isMet || need === "divisor") continue;
    proof.fails(
      { ...where, place },
      `not proven: ${what} has a value on the way of ${way.event}, which cannot be refused: guard it by ${needs[need]}`,
    );
  }
  for (const { action } of way.steps) {
    if (action.kind === "open_account" || action.kind === "change_account") {
      proof.fails({ ...where, place: action.place }, `${action.kind} may be refused, and ${way.event} cannot be`);
    }
    if (action.kind !== "post") continue;
    for (const path of namedAccounts(subject.flow, action.posting)) {
      proof.fails(
        { ...where, place: action.place },
        `${action.posting} uses ${path} on the way of ${way.event}, which names no account`,
      );
    }
  }
}

function namedAccounts(flow: Flow, posting: string): string[] {
  const lines = flow.postings.find(({ name }) => name === posting)?.lines ?? [];
  const aliases = new Set(lines.flatMap(({ debit, credit }) => [debit, credit]));
  return flow.accounts.filter(({ alias, path }) => aliases.has(alias) && OF_OPENING.test(path)).map(({ path }) => path);
}

function checkTake(proof: Proof, subject: Subject, passage: Passage, take: Take): void {
  const { way } = passage;
  if (isSpendable(subject, way, take) || isOwnShare(subject, way, take)) return;
  const where = faultOf(subject, passage, (actions) => actions.some(({ kind }) => kind === "post"));
  const amount = printLinear(way.situation.numbers.reduce(take.taken));
  const claim = `not proven: ${take.path} has what ${way.event} takes from it in ${take.symbol}; a fact cannot be refused: make the posting forced, or take no more than spendable says`;
  proof.fails({ property: "facts", ...where }, claim, amount);
}

/** Whether `spendable` was asked on the way, and no more was taken since than it said. */
function isSpendable({ flow, chart }: Subject, way: Way, { path, symbol, taken }: Take): boolean {
  const sign = resolveTemplate(chart, path)?.side === "credit" ? 1n : -1n;
  const aliases = flow.accounts.filter((account) => account.path === path).map(({ alias }) => alias);
  return way.spendables.some(({ alias, amount, before }) => {
    const already = times(before.get(`${path} ${symbol}`) ?? ZERO, sign);
    const since = minus(taken, already);
    return aliases.includes(alias) && way.situation.numbers.provesAtLeastZero(minus(amount, since));
  });
}
