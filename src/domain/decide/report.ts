// Reports: what a gateway says of a call, what another holder's lane asks, and what it answers. They are facts or carry
// money that has left somewhere else, so none is put aside: what cannot be decided halts the lane.

import { type Books, type CaseRecord, caseOf, type Report, type ReportInput } from "../books.ts";
import type { CompiledFlow } from "../flow/compile/compile.ts";
import { type EventFields, NO_FIELDS } from "../flow/compile/events.ts";
import { observes } from "../history.ts";
import { homeLane } from "../holder.ts";
import { formatCaseId, parseCaseId } from "../ids.ts";
import { type RefusalCode, refusal } from "../refusals.ts";
import { perform, performFact, remember } from "./deed.ts";
import { Draft, NO_AMOUNTS } from "./draft.ts";
import { emitAll } from "./outcomes.ts";
import { Undecidable } from "./undecidable.ts";
import { answersTo } from "./walk.ts";

/** Takes what a gateway or another lane reports.
 *  @throws Undecidable when it names no case, call or result that is known, or its case cannot take it */
export function decideReport(books: Books, input: ReportInput): void {
  const { report } = input;
  // The key of a line of history is its last field and ends with the line.
  if (/[\n\0]/.test(report.observation)) throw new Undecidable(`report ${input.id} names no observation`);
  if (report.from !== null && report.result === "asked") takeQuestion(books, input);
  else takeResult(books, input);
}

function takeResult(books: Books, input: ReportInput): void {
  const { report, source, offset } = input;
  const known = caseOf(books, report.caseId.uuid);
  if (known === null || known.holderId !== report.holderId)
    throw new Undecidable(`report ${input.id} names no case of its holder`);
  if (observes(known.history, report.observation)) return;
  const name = eventOf(known, input);
  const event = fieldsOf(known.flow, name, input);
  const { occurredAtMicros, attempt } = report;
  const cause = { intent: null, event, currencies: null, occurredAtMicros, attempt, isWish: false };
  const entry = { event: name, source, offset, fingerprint: "", key: report.observation };
  performFact(books, input, { known, cause, alternatives: answersTo(known, name), entry });
}

/** The event that a result becomes: the call is one of the flow's, was made that often, and has such a result. */
function eventOf(known: CaseRecord, { id, report }: ReportInput): string {
  const call = known.flow.calls.get(report.call);
  if (call === undefined || (call.to.kind === "message") !== (report.from !== null))
    throw new Undecidable(`report ${id} names no call of ${known.flow.ref}`);
  const event = call.results.get(report.result);
  if (event === undefined) throw new Undecidable(`report ${id} names no result of ${call.name} of ${known.flow.ref}`);
  const made = known.data.attempts[call.name] ?? 0;
  if (!Number.isInteger(report.attempt) || report.attempt < 0 || report.attempt > made)
    throw new Undecidable(`report ${id} names attempt ${report.attempt} of ${call.name}, of which ${made} were made`);
  return event;
}

function fieldsOf(flow: CompiledFlow, event: string, { id, report }: ReportInput): EventFields {
  const fields = flow.events.get(event)?.(report.payload) ?? NO_FIELDS;
  if (typeof fields === "string") throw new Undecidable(`report ${id} contradicts ${event} of ${flow.ref}: ${fields}`);
  return fields;
}

// Questions ---------------------------------------------------------------------------------------------------------------

/** Another holder's case asks: the message opens a case here, and is answered whether it is accepted or refused. */
function takeQuestion(books: Books, input: ReportInput): void {
  const { report, source, offset } = input;
  const flow = books.rules.asked.get(report.call);
  if (flow === undefined) throw new Undecidable(`no flow starts on the message ${report.call} of report ${input.id}`);
  // The id follows from who asks, so whoever asks could have opened a case under it before.
  const known = caseOf(books, report.caseId.uuid);
  if (known !== null) {
    if (!observes(known.history, report.observation)) reply(books, report, "idempotency_conflict");
    return;
  }
  const fresh = freshCase(flow, report);
  books.cases.set(fresh.id, fresh);
  const name = `message.${report.call}`;
  const event = fieldsOf(flow, name, input);
  const currencies = { "*": report.payload["currency"] ?? "" };
  const { occurredAtMicros, attempt } = report;
  const cause = { intent: null, event, currencies, occurredAtMicros, attempt, isWish: true };
  const entry = { event: name, source, offset, fingerprint: "", key: report.observation };
  const code = perform(books, input, { known: fresh, cause, alternatives: null, entry });
  if (code !== null) {
    books.cases.set(fresh.id, fresh);
    const draft = new Draft(books, fresh, cause);
    draft.emit(`${flow.name}.rejected`, NO_AMOUNTS, refusal(code));
    const sequence = books.outcomesNext;
    emitAll(draft, input, 0, "asked");
    remember(books, fresh, entry, sequence);
  }
  reply(books, report, code);
}

function freshCase(flow: CompiledFlow, report: Report): CaseRecord {
  return {
    id: report.caseId.uuid,
    kind: report.caseId.kind,
    flow,
    holderId: report.holderId,
    state: "rejected",
    data: flow.noData,
    history: "",
    occurredAtMicros: report.occurredAtMicros,
    isNew: true,
    changed: true,
  };
}

/** @param code why it was refused; null: accepted */
function reply(books: Books, { holderId, caseId, from }: Report, code: RefusalCode | null): void {
  const asker = from === null ? null : parseCaseId(from.caseId);
  if (from === null || asker === null) throw new Undecidable("a message that asks does not say whose case asks");
  const result = code === null ? "accepted" : "refused";
  const ownId = formatCaseId(caseId);
  books.messages.push({
    toLane: homeLane(from.holderId, books.rules.lanes),
    report: {
      holderId: from.holderId,
      caseId: asker,
      call: from.call,
      attempt: from.attempt,
      result,
      observation: `${ownId}/${from.call}/${from.attempt}/${result}`,
      payload: code === null ? {} : { code },
      occurredAtMicros: books.recordedAt,
      from: { holderId, caseId: ownId, call: from.call, attempt: from.attempt },
    },
  });
}
