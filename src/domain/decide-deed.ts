// A deed is one input with everything that it sets off in its holder's lane: the event of the case that it names, children
// opened, parents told, quotes consumed, each an event of its own for the case that takes it. All of it is done or nothing.

import { assert } from "./assert.ts";
import { type Books, type CaseData, type CaseRecord, caseOf, NO_DATA } from "./books.ts";
import { emitAll, type Input, occurredAtOf } from "./decide-outcomes.ts";
import { send } from "./decide-sendings.ts";
import { answersTo, begin, enter, walk } from "./decide-walk.ts";
import { type Cause, Draft, type FollowUp } from "./draft.ts";
import type { CompiledAlternative } from "./flow/compile.ts";
import type { Value } from "./flow/expression.ts";
import { appendText, type EntryStart, formatWith } from "./history.ts";
import { childCaseId, formatCaseId } from "./ids.ts";
import type { RefusalCode } from "./refusals.ts";

/** More events in a row than any flows set off: a child tells its parent, whose answer opens another child … */
const FOLLOW_UPS_MAX = 64;

/** What happens to a case. */
export type Happening = {
  readonly known: CaseRecord;
  readonly cause: Cause;
  /** null: the case opens */
  readonly alternatives: readonly CompiledAlternative[] | null;
  readonly entry: EntryStart;
};

type Deed = {
  readonly books: Books;
  readonly input: Input;
  outcomes: number;
  readonly queue: { readonly from: CaseRecord; readonly cause: Cause; readonly followUp: FollowUp }[];
  readonly done: Done[];
};

type Done = { readonly draft: Draft; readonly mark: Mark };

/** Decides an event and all that it sets off.
 *  @returns why nothing of it is done, and then the books are as they were */
export function perform(books: Books, input: Input, happening: Happening): RefusalCode | null {
  const deed: Deed = { books, input, outcomes: 0, queue: [], done: [] };
  const refused = happen(deed, happening, "asked");
  if (refused !== null || deed.queue.length === 0) return refused;
  return carryOut(deed, happening);
}

function carryOut(deed: Deed, happening: Happening): RefusalCode | null {
  const { books } = deed;
  for (let taken = 0; taken < deed.queue.length; taken++) {
    assert(taken < FOLLOW_UPS_MAX, `${happening.known.flow.ref} sets off more than ${FOLLOW_UPS_MAX} events`);
    const code = follow(deed, deed.queue[taken] as Deed["queue"][number]);
    if (code === null) continue;
    for (const done of deed.done.reverse()) undo(books, done);
    return code;
  }
  return null;
}

function happen(deed: Deed, happening: Happening, asked: "asked" | "set off"): RefusalCode | null {
  const { known, cause, alternatives, entry } = happening;
  const { books } = deed;
  const draft = new Draft(books, known, cause);
  const moved = alternatives === null ? begin(draft) : walk(draft, alternatives);
  if (typeof moved === "string") {
    draft.discard();
    return moved;
  }
  // Only what may have to be taken back again is marked: an event that sets nothing off cannot fail any more.
  const mark = asked === "set off" || draft.followUps !== null ? markOf(books, draft) : null;
  const code = draft.settle();
  if (code !== null) {
    draft.discard();
    return code;
  }
  enter(books, draft, moved);
  const sequence = publish(deed, draft, asked);
  send(draft, deed.input);
  remember(books, known, entry, sequence);
  if (mark !== null) deed.done.push({ draft, mark });
  if (draft.followUps !== null)
    for (const followUp of draft.followUps) deed.queue.push({ from: known, cause, followUp });
  return null;
}

/** @returns the sequence of the first outcome; null when there is none */
function publish(deed: Deed, draft: Draft, asked: "asked" | "set off"): bigint | null {
  // The first outcome answers the intent; a flow that emits nothing has accepted it all the same.
  if (asked === "asked" && draft.intent !== null && draft.outcomes.length === 0) draft.emit("intent.accepted", []);
  const first = deed.books.outcomesNext;
  emitAll(draft, deed.input, deed.outcomes, asked);
  deed.outcomes += draft.outcomes.length;
  return draft.outcomes.length === 0 ? null : first;
}

/** @param sequence of the first outcome that the event caused */
export function remember(books: Books, known: CaseRecord, entry: EntryStart, sequence: bigint | null): void {
  known.history = appendText(known.history, formatWith(entry, books.block, sequence, known.state));
  known.changed = true;
}

