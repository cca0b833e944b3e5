// Properties "answers" and "context": what one event sets off, from its alternative through every state that does not
// wait. A timer has no intent to read; a later intent may be in another currency than the case.

import { INTENT_ACCOUNT } from "./check-postings.ts";
import { namesIn } from "./expression.ts";
import type { Action, Flow } from "./flow.ts";
import type { Proof } from "./proof.ts";
import { type Cause, type Reaction, reactionsOf, valuesOf } from "./walk.ts";

export function checkReactions(proof: Proof, flow: Flow): void {
  for (const reaction of reactionsOf(flow)) {
    checkAnswer(proof, reaction);
    const { cause, actions } = reaction;
    if (cause !== "opening") for (const action of actions) checkContext(proof, flow, cause, action);
  }
}

function checkAnswer(proof: Proof, { cause, start, alternative, actions }: Reaction): void {
  if (cause === "timer" || actions.some(({ kind }) => kind === "emit")) return;
  const place = alternative?.place ?? start.place;
  proof.fails("answers", place, `an accepted intent causes no outcome on its way from ${start.name}: emit one`);
}

const WHO: Record<Exclude<Cause, "opening">, string> = {
  timer: "a timer, which has no intent",
  intent: "a later intent, which may differ from the one that opened the case",
};

function checkContext(proof: Proof, flow: Flow, cause: Exclude<Cause, "opening">, action: Action): void {
  for (const { place, value } of valuesOf(action)) {
    const name = namesIn(value.root).find((one) => one === "intent.amount.minor");
    if (name !== undefined) proof.fails("context", place, `${name} is read on the way of ${WHO[cause]}`);
  }
  if (action.kind === "open_account" || action.kind === "change_account") {
    proof.fails("context", action.place, `${action.kind} is done on the way of ${WHO[cause]}`);
  }
  if (action.kind !== "post") return;
  const lines = flow.postings.find(({ name }) => name === action.posting)?.lines ?? [];
  for (const alias of lines.flatMap(({ debit, credit }) => [debit, credit])) {
    const path = flow.accounts.find((account) => account.alias === alias)?.path ?? "";
    if (INTENT_ACCOUNT.test(path)) {
      proof.fails("context", action.place, `${action.posting} uses ${path} on the way of ${WHO[cause]}`);
    }
  }
}
