// Webhooks over real HTTP, from a provider that may send them twice, late, in any order, or not be the provider at all.

import { createHmac } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { parseCaseId } from "../../src/domain/ids.ts";
import type { Answer, Told } from "../../src/gateways/contract.ts";
import { type CaseOwner, EventDesk } from "../../src/gateways/event-desk.ts";
import { Fitting } from "../../src/gateways/fitting.ts";
import { openCardco } from "../../src/gateways/providers/cardco/gateway.ts";
import type { HttpProvider } from "../../src/gateways/providers/http-provider.ts";
import { webhookRoutes } from "../../src/gateways/webhooks.ts";
import { type HttpServer, startHttpServer } from "../../src/http/server.ts";
import { DECLARED } from "../support/ledger.ts";
import { CASE, descriptorOf } from "../support/providers.ts";

const LANES = 4;
const SECRET = "the webhook";
const OWNER: CaseOwner = { holderId: "mer_7", flow: "card@1.0.0", currencies: ["EUR"] };

/** What the provider says of each key; no such key is not found. */
const operations = new Map<string, Record<string, unknown>>();
const reports: { lane: number; told: Told; answer: Answer }[] = [];
const counted: string[] = [];
const refused: string[] = [];
let owners: readonly CaseOwner[] = [OWNER];
let asked = 0;
let isDown = false;
let canReport = true;

let theirs: HttpServer;
let provider: HttpProvider;
let ours: HttpServer;

beforeAll(async () => {
  const listening = { host: "127.0.0.1", port: 0, bodyBytesMax: 4_096, requestMs: 2_000 };
  const type = { "content-type": "application/json" };
  theirs = await startHttpServer({
    ...listening,
    routes: [
      {
        method: "GET",
        path: "/cardco/v1/operations",
        handle: ({ query }) => {
          asked += 1;
          if (isDown) return { status: 401, headers: type, body: "{}" };
          const found = operations.get(query.get("key") ?? "");
          const body = found ?? { error: { code: "not_found", message: "no" } };
          return { status: found === undefined ? 404 : 200, headers: type, body: JSON.stringify(body) };
        },
      },
    ],
  });
  provider = openCardco({
    name: "cardco",
    baseUrl: `http://127.0.0.1:${theirs.port}`,
    callsMax: 4,
    descriptor: descriptorOf("cardco"),
    secret: (name) => `the ${name}`,
    events: { called: () => undefined, unreadable: () => undefined },
    nowMs: Date.now,
    random: () => 0,
  });
  const fitting = new Fitting(DECLARED.flows);
  const desk = new EventDesk(provider, {
    lanes: LANES,
    ownersOf: async (uuid) => (uuid === parseCaseId(CASE)?.uuid ? owners : []),
    callFor: (flow, op) => fitting.callFor(flow, op),
    fits: (flow, asked, answer) => fitting.fitsFlow(flow, asked, answer),
    report: async (lane, told, answer) => {
      if (!canReport) throw new Error("no broker");
      reports.push({ lane, told, answer });
    },
    failed: () => undefined,
  });
  const routes = webhookRoutes([desk], {
    webhook: (name, result) => void counted.push(`${name} ${result}`),
    webhookRefused: (_name, why) => void refused.push(why),
  });
  ours = await startHttpServer({ ...listening, routes });
});
afterAll(async () => {
  provider?.close();
  await Promise.all([theirs?.close(), ours?.close()]);
});
beforeEach(() => {
  for (const list of [reports, counted, refused]) list.length = 0;
  operations.clear();
  owners = [OWNER];
  [asked, isDown, canReport] = [0, false, true];
});

function operation(change: Record<string, unknown> = {}): Record<string, unknown> {
  const amount = { currency: "EUR", minor: "1001" };
  const one = {
    id: "op_1",
    key: `${CASE}/auth/1`,
    reference: `mer_7.${CASE}`,
    status: "approved",
    amount,
    reason: null,
    ...change,
  };
  operations.set(one.key as string, one);
  return one;
}

const now = (): string => String(Math.floor(Date.now() / 1000));
const sign = (body: string, seconds: string, secret = SECRET): string =>
  `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;

async function post(body: string, signature: string, to = "cardco"): Promise<number> {
  const headers = { "cardco-signature": signature, "content-type": "application/json" };
  return (await fetch(`http://127.0.0.1:${ours.port}/webhooks/${to}`, { method: "POST", body, headers })).status;
}

let events = 0;
function tell(about: Record<string, unknown>, id = `evt_${++events}`): Promise<number> {
  const body = JSON.stringify({ id, type: "operation.changed", created_at: "2026-11-20T10:00:00Z", operation: about });
  return post(body, sign(body, now()));
}

describe("a webhook", () => {
  test("is among the reports of its holder's lane, as the call's result that nobody asked for", async () => {
    expect(await tell(operation())).toBe(200);
    expect(reports).toEqual([
      {
        lane: homeLane("mer_7", LANES),
        told: { holderId: "mer_7", caseId: CASE, call: "authorize", attempt: 0 },
        answer: {
          result: "approved",
          observation: "auth/1/approved:1001",
          payload: { seq: "1", approved: "1001", currency: "EUR" },
          afterMs: 0,
          isUnasked: true,
        },
      },
    ]);
    expect(counted).toEqual(["cardco taken"]);
  });

  test("about a case whose id two holders use is told to the one whose operation it is", async () => {
    owners = [{ ...OWNER, holderId: "mer_8" }, OWNER];
    expect(await tell(operation())).toBe(200);
    expect(reports.map(({ told }) => told.holderId)).toEqual(["mer_7"]);
  });

  test("that comes twice is told once", async () => {
    const one = operation();
    expect([await tell(one, "evt_twice"), await tell(one, "evt_twice")]).toEqual([200, 200]);
    expect(reports).toHaveLength(1);
    expect(counted).toEqual(["cardco taken", "cardco repeated"]);
  });

  test("in the wrong order, or with an amount of its own, tells what the provider says when it is asked", async () => {
    const before = { ...operation({ status: "declined", reason: { code: "do_not_honor" } }) };
    const after = operation({ status: "approved" });
    await tell({ ...after, amount: { currency: "EUR", minor: "999999" } });
    await tell(before);
    expect(reports.map(({ answer }) => answer.observation)).toEqual(["auth/1/approved:1001", "auth/1/approved:1001"]);
  });

  test("of something that is still open tells nothing, and is answered well", async () => {
    expect(await tell(operation({ status: "pending" }))).toBe(200);
    expect([reports, counted]).toEqual([[], ["cardco nothing_new"]]);
  });
});