// What it sets off --------------------------------------------------------------------------------------------------------

function follow(deed: Deed, { from, cause, followUp }: Deed["queue"][number]): RefusalCode | null {
  const key = formatCaseId({ kind: from.kind, uuid: from.id, timeMs: 0 });
  const { event } = followUp;
  if (followUp.kind === "spawn") {
    const child = openChild(deed, from, followUp);
    const opening = { ...cause, intent: null, event, currencies: followUp.currencies, attempt: 0 };
    const entry = { event: "spawn", source: "k", offset: 0n, fingerprint: "", key } as const;
    return happen(deed, { known: child, cause: opening, alternatives: null, entry }, "set off");
  }
  const known = caseOf(deed.books, followUp.uuid);
  assert(known !== null || deed.books.missing.caseIds.size > 0, `case ${followUp.uuid} that ${key} tells is not there`);
  if (known === null) return null; // the block is decided again, with it
  const telling = { ...cause, intent: null, event, currencies: null, attempt: 0 };
  const entry = { event: followUp.name, source: "k", offset: 0n, fingerprint: "", key } as const;
  const alternatives = answersTo(known, followUp.name);
  return happen(deed, { known, cause: telling, alternatives, entry }, "set off");
}

function openChild({ books, input }: Deed, parent: CaseRecord, spawn: FollowUp & { kind: "spawn" }): CaseRecord {
  const flow = books.rules.spawned.get(spawn.flow);
  assert(flow !== undefined, `${parent.flow.ref} opens cases of ${spawn.flow}, which no flow is`);
  const { uuid } = childCaseId(flow.caseKind, parent.id, [spawn.flow, String(spawn.child)]);
  assert(!books.cases.has(uuid), `child ${spawn.child} of ${parent.id} is there already`);
  const child: CaseRecord = {
    id: uuid,
    kind: flow.caseKind,
    flow,
    holderId: parent.holderId,
    state: "rejected",
    data: { ...NO_DATA, parent: { kind: parent.kind, uuid: parent.id } },
    history: "",
    occurredAtMicros: occurredAtOf(input),
    isNew: true,
    changed: true,
  };
  books.cases.set(uuid, child);
  return child;
}

// Taking back -------------------------------------------------------------------------------------------------------------

/** How books and case were before a draft was settled. */
type Mark = {
  readonly counts: Pick<Books, "accounts" | "outcomesNext" | "commandsNext">;
  readonly lengths: readonly number[];
  readonly state: string;
  readonly data: CaseData;
  readonly values: Readonly<Record<string, Value | undefined>>;
  readonly attempts: Readonly<Record<string, number>>;
  readonly history: string;
  readonly changed: boolean;
};

function listsOf(books: Books): { length: number }[] {
  return [books.outcomes, books.timersArmed, books.timersGone, books.commands, books.messages];
}

function markOf(books: Books, draft: Draft): Mark {
  const { accounts, outcomesNext, commandsNext } = books;
  const { state, data, history, changed } = draft.known;
  return {
    counts: { accounts, outcomesNext, commandsNext },
    lengths: listsOf(books).map((list) => list.length),
    state,
    data,
    values: draft.before(),
    attempts: { ...data.attempts },
    history,
    changed,
  };
}

/** Takes back the newest draft that was settled. */
function undo(books: Books, { draft, mark }: Done): void {
  draft.unsettle();
  Object.assign(books, mark.counts);
  for (const [index, list] of listsOf(books).entries()) list.length = mark.lengths[index] as number;
  const { known } = draft;
  const { data, state, history, changed } = mark;
  Object.assign(known, { data, state, history, changed });
  if (known.history === "" && known.isNew && draft.cause.intent === null) books.cases.delete(known.id);
  restore(data.values, mark.values);
  restore(data.attempts, { ...missing(data.attempts), ...mark.attempts });
}

function missing(now: Readonly<Record<string, number>>): Record<string, undefined> {
  return Object.fromEntries(Object.keys(now).map((name) => [name, undefined]));
}

/** Frozen ones were never changed in place. */
function restore<T>(now: Record<string, T>, before: Readonly<Record<string, T | undefined>>): void {
  if (Object.isFrozen(now)) return;
  for (const name in before) {
    const value = before[name];
    if (value === undefined) delete now[name];
    else now[name] = value;
  }
}
