// A deed is one input with everything that it sets off in its holder's lane: the event of the case that it names, children
// opened, parents told, quotes consumed, each an event of its own for the case that takes it. All of it is done or nothing.

import { assert } from "../assert.ts";
import { type Books, type CaseData, type CaseRecord, caseOf, noData } from "../books.ts";
import { FOLLOW_UPS_MAX } from "../flow/check/rounds.ts";
import { type CompiledAlternative, compileAlarm } from "../flow/compile/compile.ts";
import { appendText, type EntryStart, formatWith } from "../history.ts";
import { childCaseId, formatCaseId } from "../ids.ts";
import type { RefusalCode } from "../refusals.ts";
import { type Cause, Draft, type FollowUp, NO_AMOUNTS } from "./draft.ts";
import { emitAll, type Input, occurredAtOf } from "./outcomes.ts";
import { send } from "./sendings.ts";
import { Undecidable } from "./undecidable.ts";
import { answersTo, begin, enter, type Walked, walk } from "./walk.ts";

/** What happens to a case. */
export type Happening = {
  readonly known: CaseRecord;
  readonly cause: Cause;
  /** null: the case opens */
  readonly alternatives: readonly CompiledAlternative[] | null;
  readonly entry: EntryStart;
};

/** Decides an event and all that it sets off.
 *  @returns why nothing of it is done, and then the books are as they were */
export function perform(books: Books, input: Input, happening: Happening): RefusalCode | null {
  const draft = new Draft(books, happening.known, happening.cause);
  const moved = happening.alternatives === null ? begin(draft) : walk(draft, happening.alternatives);
  if (typeof moved !== "string" && draft.followUps !== null) return carryOut(input, happening, draft, moved);
  // The common case: an event that sets nothing off cannot fail any more once it is settled.
  return settle(draft, moved, happening.entry, { input, from: 0, asked: "asked" });
}

/** Nothing of a fact is done whose numbers the ledger cannot hold: the case remembers it, and somebody must look. */
const TOO_LARGE = compileAlarm("amount_too_large");

/** Decides what cannot be refused: a timer, a report, an answer.
 *  @throws Undecidable when it is refused all the same, for anything but the size of a number */
export function performFact(
  books: Books,
  input: Input,
  happening: Happening & { readonly alternatives: readonly CompiledAlternative[] },
): void {
  const code = perform(books, input, happening);
  if (code === null) return;
  const again = code === "amount_too_large" ? perform(books, input, { ...happening, alternatives: TOO_LARGE }) : code;
  const { entry, known } = happening;
  if (again !== null) throw new Undecidable(`${entry.event} of case ${known.id} is refused: ${again}`);
}

type Settling = { readonly input: Input; readonly from: number; readonly asked: "asked" | "set off" };

function settle(
  draft: Draft,
  moved: Walked | RefusalCode,
  entry: EntryStart,
  { input, from, asked }: Settling,
): RefusalCode | null {
  const { books, known } = draft;
  const code = typeof moved === "string" ? moved : draft.settle();
  if (code !== null) {
    draft.discard();
    return code;
  }
  enter(books, draft, moved as Walked);
  // The first outcome answers the intent; a flow that emits nothing has accepted it all the same.
  if (asked === "asked" && draft.intent !== null && draft.outcomes.length === 0)
    draft.emit("intent.accepted", NO_AMOUNTS);
  const sequence = draft.outcomes.length === 0 ? null : books.outcomesNext;
  emitAll(draft, input, from, asked);
  send(draft, input);
  remember(books, known, entry, sequence);
  return null;
}

/** @param sequence of the first outcome that the event caused */
export function remember(books: Books, known: CaseRecord, entry: EntryStart, sequence: bigint | null): void {
  known.history = appendText(known.history, formatWith(entry, books.blockText, sequence, known.state));
  known.changed = true;
}

// What it sets off --------------------------------------------------------------------------------------------------------

type Deed = {
  readonly books: Books;
  readonly input: Input;
  outcomes: number;
  readonly queue: { readonly from: CaseRecord; readonly cause: Cause; readonly followUp: FollowUp }[];
  readonly done: Done[];
};

type Done = { readonly draft: Draft; readonly mark: Mark };

