// The sandbox over real HTTP: both of its interfaces, everything that it does wrong, and what is sent to it by those who
// mean no good. Kills are in test/faults/sandbox.test.ts.

import { createHmac } from "node:crypto";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { readScript } from "../../src/sandbox/script.ts";
import {
  type Answered,
  type Client,
  eur,
  type Heard,
  inAnHour,
  KEYS,
  openHearer,
  openSandbox,
  temporaryDir,
} from "../support/sandbox.ts";
import { waitFor } from "../support/wait.ts";

const AN_HOUR_AGO = new Date(Date.now() - 3_600_000).toISOString();
const authorization = (minor: number | string, rest: object = {}) => ({
  reference: "pay_1",
  amount: eur(minor),
  token: "tok_visa",
  partial_approval: false,
  ...rest,
});
const charge = (minor: number | string, rest: object = {}) => ({
  amount: eur(minor),
  not_after: inAnHour(),
  details: {},
  ...rest,
});
const script = (text: string) => ({ script: readScript(text).rules });

const status = ({ body }: Answered) => body["status"];
const code = ({ body }: Answered) => (body["error"] as { code: string } | undefined)?.code;
const bodyOf = ({ text }: Heard) => JSON.parse(text) as Record<string, Record<string, unknown>>;
/** Whatever became of the request: an answer, or nothing. */
const tried = (answer: Promise<Answered>): Promise<Answered | "no answer"> => answer.catch(() => "no answer" as const);

describe("cardco", () => {
  test("authorizes, increments, captures, voids the rest and refunds, and its statement says so", async () => {
    const { client } = await openSandbox();
    expect(await client.post("authorizations", "k1", authorization(1000))).toMatchObject({
      status: 200,
      body: {
        key: "k1",
        reference: "pay_1",
        kind: "authorization",
        status: "approved",
        amount: eur(1000),
        reason: null,
        action: null,
      },
    });
    expect(status(await client.post("authorizations/pay_1/increments", "k2", { amount: eur(200) }))).toBe("approved");
    expect(status(await client.post("authorizations/pay_1/captures", "k3", { amount: eur(900), final: false }))).toBe(
      "completed",
    );
    const overdrawn = await client.post("authorizations/pay_1/captures", "k4", { amount: eur(301) });
    expect([status(overdrawn), overdrawn.body["reason"]]).toEqual([
      "declined",
      { code: "amount_exceeds_authorization" },
    ]);
    expect((await client.post("authorizations/pay_1/voids", "k5", {})).body).toMatchObject({
      status: "completed",
      amount: eur(300),
    });
    expect(status(await client.post("authorizations/pay_1/refunds", "k6", { amount: eur(400) }))).toBe("completed");
    expect((await client.post("authorizations/pay_1/refunds", "k7", {})).body).toMatchObject({
      status: "completed",
      amount: eur(500),
    });
    expect(status(await client.post("authorizations/pay_1/refunds", "k8", { amount: eur(1) }))).toBe("declined");
    const effects = (await client.record()).map(({ key, effect }) => `${key} ${effect}`);
    expect(effects).toEqual(["k1 done", "k2 done", "k3 done", "k5 done", "k6 done", "k7 done"]);
    const { body } = await client.ask("GET", "/sandbox/statement?provider=cardco");
    expect(String(body["text"]).trimEnd().split("\n").at(-1)).toContain(",total,,,,,EUR,0,0,");
  });

  test("takes orders that are paid later the same way, apart from authorizations of the same name", async () => {
    const { client } = await openSandbox();
    const order = { reference: "pay_1", amount: eur(500), plan: "three_parts" };
    expect((await client.post("orders", "k1", order)).body).toMatchObject({ kind: "order", status: "approved" });
    expect(code(await client.post("authorizations/pay_1/captures", "k2", { amount: eur(1) }))).toBe("payment_unknown");
    expect(status(await client.post("orders/pay_1/captures", "k3", { amount: eur(500) }))).toBe("completed");
  });

  test("answers the same key the same, says how it stands when asked, and takes no other request under it", async () => {
    const { client } = await openSandbox();
    const first = await client.post("authorizations", "k", authorization(990_020));
    expect(status(first)).toBe("action_required");
    await waitFor("the customer to do his step", async () => status(await client.operation("k")) === "approved");
    expect(await client.post("authorizations", "k", authorization(990_020))).toEqual(first);
    const others = [
      client.post("authorizations", "k", authorization(990_021)),
      client.post("authorizations", "k", authorization(990_020, { reference: "pay_2" })),
      client.post("authorizations/pay_1/voids", "k", {}),
    ];
    for (const other of others)
      expect(await other).toMatchObject({ status: 409, body: { error: { code: "idempotency_conflict" } } });
    expect(await client.record()).toHaveLength(1);
  });

  test("does nothing new behind its time, and tells of what was done before", async () => {
    const { client } = await openSandbox();
    const late = { "not-after": AN_HOUR_AGO };
    expect(await client.post("authorizations", "k", authorization(1000), late)).toMatchObject({
      status: 410,
      body: { error: { code: "too_late" } },
    });
    expect((await client.operation("k")).status).toBe(404);
    const done = await client.post("authorizations", "k", authorization(1000));
    expect(await client.post("authorizations", "k", authorization(1000), late)).toEqual(done);
  });

  test("a void ends an authorization that waits for its customer, who can do nothing then", async () => {
    const { client } = await openSandbox();
    const { body } = await client.post("authorizations", "k1", authorization(990_022));
    const url = new URL((body["action"] as { url: string }).url).pathname;
    expect(status(await client.post("authorizations/pay_1/voids", "k2", {}))).toBe("completed");
    expect((await client.operation("k1")).body).toMatchObject({ status: "declined", reason: { code: "canceled" } });
    expect(code(await client.ask("POST", `${url}?do=complete`))).toBe("not_waiting");
    expect(await client.record()).toEqual([]);
  });

  test("a customer's step is done, or given up, at its address", async () => {
    const { client } = await openSandbox();
    for (const [key, act, expected] of [
      ["k1", "complete", "approved"],
      ["k2", "abandon", "declined"],
    ] as const) {
      const { body } = await client.post("authorizations", key, authorization(990_022, { reference: key }));
      const path = new URL((body["action"] as { url: string }).url).pathname;
      expect(code(await client.ask("POST", path))).toBe("field_invalid");
      expect((await client.ask("POST", `${path}?do=${act}`)).status).toBe(200);
      expect(status(await client.operation(key))).toBe(expected);
    }
  });
});

