// Property "calls", second half: no call has a second effect. Carried along with the case is what may have become of the
// last operation of each call:
//
//   none      not made under the present key
//   open      made, and not answered for certain: repeating it under the same key is the same operation
//   answered  done or refused: another call is another operation and needs another key
//   changed   the key has been changed while it was open: another call would be a second effect
//   loose     the key has been set to something that may have been a key before
//
// A key changes by counting up, or by naming something new in a text. What a person decides, and what a provider says for
// certain of any call, settles what was open: whoever writes the flow has seen it by then. Only what is said of another key
// than the present one does not: where the key's number goes along with the call and comes back in the event, a way on which
// the two differ is about an earlier operation.

import type { Expression } from "../expression.ts";
import type { FlowCall } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { type Node, type Passage, pathOfWay } from "../prove/analysis.ts";
import { isConstant, minus } from "../prove/linear.ts";
import { numberOf } from "../prove/symbolic.ts";
import type { Step, Way } from "../prove/way.ts";
import { callNamed, sourceOf } from "../walk.ts";
import { donePassages, type Subject } from "./subject.ts";

type Standing = "none" | "open" | "answered" | "changed" | "loose";

export function checkKeys(proof: Proof, subject: Subject, call: FlowCall): void {
  if (call.to.kind === "message" || call.to.key === null) return;
  const passages = donePassages(subject);
  const standings = new Map<Node, Set<Standing>>();
  const tracking: Tracking = { proof, subject, call, variables: variablesOf(call), provider: providerOf(call) };
  for (let isNew = true; isNew; ) {
    isNew = false;
    for (const passage of passages) {
      const before = passage.from === null ? new Set<Standing>(["none"]) : standings.get(passage.from);
      if (before === undefined || passage.to === null) continue;
      const after = standings.get(passage.to) ?? new Set<Standing>();
      standings.set(passage.to, after);
      for (const standing of before) {
        const next = pass(tracking, passage, standing);
        isNew ||= !after.has(next);
        after.add(next);
      }
    }
  }
}

type Tracking = {
  readonly proof: Proof;
  readonly subject: Subject;
  readonly call: FlowCall;
  /** of the case, that the key is made of */
  readonly variables: ReadonlySet<string>;
  /** of the case, that names whom the call asks; null: the same always */
  readonly provider: string | null;
};

function variablesOf({ to }: FlowCall): ReadonlySet<string> {
  if (to.kind === "message") return new Set();
  return new Set((to.key ?? []).flatMap((part) => (part.kind === "value" ? (variableOf(part.value) ?? []) : [])));
}

/** @returns null for what is no variable of the case */
function variableOf({ root }: Expression): string | null {
  return root.kind === "name" && root.path[0] === "data" ? (root.path[1] ?? null) : null;
}

function providerOf({ payload }: FlowCall): string | null {
  const provider = payload.find(({ name }) => name === "provider");
  return provider === undefined ? null : variableOf(provider.value);
}

function pass(tracking: Tracking, passage: Passage, before: Standing): Standing {
  let standing = settled(tracking, passage, before);
  for (const step of passage.way.steps) standing = take(tracking, passage, step, standing);
  return standing;
}

/** What the event itself says of the operation. */
function settled(tracking: Tracking, { way }: Passage, standing: Standing): Standing {
  const { subject, call } = tracking;
  if (standing !== "open" && standing !== "changed") return standing;
  if (standing === "open" && isOfAnotherKey(tracking, way)) return standing;
  const source = sourceOf(way.event);
  if (source === "operator") return standing === "open" ? "answered" : "none";
  if (source !== "report") return standing;
  const isAnswer = call.results.some(({ result, event }) => event === way.event && result !== "unknown");
  const isCertain = subject.flow.calls.some(({ results }) =>
    results.some(({ result, event }) => event === way.event && result !== "unknown" && result !== "not_found"),
  );
  if (!isAnswer && (!isCertain || !way.left)) return standing;
  return standing === "open" ? "answered" : "none";
}

/** What goes along under this name comes back in whatever is said of the operation (`providers/http-provider.ts`). Another
 *  field of an event may mean anything. */
const NUMBER = "seq";

/** Whether the event bears the number of another key than the present one, for certain. */
function isOfAnotherKey({ subject: { flow }, call, variables }: Tracking, way: Way): boolean {
  const shape = flow.events.find(({ event }) => event === way.event);
  const sent = call.payload.find(({ name }) => name === NUMBER);
  const variable = sent === undefined ? null : variableOf(sent.value);
  const present = variable === null ? undefined : (way.steps[0]?.data ?? way.data).get(variable);
  if (variable === null || !variables.has(variable) || present?.kind !== "number") return false;
  if (shape?.fields.some(({ name }) => name === NUMBER) !== true) return false;
  const situation = way.situation.with([]);
  const scope = { flow, situation, event: way.event, data: way.data, lets: new Map() };
  const said = numberOf(scope, { kind: "name", path: ["event", NUMBER] });
  return situation.with([{ kind: "zero", linear: minus(said, present.linear) }]).isImpossible();
}

function take(
  { proof, subject, call, variables, provider }: Tracking,
  passage: Passage,
  step: Step,
  standing: Standing,
): Standing {
  const { action } = step;
  if (action.kind === "set") {
    if (action.values.some(({ name }) => name === provider) && (standing === "open" || standing === "changed")) {
      const where = { place: action.place, part: `calls.${call.name}`, path: pathOfWay(passage) };
      const claim = `not proven: ${call.name} has one effect only: another provider is asked while the first has not answered`;
      proof.fails({ property: "calls", ...where }, claim);
    }
    const kinds = action.values.flatMap(({ name }) => (variables.has(name) ? [changeAt(passage, step, name)] : []));
    if (kinds.length === 0) return standing;
    if (standing === "loose" || kinds.includes("anything")) return "loose";
    return standing === "open" || standing === "changed" ? "changed" : "none";
  }
  if (action.kind !== "call" || action.call !== call.name) return standing;
  const why = WRONG[standing];
  if (why !== null) {
    const where = { place: action.place, part: `calls.${call.name}`, path: pathOfWay(passage) };
    proof.fails({ property: "calls", ...where }, `not proven: ${call.name} has one effect only: ${why}`);
  }
  return callNamed(subject.flow, call.name) === undefined ? standing : "open";
}

const WRONG: Record<Standing, string | null> = {
  none: null,
  open: null,
  answered: "it was answered under this key, and its key has not changed since",
  changed: "it gets a second key while the first has not been answered",
  loose: "its key may be one that was used before, because it does not only count up",
};

/** Whether a variable of the key counts up, names something new, or becomes anything. */
function changeAt({ way }: Passage, step: Step, name: string): "up" | "new" | "anything" {
  const before = step.data.get(name);
  const index = way.steps.indexOf(step);
  const after = (way.steps[index + 1]?.data ?? way.data).get(name);
  if (after?.kind === "word") return "new";
  if (before?.kind !== "number" || after?.kind !== "number") return "anything";
  const change = minus(after.linear, before.linear);
  return isConstant(change) && change.constant > 0n ? "up" : "anything";
}
