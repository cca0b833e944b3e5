// Quotes and the payment that takes one: locked, taken in pieces within the payment's own blocks, by nobody else, and over
// when their timer says so.

import { describe, expect, test } from "vitest";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { CardLane } from "../support/card-lane.ts";
import { caseId } from "../support/intents.ts";
import { NOW_MS } from "../support/ledger.ts";

const HOLDER = "mer_204";
const eur = (minor: number) => ({ currency: "EUR", scale: 2, minor: String(minor) });

function lane(prices: Record<string, string> = { EURUSD: "1.0850" }): CardLane {
  const made = new CardLane();
  made.prices = prices;
  const spread = { spread_bps: { "*": 85n } }; // with the 15 of a lock 1 %
  made.parameters = { fx_quote: spread, fx_quote_buy: spread, card: { spread_bps: { "*": 100n } } };
  return made;
}

/** What a lane is asked for in its holder's name. */
function asking(one: CardLane, holderId = HOLDER) {
  const send = (type: string, id: string, intent: Partial<NewIntent>) =>
    one.ask({ type, caseId: id, holderId, occurredAt: BigInt(NOW_MS) * 1000n, ...intent });
  const pay = (quoteId: string, minor: number) => {
    const id = caseId("pay", NOW_MS);
    const common = { method: "card", provider: "script", tokenRef: "tok_9f2c", captureMode: "manual" };
    const outcomes = send("payment_create", id, { ...common, amount: eur(minor), settlementCurrency: "USD", quoteId });
    if (outcomes[0]?.reason === null)
      one.report(id, holderId, {
        call: "authorize",
        result: "approved",
        payload: { approved: String(minor), seq: "1" },
      });
    return { id, outcomes };
  };
  let captures = 0;
  const capture = (id: string, minor: number, final: boolean) => {
    captures += 1;
    send("payment_capture", id, { idempotencyKey: `c-${captures}`, amount: eur(minor), final });
    const { seq = "" } = one.commandOf("capture").payload;
    return one.report(id, holderId, { call: "capture", result: "ok", payload: { amount: String(minor), seq } });
  };
  const quote = (intent: Partial<NewIntent> = {}) => {
    const id = caseId("fxq", NOW_MS);
    const given = { amount: eur(10_000), settlementCurrency: "USD", lockSeconds: 3600n, ...intent };
    return { id, outcome: send("quote_request", id, given)[0] };
  };
  return { send, pay, capture, quote };
}

const amountsOf = (outcome: { amounts: Readonly<Record<string, { currency: string; minor: string }>> } | undefined) =>
  Object.fromEntries(
    Object.entries(outcome?.amounts ?? {}).map(([name, { currency, minor }]) => [name, `${currency} ${minor}`]),
  );

describe("a quote", () => {
  test("locks what is received for what is given, and says so", () => {
    const one = lane();
    const { id, outcome } = asking(one).quote();
    expect(outcome).toMatchObject({ type: "quote.created", status: "active", flow: "fx_quote@1.0.0" });
    expect(amountsOf(outcome)).toEqual({ given: "EUR 10000", received: "USD 10741", spread: "USD 109" });
    expect(one.timers.map(({ name, dueMs }) => [name, dueMs])).toEqual([["lock", NOW_MS + 3_600_000]]);
    expect(one.case(id)?.state).toBe("active");
  });

  test("for an amount that is received says what is given for it, rounded up", () => {
    const { outcome } = asking(lane()).quote({ side: "buy", amount: eur(10_000) });
    expect(outcome).toMatchObject({ type: "quote.created", flow: "fx_quote_buy@1.0.0" });
    // 100.00 EUR · 1.0850 · 1.01 = 109.585 dollars, which at mid are worth 101.00 euros.
    expect(amountsOf(outcome)).toEqual({ given: "USD 10959", received: "EUR 10000", spread: "EUR 100" });
  });

  test("without a lock is only shown, at no price for the lock", () => {
    const { id, outcome } = (() => asking(lane()).quote({ lockSeconds: null }))();
    expect(outcome).toMatchObject({ type: "quote.created", status: "indicative" });
    expect(amountsOf(outcome)).toMatchObject({ received: "USD 10757" });
    expect(id).toMatch(/^fxq_/);
  });

  test("is refused without a rate, for one currency in itself, and for what would give nothing", () => {
    const none = asking(lane({})).quote();
    expect(none.outcome?.reason?.code).toBe("fx_rate_unavailable");
    expect(asking(lane()).quote({ settlementCurrency: "EUR" }).outcome?.reason?.code).toBe("quote_mismatch");
    const small = asking(lane({ EURUSD: "0.0001" })).quote({ amount: eur(1) });
    expect(small.outcome?.reason?.code).toBe("amount_too_small");
  });

  test("can be given up as long as nothing of it is taken", () => {
    const one = lane();
    const { send, quote } = asking(one);
    const { id } = quote();
    expect(send("quote_cancel", id, { idempotencyKey: "x" })[0]?.type).toBe("quote.canceled");
    expect(send("quote_cancel", id, { idempotencyKey: "y" })[0]?.reason?.code).toBe("invalid_state");
    expect(one.timers).toEqual([]);
  });
});

