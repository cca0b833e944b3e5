// Properties "nonnegative" and "divisor". What a posting books, an outcome tells, a call carries or a quote gives must be
// zero or more, by what guards, facts of the state and laws of the functions say; and nothing is divided by zero.

import type { Proof } from "../proof.ts";
import { pathOfWay } from "../prove/analysis.ts";
import { printLinear } from "../prove/linear.ts";
import { donePassages, faultOf, partOf, type Subject } from "./subject.ts";

export function checkAmounts(proof: Proof, subject: Subject): void {
  for (const passage of donePassages(subject)) {
    const { way } = passage;
    for (const { action, value, linear, what } of way.amounts) {
      if (!isAmount(subject, value) || way.situation.numbers.provesAtLeastZero(linear)) continue;
      const state = subject.owners.get(action);
      const part = action.kind === "call" ? { part: `calls.${action.call}` } : partOf(state);
      const reduced = printLinear(way.situation.numbers.reduce(linear));
      const claim = `not proven: ${value.name} ${what} is zero or more`;
      proof.fails(
        { property: "nonnegative", place: value.place, path: pathOfWay(passage), ...part },
        claim,
        `it is ${reduced}`,
      );
    }
  }
  for (const passage of subject.analysis.passages) {
    for (const { needs, what, isMet, place } of passage.way.demands) {
      if (needs !== "divisor" || isMet) continue;
      const { part, path } = faultOf(subject, passage);
      const where = { property: "divisor", place, ...(part && { part }), ...(path && { path }) } as const;
      proof.fails(where, "not proven: what something is divided by is not zero", what);
    }
  }
}

/** Counters and numbers of other kinds may have any sign. */
function isAmount({ types }: Subject, { value }: { readonly value: Parameters<Subject["types"]["get"]>[0] }): boolean {
  const kind = types.get(value)?.kind;
  return kind === "money" || kind === "number";
}
