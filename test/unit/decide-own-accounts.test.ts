// The accounts that a case's later events book on are opened with the case, each in the currency that its flow says: a
// report that found an account in another currency could not be refused, and its lane would stand still.
import { expect, test } from "vitest";
import { CardLane } from "../support/card-lane.ts";
import { caseId } from "../support/intents.ts";
import { NOW_MS } from "../support/ledger.ts";

const HOLDER = "mer_204";
const PENDING = `liability:merchant:${HOLDER}:pending`;

const payment = {
  type: "payment_create",
  holderId: HOLDER,
  method: "card",
  provider: "script",
  tokenRef: "tok_9f2c",
  captureMode: "manual",
  amount: { currency: "EUR", scale: 2, minor: "1000" },
  occurredAt: BigInt(NOW_MS) * 1000n,
};

test("a payment that would be settled in another currency than the merchant's account is refused when it is made", () => {
  const lane = new CardLane();
  lane.prices = { EURUSD: "1.0850" };
  const [first] = lane.ask({ ...payment, caseId: caseId("pay", NOW_MS), settlementCurrency: "USD" });
  expect(first?.reason).toBeNull();
  // Nothing was booked yet, and the account is there all the same: two payments in two currencies cannot both wait for it.
  expect(lane.open().holderAccounts.get(PENDING)).toMatchObject({ currency: "USD" });
  const [second] = lane.ask({ ...payment, caseId: caseId("pay", NOW_MS), settlementCurrency: "EUR" });
  expect(second).toMatchObject({ type: "card.rejected", reason: { code: "currency_mismatch" } });
});

test("a refused payment opens no account", () => {
  const lane = new CardLane();
  const [refused] = lane.ask({
    ...payment,
    amount: { ...payment.amount, minor: "0" },
    caseId: caseId("pay", NOW_MS),
    settlementCurrency: "EUR",
  });
  expect(refused?.reason).toMatchObject({ code: "amount_not_positive" });
  expect(lane.open().holderAccounts.get(PENDING)).toBeUndefined();
});