describe("instanet", () => {
  const EXPECTED = {
    charges: "completed",
    deposits: "completed",
    payouts: "completed",
    debits: "completed",
    mandates: "active",
  };

  test("carries out every kind, and the same id again changes nothing", async () => {
    const { client } = await openSandbox();
    for (const [kind, end] of Object.entries(EXPECTED)) {
      const path = `${kind}/tx_1`;
      const asked = charge(500);
      expect(await client.put(path, asked)).toMatchObject({
        status: 200,
        body: { txid: "tx_1", kind, amount: eur(500), version: 1 },
      });
      await waitFor(`${kind} to be ${end}`, async () => status(await client.get(path)) === end);
      const again = await client.put(path, { ...asked, not_after: AN_HOUR_AGO });
      expect([status(again), again.body["version"]]).toEqual([end, kind === "deposits" ? 3 : 2]);
      expect(code(await client.put(path, { ...asked, amount: eur(501) }))).toBe("conflict");
    }
    expect((await client.record()).map(({ kind, txid }) => `${kind} ${txid}`).sort()).toEqual(
      Object.keys(EXPECTED)
        .map((kind) => `${kind} tx_1`)
        .sort(),
    );
  });

  test("gives back what came, once", async () => {
    const { client } = await openSandbox();
    await client.put("charges/c1", charge(500));
    await waitFor("the charge to be paid", async () => status(await client.get("charges/c1")) === "completed");
    const [{ id }] = (await client.get("charges/c1")).body["payments"] as [{ id: string }];
    const back = (txid: string, minor: number, e2e = id) =>
      client.put(`returns/${txid}`, charge(minor, { details: { e2e } }));
    expect(status(await back("r1", 300))).toBe("processing");
    expect((await back("r2", 201)).body).toMatchObject({
      status: "failed",
      reason: { code: "amount_exceeds_original" },
    });
    expect(status(await back("r3", 200))).toBe("processing");
    expect((await back("r4", 1, "pmt_none")).body).toMatchObject({
      status: "failed",
      reason: { code: "original_unknown" },
    });
    await waitFor("the returns", async () => (await client.record()).length === 3);
  });

  test("tells of a transfer that is asked back, also after a restart, and takes one answer to it", async () => {
    const { url, heard } = await openHearer();
    const dir = temporaryDir();
    const first = await openSandbox({ dir, webhookUrl: url });
    for (const as of ["bank_transfer", "instant_push"])
      await first.client.put(`charges/${as}`, charge(990_043, { details: { as } }));
    const versions = () => heard.map((one) => `${bodyOf(one)["txid"]} ${bodyOf(one)["version"]}`);
    await waitFor("the request's callback", () => versions().includes("bank_transfer 3"));
    await first.close();
    const { client } = await openSandbox({ dir });
    const { notifications } = (await client.get("notifications")).body as { notifications: { txid: string }[] };
    expect(notifications.map(({ txid }) => txid).filter((txid) => txid === "bank_transfer")).toHaveLength(3);
    expect((await client.get("charges/instant_push")).body).not.toHaveProperty("recalls");
    const { recalls } = (await client.get("charges/bank_transfer")).body as {
      recalls: { id: string; payment: string }[];
    };
    const [{ id: recall, payment: e2e }] = recalls as [{ id: string; payment: string }];
    const answer = (txid: string, minor: number, details: object = {}) =>
      client.put(`recalls/${txid}`, charge(minor, { details: { recall, e2e, ...details } }));
    expect(code(await answer("a0", 0))).toBe("field_invalid");
    expect(code(await answer("a0", 1, { why: "no" }))).toBe("field_invalid");
    expect((await answer("a1", 1, { recall: "none" })).body).toMatchObject({ reason: { code: "recall_unknown" } });
    expect((await answer("a2", 990_044)).body).toMatchObject({ reason: { code: "amount_exceeds_original" } });
    expect(status(await answer("a3", 0, { why: "no" }))).toBe("processing");
    expect((await answer("a4", 990_043)).body).toMatchObject({ reason: { code: "recall_answered" } });
    await waitFor("the answer", async () => status(await client.get("recalls/a3")) === "completed");
    const told = (await client.record()).filter((line) => line["recall"] === recall);
    expect(told.map(({ kind, effect, amount }) => [kind, effect, amount])).toEqual([
      ["charges", "recalled", eur(990_043)],
      ["recalls", "done", eur(0)],
    ]);
  });

  test("gives back what was debited, named by the client's id, and what comes back of it later comes back whole", async () => {
    const { client } = await openSandbox({ times: { soonMs: 300, lateMs: 3_000, slowMs: 200, silentMs: 60_000 } });
    await client.put("debits/d1", charge(500));
    const back = (txid: string, minor: number, e2e: string) =>
      client.put(`returns/${txid}`, charge(minor, { details: { e2e } }));
    expect((await back("r0", 1, "d1")).body).toMatchObject({ reason: { code: "original_unknown" } });
    await waitFor("the debit", async () => status(await client.get("debits/d1")) === "completed");
    const [{ id }] = (await client.get("debits/d1")).body["payments"] as [{ id: string }];
    expect(status(await back("r1", 300, "d1"))).toBe("processing");
    // One debit, by whichever of its names.
    expect((await back("r2", 201, id)).body).toMatchObject({ reason: { code: "amount_exceeds_original" } });
    expect(status(await back("r3", 200, id))).toBe("processing");
    // Comes back late.
    await client.put("debits/d2", charge(990_040));
    await waitFor("the second debit", async () => status(await client.get("debits/d2")) === "completed");
    expect(status(await back("r4", 40, "d2"))).toBe("processing");
    await waitFor("its return", async () => status(await client.get("debits/d2")) === "returned");
    expect((await back("r5", 1, "d2")).body).toMatchObject({ reason: { code: "amount_exceeds_original" } });
    const did = (await client.record()).map(({ txid, effect, amount }) => [txid, effect, amount]);
    expect(did.filter(([txid]) => txid === "d2" || txid === "r4")).toEqual([
      ["d2", "done", eur(990_040)],
      ["r4", "done", eur(40)],
      ["d2", "undone", eur(990_040)],
    ]);
    const { body } = await client.ask("GET", "/sandbox/statement?provider=instanet");
    const refunds = String(body["text"])
      .split("\n")
      .map((line) => line.split(","))
      .filter(([, , , , type]) => type === "refund");
    expect(refunds.map((cells) => [cells[6], cells[10]])).toEqual([
      ["returns/r1", "-300"],
      ["returns/r3", "-200"],
      ["returns/r4", "-40"],
    ]);
    expect(refunds.map((cells) => cells[7] === id)).toEqual([true, true, false]);
  });

  test("claims a charge back for fraud, tells of each claim, lists it and has it in its statement", async () => {
    const { url: webhookUrl, heard } = await openHearer();
    const times = { soonMs: 20, lateMs: 1_000, slowMs: 200, silentMs: 60_000 };
    const { client } = await openSandbox({ webhookUrl, times });
    await client.put("charges/c1", charge(990_044));
    const claims = async () => (await client.get("charges/c1")).body["claims"] as { id: string; amount: object }[];
    await waitFor("both claims", async () => (await claims()).length === 2);
    expect((await claims()).map(({ amount }) => amount)).toEqual([eur(495_022), eur(495_022)]);
    expect(status(await client.get("charges/c1"))).toBe("completed");
    await waitFor("the callbacks", () => heard.length === 4);
    const versions = heard.map(({ text }) => JSON.parse(text) as { status: string; version: number });
    expect(versions.map((one) => one.version).sort()).toEqual([1, 2, 3, 4]);
    const did = (await client.record()).map(({ effect, amount }) => [effect, amount]);
    expect(did).toEqual([
      ["done", eur(990_044)],
      ["undone", eur(495_022)],
      ["undone", eur(495_022)],
    ]);
    const listed = await client.get("notifications");
    expect(listed.body["notifications"]).toHaveLength(4);
    const { body } = await client.ask("GET", "/sandbox/statement?provider=instanet");
    expect(String(body["text"]).match(/,chargeback,/g)).toHaveLength(2);
    // Of what has gone back already nothing is claimed.
    await client.put("charges/c2", charge(990_044));
    await waitFor("the payment", async () => status(await client.get("charges/c2")) === "completed");
    const [{ id }] = (await client.get("charges/c2")).body["payments"] as [{ id: string }];
    const back = charge(600_000, { details: { e2e: id } });
    expect(status(await client.put("returns/r2", back))).toBe("processing");
    const own = async () => (await client.record()).filter(({ txid }) => txid === "c2");
    await waitFor("the claim of the rest", async () => (await own()).length === 2);
    await sleep(400);
    expect((await own()).map(({ effect, amount }) => [effect, amount])).toEqual([
      ["done", eur(990_044)],
      ["undone", eur(390_044)],
    ]);
  });

  test("closes what waits, at a close or at its time, and writes down money that comes all the same", async () => {
    const { client } = await openSandbox();
    await client.put("charges/c1", charge(990_013));
    expect(status(await client.close("charges/c1"))).toBe("closed");
    expect(status(await client.close("charges/c1"))).toBe("closed");
    await client.put("deposits/d1", charge(990_022, { expires_at: new Date(Date.now() + 50).toISOString() }));
    await waitFor("the deposit to expire", async () => status(await client.get("deposits/d1")) === "closed");
    expect((await client.get("deposits/d1")).body).toMatchObject({ reason: { code: "expired" }, payments: [] });
    await waitFor(
      "the late payment",
      async () => ((await client.get("charges/c1")).body["payments"] as unknown[]).length === 1,
    );
    expect((await client.get("charges/c1")).body).toMatchObject({ status: "closed", version: 3 });
    await client.put("payouts/p1", charge(5));
    expect(status(await client.close("payouts/p1"))).not.toBe("closed");
  });

  test("a token ends, and after that opens nothing", async () => {
    const { client } = await openSandbox({ tokenSeconds: 1 });
    const headers = { authorization: `Bearer ${await client.token()}` };
    expect((await client.ask("GET", "/instanet/v1/charges/x", headers)).status).toBe(404);
    await waitFor(
      "the token to end",
      async () => (await client.ask("GET", "/instanet/v1/charges/x", headers)).status === 401,
    );
  });
});

