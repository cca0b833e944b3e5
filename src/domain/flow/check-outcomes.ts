// Property "outcomes": an outcome is named `<subject>.<past tense>`, because it says what has happened, and the names that
// the core gives to refusals and repeats stay the core's.

import type { Flow } from "./flow.ts";
import type { Proof } from "./proof.ts";
import { actionsOf } from "./walk.ts";

const FORM = /^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$/;
/** `completed`, `action_required`, and the irregular verbs of this trade. */
const PAST_TENSE = /(ed|paid|sent|held|won|lost|withdrawn|written_off)$/;

export function checkOutcomes(proof: Proof, flow: Flow): void {
  for (const action of actionsOf(flow)) {
    if (action.kind !== "emit" || action.type === "") continue;
    const { place, type } = action;
    if (!FORM.test(type))
      proof.fails("outcomes", place, `"${type}" is not <subject>.<past tense>, such as transfer.completed`);
    else if (!PAST_TENSE.test(type)) proof.fails("outcomes", place, `"${type}" does not end in a past tense`);
    else if (type.startsWith("intent.") || type.endsWith(".rejected")) {
      proof.fails("outcomes", place, `"${type}" is what the core answers to refused and repeated intents`);
    }
  }
}
