// Property "ends": a case has one end at most, and an end and a success exclude each other. `end` sees to the first: a
// second one does nothing. Whether a success may have been told before is carried along with the case; what a named human
// decides afterwards, with evidence, may contradict it.

import type { Proof } from "../proof.ts";
import { choiceOf, type Passage } from "../prove/analysis.ts";
import { ENDED, type Step, SUCCEEDED } from "../prove/way.ts";
import { donePassages, faultOf, partOf, type Subject } from "./subject.ts";

const ENDS = ["failed", "canceled", "expired"];

export function checkEnds(proof: Proof, subject: Subject): void {
  for (const passage of donePassages(subject)) {
    for (const step of passage.way.steps) checkStep(proof, subject, passage, step);
  }
}

function checkStep(proof: Proof, subject: Subject, passage: Passage, step: Step): void {
  const { action } = step;
  const may = (flag: string): { isPossible: boolean; isCertain: boolean } => {
    const value = step.data.get(flag);
    const choice = value === undefined ? null : choiceOf(passage.way, value);
    const isPossible = choice === null || choice.words.has("true") !== choice.but;
    return { isPossible, isCertain: isPossible && choice?.but === false && choice.words.size === 1 };
  };
  const where = { ...faultOf(subject, passage), place: action.place, ...partOf(subject.owners.get(action)) };
  if (action.kind === "end" && may(SUCCEEDED).isPossible && !may(ENDED).isCertain) {
    const message = `not proven: the case has told no success before it ends as ${action.result}`;
    proof.fails({ property: "ends", ...where }, message);
  }
  if (action.kind === "emit" && isEnd(subject, action.type)) {
    if (may(SUCCEEDED).isPossible || passage.way.rest.kind !== "final") {
      const message = `not proven: ${action.type} comes once and behind no success: say it by end, or where the case goes to a final state`;
      proof.fails({ property: "ends", ...where }, message);
    }
  }
  if (action.kind === "emit" && subject.outcomes.successes.has(action.type) && may(ENDED).isPossible) {
    const message = `not proven: the case has not ended before it tells ${action.type}, which only a human can put right`;
    proof.fails({ property: "ends", ...where }, message);
  }
}

function isEnd({ flow }: Subject, type: string): boolean {
  return ENDS.some((end) => type === `${flow.family}.${end}`);
}