describe("at most one effect", () => {
  test("whoever asks at once, for the same or for something else", async () => {
    const { client } = await openSandbox();
    const asked = Array.from({ length: 40 }, (_, at) =>
      client.post("authorizations", "k", authorization(at % 4 === 3 ? 2000 : 1000)),
    );
    const answers = await Promise.all(asked);
    const done = answers.filter(({ status: answered }) => answered === 200).map(({ body }) => JSON.stringify(body));
    expect([new Set(done).size, answers.filter(({ status: answered }) => answered === 409).length]).toEqual([
      1,
      40 - done.length,
    ]);
    const put = charge(700);
    await Promise.all(Array.from({ length: 40 }, () => client.put("payouts/tx", put)));
    await waitFor("the payout", async () => status(await client.get("payouts/tx")) === "completed");
    expect(await client.record()).toHaveLength(2);
  });

  test("captures at once take no more than was authorized", async () => {
    const { client } = await openSandbox();
    await client.post("authorizations", "k", authorization(1000));
    const captures = Array.from({ length: 20 }, (_, at) =>
      client.post("authorizations/pay_1/captures", `c${at}`, { amount: eur(300) }),
    );
    const done = (await Promise.all(captures)).filter((one) => status(one) === "completed");
    expect(done).toHaveLength(3);
  });
});

