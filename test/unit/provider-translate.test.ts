// Providers' words against the flows': what a command is asked in, what an answer is told as, and that nothing a provider
// could say is told to a case that could not take it.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Flow, FlowCall } from "../../src/domain/flow/flow.ts";
import { REASONS } from "../../src/domain/reasons.ts";
import { type Answer, UNKNOWN } from "../../src/gateways/contract.ts";
import { Fitting } from "../../src/gateways/fitting.ts";
import type { Answered } from "../../src/gateways/http/caller.ts";
import { asObject } from "../../src/gateways/http/json.ts";
import * as cardco from "../../src/gateways/providers/cardco/translate.ts";
import { fromWire, toWire } from "../../src/gateways/providers/descriptor.ts";
import * as instanet from "../../src/gateways/providers/instanet/translate.ts";
import { keyOfTxid, txidOf } from "../../src/gateways/providers/instanet/txid.ts";
import { reasonFor } from "../../src/gateways/providers/reasons.ts";
import type { CommandMessage } from "../../src/kafka/codec-messages.ts";
import { DECLARED } from "../support/ledger.ts";
import { CASE, command, descriptorOf, HOLDER, question } from "../support/providers.ts";

const CARDCO = descriptorOf("cardco");
const INSTANET = descriptorOf("instanet");
const fitting = new Fitting(DECLARED.flows);

function answered(body: unknown, status = 200): Answered {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return { kind: "answered", status, contentType: "application/json", retryAfterMs: null, body: bytes };
}

const operation = (change: Record<string, unknown> = {}) => ({
  id: "op_1",
  key: `${CASE}/auth/1`,
  reference: `${HOLDER}.${CASE}`,
  kind: "authorization",
  status: "approved",
  amount: { currency: "EUR", minor: "1001" },
  reason: null,
  action: null,
  ...change,
});

const told = (answers: readonly Answer[] | null) =>
  answers?.map(({ result, observation, payload }) => ({ result, observation, payload }));

describe("cardco: a command", () => {
  test("is a request under its payment's name, the same bytes each time", () => {
    const request = cardco.requestOf(command(), CARDCO);
    expect(request).toEqual({
      path: "/cardco/v1/authorizations",
      idempotencyKey: `${CASE}/auth/1`,
      body: JSON.stringify({
        reference: `${HOLDER}.${CASE}`,
        amount: { currency: "EUR", minor: "1001" },
        token: "tok_1",
        partial_approval: false,
      }),
    });
    expect(cardco.requestOf(command(), CARDCO)).toEqual(request);
  });

  test("of an authorization takes a part of its amount where the flow's parameter says so, and else all or nothing", () => {
    const asked = (partial: Readonly<Record<string, string>>) =>
      cardco.requestOf(command({ payload: { ...command().payload, ...partial } }), CARDCO);
    const isPartialTaken = (body: string): unknown => JSON.parse(body).partial_approval;
    const posted = [{ partial: "true" }, { partial: "false" }, {}].map(asked) as { body: string }[];
    expect(posted.map(({ body }) => isPartialTaken(body))).toEqual([true, false, false]);
  });

  test("of a refund, a case of its own, goes to its payment", () => {
    const refund = "rfd_01JD3Z7Q6R8W2V5K9T0M4N1B7D";
    const payload = { amount: "40", currency: "EUR", seq: "1", parent: CASE };
    const request = cardco.requestOf(
      command({ caseId: refund, op: "card.refund", idempotencyKey: `${refund}/refund/1`, payload }),
      CARDCO,
    );
    expect(request).toMatchObject({
      path: `/cardco/v1/authorizations/${HOLDER}.${CASE}/refunds`,
      idempotencyKey: `${refund}/refund/1`,
      body: JSON.stringify({ reference: `${HOLDER}.${CASE}`, amount: { currency: "EUR", minor: "40" } }),
    });
  });

  test("of an order goes to the orders, with the customer's plan, and its webhook is known by its key", () => {
    const payload = { amount: "60", currency: "EUR", plan: "plan_3", seq: "1" };
    expect(cardco.requestOf(command({ op: "order.approve", payload }), CARDCO)).toMatchObject({
      path: "/cardco/v1/orders",
      body: JSON.stringify({
        reference: `${HOLDER}.${CASE}`,
        amount: { currency: "EUR", minor: "60" },
        plan: "plan_3",
      }),
    });
    expect(cardco.requestOf(command({ op: "order.capture", payload }), CARDCO)).toMatchObject({
      path: `/cardco/v1/orders/${HOLDER}.${CASE}/captures`,
    });
    const told = { id: "evt_1", operation: operation({ key: `${CASE}/order_cap/1`, kind: "capture" }) };
    expect(cardco.eventOf(told)?.about.op).toBe("order.capture");
  });

  test("of a capture says whether it is the last, and a void no amount", () => {
    const payload = { amount: "60", currency: "EUR", final: "true", seq: "2" };
    expect(cardco.requestOf(command({ op: "card.capture", payload }), CARDCO)).toMatchObject({
      path: `/cardco/v1/authorizations/${HOLDER}.${CASE}/captures`,
      body: JSON.stringify({ reference: `${HOLDER}.${CASE}`, amount: { currency: "EUR", minor: "60" }, final: true }),
    });
    expect(cardco.requestOf(command({ op: "card.void", payload: { attempt: "1", seq: "0" } }), CARDCO)).toMatchObject({
      path: `/cardco/v1/authorizations/${HOLDER}.${CASE}/voids`,
      body: JSON.stringify({ reference: `${HOLDER}.${CASE}` }),
    });
  });

  test("in a currency that cardco does not take is refused without a request", () => {
    const payload = { amount: "5", currency: "XTS", seq: "1" };
    const refused = cardco.requestOf(command({ payload }), CARDCO);
    expect(refused).toMatchObject([{ result: "declined", payload: { code: "currency_unsupported" } }]);
    expect(cardco.requestOf(command({ op: "bank.collect" }), CARDCO)).toBeNull();
    expect(cardco.requestOf(question(), CARDCO)).toBeNull();
  });
});

