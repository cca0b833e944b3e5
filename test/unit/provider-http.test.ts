// Providers over real HTTP, against a server that goes wrong in every way: whatever happens on the line is `unknown` at the
// worst, has one key, and ends in time.

import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { RepeatBudget } from "../../src/gateways/http/budget.ts";
import { openDoor } from "../../src/gateways/http/exchange.ts";
import { readSigned } from "../../src/gateways/http/signature.ts";
import { openCardco } from "../../src/gateways/providers/cardco/gateway.ts";
import type { HttpProvider, HttpProviderParts } from "../../src/gateways/providers/http-provider.ts";
import { openInstanet } from "../../src/gateways/providers/instanet/gateway.ts";
import { txidOf } from "../../src/gateways/providers/instanet/txid.ts";
import { type HttpReply, type HttpRequest, type HttpServer, startHttpServer } from "../../src/http/server.ts";
import { CASE, command, descriptorOf, HOLDER, question } from "../support/providers.ts";

type Answering = (request: HttpRequest) => HttpReply | Promise<HttpReply>;

const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };
const json = (status: number, body: unknown): HttpReply => ({
  status,
  headers: JSON_TYPE,
  body: JSON.stringify(body),
});
const approved = (): HttpReply =>
  json(200, {
    id: "op_1",
    key: `${CASE}/auth/1`,
    reference: `${HOLDER}.${CASE}`,
    status: "approved",
    amount: { currency: "EUR", minor: "1001" },
    reason: null,
  });

let server: HttpServer;
let script: Answering[] = [];
let last: Answering = approved;
const requests: HttpRequest[] = [];

/** The answers in their order, the last for all that come behind them. */
function answers(...all: Answering[]): void {
  last = all.at(-1) as Answering;
  script = all.slice(0, -1);
}

beforeAll(async () => {
  const handle = (request: HttpRequest): HttpReply | Promise<HttpReply> => {
    requests.push(request);
    return (script.shift() ?? last)(request);
  };
  const paths = ["/cardco/v1/authorizations", "/instanet/v1/:kind/:txid"];
  server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    bodyBytesMax: 65_536,
    requestMs: 5_000,
    routes: [
      ...paths.flatMap((path) => [
        { method: "POST" as const, path, handle },
        { method: "PUT" as const, path, handle },
        { method: "GET" as const, path, handle },
      ]),
      { method: "GET", path: "/cardco/v1/operations", handle },
      { method: "POST", path: "/instanet/oauth/token", handle },
    ],
  });
});
afterAll(() => server?.close());
beforeEach(() => {
  requests.length = 0;
  answers(approved);
});

type Made = { readonly provider: HttpProvider; readonly called: string[]; readonly unreadable: string[] };

function make(
  open: (parts: HttpProviderParts) => HttpProvider,
  kind: "cardco" | "instanet",
  change: Partial<HttpProviderParts> = {},
): Made {
  const called: string[] = [];
  const unreadable: string[] = [];
  const provider = open({
    name: kind,
    baseUrl: `http://127.0.0.1:${server.port}`,
    callsMax: 4,
    descriptor: descriptorOf(kind),
    secret: (name) => `the ${name}`,
    events: { called: (result) => called.push(result), unreadable: (op) => unreadable.push(op) },
    nowMs: Date.now,
    random: () => 0,
    ...change,
  });
  onTestFinished(() => provider.close());
  return { provider, called, unreadable };
}

const cardco = (change: Partial<HttpProviderParts> = {}): Made => make(openCardco, "cardco", change);
const instanet = (change: Partial<HttpProviderParts> = {}): Made => make(openInstanet, "instanet", change);