describe("every line", () => {
  /** What the first request gets, whether it was done then, and what the second gets. */
  const LINES = {
    101: { first: 200, isDone: true },
    102: { first: "no answer", isDone: true },
    103: { first: "no answer", isDone: false },
    104: { first: 500, isDone: true },
    105: { first: 503, isDone: false },
    106: { first: "no answer", isDone: true },
    107: { first: "no answer", isDone: false },
    108: { first: 429, isDone: false },
    109: { first: 200, isDone: true },
    110: { first: "no answer", isDone: true },
  } as const;

  test.each(Object.entries(LINES))(
    "%s is answered as it says, and has one effect however often it is sent",
    async (number, { first, isDone }) => {
      const { client } = await openSandbox({ times: { soonMs: 1, lateMs: 150, slowMs: 100, silentMs: 300 } });
      const send = {
        key: (): Promise<Answered> => client.post("authorizations", "key", authorization(`990${number}`)),
        txid: (): Promise<Answered> =>
          client.put("payouts/txid", charge(`990${number}`, { not_after: "2099-01-01T00:00:00Z" })),
      };
      for (const [name, sending] of Object.entries(send)) {
        const answer = await tried(sending());
        expect([name, answer === "no answer" ? answer : answer.status]).toEqual([name, first]);
        await sleep(30);
        expect((await client.record()).some((one) => one[name] === name)).toBe(isDone);
        const again = await sending();
        expect([name, again.status, ["approved", "processing", "completed"].includes(String(status(again)))]).toEqual([
          name,
          200,
          true,
        ]);
        await sending();
        await sleep(30);
        expect((await client.record()).filter((one) => one[name] === name)).toHaveLength(1);
      }
    },
  );

  test("a slow one is late, one that answers with a page has no JSON, one that is blind cannot be asked once", async () => {
    const { client } = await openSandbox({ times: { soonMs: 1, lateMs: 150, slowMs: 100, silentMs: 300 } });
    const before = Date.now();
    await client.post("authorizations", "k1", authorization(990_101));
    expect(Date.now() - before).toBeGreaterThanOrEqual(95);
    expect((await client.post("authorizations", "k2", authorization(990_109))).body).toHaveProperty("text");
    await tried(client.post("authorizations", "k3", authorization(990_110)));
    expect([(await client.operation("k3")).status, (await client.operation("k3")).status]).toEqual([503, 200]);
  });

  test("what is refused is 422 with nothing done, and may be asked for anew", async () => {
    const { client } = await openSandbox();
    const refused = await client.post("authorizations", "k", authorization(1000, { token: "tok_stripe_4241" }));
    expect([refused.status, code(refused)]).toEqual([422, "incorrect_number"]);
    expect(status(await client.post("authorizations", "k", authorization(1000)))).toBe("approved");
  });
});