describe("cardco: an answer", () => {
  const read = (body: unknown, of: CommandMessage = command(), status = 200) =>
    cardco.answersOf(of, answered(body, status), CARDCO);

  test("is the same fact from an answer, a query and a webhook's question", () => {
    const expected = [
      {
        result: "approved",
        observation: "auth/1/approved:1001",
        payload: { seq: "1", approved: "1001", currency: "EUR" },
      },
    ];
    expect(told(read(operation()))).toEqual(expected);
    expect(told(read(operation(), question()))).toEqual(expected);
  });

  test.each([
    ["action_required", "action", UNKNOWN],
    ["declined", "declined", "declined"],
    ["failed", "declined", "declined"],
    ["pending", UNKNOWN, UNKNOWN],
    ["completed", "approved", "approved"],
  ])("%s is told as %s, to a query as %s", (status, doing, asking) => {
    expect(read(operation({ status }))?.[0]?.result).toBe(doing);
    expect(read(operation({ status }), question())?.[0]?.result).toBe(asking);
  });

  test("says why in our words, and whether another attempt may help", () => {
    const declined = (reason: unknown) => read(operation({ status: "declined", reason }))?.[0]?.payload;
    expect(declined({ code: "insufficient_funds", network_code: "51" })).toMatchObject({
      code: "insufficient_funds",
      retriable: "false",
    });
    expect(declined({ code: "issuer_unavailable", network_code: "91" })).toMatchObject({ retriable: "true" });
    expect(declined({ code: "issuer_unavailable", advice_code: "03" })).toMatchObject({ retriable: "false" });
    expect(declined({ code: "No code at all!" })).toMatchObject({ code: "provider_error" });
    expect(declined(null)).toMatchObject({ code: "provider_error", retriable: "false" });
  });

  test.each([
    ["another key", operation({ key: `${CASE}/auth/2` })],
    ["another holder's case of the same id", operation({ reference: `mer_8.${CASE}` })],
    ["no name of ours", operation({ reference: null })],
    ["another currency", operation({ amount: { currency: "USD", minor: "1001" } })],
    ["more than was asked for", operation({ amount: { currency: "EUR", minor: "1002" } })],
    ["an amount that is a number", operation({ amount: { currency: "EUR", minor: 1001 } })],
    ["an amount that is a fraction", operation({ amount: { currency: "EUR", minor: "10.01" } })],
    ["an amount below zero", operation({ amount: { currency: "EUR", minor: "-1" } })],
    ["a status of its own", operation({ status: "constructor" })],
    ["a list", [operation()]],
    ["bytes that are no text", Buffer.from([0xff, 0xfe])],
  ])("with %s says nothing", (_what, body) => {
    expect(read(body)).toBeNull();
  });

  test("that is no JSON by its type says nothing, whatever is in it", () => {
    const html = { ...answered(operation()), contentType: "text/html" };
    expect(cardco.answersOf(command(), html, CARDCO)).toBeNull();
  });

  test("of a refusal is one; of an error in the form of the answer, another key or an unknown path it is not", () => {
    const error = { error: { code: "not_supported", message: "no" } };
    expect(read(error, command(), 422)?.[0]).toMatchObject({ result: "declined", payload: { code: "not_permitted" } });
    expect(read(error, command({ op: "card.capture", call: "capture" }), 422)?.[0]?.result).toBe("rejected");
    expect(read(error, command(), 409)).toBeNull();
    expect(read({ message: "no" }, command(), 422)).toBeNull();
    const absent = { error: { code: "not_found", message: "no" } };
    expect(read(absent, command(), 404)?.[0]?.result).toBe(UNKNOWN);
    expect(read(absent, question(), 404)?.[0]?.result).toBe("not_found");
    const capture = question({ op: "card.capture_status", call: "capture_status" });
    expect(read(absent, capture, 404)?.[0]?.result).toBe("not_found");
    expect(read({ error: { code: "no_route" } }, question(), 404)?.[0]?.result).toBe(UNKNOWN);
  });
});