/** Settles an event that sets others off, and those after it: all of them or none. */
function carryOut(input: Input, happening: Happening, draft: Draft, moved: Walked): RefusalCode | null {
  const { books } = draft;
  const deed: Deed = { books, input, outcomes: 0, queue: [], done: [] };
  const refused = settleNext(deed, draft, moved, happening.entry, "asked");
  if (refused !== null) return refused;
  for (let taken = 0; taken < deed.queue.length; taken++) {
    assert(
      taken < FOLLOW_UPS_MAX,
      `${happening.known.flow.ref} sets off more than the ${FOLLOW_UPS_MAX} events that are checked`,
    );
    const code = follow(deed, deed.queue[taken] as Deed["queue"][number]);
    if (code === null) continue;
    for (const done of deed.done.reverse()) undo(books, done);
    return code;
  }
  return null;
}

/** Marked before, because what comes after may have to take it back. */
function settleNext(
  deed: Deed,
  draft: Draft,
  moved: Walked | RefusalCode,
  entry: EntryStart,
  asked: "asked" | "set off",
): RefusalCode | null {
  const mark = markOf(deed.books, draft.known);
  const code = settle(draft, moved, entry, { input: deed.input, from: deed.outcomes, asked });
  if (code !== null) return code;
  deed.outcomes += draft.outcomes.length;
  deed.done.push({ draft, mark });
  for (const followUp of draft.followUps ?? []) deed.queue.push({ from: draft.known, cause: draft.cause, followUp });
  return null;
}

function follow(deed: Deed, { from, cause, followUp }: Deed["queue"][number]): RefusalCode | null {
  const key = formatCaseId({ kind: from.kind, uuid: from.id, timeMs: 0 });
  const { event } = followUp;
  const { occurredAtMicros, isWish } = cause;
  const told = (currencies: Cause["currencies"]): Cause => ({
    intent: null,
    event,
    currencies,
    occurredAtMicros,
    attempt: 0,
    isWish,
  });
  if (followUp.kind === "spawn") {
    const child = openChild(deed, from, followUp);
    const draft = new Draft(deed.books, child, told(followUp.currencies));
    const code = settleNext(deed, draft, begin(draft), kinEntry("spawn", key), "set off");
    if (code !== null) deed.books.cases.delete(child.id); // a child that is refused was never there
    return code;
  }
  const known = caseOf(deed.books, followUp.uuid);
  assert(known !== null || deed.books.missing.caseIds.size > 0, `case ${followUp.uuid} that ${key} tells is not there`);
  if (known === null) return null; // the block is decided again, with it
  const draft = new Draft(deed.books, known, told(null));
  const moved = walk(draft, answersTo(known, followUp.name));
  return settleNext(deed, draft, moved, kinEntry(followUp.name, key), "set off");
}

function kinEntry(event: string, key: string): EntryStart {
  return { event, source: "k", offset: 0n, fingerprint: "", key };
}

/** The id follows from who spawns, so whoever knows that could have opened a case under it before: then the next one. */
function freeChildId(books: Books, parent: CaseRecord, kind: string, words: readonly string[]): string {
  let { uuid } = childCaseId(kind, parent.id, words);
  for (let again = 1; caseOf(books, uuid) !== null; again++)
    uuid = childCaseId(kind, parent.id, [...words, String(again)]).uuid;
  return uuid;
}

function openChild({ books, input }: Deed, parent: CaseRecord, spawn: FollowUp & { kind: "spawn" }): CaseRecord {
  const flow = books.rules.spawned.get(spawn.flow);
  assert(flow !== undefined, `${parent.flow.ref} opens cases of ${spawn.flow}, which no flow is`);
  const uuid = freeChildId(books, parent, flow.caseKind, [spawn.flow, String(spawn.child)]);
  const child: CaseRecord = {
    id: uuid,
    kind: flow.caseKind,
    flow,
    holderId: parent.holderId,
    state: "rejected",
    data: noData(flow.variables, formatCaseId({ kind: parent.kind, uuid: parent.id, timeMs: 0 })),
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
  readonly history: string;
  readonly changed: boolean;
};

function listsOf(books: Books): { length: number }[] {
  return [books.outcomes, books.timersArmed, books.timersGone, books.commands, books.messages];
}

function markOf(books: Books, known: CaseRecord): Mark {
  const { accounts, outcomesNext, commandsNext } = books;
  const { state, data, history, changed } = known;
  return {
    counts: { accounts, outcomesNext, commandsNext },
    lengths: listsOf(books).map((list) => list.length),
    state,
    data,
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
}
