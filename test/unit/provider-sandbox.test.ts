// The adapters against the providers that the sandbox plays, over real HTTP: on whichever line a request goes, what is found
// out in the end is what was done, and it was done once.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer } from "../../src/gateways/contract.ts";
import { openCardco } from "../../src/gateways/providers/cardco/gateway.ts";
import type { HttpProvider, HttpProviderParts } from "../../src/gateways/providers/http-provider.ts";
import { openInstanet } from "../../src/gateways/providers/instanet/gateway.ts";
import type { CommandMessage } from "../../src/kafka/codec-messages.ts";
import { LINES } from "../../src/sandbox/behaviour.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.ts";
import { caseId } from "../support/intents.ts";
import { command, descriptorOf, question } from "../support/providers.ts";
import { waitFor } from "../support/wait.ts";

let sandbox: Sandbox;
let cardco: HttpProvider;
let instanet: HttpProvider;
const folder = mkdtempSync(join(tmpdir(), "provider-sandbox-"));

beforeAll(async () => {
  const instanetKeys = { clientId: "c", clientSecret: "the client_secret", keyId: "k", callbackSecret: "s" };
  sandbox = await startSandbox({
    host: "127.0.0.1",
    port: 0,
    dir: folder,
    trouble: { perMille: 0, seed: "0" },
    script: [],
    times: { soonMs: 20, lateMs: 60, slowMs: 200, silentMs: 300 },
    cardco: { key: "the key", webhookSecret: "w", webhookUrl: null },
    instanet: { ...instanetKeys, callbackUrl: null, tokenSeconds: 1 },
    onFailed: (error) => {
      throw error;
    },
  });
  const parts = (kind: "cardco" | "instanet"): HttpProviderParts => ({
    name: kind,
    baseUrl: sandbox.url,
    callsMax: 8,
    descriptor: descriptorOf(kind),
    secret: (name) => (name === "client_id" ? "c" : `the ${name}`),
    events: { called: () => undefined, unreadable: () => undefined },
    nowMs: Date.now,
    random: () => 0,
    // One line after the other breaks here, which is no outage.
    circuit: { failuresMax: 1_000, openMs: 1 },
  });
  cardco = openCardco(parts("cardco"));
  instanet = openInstanet(parts("instanet"));
});
afterAll(async () => {
  cardco?.close();
  instanet?.close();
  await sandbox?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The amount that puts an operation on this line. */
const amountFor = (line: keyof typeof LINES): string => `990${LINES[line].number}`;

async function effectsOf(of: string): Promise<{ kind: string; effect: string; amount: { minor: string } }[]> {
  const text = await (await fetch(`${sandbox.url}/sandbox/record`)).text();
  const lines = text.split("\n").filter((line) => line.includes(of));
  return lines.map((line) => JSON.parse(line) as { kind: string; effect: string; amount: { minor: string } });
}

/** Asks until it is known. */
async function found(ask: () => Promise<readonly Answer[]> | readonly Answer[]): Promise<Answer> {
  let last: readonly Answer[] = [];
  await waitFor("an answer that says something", async () => {
    last = await ask();
    return last[0]?.result !== "unknown" && last[0]?.result !== "open";
  });
  return last[0] as Answer;
}

const LINE_WORDS = Object.keys(LINES) as (keyof typeof LINES)[];

describe("cardco", () => {
  const of = (id: string, change: Partial<CommandMessage> = {}): CommandMessage => {
    return command({ caseId: id, idempotencyKey: `${id}/auth/1`, ...change });
  };

  test.each(LINE_WORDS)("on the line %s authorizes once, and says so when it is asked", async (line) => {
    const id = caseId("pay", Date.now());
    const payload = { amount: amountFor(line), currency: "EUR", token: "tok_1", seq: "1" };
    const [told] = await cardco.execute(of(id, { payload }));
    expect(["approved", "unknown"]).toContain(told?.result);
    // The case would send it again only under this key.
    await cardco.execute(of(id, { payload }));
    const asked = question({ caseId: id, payload: { amount: amountFor(line), seq: "1" } });
    const known = await found(() => cardco.ask(asked));
    expect(known).toMatchObject({ result: "approved", observation: `auth/1/approved:${amountFor(line)}` });
    expect((await effectsOf(id)).map(({ kind, effect }) => [kind, effect])).toEqual([["authorization", "done"]]);
  });

  test("goes through a payment's whole life: authorized, increased, captured in parts, refunded, the rest given back", async () => {
    const id = caseId("pay", Date.now());
    const refund = caseId("rfd", Date.now());
    const run = async (op: string, key: string, payload: Record<string, string>, caseOf = id): Promise<string> => {
      const asked = command({ caseId: caseOf, op, idempotencyKey: `${caseOf}/${key}`, payload });
      return (await cardco.execute(asked))[0]?.result ?? "";
    };
    const euros = (amount: string): Record<string, string> => ({ amount, currency: "EUR", seq: "1" });
    expect(await run("card.authorize", "auth/1", { ...euros("1000"), token: "tok_1" })).toBe("approved");
    expect(await run("card.increment", "inc/1", euros("500"))).toBe("approved");
    expect(await run("card.capture", "cap/1", { ...euros("700"), final: "false" })).toBe("ok");
    expect(await run("card.capture", "cap/2", { ...euros("9000"), final: "false" })).toBe("rejected");
    expect(await run("card.refund", "refund/1", { ...euros("200"), parent: id }, refund)).toBe("completed");
    expect(await run("card.void", "void/0", { attempt: "1", seq: "0" })).toBe("ok");
    const sums = (await effectsOf(id)).map(({ kind, amount }) => `${kind} ${amount.minor}`);
    expect(sums).toEqual(["authorization 1000", "increment 500", "capture 700", "refund 200", "void 800"]);
  });
});

describe("instanet", () => {
  const charge = (id: string, amount: string): CommandMessage =>
    command({
      caseId: id,
      op: "charge.create",
      call: "create",
      idempotencyKey: `${id}/charge`,
      payload: { amount, currency: "EUR", provider: "instanet" },
    });
  const asks = (id: string, op: string, payload: Record<string, string> = {}): CommandMessage =>
    command({ caseId: id, op, call: "status", readOnly: true, idempotencyKey: "", payload });

  test.each(LINE_WORDS)("on the line %s makes one charge, and tells its one payment", async (line) => {
    const id = caseId("pay", Date.now());
    const amount = amountFor(line);
    const [told] = await instanet.execute(charge(id, amount));
    expect(["ok", "paid", "unknown"]).toContain(told?.result);
    await instanet.execute(charge(id, amount));
    const known = await found(() => instanet.ask(asks(id, "charge.status")));
    expect(known).toMatchObject({ result: "paid", payload: { amount } });
    expect((await effectsOf(id)).map(({ effect, amount: { minor } }) => [effect, minor])).toEqual([["done", amount]]);
  });

  test("gives a payment back once, and closes what nobody paid", async () => {
    const paid = caseId("pay", Date.now());
    await instanet.execute(charge(paid, "400"));
    const payment = await found(() => instanet.ask(asks(paid, "charge.status")));
    const id = caseId("brf", Date.now());
    const payload = { amount: "400", currency: "EUR", e2e: payment.payload["e2e_id"] ?? "", seq: "1" };
    const back = command({ caseId: id, op: "payment.return", idempotencyKey: `${id}/return/1`, payload });
    await instanet.execute(back);
    await instanet.execute(back);
    expect(await found(() => instanet.ask(asks(id, "return.status", { seq: "1" })))).toMatchObject({ result: "ok" });
    expect(await effectsOf(id)).toHaveLength(1);
    const open = caseId("pay", Date.now());
    // A step of the payer that nobody takes.
    await instanet.execute(charge(open, "990022"));
    const close = command({ caseId: open, op: "charge.close", idempotencyKey: `${open}/close`, payload: {} });
    expect(await instanet.execute(close)).toMatchObject([{ result: "closed", observation: "close/closed" }]);
    expect(await instanet.ask(asks(open, "charge.status"))).toMatchObject([{ result: "closed" }]);
    expect(await instanet.ask(asks(caseId("pay", Date.now()), "charge.status"))).toMatchObject([
      { result: "not_found" },
    ]);
  });

  test("hears that a transfer is asked back, and answers once: with the money, or with why not", async () => {
    const id = caseId("btr", Date.now());
    const made = charge(id, "990043");
    await instanet.execute({ ...made, payload: { ...made.payload, as: "bank_transfer" } });
    let recalled: Answer | undefined;
    await waitFor("the request of the payer's bank", async () => {
      recalled = (await instanet.ask(asks(id, "charge.status"))).find(({ result }) => result === "recalled");
      return recalled !== undefined;
    });
    const { e2e_id: e2e = "", recall = "", code } = recalled?.payload ?? {};
    expect(code).toBe("recall_fraud");
    const answer = async (change: Record<string, string>): Promise<[Answer, string]> => {
      const of = caseId("brc", Date.now());
      const payload = { amount: "990043", currency: "EUR", e2e, recall, why: "", ...change };
      const asked = command({ caseId: of, op: "recall.answer", idempotencyKey: `${of}/answer`, payload });
      await instanet.execute(asked);
      await instanet.execute(asked);
      return [await found(() => instanet.ask(asks(of, "recall.answer_status"))), of];
    };
    expect((await answer({ recall: "none" }))[0].payload["code"]).toBe("provider_no_record");
    expect((await answer({ amount: "990044" }))[0].payload["code"]).toBe("amount_exceeds_refundable");
    const [taken, of] = await answer({});
    expect(taken).toMatchObject({ result: "ok", observation: "answer/ok" });
    expect(await effectsOf(of)).toMatchObject([{ kind: "recalls", effect: "done", amount: { minor: "990043" } }]);
    expect((await answer({ amount: "0", why: "review_rejected" }))[0].payload["code"]).toBe("duplicate_reference");
  });
});