describe("webhooks", () => {
  test("tell of each thing that happens, signed over what was sent", async () => {
    const { url, heard } = await openHearer();
    const { client } = await openSandbox({ webhookUrl: url });
    const { body } = await client.post("authorizations", "k", authorization(990_020));
    await client.put("charges/c1", charge(500));
    await waitFor("four webhooks", () => heard.length === 4);
    for (const { headers, text } of heard) {
      const [name, secret] =
        headers["cardco-signature"] === undefined
          ? (["instanet", KEYS.instanetCallbackSecret] as const)
          : (["cardco", KEYS.cardcoWebhookSecret] as const);
      const pairs = new Map(
        String(headers[`${name}-signature`])
          .split(",")
          .map((pair) => pair.split("=") as [string, string]),
      );
      const hex = createHmac("sha256", secret)
        .update(`${pairs.get("t")}.${text}`)
        .digest("hex");
      expect(pairs.get(name === "cardco" ? "v1" : "sig")).toBe(hex);
      expect(Math.abs(Number(pairs.get("t")) - Date.now() / 1000)).toBeLessThan(10);
    }
    const events = heard.map(bodyOf);
    expect(events.map(({ type, kind, status: now }) => String(type ?? `${kind} ${now}`)).sort()).toEqual([
      "authorization.action_required",
      "authorization.approved",
      "charges active",
      "charges completed",
    ]);
    const first = events.find(({ type }) => String(type) === "authorization.action_required");
    expect(first?.["operation"]).toEqual(body);
    expect(events.find(({ status: now }) => String(now) === "completed")).toMatchObject({
      txid: "c1",
      version: 2,
      payment: { amount: eur(500) },
    });
  });

  test("come again until they are taken", async () => {
    const { url, heard } = await openHearer((nth) => (nth < 3 ? 500 : 204));
    const { client } = await openSandbox({ webhookUrl: url });
    await client.post("authorizations", "k", authorization(1000));
    await waitFor("the fourth try", () => heard.length === 4);
    await sleep(300);
    expect([heard.length, new Set(heard.map(({ text }) => text)).size]).toEqual([4, 1]);
    const waits = heard.slice(1).map(({ at }, nth) => at - (heard[nth]?.at ?? 0));
    expect(waits.map((wait, nth) => wait >= 100 * 2 ** nth - 5)).toEqual([true, true, true]);
  });

  /** The webhooks of one operation that happens in two turns, by the word for them. */
  async function told(post: string, count: number): Promise<{ heard: readonly Heard[]; answeredAt: number }> {
    const { url, heard } = await openHearer();
    const { client } = await openSandbox({ webhookUrl: url, ...script(`[{"do":"pending_done ${post}"}]`) });
    await client.post("authorizations", "k", authorization(1000));
    const answeredAt = Date.now();
    await waitFor(
      () => `${count} webhooks, heard ${heard.length}`,
      () => heard.length >= count,
    );
    await sleep(400);
    return { heard, answeredAt };
  }
  const types = (heard: readonly Heard[]): string[] =>
    heard.map((one) => String(bodyOf(one)["type"]).replace("authorization.", ""));

  test("twice: each comes again", async () => {
    const { heard } = await told("twice", 4);
    expect(types(heard).sort()).toEqual(["approved", "approved", "pending", "pending"]);
    expect(new Set(heard.map(({ text }) => text)).size).toBe(2);
  });

  test("late: behind the answer by far", async () => {
    const { heard, answeredAt } = await told("late", 2);
    expect([types(heard), (heard[0]?.at ?? 0) - answeredAt > 90]).toEqual([["pending", "approved"], true]);
  });

  test("early: before the answer", async () => {
    const { heard, answeredAt } = await told("early", 2);
    expect((heard[0]?.at ?? Number.POSITIVE_INFINITY) <= answeredAt).toBe(true);
  });

  test("swapped: the first behind the second", async () => {
    expect(types((await told("swapped", 2)).heard)).toEqual(["approved", "pending"]);
  });

  test("unsent: never", async () => {
    expect((await told("unsent", 0)).heard).toEqual([]);
  });

  test("forged: a wrong signature under a word that would be worth money, then the right one", async () => {
    const { heard } = await told("forged", 4);
    const isRight = ({ headers, text }: Heard): boolean => {
      const [, seconds, hex] = /^t=(\d+),v1=(.*)$/.exec(String(headers["cardco-signature"])) ?? [];
      return hex === createHmac("sha256", KEYS.cardcoWebhookSecret).update(`${seconds}.${text}`).digest("hex");
    };
    expect(heard.map(isRight).sort()).toEqual([false, false, true, true]);
    expect(types(heard.filter(isRight))).toEqual(["pending", "approved"]);
    const lies = heard.filter((one) => !isRight(one)).map((one) => bodyOf(one)["operation"]?.["status"]);
    expect(lies).toEqual(["completed", "completed"]);
  });
});

