// Property "calls". Every call that moves something names a key that is the case's own, maps `unknown`, and has all its
// results handled in the state that is entered with it. And no call has a second effect: its key changes between two
// operations, and only between them (keys.ts).

import type { Action, FlowCall, NamedExpression } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { type Passage, pathOfWay, valueAfter } from "../prove/analysis.ts";
import { balanceName } from "../prove/facts.ts";
import { atom } from "../prove/linear.ts";
import { callNamed, placeholdersIn } from "../walk.ts";
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
  checkMoves(proof, subject);
}

function checkCall(proof: Proof, { place, name, to, payload, results }: FlowCall): void {
  const where = { property: "calls", place, part: `calls.${name}` } as const;
  if (results.length === 0) proof.fails(where, `the call ${name} has no results`);
  if (to.kind === "message") return;
  // Cases of an earlier version may lack the result; only a command that says so is answered with it.
  if (results.some(({ result }) => result === "unavailable") && !payload.some((value) => value.name === "route"))
    proof.fails(
      where,
      `the call ${name} may be answered "unavailable" and does not say which choice it is: with route`,
    );
  if (to.readOnly) return;
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

/** A variable in the path of an account may change only while nothing of the case is on it: what was booked would stay behind,
 *  on an account that the case does not name any more. */
function checkMoves(proof: Proof, subject: Subject): void {
  for (const passage of donePassages(subject)) {
    for (const { action } of passage.way.steps) {
      if (action.kind !== "set") continue;
      for (const { name, place } of action.values) checkMove(proof, subject, passage, { name, place });
    }
  }
}

function checkMove(
  proof: Proof,
  { flow, analysis }: Subject,
  passage: Passage,
  { name, place }: Pick<NamedExpression, "name" | "place">,
): void {
  const { way } = passage;
  for (const balance of analysis.balances) {
    if (!placeholdersIn(balance.path).includes(name)) continue;
    const isMoved = way.effects.has(`${balance.path} ${balance.symbol}`);
    const left = valueAfter(way, atom(balanceName(balance)), analysis.balances);
    if (!isMoved && way.situation.numbers.provesZero(left)) continue;
    const alias = flow.accounts.find(({ path }) => path === balance.path)?.alias ?? balance.path;
    const claim = `not proven: nothing is on ${alias} in ${balance.symbol} when ${name}, which its path names, changes`;
    proof.fails({ property: "calls", place, path: pathOfWay(passage) }, claim);
  }
}
