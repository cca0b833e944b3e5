// How fast one core decides: `npx vitest bench --run --config test/bench/vitest.config.ts decide`. Each turn is a block of
// 1,000 events on books that are empty before, so hz times 1,000 is events a second. `NODE_OPTIONS=--max-semi-space-size=64`
// gives it the young generation that the service has.
//
// `cards` are 250 payments of four events: created, approved by the provider, captured, and the capture told with a
// conversion from EUR to USD, a fee and all their postings, commands and outcomes. Reading and writing are not in it.

import { bench, describe } from "vitest";
import { type Books, type IntentInput, openBooks, type ReportInput } from "../../src/domain/books.ts";
import { decideIntent, decideReport } from "../../src/domain/decide/decide.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { fixedRates } from "../support/card-lane.ts";
import { inputOf, NOW_MS, producing, RULES } from "../support/ledger.ts";

const EVENTS = 1_000;
const PAYMENTS = EVENTS / 4;
const rates = fixedRates({ EURUSD: "1.0850" });

const each = <Made>(count: number, make: (index: number) => Made): Made[] =>
  Array.from({ length: count }, (_, index) => make(index));

function books(): Books {
  return openBooks({
    rules: RULES,
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

const EUROS = { currency: "EUR", scale: 2, minor: "10000" };

function payment(index: number, more: Partial<NewIntent>): IntentInput {
  const create = {
    type: "payment_create",
    from: null,
    to: null,
    amount: EUROS,
    method: "card",
    captureMode: "manual",
    tokenRef: "tok_9f2c",
    settlementCurrency: "USD",
  };
  return inputOf(producing.payIn(`mer_${index % 50}`, 0, { ...create, ...more }), BigInt(index));
}

const creates = each(PAYMENTS, (index) => payment(index, {}));
const captures = creates.map(({ intent }, index) =>
  payment(index, {
    type: "payment_capture",
    caseId: intent.caseId,
    idempotencyKey: "cap-1",
    method: null,
    captureMode: null,
    tokenRef: null,
    settlementCurrency: null,
    final: true,
  }),
);

function reports(call: string, result: string, payload: Record<string, string>, from: number): ReportInput[] {
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

const approvals = reports("authorize", "approved", { approved: "10000", seq: "1" }, 0);
const captured = reports("capture", "ok", { amount: "10000", seq: "1" }, PAYMENTS);

function decideCards(): Books {
  const block = books();
  for (const input of creates) decideIntent(block, input);
  for (const input of approvals) decideReport(block, input);
  for (const input of captures) decideIntent(block, input);
  for (const input of captured) decideReport(block, input);
  return block;
}

const transfers = each(EVENTS, (index) => inputOf(producing.payIn(`cust_${index}`, 100), BigInt(index)));

function decideTransfers(): Books {
  const block = books();
  for (const input of transfers) decideIntent(block, input);
  return block;
}

// What is measured has happened: every payment is captured in dollars, every transfer completed.
const states = [...decideCards().cases.values()].map(({ state }) => state);
if (states.length !== PAYMENTS || states.some((state) => state !== "captured"))
  throw new Error(`not all captured: ${states[0]}`);
if (decideTransfers().lines.length !== EVENTS) throw new Error("not all transfers completed");

// The engine compiles what is run often, and again when it has seen more: for a second and more.
const SETTLED = { warmupTime: 3_000, time: 3_000 };

describe("decide", () => {
  bench("1,000 events of card payments", () => void decideCards(), SETTLED);
  bench("1,000 plain transfers", () => void decideTransfers(), SETTLED);
});