describe("a call", () => {
  test("goes out under its key, with the login and the moment behind which nothing is done", async () => {
    const { provider, called } = cardco();
    const asked = command();
    expect(await provider.execute(asked)).toMatchObject([{ result: "approved", payload: { approved: "1001" } }]);
    const [{ headers, body }] = requests as [HttpRequest];
    expect(headers["idempotency-key"]).toBe(`${CASE}/auth/1`);
    expect(headers["authorization"]).toBe("Bearer the key");
    expect(headers["not-after"]).toBe(new Date(Number(asked.notAfter / 1000n)).toISOString());
    expect(JSON.parse(body.toString())).toMatchObject({ reference: `${HOLDER}.${CASE}` });
    expect(called).toEqual(["answered"]);
  });

  test.each<[string, Answering, string]>([
    ["a 500 after it was done", () => json(500, { error: { code: "internal" } }), "server_error"],
    ["a 503 in the form of a decline", () => ({ ...approved(), status: 503 }), "server_error"],
    ["a 429", () => ({ ...json(429, {}), headers: { ...JSON_TYPE, "retry-after": "0" } }), "rate_limited"],
    ["a connection that breaks", (request) => (request.cut(), approved()), "broken"],
  ])(
    "that ends with %s is made again with the same bytes, and what was done is what is told",
    async (_, wrong, why) => {
      answers(wrong, approved);
      const { provider, called } = cardco();
      expect(await provider.execute(command())).toMatchObject([{ result: "approved" }]);
      expect(called).toEqual([why, "answered"]);
      const [first, second] = requests as [HttpRequest, HttpRequest];
      expect(second.headers["idempotency-key"]).toBe(first.headers["idempotency-key"]);
      expect(second.body.equals(first.body)).toBe(true);
    },
  );

  test.each<[string, Answering]>([
    ["a 500 each time", () => json(500, { status: "declined" })],
    ["a 502 with a page", () => ({ status: 502, headers: { "content-type": "text/html" }, body: "<h1>Bad</h1>" })],
    ["a connection that breaks each time", (request) => (request.cut(), approved())],
    ["a page of HTML", () => ({ status: 200, headers: { "content-type": "text/html" }, body: "<h1>It works!</h1>" })],
    ["JSON under another type", () => ({ ...approved(), headers: { "content-type": "text/plain" } })],
    ["bytes that are no JSON", () => ({ status: 200, headers: JSON_TYPE, body: Buffer.from([0x7b, 0xff]) })],
    ["an answer that is too long", () => json(200, { status: "declined", more: "x".repeat(300_000) })],
    ["a redirect", () => ({ status: 302, headers: { location: "http://127.0.0.1:1/" }, body: "" })],
    ["401 for our key", () => json(401, { error: { code: "unauthorized" } })],
    ["409 for our key", () => json(409, { error: { code: "idempotency_conflict" } })],
  ])("is unknown and never declined after %s", async (_, wrong) => {
    answers(wrong);
    const { provider } = cardco();
    expect((await provider.execute(command({ timeoutMs: 400 }))).map(({ result }) => result)).toEqual(["unknown"]);
    expect((await provider.ask(question({ timeoutMs: 400 }))).map(({ result }) => result)).toEqual(["unknown"]);
    for (const { headers } of requests.filter(({ method }) => method === "POST"))
      expect(headers["idempotency-key"]).toBe(`${CASE}/auth/1`);
  });

  test("ends in time though the provider never answers, and what it said too late is nobody's", async () => {
    answers(async () => {
      await sleep(1_500);
      return approved();
    });
    const { provider, called } = cardco();
    const startedMs = performance.now();
    expect(await provider.execute(command({ timeoutMs: 500 }))).toMatchObject([{ result: "unknown" }]);
    expect(performance.now() - startedMs).toBeLessThan(700);
    expect(called).toEqual(["broken"]);
  });

  test("that nobody listens to is unavailable, and told as not sent", async () => {
    const { provider, called } = cardco({ baseUrl: "http://127.0.0.1:1" });
    expect(await provider.execute(command({ timeoutMs: 1_000 }))).toMatchObject([
      { result: "unavailable", payload: { seq: "1" } },
    ]);
    expect(new Set(called)).toEqual(new Set(["not_sent"]));
  });

  test("is not made again behind the moment until which its key is known", async () => {
    answers(() => json(500, {}));
    const notAfter = BigInt(Date.now() + 150) * 1000n;
    const { provider, called } = cardco({ random: () => 0.99 });
    expect(await provider.execute(command({ notAfter }))).toMatchObject([{ result: "unknown" }]);
    expect(called).toEqual(["server_error"]);
  });

  test("is not made again at a provider that forgets keys with errors, or cannot be asked by our name", async () => {
    answers(() => json(500, {}));
    const descriptor = descriptorOf("cardco");
    const idempotency = { ...descriptor.idempotency, onError: "forgets" as const };
    for (const change of [{ idempotency }, { statusByOurRef: false }]) {
      const { provider, called } = cardco({ descriptor: { ...descriptor, ...change } });
      await provider.execute(command());
      expect(called).toEqual(["server_error"]);
    }
  });

  test("that comes too late is asked about", async () => {
    answers(() => json(410, { error: { code: "too_late" } }), approved);
    const { provider } = cardco();
    expect(await provider.execute(command())).toMatchObject([{ result: "approved" }]);
    expect(requests.map(({ method, query }) => [method, query.get("key")])).toEqual([
      ["POST", null],
      ["GET", `${CASE}/auth/1`],
    ]);
  });

  test.each<[string, number]>([
    ["400", 400],
    ["422", 422],
    ["404", 404],
  ])("that comes too late is not declined because the question about it is answered %s", async (_, status) => {
    const late = (): HttpReply => json(410, { error: { code: "too_late" } });
    answers(late, () => json(status, { error: { code: "bad_request" } }));
    expect(await cardco().provider.execute(command())).toMatchObject([{ result: "unknown" }]);
    expect(await cardco().provider.ask(command())).toMatchObject([{ result: "unknown" }]);
    const { provider } = instanet();
    const payout = command({ op: "payout.create", call: "submit", idempotencyKey: `${CASE}/payout` });
    answers(
      () => json(200, { access_token: "one", token_type: "Bearer", expires_in: 600 }),
      () => json(status, { error: { code: "bad_request" } }),
    );
    expect(await provider.ask(payout)).toMatchObject([{ result: "unknown" }]);
  });

  test("is not made when its key is over by the time that there is a token", async () => {
    let nowMs = Date.now();
    answers(() => {
      nowMs += 500;
      return json(200, { access_token: "one", token_type: "Bearer", expires_in: 600 });
    });
    const { provider, called } = instanet({ nowMs: () => nowMs });
    const payout = command({
      op: "payout.create",
      call: "submit",
      idempotencyKey: `${CASE}/payout`,
      notAfter: BigInt(nowMs + 100) * 1000n,
    });
    expect(await provider.execute(payout)).toMatchObject([{ result: "unavailable" }]);
    expect(called).toEqual(["not_sent"]);
    expect(requests.map(({ method }) => method)).toEqual(["POST"]);
  });

  test("that may have been sent once is unknown, though nobody listens when it is sent again", async () => {
    const raw = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", () => {
        raw.close();
        socket.destroy();
      });
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    const { port } = raw.address() as { port: number };
    const { provider, called } = cardco({ baseUrl: `http://127.0.0.1:${port}` });
    expect(await provider.execute(command({ timeoutMs: 1_500 }))).toMatchObject([{ result: "unknown" }]);
    expect(called.slice(0, 2)).toEqual(["broken", "not_sent"]);
  });

  test("uses one connection after the other's", async () => {
    const { provider } = cardco({ callsMax: 1 });
    const sockets = new Set<Socket>();
    const raw: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on("data", () => {
        const { body } = approved();
        const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
        socket.write(`${head}${body.toString()}`);
      });
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void raw.close());
    const { port } = raw.address() as { port: number };
    const kept = cardco({ callsMax: 1, baseUrl: `http://127.0.0.1:${port}` });
    for (let one = 0; one < 3; one++)
      expect(await kept.provider.execute(command())).toMatchObject([{ result: "approved" }]);
    expect(sockets.size).toBe(1);
    for (const socket of sockets) socket.destroy();
    provider.close();
  });

  test("is unknown after an answer that breaks off in the middle", async () => {
    const raw = createServer((socket) => {
      socket.on("data", () =>
        socket.end("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"),
      );
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void raw.close());
    const { port } = raw.address() as { port: number };
    const door = openDoor({ baseUrl: `http://127.0.0.1:${port}`, connectionsMax: 1, answerBytesMax: 10_000 });
    onTestFinished(() => door.close());
    const exchanged = await door.exchange({ method: "GET", path: "/", headers: {}, body: null }, 1_000);
    expect(exchanged.kind).toBe("broken");
  });
});

