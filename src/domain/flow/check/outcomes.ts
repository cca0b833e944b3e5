// Property "outcomes": an outcome is in the catalogue, carries the amounts and the reason that the catalogue asks for, and
// leaves the case where it says; and the names that the core gives to refusals and repeats stay the core's.
// Property "answers": every accepted intent causes an outcome.

import { isOutcomeName, type OutcomeCatalogue } from "../../outcomes.ts";
import type { Flow, NamedExpression } from "../flow.ts";
import type { Proof, Where } from "../proof.ts";
import type { Passage } from "../prove/analysis.ts";
import { actionsOf, isWish } from "../walk.ts";
import { donePassages, faultOf, ownersOf, partOf, type Subject } from "./subject.ts";

export function checkOutcomes(proof: Proof, subject: Subject): void {
  checkTypes(proof, subject.flow, subject.outcomes);
  for (const passage of donePassages(subject)) {
    checkRests(proof, subject, passage);
    checkAnswer(proof, subject, passage);
  }
}

/** By the catalogue alone: what each outcome is called and carries. */
export function checkTypes(proof: Proof, flow: Flow, outcomes: OutcomeCatalogue): void {
  const owners = ownersOf(flow);
  for (const action of actionsOf(flow)) {
    if (action.kind !== "emit" && action.kind !== "end") continue;
    const type = action.kind === "emit" ? action.type : `${flow.family}.${action.result}`;
    const where: Where = { property: "outcomes", place: action.place, ...partOf(owners.get(action)) };
    const amounts = action.kind === "emit" ? action.amounts : [];
    checkType(proof, outcomes, where, { type, amounts, hasCode: action.code !== null });
  }
}

type Told = { readonly type: string; readonly amounts: readonly NamedExpression[]; readonly hasCode: boolean };

function checkType(proof: Proof, outcomes: OutcomeCatalogue, where: Where, told: Told): void {
  const { type, hasCode } = told;
  if (type.startsWith("intent.") || type.endsWith(".rejected")) {
    return proof.fails(where, `"${type}" is what the core answers to refused and repeated intents`);
  }
  const known = outcomes.find(type);
  if (known === null) {
    // A family that the catalogue does not have is the flow's own, until somebody lists what others may rely on.
    if (isOutcomeName(type) && !outcomes.knows(type.split(".")[0] ?? "")) return;
    const message = `"${type}" is not in the catalogue of outcomes (schemas/outcomes/catalogue.yaml), or not <subject>.<past tense>`;
    return proof.fails(where, message);
  }
  const given = new Set(told.amounts.map(({ name }) => name));
  for (const name of known.amounts) {
    if (!given.has(name)) proof.fails(where, `${type} carries no amount "${name}", which the catalogue asks for`);
  }
  for (const { name, place } of told.amounts) {
    if ([...known.amounts, ...known.optional].includes(name)) continue;
    const listed = [...known.amounts, ...known.optional].join(", ") || "none";
    proof.fails({ ...where, place }, `${type} has no amount "${name}" in the catalogue; listed: ${listed}`);
  }
  if (known.reason === "always" && !hasCode) proof.fails(where, `${type} gives no reason: it needs a code`);
  if (known.reason === "never" && hasCode) proof.fails(where, `${type} carries a code, for which it has no reason`);
}

function checkRests(proof: Proof, subject: Subject, passage: Passage): void {
  const { way } = passage;
  for (const { action } of way.steps) {
    if (action.kind !== "emit") continue;
    const rests = subject.outcomes.find(action.type)?.rests ?? null;
    if (rests === null || rests.includes(way.rest.kind)) continue;
    const message = `${action.type} leaves the case in ${way.rest.name}, which is ${way.rest.kind}; the catalogue says: ${rests.join(", ")}`;
    proof.fails({ property: "outcomes", ...faultOf(subject, passage), place: action.place }, message);
  }
}

function checkAnswer(proof: Proof, subject: Subject, passage: Passage): void {
  const { way } = passage;
  if (!isWish(way.event) || way.steps.some(({ action }) => action.kind === "emit" || action.kind === "end")) return;
  const where = faultOf(subject, passage);

  proof.fails({ property: "answers", ...where }, `an accepted ${way.event} causes no outcome: emit one`);
}