describe("nothing is told, and nobody is asked, of a webhook", () => {
  const body = (): string => JSON.stringify({ id: "evt_x", operation: operation() });

  test.each<[string, (text: string) => string, string]>([
    ["without a signature", () => "", "no_signature"],
    ["signed by somebody else", (text) => sign(text, now(), "another"), "wrong_signature"],
    ["signed for another body", () => sign("{}", now()), "wrong_signature"],
    ["signed for another moment", (text) => sign(text, now()).replace(/^t=\d+/, "t=1"), "wrong_signature"],
    ["from long ago", (text) => sign(text, String(Number(now()) - 301)), "too_old"],
    ["from far ahead", (text) => sign(text, String(Number(now()) + 301)), "too_old"],
  ])("%s: 401, and a security event", async (_what, signature, why) => {
    const text = body();
    expect(await post(text, signature(text))).toBe(401);
    expect([reports, asked, refused, counted]).toEqual([[], 0, [why], ["cardco refused"]]);
  });

  test("whose bytes were changed on their way", async () => {
    const text = body();
    expect(await post(`${text} `, sign(text, now()))).toBe(401);
    expect(reports).toEqual([]);
  });

  test("for a provider that is not served, or that is too long", async () => {
    expect(await post("{}", sign("{}", now()), "other")).toBe(404);
    const long = "x".repeat(5_000);
    expect(await post(long, sign(long, now()))).toBe(413);
    expect(counted).toEqual([]);
  });

  test.each<[string, unknown]>([
    ["about nothing of ours", { id: "evt_a", operation: { key: "order-7" } }],
    ["without an event", { operation: { key: `${CASE}/auth/1` } }],
    ["that is no object", []],
  ])("%s: 200 all the same", async (_what, json) => {
    const text = JSON.stringify(json);
    expect(await post(text, sign(text, now()))).toBe(200);
    expect([asked, counted]).toEqual([0, ["cardco not_ours"]]);
  });

  test("about a case that is not there, or that is another holder's of the same id: 200, and nobody is told", async () => {
    expect(await tell(operation({ key: "pay_01JD3Z7Q6R8W2V5K9T0M4N1B7X/auth/1" }))).toBe(200);
    expect(await tell(operation({ key: "no case/auth/1" }))).toBe(200);
    owners = [{ ...OWNER, holderId: "mer_8" }];
    expect(await tell(operation())).toBe(200);
    expect([reports, asked]).toEqual([[], 0]);
    expect(counted).toEqual(["cardco no_case", "cardco no_case", "cardco no_case"]);
  });
});

describe("a lane is never halted by a webhook", () => {
  test("about a case of a flow that asks no such thing, or in another currency than the case's", async () => {
    owners = [{ ...OWNER, flow: "refund@1.0.0" }];
    expect(await tell(operation())).toBe(200);
    owners = [{ ...OWNER, currencies: ["USD"] }];
    expect(await tell(operation())).toBe(200);
    expect([reports, counted]).toEqual([[], ["cardco not_expected", "cardco not_expected"]]);
  });
});

describe("a webhook of what the provider cannot show yet is answered 503, and taken when it comes again", () => {
  test("because the version of its case's flow came after this process began", async () => {
    owners = [{ ...OWNER, flow: "card@9.0.0" }];
    const one = operation();
    expect(await tell(one, "evt_newer")).toBe(503);
    owners = [OWNER];
    expect(await tell(one, "evt_newer")).toBe(200);
    expect(counted).toEqual(["cardco failed", "cardco taken"]);
  });

  test("because a query does not find it", async () => {
    const one = operation();
    operations.clear();
    expect(await tell(one, "evt_early")).toBe(503);
    operation();
    expect(await tell(one, "evt_early")).toBe(200);
    expect(counted).toEqual(["cardco not_shown", "cardco taken"]);
    expect(reports).toHaveLength(1);
  });

  test("because a query shows it as it was before", async () => {
    const one = { ...operation(), occurred_at: "2026-11-20T10:00:01.000Z" };
    operation({ status: "pending", occurred_at: "2026-11-20T10:00:00.000Z" });
    expect(await tell(one, "evt_behind")).toBe(503);
    operation({ occurred_at: "2026-11-20T10:00:01.000Z" });
    expect(await tell(one, "evt_behind")).toBe(200);
    expect(counted).toEqual(["cardco not_shown", "cardco taken"]);
    expect(reports).toHaveLength(1);
  });
});

test("a webhook that cannot be looked into or reported is answered 503, and taken when it comes again", async () => {
  const one = operation();
  isDown = true;
  expect(await tell(one, "evt_again")).toBe(503);
  [isDown, canReport] = [false, false];
  expect(await tell(one, "evt_again")).toBe(503);
  canReport = true;
  expect(await tell(one, "evt_again")).toBe(200);
  expect(reports).toHaveLength(1);
  expect(counted).toEqual(["cardco failed", "cardco failed", "cardco taken"]);
});
