// One event of one case: which alternative is taken, every choice behind it, and where the case comes to rest.

import { assert, failed } from "../assert.ts";
import { type Books, type CaseRecord, NONE } from "../books.ts";
import { CHOICES_MAX } from "../flow/check/states.ts";
import type { CompiledAlternative, CompiledFlow, CompiledState } from "../flow/compile/compile.ts";
import { firstRefusal, type RefusalCode } from "../refusals.ts";
import type { Draft } from "./draft.ts";

/** `to` is of no meaning for a case that has not left its state. */
export type Walked = { readonly to: number; readonly left: boolean };

/** What an event does that its state does not list: it is remembered, and no more. */
export const ABSORB: readonly CompiledAlternative[] = [{ when: null, refuse: null, steps: [], to: "stay" }];

/** A refused create rests in `rejected`, which no flow declares and no event leaves. */
const REJECTED: CompiledState = { name: "rejected", isFinal: true, timers: [], entry: [], on: new Map(), always: null };

export function stateOf(known: CaseRecord): CompiledState {
  const index = known.flow.stateIndex.get(known.state);
  return index === undefined ? REJECTED : (known.flow.states[index] as CompiledState);
}

/** What a report or another case's word does in the state where the case is. */
export function answersTo(known: CaseRecord, event: string): readonly CompiledAlternative[] {
  return stateOf(known).on.get(event) ?? known.flow.alarms.get(event) ?? ABSORB;
}

/** The beginning of a case: its variables are bound, and its initial state is entered.
 *  @returns the refusal that takes precedence over all others on the way, if there is any */
export function begin(draft: Draft): Walked | RefusalCode {
  const { flow } = draft.known;
  const refused = flow.bind(draft);
  if (refused !== null) return refused;
  return walk(draft, flow.opening);
}

/** Takes an alternative and every choice state behind it, gathering their steps in the draft. */
export function walk(draft: Draft, alternatives: readonly CompiledAlternative[]): Walked | RefusalCode {
  const { flow } = draft.known;
  let at = flow.initial;
  let left = false;
  let refused: RefusalCode | null = null;
  let next: readonly CompiledAlternative[] | null = alternatives;
  for (let choices = 0; next !== null; choices++) {
    if (choices > CHOICES_MAX) failed(`${flow.ref} does not come to rest`);
    const taken = choose(flow, draft, next);
    for (const step of taken.steps) refused = firstRefusal(refused, step(draft));
    refused = firstRefusal(refused, taken.refuse);
    if (taken.to === "stay") break;
    at = taken.to;
    left = true;
    const entered = flow.states[at] as CompiledState;
    for (const step of entered.entry) refused = firstRefusal(refused, step(draft));
    next = entered.always;
  }
  return firstRefusal(refused, draft.refused) ?? { to: at, left };
}

function choose(flow: CompiledFlow, draft: Draft, alternatives: readonly CompiledAlternative[]): CompiledAlternative {
  for (const one of alternatives) if (one.when === null || one.when(draft)) return one;
  assert(false, `${flow.ref} has an event whose last alternative is guarded`);
}

/** Moves the case: timers of the state it leaves are cancelled, those of the state it rests in are armed. */
export function enter(books: Books, draft: Draft, moved: Walked): void {
  const { known } = draft;
  known.changed = true;
  if (!moved.left) {
    known.data = draft.data(known.data.timers);
    return;
  }
  const state = known.flow.states[moved.to] as CompiledState;
  const armed = known.data.timers;
  for (const name in armed) books.timersGone.push({ dueMs: armed[name] as number, caseId: known.id, name });
  let timers: Record<string, number> = NONE;
  if (state.timers.length > 0) {
    timers = {};
    for (const { name, dueMs } of state.timers) {
      const due = dueMs(draft);
      timers[name] = due;
      books.timersArmed.push({ dueMs: due, caseId: known.id, name });
    }
  }
  known.state = state.name;
  known.data = draft.data(timers);
}