test("a webhook of cardco names the operation by its key, and is none of ours without one", () => {
  const hear = (body: unknown) => cardco.eventOf(asObject(body));
  const heard = hear({ id: "evt_1", operation: operation() });
  expect(heard).toMatchObject({
    eventId: "evt_1",
    about: { caseId: CASE, op: "card.authorize", idempotencyKey: `${CASE}/auth/1` },
  });
  expect([heard?.about.isOf(HOLDER), heard?.about.isOf("mer_8")]).toEqual([true, false]);
  for (const body of [{}, { id: "e" }, { id: "e", operation: { key: "order 7" } }, { operation: operation() }, []])
    expect(hear(body)).toBeNull();
});

const CHARGE = {
  op: "charge.create",
  call: "create",
  idempotencyKey: `${CASE}/charge`,
  payload: { amount: "1001", currency: "EUR", provider: "instanet", memo: "order-9", empty: "" },
};
const transaction = (change: Record<string, unknown> = {}) => ({
  txid: txidOf(`${CASE}/charge`, HOLDER),
  kind: "charges",
  status: "active",
  amount: { currency: "EUR", minor: "1001" },
  payments: [],
  reason: null,
  version: 1,
  ...change,
});
const payment = (id: string, minor: string, currency = "EUR") => ({ id, amount: { currency, minor } });