describe("a payment with a quote", () => {
  test("takes it whole in the block of its capture, at the locked rate whatever the market does", () => {
    const one = lane();
    const { pay, capture, quote } = asking(one);
    const { id } = quote();
    const payment = pay(id, 10_000);
    one.prices = { EURUSD: "2.0000" };
    const outcomes = capture(payment.id, 10_000, true);
    expect(outcomes.map(({ type }) => type)).toEqual(expect.arrayContaining(["payment.captured", "quote.consumed"]));
    expect(new Set(outcomes.map(({ block }) => block)).size).toBe(1);
    expect(amountsOf(outcomes.find(({ type }) => type === "payment.captured"))).toMatchObject({
      net: "USD 10741",
      spread: "USD 109",
    });
    expect(one.case(id)?.state).toBe("consumed");
    expect([one.balance("fx:position", "EUR"), one.balance("fx:position", "USD")]).toEqual([10_000n, -10_850n]);
  });

  test("takes it in pieces that sum to the whole, and nobody else takes what is left", () => {
    const one = lane();
    const { pay, capture, quote } = asking(one);
    const { id } = quote();
    const payment = pay(id, 10_000);
    const other = pay(id, 6_000);
    const first = capture(payment.id, 4_000, false);
    expect(amountsOf(first.find(({ type }) => type === "quote.consumed"))).toEqual({
      consumed: "EUR 4000",
      remaining: "EUR 6000",
    });
    // Another payment's capture is booked at the rate of now and leaves the quote alone.
    expect(capture(other.id, 6_000, true).map(({ type }) => type)).not.toContain("quote.consumed");
    expect(pay(id, 6_000).outcomes[0]?.reason?.category).toBe("fx");
    const second = capture(payment.id, 6_000, true);
    expect(amountsOf(second.find(({ type }) => type === "quote.consumed"))).toEqual({ consumed: "EUR 6000" });
    const nets = [first, second].map((all) => amountsOf(all.find(({ type }) => type === "payment.captured"))["net"]);
    expect(nets).toEqual(["USD 4296", "USD 6445"]);
    expect(one.case(id)?.state).toBe("consumed");
  });

  test("is refused when the quote is another holder's, of another pair, too small, or over", () => {
    const one = lane();
    const { pay, quote } = asking(one);
    const { id } = quote();
    expect(asking(one, "mer_205").pay(id, 10_000).outcomes[0]?.reason?.category).toBe("fx");
    expect(pay(id, 10_001).outcomes[0]?.reason?.category).toBe("fx");
    expect(pay(caseId("fxq", NOW_MS), 10_000).outcomes[0]?.reason?.category).toBe("fx");
    const [expired] = one.fire(one.timers.find(({ name }) => name === "lock") as (typeof one.timers)[number]);
    expect(expired).toMatchObject({ type: "quote.expired", status: "expired" });
    expect(amountsOf(expired)).toEqual({ remaining: "EUR 10000" });
    expect(pay(id, 10_000).outcomes[0]?.reason?.code).toBe("quote_expired");
  });
});