describe("a circuit", () => {
  test("opens after failures in a row: nothing is sent, nothing is declined, and it closes by itself", async () => {
    answers(() => json(500, {}));
    const { provider, called } = cardco({ circuit: { failuresMax: 3, openMs: 300 } });
    expect(provider.circuit).toBe("closed");
    expect(await provider.execute(command())).toMatchObject([{ result: "unknown" }]);
    expect(provider.circuit).toBe("open");
    const sent = requests.length;
    const startedMs = performance.now();
    expect(await provider.execute(command())).toMatchObject([{ result: "unavailable" }]);
    expect(performance.now() - startedMs).toBeLessThan(100);
    expect([requests.length, called.at(-1)]).toEqual([sent, "circuit_open"]);
    answers(approved);
    await sleep(350);
    expect(await provider.execute(command())).toMatchObject([{ result: "approved" }]);
    expect(provider.circuit).toBe("closed");
  });

  test("stays closed for what speaks against us, and not against the provider", async () => {
    answers(() => json(401, {}));
    const { provider } = cardco({ circuit: { failuresMax: 2, openMs: 60_000 } });
    for (let one = 0; one < 5; one++) await provider.ask(question());
    expect(provider.circuit).toBe("closed");
  });
});

test("repeats are bounded for all calls together, not only for one", () => {
  const budget = new RepeatBudget(0.1, 2);
  expect([budget.spend(), budget.spend(), budget.spend()]).toEqual([true, true, false]);
  for (let call = 0; call < 9; call++) budget.earn();
  expect(budget.spend()).toBe(false);
  budget.earn();
  budget.earn();
  expect(budget.spend()).toBe(true);
});