describe("instanet", () => {
  const charge = command(CHARGE);
  const asks = question({ ...CHARGE, op: "charge.status", call: "status", idempotencyKey: "" });
  const closes = command({ ...CHARGE, op: "charge.close", call: "close", idempotencyKey: `${CASE}/close` });
  const read = (body: unknown, of: CommandMessage = charge, status = 200) =>
    instanet.answersOf(of, answered(body, status), INSTANET);

  test("names a transaction by its key, and gives along what is nobody else's", () => {
    const request = instanet.requestOf(charge, INSTANET) as { method: string; path: string; body: string };
    const txid = txidOf(`${CASE}/charge`, HOLDER);
    expect([request.method, request.path]).toEqual(["PUT", `/instanet/v1/charges/${txid}`]);
    expect(JSON.parse(request.body)).toEqual({
      amount: { currency: "EUR", minor: "1001" },
      not_after: new Date(Number(charge.notAfter / 1000n)).toISOString(),
      details: { memo: "order-9" },
    });
    expect(instanet.requestOf(closes, INSTANET)).toMatchObject({ path: `/instanet/v1/charges/${txid}/close` });
    expect(instanet.questionOf(asks)).toMatchObject({ path: `/instanet/v1/charges/${txid}` });
    expect(instanet.questionOf(closes)).toMatchObject({ path: `/instanet/v1/charges/${txid}` });
  });

  test("names what a return gives back by the scheme's id of the payment, and a debit by the id that we gave it", () => {
    const refund = "brf_01JD3Z7Q6R8W2V5K9T0M4N1B7D";
    const payload = { amount: "40", currency: "EUR", provider: "instanet", seq: "1", parent: CASE };
    const backOf = (e2e: string): unknown => {
      const give = { caseId: refund, op: "payment.return", idempotencyKey: `${refund}/return/1` };
      const request = instanet.requestOf(command({ ...give, payload: { ...payload, e2e } }), INSTANET);
      return JSON.parse((request as { body: string }).body).details;
    };
    expect(backOf("pmt_1")).toEqual({ e2e: "pmt_1", parent: CASE });
    expect(backOf(CASE)).toEqual({ e2e: txidOf(`${CASE}/debit`, HOLDER), parent: CASE });
  });

  test("tells each payment once, however often and in which order it is heard of", () => {
    const payments = [payment("p1", "1001"), payment("p2", "7")];
    const expected = [
      ["paid", "charge/paid:p1", "1001"],
      ["paid", "charge/paid:p2", "7"],
    ];
    for (const of of [charge, asks]) {
      const answers = read(transaction({ status: "completed", payments }), of) ?? [];
      expect(answers.map((one) => [one.result, one.observation, one.payload["amount"]])).toEqual(expected);
    }
    const closed = read(transaction({ status: "closed", payments: payments.slice(0, 1) }), asks);
    expect(closed?.map(({ observation }) => observation)).toEqual(["charge/paid:p1"]);
  });

  test("tells of a charge without payments how it stands", () => {
    expect(read(transaction())?.[0]?.result).toBe("ok");
    expect(read(transaction(), asks)?.[0]?.result).toBe("open");
    expect(read(transaction({ status: "closed" }), asks)?.[0]?.result).toBe("closed");
    expect(read(transaction({ status: "closed" }), closes)?.[0]?.result).toBe("closed");
    expect(read(transaction({ payments: [payment("p1", "1001")] }), closes)?.[0]?.result).toBe("already_paid");
    // That nothing has come yet is said as often as it is asked, and a case takes each observation once.
    const said = [1, 2].map((attempt) => read(transaction(), question({ ...asks, attempt }))?.[0]?.observation);
    expect(new Set(said).size).toBe(2);
    // Completed, and by no payment that is told: nothing to book.
    expect(read(transaction({ status: "completed" }))?.[0]?.result).toBe(UNKNOWN);
    const absent = { error: { code: "not_found", message: "no" } };
    expect(read(absent, asks, 404)?.[0]?.result).toBe("not_found");
    expect(read(absent, closes, 404)?.[0]?.result).toBe(UNKNOWN);
  });

  test("tells of a charge that was taken back what was paid first, and then how much of it has gone", () => {
    const payments = [payment("p1", "1001"), payment("p2", "7")];
    const taken = { status: "returned", payments, reason: { code: "MD06" } };
    for (const of of [charge, asks]) {
      const told = read(transaction(taken), of)?.map(({ observation, payload }) => [observation, payload["amount"]]);
      const back = ["charge/returned:refund_by_debtor", "1008"];
      expect(told).toEqual([["charge/paid:p1", "1001"], ["charge/paid:p2", "7"], back]);
    }
    expect(read(transaction(taken), closes)?.[0]?.result).toBe("already_paid");
  });

  test("tells each request of the payer's bank once, behind what was paid, and of a transfer alone", () => {
    const recall = { ...payment("r1", "1001"), payment: "p1", reason: { code: "FRAD" } };
    const body = (as: string) =>
      transaction({ status: "completed", payments: [payment("p1", "1001")], recalls: [recall], details: { as } });
    for (const of of [charge, asks]) {
      const [paid, recalled, ...more] = read(body("bank_transfer"), of) ?? [];
      expect([paid?.observation, recalled?.observation, more]).toEqual(["charge/paid:p1", "charge/recalled:r1", []]);
      const payload = { amount: "1001", currency: "EUR", e2e_id: "p1", recall: "r1", code: "recall_fraud" };
      expect(recalled).toMatchObject({ result: "recalled", payload });
      expect(read(body("instant_push"), of)?.map(({ result }) => result)).toEqual(["paid"]);
    }
    const half = { ...recall, payment: undefined };
    expect(read(transaction({ recalls: [half], details: { as: "bank_transfer" } }))).toBeNull();
  });

  test("answers such a request with the money, or with why not", () => {
    const answer = { ...CHARGE, op: "recall.answer", call: "answer", idempotencyKey: `${CASE}/answer` };
    const body = (payload: Record<string, string>) => {
      const asked = command({ ...answer, payload: { currency: "EUR", e2e: "p1", recall: "r1", ...payload } });
      const request = instanet.requestOf(asked, INSTANET) as { path: string; body: string };
      expect(request.path).toBe(`/instanet/v1/recalls/${txidOf(`${CASE}/answer`, HOLDER)}`);
      return JSON.parse(request.body) as { amount: unknown; details: unknown };
    };
    expect(body({ amount: "1001", why: "" })).toMatchObject({ amount: { currency: "EUR", minor: "1001" } });
    expect(body({ amount: "1001", why: "" }).details).toEqual({ e2e: "p1", recall: "r1" });
    expect(body({ amount: "0", why: "review_rejected" })).toMatchObject({
      amount: { currency: "EUR", minor: "0" },
      details: { e2e: "p1", recall: "r1", why: "review_rejected" },
    });
  });

  test("tells each claim of a payer's bank once, behind the payment, and a return behind it of the rest", () => {
    const payments = [payment("p1", "1001")];
    const claims = [
      { ...payment("c1", "501"), payment: "p1", reason: { code: "FRAD" } },
      { ...payment("c2", "100"), payment: "p1", reason: { code: "recall_fraud" } },
    ];
    for (const of of [charge, asks]) {
      const told = read(transaction({ status: "completed", payments, claims }), of)?.map(
        ({ result, observation, payload }) => {
          return [result, observation, payload["amount"], payload["e2e_id"], payload["code"]];
        },
      );
      expect(told).toEqual([
        ["paid", "charge/paid:p1", "1001", "p1", undefined],
        ["claimed", "charge/claimed:c1", "501", "p1", "recall_fraud"],
        ["claimed", "charge/claimed:c2", "100", "p1", "recall_fraud"],
      ]);
    }
    const gone = read(transaction({ status: "returned", payments, claims, reason: { code: "MD06" } }));
    expect(gone?.at(-1)?.payload).toMatchObject({ amount: "400", code: "refund_by_debtor" });
    expect(read(transaction({ payments, claims: [{ id: "c1" }] }))).toBeNull();
    expect(read(transaction({ payments, claims: {} }))).toBeNull();
    const [claim] = claims;
    const { payment: _, ...ofNone } = claim as { payment: string };
    expect(read(transaction({ payments, claims: [ofNone] }))).toBeNull();
    const nothing = { ...claim, amount: { currency: "EUR", minor: "0" } };
    expect(read(transaction({ payments, claims: [nothing] }))).toBeNull();
    // More than was paid: what it says of money cannot be right.
    const tooMuch = { status: "returned", payments, claims: [{ ...claim, ...payment("c3", "1002") }] };
    expect(read(transaction(tooMuch))).toBeNull();
  });

  test("tells of a return that came back that it had arrived, so that a late word of that is no news", () => {
    const give = command({ ...CHARGE, op: "payment.return", call: "give_back", idempotencyKey: `${CASE}/return/1` });
    const told = (change: object) =>
      read(transaction({ kind: "returns", txid: txidOf(`${CASE}/return/1`, HOLDER), ...change }), give)?.map(
        ({ result, observation }) => [result, observation],
      );
    const reason = { code: "payer_account_closed" };
    const [arrived, refused] = [
      ["ok", "return/1/ok"],
      ["rejected", "return/1/rejected:payer_account_closed"],
    ];
    expect(told({ status: "completed" })).toEqual([arrived]);
    expect(told({ status: "failed", reason })).toEqual([refused]);
    expect(told({ status: "returned", reason })).toEqual([arrived, refused]);
  });

  test("tells of a deposit that it was seen, paid, and dropped by its chain", () => {
    const deposit = command({ ...CHARGE, op: "deposit.create", call: "deposit", idempotencyKey: `${CASE}/deposit` });
    const told = (change: Record<string, unknown>) =>
      read(transaction({ kind: "deposits", txid: txidOf(`${CASE}/deposit`, HOLDER), ...change }), deposit)?.map(
        ({ observation }) => observation,
      );
    const payments = [payment("p1", "1001")];
    expect(told({ status: "processing" })).toEqual(["deposit/seen"]);
    expect(told({ status: "completed", payments })).toEqual(["deposit/paid:p1"]);
    expect(told({ status: "returned" })).toEqual(["deposit/dropped:provider_error"]);
    // What was confirmed and goes all the same is no drop, of which a flow knows that nothing was booked.
    expect(told({ status: "returned", payments })).toEqual(["deposit/paid:p1", "deposit/returned:provider_error"]);
    expect(told({ status: "completed", payments: [payment("p0", "0"), ...payments] })).toEqual(["deposit/paid:p1"]);
  });

  test.each([
    ["another id", transaction({ txid: "x" })],
    ["another holder's id", transaction({ txid: txidOf(`${CASE}/charge`, "mer_8") })],
    ["another kind", transaction({ kind: "deposits" })],
    ["another currency", transaction({ amount: { currency: "USD", minor: "1001" } })],
    ["a payment in another currency", transaction({ payments: [payment("p1", "1001", "USD")] })],
    ["a payment without an id", transaction({ payments: [{ amount: { currency: "EUR", minor: "5" } }] })],
    ["payments that are no list", transaction({ payments: { length: 1 } })],
  ])("says nothing with %s", (_what, body) => {
    expect(read(body)).toBeNull();
  });

  test("is heard by the id that we gave, and by no other", () => {
    const hear = (change: object) => instanet.eventOf({ notification_id: "n1", ...transaction(), ...change });
    const heard = hear({});
    expect(heard).toMatchObject({
      eventId: "n1",
      about: { caseId: CASE, op: "charge.create", idempotencyKey: `${CASE}/charge` },
    });
    expect([heard?.about.isOf(HOLDER), heard?.about.isOf("mer_8")]).toEqual([true, false]);
    expect(hear({ txid: "somebody-elses" })).toBeNull();
    expect(hear({ kind: "payouts" })).toBeNull();
  });
});