test("a stop answers what was asked, and the next start goes on: steps that were due, webhooks that were not taken", async () => {
  const { url, heard } = await openHearer((nth) => (nth < 2 ? 503 : 204));
  const dir = temporaryDir();
  const times = { soonMs: 20, lateMs: 600, slowMs: 200, silentMs: 60_000 };
  const first = await openSandbox({ dir, webhookUrl: url, times });
  const slow = first.client.post("authorizations", "slow", authorization(990_101));
  const silent = tried(first.client.post("authorizations", "silent", authorization(990_102, { reference: "pay_2" })));
  await first.client.post("authorizations", "pending", authorization(990_030, { reference: "pay_3" }));
  await waitFor("a webhook that is not taken", () => heard.length > 0);
  await first.close();
  expect([(await slow).status, await silent]).toEqual([200, "no answer"]);
  const second = await openSandbox({ dir, webhookUrl: url, times });
  expect(second.effects).toBe(2);
  await waitFor("the step that was due", async () => status(await second.client.operation("pending")) === "approved");
  const ids = new Set<unknown>();
  await waitFor("all webhooks", () => {
    for (const one of heard) ids.add(bodyOf(one)["id"]);
    return ids.size === 4;
  });
  expect((await second.client.record()).map(({ key }) => key).sort()).toEqual(["pending", "silent", "slow"]);
  await second.close();
  const before = heard.length;
  const third = await openSandbox({ dir, webhookUrl: url, times });
  await sleep(200);
  expect([heard.length, (await third.client.record()).length]).toEqual([before, 3]);
});

describe("the list of events", () => {
  const cardco = { authorization: `Bearer ${KEYS.cardcoKey}` };
  type Page = { readonly events: Record<string, unknown>[]; readonly next: string; readonly has_more: boolean };
  const listOf = async (client: Client, query: Record<string, string>): Promise<Page> => {
    return (await client.ask("GET", `/cardco/v1/events?${new URLSearchParams(query)}`, cardco)).body as Page;
  };
  const notificationsOf = async (client: Client, query: Record<string, string>) => {
    const { body } = await client.get(`notifications?${new URLSearchParams(query)}`);
    const { notifications, page } = body as { notifications: Record<string, unknown>[]; page: object };
    return { kinds: notifications.map(({ kind, status: is }) => `${kind} ${is}`), page };
  };

  test("tells of each thing that happened, as its webhook does, to each provider of its own", async () => {
    const hearer = await openHearer();
    const { client } = await openSandbox({ webhookUrl: hearer.url });
    await client.post("authorizations", "k1", authorization(1000));
    await client.put("charges/c1", charge(1000));
    await client.post("authorizations/pay_1/captures", "k2", { amount: eur(900), final: false });
    await waitFor("all webhooks", () => hearer.heard.length === 4);
    const webhooks = hearer.heard.map(bodyOf).filter(({ operation }) => operation !== undefined);
    const { events, ...rest } = await listOf(client, {});
    expect([...events].sort(byId)).toEqual([...webhooks].sort(byId));
    expect(events.map(({ type }) => type)).toEqual(["authorization.approved", "capture.completed"]);
    expect(rest).toEqual({ next: "4", has_more: false });
    expect(await notificationsOf(client, {})).toEqual({
      kinds: ["charges active", "charges completed"],
      page: { cursor: "4", end: true },
    });
    expect((await listOf(client, { after: "1" })).events.map(({ type }) => type)).toEqual(["capture.completed"]);
  });

  test("without those whose webhook was taken: none was sent, or it was given no 2xx yet", async () => {
    const hearer = await openHearer((nth) => (nth === 0 ? 204 : 503));
    const dir = temporaryDir();
    const unsent = script(
      '[{"when":{"reference":"pay_2"},"do":"done unsent"},{"when":{"minor":"7*"},"do":"done forged"}]',
    );
    const first = await openSandbox({ dir, webhookUrl: hearer.url, ...unsent });
    await first.client.post("authorizations", "k1", authorization(1000));
    await waitFor("the first webhook", () => hearer.heard.length === 1);
    await first.client.post("authorizations", "k2", authorization(1000, { reference: "pay_2" }));
    await first.client.post("authorizations", "k3", authorization(700, { reference: "pay_3" }));
    await waitFor("the forged one, and one that is not taken", () => hearer.heard.length >= 3);
    const keysOf = async (client: Client) => {
      const { events } = await listOf(client, { delivered: "false" });
      return events.map(({ operation }) => (operation as { key: string }).key);
    };
    expect(await keysOf(first.client)).toEqual(["k2", "k3"]);
    expect((await listOf(first.client, {})).events.length).toBe(3);
    await first.close();
    const again = await openSandbox({ dir, webhookUrl: hearer.url, ...unsent });
    expect(await keysOf(again.client)).toEqual(["k2", "k3"]);
    expect((await notificationsOf(again.client, { status: "undelivered" })).kinds).toEqual([]);
  });

  test("up to a moment, and in pages that go on where the last one ended", async () => {
    const { client } = await openSandbox();
    const asking = Array.from({ length: 150 }, (_, at) => client.put(`payouts/p${at}`, charge(1000)));
    await Promise.all(asking);
    await waitFor("all payouts to be done", async () => {
      const { body } = await client.get("notifications?cursor=300");
      return body["page"] !== undefined;
    });
    const kinds: string[] = [];
    let page: Record<string, unknown> = { cursor: "", end: false };
    while (page["end"] === false) {
      const read = await notificationsOf(client, { cursor: String(page["cursor"]) });
      expect(read.kinds.length).toBeLessThanOrEqual(100);
      kinds.push(...read.kinds);
      page = read.page as Record<string, unknown>;
    }
    expect([kinds.length, page["cursor"]]).toEqual([300, "300"]);
    const none = await notificationsOf(client, { before: AN_HOUR_AGO });
    expect(none).toEqual({ kinds: [], page: { cursor: "0", end: true } });
  });

  test("says what is wrong with a question, and is for who may log in", async () => {
    const { client } = await openSandbox();
    for (const query of ["after=x", "after=-1", "after=1", "until=today", "delivered=true"])
      expect([query, code(await client.ask("GET", `/cardco/v1/events?${query}`, cardco))]).toEqual([
        query,
        "field_invalid",
      ]);
    for (const query of ["cursor=1.5", "before=1", "status=sent"])
      expect([query, code(await client.get(`notifications?${query}`))]).toEqual([query, "field_invalid"]);
    expect((await client.ask("GET", "/cardco/v1/events")).status).toBe(401);
    expect((await client.ask("GET", "/instanet/v1/notifications")).status).toBe(401);
  });
});

