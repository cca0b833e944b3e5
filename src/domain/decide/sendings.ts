// What an event asks of gateways and of other holders' lanes.

import { assert, failed } from "../assert.ts";
import type { LaneMessage } from "../books.ts";
import { homeLane } from "../holder.ts";
import { childCaseId } from "../ids.ts";
import type { Draft, Sending } from "./draft.ts";
import type { Input } from "./outcomes.ts";

/** Adds the draft's calls to the books: commands with their sequence, messages in the order in which they are sent. */
export function send(draft: Draft, input: Input): void {
  if (draft.sendings === null) return;
  for (const sending of draft.sendings) {
    if (sending.call.to.kind === "gateway") command(draft, sending, input);
    else draft.books.messages.push(question(draft, sending));
  }
}

function command(draft: Draft, { call, attempt, payload, to, notAfterMs }: Sending, input: Input): void {
  const { books } = draft;
  assert(call.to.kind === "gateway", "a command goes to a gateway");
  books.commands.push({
    commandId: `${draft.caseId}/${call.name}/${attempt}`,
    caseId: draft.caseId,
    holderId: draft.holderId,
    call: call.name,
    op: call.to.op,
    attempt,
    idempotencyKey: to,
    readOnly: call.to.readOnly,
    notAfterMicros: BigInt(notAfterMs) * 1000n,
    timeoutMs: call.to.timeoutMs,
    payload,
    sequence: books.commandsNext,
    traceparent: input.kind === "intent" ? input.intent.traceparent : null,
  });
  books.commandsNext += 1n;
}

/** Opens a case at another holder; its id follows from who asks. */
function question(draft: Draft, { call, attempt, payload, to: holderId }: Sending): LaneMessage {
  const { books } = draft;
  assert(call.to.kind === "message", "a question goes to another holder");
  const flow = books.rules.asked.get(call.to.type);
  if (flow === undefined) failed(`no flow starts on the message ${call.to.type}`);
  const words = [draft.holderId, call.name, String(attempt)];
  return {
    toLane: homeLane(holderId, books.rules.lanes),
    report: {
      holderId,
      caseId: childCaseId(flow.caseKind, draft.known.id, words),
      call: call.to.type,
      attempt,
      result: "asked",
      observation: `${draft.caseId}/${call.name}/${attempt}/asked`,
      payload,
      occurredAtMicros: books.recordedAt,
      from: { holderId: draft.holderId, caseId: draft.caseId, call: call.name, attempt },
    },
  };
}