describe("ids at instanet", () => {
  const KEY = fc.stringMatching(/^[\x21-\x7e]{1,40}$/);

  test("lead back to the key and its holder, so that no two keys share one", () => {
    fc.assert(
      fc.property(KEY, fc.string(), (key, other) => {
        const txid = txidOf(key, HOLDER);
        if (txid === null) return;
        expect(txid).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        const found = keyOfTxid(txid);
        expect([found?.key, found?.isOf(HOLDER), found?.isOf(other)]).toEqual([key, true, other === HOLDER]);
      }),
    );
  });

  test("are short enough for every key of a shipped flow, and none is made of what is too long", () => {
    for (const [, key] of keysOf(instanet.OPS.map(({ op }) => op))) expect(txidOf(key, HOLDER), key).not.toBeNull();
    expect(txidOf("x".repeat(52), HOLDER)).toBeNull();
    expect(txidOf("a key", HOLDER)).toBeNull();
  });

  test("that were not made by us are nobody's", () => {
    const end = "-hAAAAAAAAAAA";
    for (const txid of ["pay", `a-${end}`, `a-2F${end}`, `-41${end}`, `a-zz${end}`, end])
      expect(keyOfTxid(txid), txid).toBeNull();
  });
});

describe("amounts on the wire", () => {
  const wide = {
    ...CARDCO,
    currencies: new Map([
      ["CLP", { scale: 2, step: 100n, ledgerScale: 0 }],
      ["KWD", { scale: 3, step: 10n, ledgerScale: 3 }],
      ["MGA", { scale: 0, step: 1n, ledgerScale: 2 }],
    ]),
  };

  test("keep every unit or are refused", () => {
    expect(toWire(wide, "CLP", "12")).toBe("1200");
    expect(toWire(wide, "KWD", "5124")).toBeNull();
    expect(toWire(wide, "KWD", "5120")).toBe("5120");
    expect(toWire(wide, "MGA", "150")).toBeNull();
    expect(toWire(wide, "MGA", "100")).toBe("1");
    expect(fromWire(wide, "CLP", "1250")).toBeNull();
    expect(fromWire(wide, "MGA", "9".repeat(38))).toBeNull();
    for (const text of ["", "-1", "1.5", "1e3", " 1"]) expect(toWire(wide, "CLP", text), text).toBeNull();
  });

  test("come back as they went", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...wide.currencies.keys()),
        fc.bigInt({ min: 0n, max: 10n ** 30n }),
        (code, minor) => {
          const wire = toWire(wide, code, String(minor));
          if (wire !== null) expect(fromWire(wide, code, wire)).toBe(String(minor));
        },
      ),
    );
  });
});

