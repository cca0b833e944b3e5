// Property "calls". Every call that moves something names a key that is the case's own, maps `unknown`, and has all its
// results handled in the state that is entered with it. And no call has a second effect: its key changes between two
// operations, and only between them (keys.ts).

import type { Action, FlowCall } from "../flow.ts";
import type { Proof } from "../proof.ts";
import type { Passage } from "../prove/analysis.ts";
import { callNamed } from "../walk.ts";
import { checkKeys } from "./keys.ts";
import { donePassages, faultOf, type Subject } from "./subject.ts";

export function checkCalls(proof: Proof, subject: Subject): void {
  for (const call of subject.flow.calls) checkCall(proof, call);
  for (const passage of donePassages(subject)) {
    for (const { action } of passage.way.steps) {
      if (action.kind === "call") checkHandled(proof, subject, passage, action);
    }
  }
  for (const call of subject.flow.calls) checkKeys(proof, subject, call);
}

function checkCall(proof: Proof, { place, name, to, results }: FlowCall): void {
  const where = { property: "calls", place, part: `calls.${name}` } as const;
  if (results.length === 0) proof.fails(where, `the call ${name} has no results`);
  if (to.kind === "message" || to.readOnly) return;
  if (!results.some(({ result }) => result === "unknown")) {
    proof.fails(where, `the call ${name} moves something and does not say what "unknown" becomes`);
  }
  const values = (to.key ?? []).flatMap((part) => (part.kind === "value" ? [part.value.root] : []));
  if (to.keyLifetime === null) {
    proof.fails(where, `the call ${name} moves something and does not say for how long its key is known: key_lifetime`);
  }
  if (to.key === null) proof.fails(where, `the call ${name} moves something and has no key`);
  else if (!values.some((root) => root.kind === "name" && root.path[0] === "case" && root.path[1] !== "holder")) {
    proof.fails(where, `the key of ${name} does not name the case: two cases would share it`);
  }
}

/** What a call may answer must be expected where the case then rests. */
function checkHandled(
  proof: Proof,
  subject: Subject,
  passage: Passage,
  action: Action & { readonly kind: "call" },
): void {
  const call = callNamed(subject.flow, action.call);
  const { rest } = passage.way;
  const property = call?.to.kind === "message" ? "messages" : "calls";
  for (const { result, event } of call?.results ?? []) {
    if (rest.events.some((one) => one.event === event)) continue;
    const { path } = faultOf(subject, passage);
    const where = { property, place: action.place, part: `calls.${action.call}`, ...(path && { path }) } as const;
    proof.fails(where, `${action.call} may answer ${result} (${event}), which ${rest.name} does not handle`);
  }
}