const TXID = txidOf(`${CASE}/charge`, HOLDER) ?? "";

describe("a token", () => {
  const charge = command({
    op: "charge.create",
    call: "create",
    idempotencyKey: `${CASE}/charge`,
    payload: { amount: "1001", currency: "EUR" },
  });
  const open = (): HttpReply =>
    json(200, {
      txid: TXID,
      kind: "charges",
      status: "active",
      amount: { currency: "EUR", minor: "1001" },
      payments: [],
      version: 1,
    });
  const token =
    (text: string, seconds = 600): Answering =>
    () =>
      json(200, { access_token: text, token_type: "Bearer", expires_in: seconds });
  const paths = () =>
    requests.map(({ path, headers }) => `${path.split("/").at(-1)} ${headers["authorization"] ?? ""}`);

  test("is fetched once and used again, by calls at the same time too", async () => {
    answers(token("one"), open);
    const { provider } = instanet();
    const told = await Promise.all([provider.execute(charge), provider.execute(charge), provider.execute(charge)]);
    expect(told.map(([one]) => one?.result)).toEqual(["ok", "ok", "ok"]);
    expect(paths().filter((path) => path.startsWith("token"))).toHaveLength(1);
    expect(new URLSearchParams(requests[0]?.body.toString()).get("client_secret")).toBe("the client_secret");
  });

  test("that is over is renewed, and the call made with the new one", async () => {
    answers(token("old"), () => json(401, { error: { code: "invalid_token" } }), token("new"), open);
    const { provider } = instanet();
    expect(await provider.execute(charge)).toMatchObject([{ result: "ok" }]);
    expect(paths()).toEqual(["token ", `${TXID} Bearer old`, "token ", `${TXID} Bearer new`]);
  });

  test("is renewed before it is over", async () => {
    answers(token("old", 10), open, token("new"), open);
    let nowMs = Date.now();
    const { provider } = instanet({ nowMs: () => nowMs });
    await provider.execute(charge);
    nowMs += 9_000;
    await provider.execute(charge);
    expect(paths().at(-1)).toBe(`${TXID} Bearer new`);
  });

  test.each<[string, Answering]>([
    ["refused", () => json(401, { error: "invalid_client" })],
    ["of a form that no header may have", token("a\r\nx-evil: 1")],
    ["without an end", () => json(200, { access_token: "x" })],
    ["in a page", () => ({ status: 200, headers: { "content-type": "text/html" }, body: "<h1>Login</h1>" })],
  ])("that is %s makes the call unavailable, which was not sent", async (_, wrong) => {
    answers(wrong);
    const { provider, called } = instanet();
    expect(await provider.execute({ ...charge, timeoutMs: 600 })).toMatchObject([{ result: "unavailable" }]);
    expect(new Set(called)).toEqual(new Set(["not_sent"]));
    expect(paths().every((path) => path.startsWith("token"))).toBe(true);
  });
});

test("a signature's header has one reading or none", () => {
  const hex = "a".repeat(64);
  expect(readSigned(`t=12,v1=${hex}`, "v1")).toEqual({ seconds: "12", signature: hex });
  expect(readSigned(`keyid=k, t=12, sig=${hex}`, "sig")).toEqual({ seconds: "12", signature: hex });
  for (const header of [
    undefined,
    "",
    `t=12`,
    `v1=${hex}`,
    `t=12,v1=${hex},v1=${hex}`,
    `t=1e3,v1=${hex}`,
    `t=12,v1=AB`,
  ])
    expect(readSigned(header, "v1"), header).toBeNull();
});