const byId = (one: Record<string, unknown>, other: Record<string, unknown>): number =>
  String(one["id"]).localeCompare(String(other["id"]));

describe("what means no good", () => {
  const good = {
    authorization: `Bearer ${KEYS.cardcoKey}`,
    "content-type": "application/json",
    "idempotency-key": "k",
    "not-after": inAnHour(),
  };
  const auth = JSON.stringify(authorization(1000));
  const big = JSON.stringify(authorization(1000, { reference: "x".repeat(70_000) }));
  const deep = `{"reference":"r","amount":{"currency":"EUR","minor":"1"},"token":"t","partial_approval":${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}}`;
  const without = (name: keyof typeof good) => Object.fromEntries(Object.entries(good).filter(([one]) => one !== name));
  const amountOf = (amount: unknown) => JSON.stringify(authorization(1000, { amount }));
  // A published number for tests, of which no piece stands here that reads as one.
  const card = ["4000", "0000", "0000", "0002"].join("");

  const CASES: readonly (readonly [
    what: string,
    headers: Record<string, string>,
    body: string,
    status: number,
    code: string,
  ])[] = [
    ["no key", without("authorization"), auth, 401, "unauthorized"],
    ["a wrong key", { ...good, authorization: "Bearer cardco-test-kez" }, auth, 401, "unauthorized"],
    ["another scheme", { ...good, authorization: KEYS.cardcoKey }, auth, 401, "unauthorized"],
    ["no idempotency key", without("idempotency-key"), auth, 400, "idempotency_key_invalid"],
    ["an idempotency key with spaces", { ...good, "idempotency-key": "a b" }, auth, 400, "idempotency_key_invalid"],
    ["one that is too long", { ...good, "idempotency-key": "k".repeat(256) }, auth, 400, "idempotency_key_invalid"],
    ["no time", without("not-after"), auth, 400, "field_invalid"],
    ["no real time", { ...good, "not-after": "2026-13-45T00:00:00Z" }, auth, 400, "field_invalid"],
    ["a time without its zone", { ...good, "not-after": "2099-01-01T00:00:00" }, auth, 400, "field_invalid"],
    ["no content type", without("content-type"), auth, 415, "content_type_invalid"],
    ["a form", { ...good, "content-type": "application/x-www-form-urlencoded" }, auth, 415, "content_type_invalid"],
    ["no body", good, "", 400, "body_invalid"],
    ["half of a body", good, auth.slice(0, 20), 400, "body_invalid"],
    ["no UTF-8", good, "\u00ff", 400, "body_invalid"],
    ["a list", good, "[]", 400, "field_invalid"],
    ["null", good, "null", 400, "field_invalid"],
    ["too much", good, big, 413, "too_large"],
    ["too deep", good, deep, 400, "field_invalid"],
    ["a field that is not known", good, JSON.stringify(authorization(1, { amuont: 1 })), 400, "field_unknown"],
    ["the prototype", good, '{"__proto__":{"token":"t"}}', 400, "field_unknown"],
    ["no amount", good, JSON.stringify({ reference: "r", token: "t" }), 400, "field_missing"],
    ["an amount as a number", good, amountOf({ currency: "EUR", minor: 1000 }), 400, "field_invalid"],
    ["a fraction", good, amountOf({ currency: "EUR", minor: "10.5" }), 400, "field_invalid"],
    ["less than nothing", good, amountOf({ currency: "EUR", minor: "-5" }), 400, "field_invalid"],
    ["nothing", good, amountOf({ currency: "EUR", minor: "0" }), 400, "field_invalid"],
    ["zeros in front", good, amountOf({ currency: "EUR", minor: "007" }), 400, "field_invalid"],
    ["39 digits", good, amountOf({ currency: "EUR", minor: "1".repeat(39) }), 400, "field_invalid"],
    ["no currency", good, amountOf({ currency: "eur", minor: "1" }), 400, "field_invalid"],
    ["more in an amount", good, amountOf({ currency: "EUR", minor: "1", scale: 2 }), 400, "field_unknown"],
    ["no token", good, JSON.stringify({ reference: "r", amount: eur(1) }), 400, "field_missing"],
    ["a card number for a token", good, JSON.stringify(authorization(1, { token: card })), 422, "card_number"],
    [
      "a card number in a reference",
      good,
      JSON.stringify(authorization(1, { reference: `x ${card}` })),
      422,
      "card_number",
    ],
  ];

  test("gets a clear answer each, that quotes nothing, and has no effect", async () => {
    const { client } = await openSandbox();
    for (const [what, headers, body, expected, why] of CASES) {
      const sent =
        what === "no UTF-8"
          ? await sendBytes(client, headers)
          : await client.ask("POST", "/cardco/v1/authorizations", headers, body);
      expect([what, sent.status, code(sent)]).toEqual([what, expected, why]);
      expect(JSON.stringify(sent.body)).not.toContain(card);
    }
    expect([(await client.operation("k")).status, await client.record()]).toEqual([404, []]);
    expect((await client.post("authorizations", "k", authorization(1000))).status).toBe(200);
  });

  /** `fetch` would make UTF-8 of it. */
  async function sendBytes(client: Client, headers: Record<string, string>): Promise<Answered> {
    void client;
    const { url } = await openSandbox();
    return new Promise((resolve, reject) => {
      const sent = httpRequest(`${url}/cardco/v1/authorizations`, { method: "POST", headers }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
      });
      sent.on("error", reject);
      sent.end(Buffer.from([0x7b, 0xff, 0x7d]));
    });
  }

  test("at instanet too", async () => {
    const { client } = await openSandbox();
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const login = (grant: string, id: string, secret: string) =>
      client.ask(
        "POST",
        "/instanet/oauth/token",
        form,
        new URLSearchParams({ grant_type: grant, client_id: id, client_secret: secret }).toString(),
      );
    expect((await login("password", "millrace", KEYS.instanetClientSecret)).status).toBe(400);
    expect(await login("client_credentials", "millrace", "guess")).toEqual({
      status: 401,
      body: { error: "invalid_client" },
    });
    expect((await login("client_credentials", "milrace", KEYS.instanetClientSecret)).status).toBe(401);
    const token = await client.token();
    for (const wrong of ["", "Bearer", `Bearer ${token}x`, `Bearer 9${token}`, `Basic ${token}`]) {
      const headers = wrong === "" ? {} : { authorization: wrong };
      expect([wrong, code(await client.ask("GET", "/instanet/v1/charges/x", headers))]).toEqual([
        wrong,
        "invalid_token",
      ]);
    }
    const put = (path: string, body: object) => client.put(path, body).then((one) => [one.status, code(one)]);
    expect(await put("gifts/x", charge(1))).toEqual([404, "not_found"]);
    expect(await put(`charges/${"x".repeat(65)}`, charge(1))).toEqual([400, "field_invalid"]);
    expect(await put("charges/a%2Fb", charge(1))).toEqual([400, "field_invalid"]);
    expect(await put("charges/%00", charge(1))).toEqual([400, "field_invalid"]);
    expect(await put(`charges/${card}`, charge(1))).toEqual([422, "card_number"]);
    expect(await put("charges/x", charge(0))).toEqual([400, "field_invalid"]);
    expect(await put("charges/x", charge(1, { note: "" }))).toEqual([400, "field_unknown"]);
    expect(await put("charges/x", charge(1, { details: { a: 1 } }))).toEqual([400, "field_invalid"]);
    expect(await put("charges/x", charge(1, { details: { a: card } }))).toEqual([422, "card_number"]);
    expect(await put("charges/x", charge(1, { not_after: AN_HOUR_AGO }))).toEqual([410, "too_late"]);
    expect(await put("charges/x", charge(1, { not_after: 5 }))).toEqual([400, "field_invalid"]);
    expect(code(await client.close("charges/x"))).toBe("not_found");
    expect(await client.record()).toEqual([]);
  });

  test("on every other way in", async () => {
    const { client, port } = await openSandbox();
    const asks = [
      ["GET", "/nothing", 404],
      ["DELETE", "/cardco/v1/operations", 404],
      ["GET", "/cardco/v1/authorizations/%E0%A4%A", 400],
      ["GET", "/sandbox/statement", 400],
      ["GET", "/sandbox/statement?provider=cardco&day=today", 400],
      ["POST", "/sandbox/actions/none?do=complete", 404],
    ] as const;
    for (const [method, path, expected] of asks) {
      const answered = await client.ask(method, path);
      expect([path, answered.status, typeof answered.body["error"]]).toEqual([path, expected, "object"]);
    }
    // What is no HTTP at all, and a client that goes away in the middle, harm nobody else.
    for (const bytes of [
      "\0\0\0\r\n\r\n",
      "POST /cardco/v1/authorizations HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
    ]) {
      const socket = connect(port, "127.0.0.1", () => socket.end(bytes));
      socket.on("error", () => undefined);
      await sleep(50);
      socket.destroy();
    }
    expect((await client.post("authorizations", "k", authorization(1000))).status).toBe(200);
  });
});