test("a reason is always one of ours, whatever the provider calls it", () => {
  const text = fc.option(fc.oneof(fc.string(), fc.constantFrom("51", "91", "R0", "MD06", "lost_card", "__proto__")));
  fc.assert(
    fc.property(text, text, text, (code, networkCode, adviceCode) => {
      expect(Object.hasOwn(REASONS, reasonFor({ code, networkCode, adviceCode }).code)).toBe(true);
    }),
  );
  expect(reasonFor({ code: null, networkCode: "43", adviceCode: null }).code).toBe("lost_or_stolen");
  expect(reasonFor({ code: "issuer_unavailable", networkCode: "R0", adviceCode: null }).isRetriable).toBe(false);
});

// Against the shipped flows -----------------------------------------------------------------------------------------------

type Asked = { readonly flow: Flow; readonly call: FlowCall; readonly op: string; readonly readOnly: boolean };

function callsOf(ops: readonly string[]): Asked[] {
  return DECLARED.flows.flatMap((flow) =>
    flow.calls.flatMap((call) =>
      call.to.kind === "gateway" && ops.includes(call.to.op)
        ? [{ flow, call, op: call.to.op, readOnly: call.to.readOnly }]
        : [],
    ),
  );
}

/** Keys as the flows write them, with 1 for whatever they count. */
function keysOf(ops: readonly string[]): [Asked, string][] {
  return callsOf(ops).flatMap((asked) => {
    if (asked.call.to.kind !== "gateway" || asked.call.to.key === null) return [];
    const parts = asked.call.to.key.map((part) => {
      if (part.kind === "text") return part.text;
      return part.value.text === "case.id" || part.value.text === "case" ? CASE : "1";
    });
    return [[asked, parts.join("")] as [Asked, string]];
  });
}

