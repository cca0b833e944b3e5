// Blocks of card payments that are decided and not written: created, approved by the provider, captured, and the capture
// told with a conversion from EUR to USD, a fee and all their postings, commands and outcomes.
import { type Books, type IntentInput, openBooks, type ReportInput } from "../../src/domain/books.ts";
import { decideIntent, decideReport } from "../../src/domain/decide/decide.ts";
import type { Rules } from "../../src/domain/rules.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { fixedRates } from "./card-lane.ts";
import { inputOf, NOW_MS, producing } from "./ledger.ts";

export const EVENTS_A_PAYMENT = 4;

const rates = fixedRates({ EURUSD: "1.0850" });
const EUROS = { currency: "EUR", scale: 2, minor: "10000" };
const CREATE = {
  type: "payment_create",
  from: null,
  to: null,
  amount: EUROS,
  method: "card",
  provider: "script",
  captureMode: "manual",
  tokenRef: "tok_9f2c",
  settlementCurrency: "USD",
};
const CAPTURE = {
  type: "payment_capture",
  idempotencyKey: "cap-1",
  method: null,
  captureMode: null,
  tokenRef: null,
  settlementCurrency: null,
  final: true,
};

export function emptyBooks(rules: Rules): Books {
  return openBooks({
    rules,
    lane: 1,
    block: 1n,
    nowMs: NOW_MS,
    outcomesNext: 0n,
    accounts: 0n,
    cases: new Map(),
    holderAccounts: new Map(),
    house: new Map(),
    rates,
  });
}

/** @returns decides the same `payments` again each time, on books that are empty before */
export function cardBlock(rules: Rules, payments: number): () => Books {
  const creates = Array.from({ length: payments }, (_one, index) => payment(index, CREATE));
  const captures = creates.map(({ intent }, index) => payment(index, { ...CREATE, ...CAPTURE, caseId: intent.caseId }));
  const approvals = reports(creates, "authorize", "approved", { approved: "10000", seq: "1" }, 0);
  const captured = reports(creates, "capture", "ok", { amount: "10000", seq: "1" }, payments);
  return () => {
    const block = emptyBooks(rules);
    for (const input of creates) decideIntent(block, input);
    for (const input of approvals) decideReport(block, input);
    for (const input of captures) decideIntent(block, input);
    for (const input of captured) decideReport(block, input);
    return block;
  };
}

function payment(index: number, fields: Partial<NewIntent>): IntentInput {
  return inputOf(producing.payIn(`mer_${index % 50}`, 0, fields), BigInt(index));
}

function reports(
  creates: readonly IntentInput[],
  call: string,
  result: string,
  payload: Record<string, string>,
  from: number,
): ReportInput[] {
  return creates.map(({ intent, caseId }, index) => {
    if (caseId === null) throw new Error("a payment has an id");
    const offset = BigInt(from + index);
    const report = {
      holderId: intent.holderId,
      caseId,
      call,
      attempt: 1,
      result,
      observation: `${call}/1/${result}`,
      payload,
      occurredAtMicros: BigInt(NOW_MS) * 1000n,
      from: null,
    };
    return { kind: "report", id: `r-1-${offset}`, source: "r", offset, report };
  });
}

/** @throws Error when not every payment was captured */
export function assertAllCaptured({ cases }: Books, payments: number): void {
  const states = [...cases.values()].map(({ state }) => state);
  if (states.length === payments && states.every((state) => state === "captured")) return;
  throw new Error(`not all of ${payments} were captured: ${[...new Set(states)].join(", ")}`);
}