function commandOf({ flow, call, op, readOnly }: Asked): CommandMessage {
  const caseId = CASE.replace("pay_", `${flow.caseKind}_`);
  const fields = call.payload.map(({ name }) => [name, name === "currency" ? "EUR" : name === "seq" ? "1" : "1001"]);
  const payload = Object.fromEntries(fields) as Record<string, string>;
  return command({ caseId, call: call.name, op, readOnly, payload, idempotencyKey: "" });
}

test("flows write the keys of what they ask about later as the adapters read them", () => {
  const ops = [...cardco.CARDCO_OPS, ...instanet.OPS.map(({ op }) => op)];
  const closing = instanet.OPS.filter(({ does }) => does === "close").map(({ op }) => op);
  const found = keysOf(ops).filter(([{ op }]) => !closing.includes(op));
  expect(found.length).toBeGreaterThan(4);
  for (const [asked, key] of found) {
    const derived = commandOf(asked);
    const expected = key.replace(CASE, derived.caseId);
    const made = cardco.keyOfOperation(derived) ?? instanet.questionOf(derived)?.path.split("/").at(-1) ?? "";
    expect([expected, txidOf(expected, HOLDER)], `${asked.flow.name} ${asked.call.name}`).toContain(made);
  }
});

test("whatever a provider says, no case is told what it could not take", () => {
  const statuses = [...cardcoWords, ...instanetWords, "other"];
  const anything = fc.oneof(fc.jsonValue(), fc.constantFrom(null, {}, [], "x", { code: "not_found" }));
  const body = fc.record({
    status: fc.oneof(fc.constantFrom(...statuses), anything),
    minor: fc.oneof(fc.constantFrom("1001", "7", "1002"), fc.string()),
    reason: anything,
    payments: fc.oneof(
      fc.constant([]),
      fc.constant([payment("p", "1001")]),
      fc.constant([payment("a\nb", "1")]),
      anything,
    ),
    error: anything,
    http: fc.constantFrom(200, 200, 200, 400, 404, 409, 422),
  });
  const calls = [
    ...callsOf(cardco.CARDCO_OPS).map((asked) => ({ asked, read: cardco.answersOf, by: CARDCO })),
    ...callsOf(instanet.OPS.map(({ op }) => op)).map((asked) => ({ asked, read: instanet.answersOf, by: INSTANET })),
  ];
  expect(calls.length).toBeGreaterThan(8);
  const seen = new Set<string>();
  fc.assert(
    fc.property(body, fc.constantFrom(...calls), ({ http, minor, ...said }, { asked, read, by }) => {
      const one = commandOf(asked);
      const key = cardco.keyOfOperation(one) ?? "";
      const [, , , kind = "", txid = ""] = instanet.questionOf(one)?.path.split("/") ?? [];
      const json = { ...said, key, kind, txid, reference: `${HOLDER}.x`, amount: { currency: "EUR", minor } };
      for (const answer of read(one, answered(json, http), by) ?? []) {
        seen.add(answer.result);
        expect(fitting.fits(one, answer), `${one.call} ${JSON.stringify(answer)}`).toBe(true);
      }
    }),
    { numRuns: 3_000 },
  );
  expect(seen.size).toBeGreaterThan(6);
});

test("no case is told what it could not take, whatever kind its producer put into its id", () => {
  const ulid = CASE.slice("pay_".length);
  const answer = { result: "approved", observation: "auth/1/approved", payload: {}, afterMs: 0, isUnasked: false };
  const right = { ...answer, payload: { approved: "1001", seq: "1" } };
  for (const caseId of [CASE, `zzz_${ulid}`, `pyo_${ulid}`, "01930000-0000-7000-8000-000000000000"]) {
    const asked = { caseId, call: "authorize", op: "card.authorize" };
    const taken = [right, answer, { ...right, result: "nonsense" }].map((one) => fitting.fits(asked, one));
    expect(taken, caseId).toEqual([true, false, false]);
    const declined = (code: string) => ({
      ...right,
      result: "declined",
      payload: { code, retriable: "false", seq: "1" },
    });
    const told = ["do_not_honor", "do\0not"].map((code) => fitting.fits(asked, declined(code)));
    expect(told, caseId).toEqual([true, false]);
  }
});

describe("a call whose results differ between the versions of its flow", () => {
  const card = DECLARED.flows.find(({ name }) => name === "card") as Flow;
  const withoutUnavailable = (calls: Flow["calls"]): Flow["calls"] =>
    calls.map((call) => ({ ...call, results: call.results.filter(({ result }) => result !== "unavailable") }));
  const earlier: Flow = { ...card, version: "0.9.0", calls: withoutUnavailable(card.calls) };
  const both = new Fitting([...DECLARED.flows, earlier]);
  const asked = { holderId: "mer_7", caseId: CASE, call: "authorize", op: "card.authorize" };
  const told = { observation: "auth/1/x", afterMs: 0, isUnasked: false };
  const approved = { ...told, result: "approved", payload: { approved: "1001", seq: "1" } };
  const unavailable = { ...told, result: "unavailable", payload: { seq: "1" } };
  const lookingAt = async (flow: string | Error | null, answer: typeof unavailable | typeof approved) => {
    let looks = 0;
    const fits = await both.fitsCase(asked, answer, async () => {
      looks += 1;
      if (flow instanceof Error) throw flow;
      return flow;
    });
    return [fits, looks];
  };

  test("fits where the case's own version has it, and the case is looked at only for that", async () => {
    expect(await lookingAt("card@1.0.0", approved)).toEqual([true, 0]);
    expect(await lookingAt("card@1.0.0", { ...unavailable, result: "nonsense" })).toEqual([false, 0]);
    expect(await lookingAt("card@1.0.0", unavailable)).toEqual([true, 1]);
    expect(await lookingAt("card@0.9.0", unavailable)).toEqual([false, 1]);
  });

  test("fits no case that is not there, nor one of a version that is not loaded, nor where nobody can look", async () => {
    for (const flow of [null, "card@9.0.0", new Error("no database")])
      expect(await lookingAt(flow, unavailable)).toEqual([false, 1]);
  });

  test("is told by a webhook as the case's own version has it, and again later where that is not loaded", () => {
    expect(both.fitsFlow("card@0.9.0", asked, unavailable)).toBe(false);
    expect(both.fitsFlow("card@1.0.0", asked, unavailable)).toBe(true);
    expect(() => both.callFor("card@9.0.0", "card.authorize")).toThrow("card@9.0.0 came after this process began");
  });
});

const cardcoWords = ["approved", "action_required", "declined", "completed", "failed", "pending"];
const instanetWords = ["active", "processing", "closed", "returned"];
