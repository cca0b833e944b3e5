// Card payments through cardco over real HTTP, with trouble in a third of all operations, and the service killed in between:
// the provider has done nothing twice, and what the ledger says was captured and given back is what it did.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { printCaseId } from "../../src/domain/case-search.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/sandbox.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { caseId } from "../support/intents.ts";
import { openHalts, openWorld, runVerb, startInstance, type World } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { publishLines } from "../support/workload.ts";

const PAYMENTS = 120;
const KILLS = 3;
const REST_MAX_MS = 120_000;
const RESTING = new Set(["captured", "ended", "closed", "rejected", "completed", "authorized", "attention", "pending"]);
const KEYS = { CARDCO_KEY: "the key of this test", CARDCO_WEBHOOK: "the webhook secret of this test" };

const QUICK = {
  card: { auth_validity: "PT1H", action_timeout: "PT4S", poll_every: "PT1S", poll_limit: 8 },
  refund: { poll_every: "PT1S", poll_limit: 8 },
};

type Effect = { readonly key: string; readonly kind: string; readonly effect: string; readonly payment: string } & {
  readonly amount: { readonly minor: string };
};

test("what the ledger books is what cardco did, once for each key, whatever the line and the process do", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cards-http-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const webhookPort = await freePort();
  const sandbox = await play(folder, webhookPort);
  onTestFinished(() => sandbox.close());
  const world = await openWorld({ lanes: 4, environment: environmentOf(folder, sandbox.url, webhookPort) });
  let instance = await startInstance(world, "a");
  const payments = Array.from({ length: PAYMENTS }, (_, at) => ({ id: caseId("pay", Date.now()), minor: 1_000 + at }));
  for (let part = 0; part <= KILLS; part++) {
    const size = PAYMENTS / (KILLS + 1);
    await publishLines(world, payments.slice(part * size, (part + 1) * size).map(paymentLine));
    await sleep(1_200);
    if (part < KILLS) await instance.kill();
    if (part < KILLS) instance = await startInstance(world, "a");
  }
  await untilRest(world);
  const captured = await casesIn(world, "state = 'captured' and kind = 'pay'");
  await publishLines(
    world,
    captured.slice(0, 20).map(({ id }) => refundLine(id)),
  );
  await sleep(500);
  await instance.kill();
  instance = await startInstance(world, "a");
  await untilRest(world);

  expect(await openHalts(world)).toEqual([]);
  const effects = await recordOf(sandbox);
  const done = effects.filter(({ effect }) => effect === "done").map(({ key }) => key);
  expect(new Set(done).size).toBe(done.length);
  const known = await casesIn(world, "kind = 'pay' and state in ('captured', 'ended', 'closed')");
  expect(known.length).toBeGreaterThan(PAYMENTS / 2);
  await untilBothAgree(world, sandbox, join(folder, "sandbox", "journal.jsonl"));
  expect(await instance.total("millrace_webhooks_total")).toBeGreaterThan(0);
  await instance.stop();
  const verified = await runVerb(world, ["verify", "--deep"]);
  expect(verified.code).toBe(0);
}, 300_000);

/** A webhook that tells of a later turn may still be on its way; one that is never sent leaves it to the provider's statement,
 *  which nobody reads yet: operations of that kind may differ, and no others. */
async function untilBothAgree(world: World, sandbox: Sandbox, journal: string): Promise<void> {
  const untold = readFileSync(journal, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { e: string; key: string; behaviour?: { post: string } })
    .filter(({ e, behaviour }) => e === "begun" && behaviour?.post === "unsent")
    .map(({ key }) => key);
  let differing: (readonly [string, bigint, bigint])[] = [];
  const agree = async (): Promise<boolean> => {
    const both = await bothSides(world, await recordOf(sandbox));
    differing = both.filter(([id, booked, done]) => booked !== done && !untold.some((key) => key.startsWith(`${id}/`)));
    await sleep(300);
    return both.length > PAYMENTS / 2 && differing.length === 0;
  };
  await waitFor(() => `the ledger to say what cardco did, not ${differing.join("; ")}`, agree, 30_000);
}

/** Of payments and refunds that came to their end, what is booked and what was done; of one that is in the hands of a person
 *  nobody knows it. */
async function bothSides(world: World, effects: readonly Effect[]): Promise<(readonly [string, bigint, bigint])[]> {
  const payments = (await casesIn(world, "kind = 'pay' and state in ('captured', 'ended', 'closed')")).map(
    ({ id, captured }) => {
      const made = effects.filter(({ payment, kind }) => payment.endsWith(`.${id}`) && kind === "capture");
      return [id, captured, sumOf(made)] as const;
    },
  );
  const ended = await world.query(
    "select case_id, state, data from case_state where kind = 'rfd' and state in ('completed', 'ended')",
  );
  expect(ended.length).toBeGreaterThan(10);
  const refunds = ended.map(({ case_id: uuid, state, data }) => {
    const id = printCaseId(String(uuid), "rfd");
    const { v } = data as { v: Record<string, string> };
    const booked = state === "completed" ? BigInt(v["amount"] ?? "0") : 0n;
    return [
      id,
      booked,
      sumOf(effects.filter(({ key, kind }) => kind === "refund" && key.startsWith(`${id}/`))),
    ] as const;
  });
  return [...payments, ...refunds];
}

function sumOf(effects: readonly Effect[]): bigint {
  return effects.reduce((sum, { effect, amount }) => sum + BigInt(amount.minor) * (effect === "undone" ? -1n : 1n), 0n);
}

function play(folder: string, webhookPort: number): Promise<Sandbox> {
  return startSandbox({
    host: "127.0.0.1",
    port: 0,
    dir: join(folder, "sandbox"),
    trouble: { perMille: 330, seed: String(Date.now()) },
    script: [],
    times: { soonMs: 50, lateMs: 1_500, slowMs: 500, silentMs: 1_000 },
    cardco: {
      key: KEYS.CARDCO_KEY,
      webhookSecret: KEYS.CARDCO_WEBHOOK,
      webhookUrl: `http://127.0.0.1:${webhookPort}/webhooks/cardco`,
    },
    instanet: {
      clientId: "c",
      clientSecret: "s",
      keyId: "k",
      callbackSecret: "s",
      callbackUrl: null,
      tokenSeconds: 60,
    },
    onFailed: (error) => {
      throw error;
    },
  });
}

function environmentOf(folder: string, url: string, webhookPort: number): Record<string, string> {
  const schemas = join(folder, "schemas");
  cpSync(SHIPPED_SCHEMAS, schemas, { recursive: true });
  for (const [flow, values] of Object.entries(QUICK)) {
    const spec = { flow, overlays: [{ provider: "cardco", values }] };
    const file = { apiVersion: "parameters/v1", kind: "Parameters", metadata: { name: flow, owner: "tests" }, spec };
    writeFileSync(join(schemas, "parameters", `${flow}.yaml`), JSON.stringify(file));
  }
  const secrets = { key: { env: "CARDCO_KEY" }, webhook: { env: "CARDCO_WEBHOOK" } };
  const providers = [{ name: "cardco", kind: "cardco", url, secrets }];
  writeFileSync(
    join(folder, "providers.yaml"),
    JSON.stringify({ apiVersion: "providers/v1", kind: "Providers", providers }),
  );
  return {
    ...KEYS,
    MILLRACE_ROLES: "lanes,gateways",
    MILLRACE_PROVIDERS: "cardco",
    MILLRACE_PROVIDERS_FILE: join(folder, "providers.yaml"),
    MILLRACE_WEBHOOK_PORT: String(webhookPort),
    MILLRACE_SCHEMAS_DIR: schemas,
    MILLRACE_TIMER_MARGIN_MS: "500",
    MILLRACE_CLOCK_SKEW_MAX_MS: "500",
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function paymentLine({ id, minor }: { readonly id: string; readonly minor: number }): string {
  return JSON.stringify({
    type: "payment_create",
    holderId: `mer_${minor % 7}`,
    caseId: id,
    method: "card",
    provider: "cardco",
    tokenRef: "tok_1",
    captureMode: "automatic",
    amount: { currency: "EUR", minor: String(minor) },
    settlementCurrency: "EUR",
    occurredAt: new Date().toISOString(),
  });
}

const holders = new Map<string, string>();

function refundLine(id: string): string {
  return JSON.stringify({
    type: "refund_create",
    holderId: holders.get(id),
    caseId: id,
    idempotencyKey: "refund-1",
    amount: { currency: "EUR", minor: "400" },
    occurredAt: new Date().toISOString(),
  });
}

async function casesIn(world: World, where: string): Promise<{ id: string; captured: bigint }[]> {
  const rows = await world.query(`select case_id, holder_id, data from case_state where ${where}`);
  return rows.map(({ case_id: uuid, holder_id: holder, data }) => {
    const id = printCaseId(String(uuid), "pay");
    holders.set(id, String(holder));
    const { v } = data as { v: Record<string, string> };
    return { id, captured: BigInt(v["captured"] ?? "0") };
  });
}

async function untilRest(world: World): Promise<void> {
  let told = "";
  const isSo = async (): Promise<boolean> => {
    const rows = await world.query("select kind, state, count(*)::int as cases from case_state group by 1, 2");
    told = rows.map(({ kind, state, cases }) => `${kind} ${state} ${cases}`).join(", ");
    await sleep(300);
    return rows.length > 0 && rows.every(({ state }) => RESTING.has(String(state)));
  };
  await waitFor(() => `every case to be at rest or with a person: ${told}`, isSo, REST_MAX_MS);
}

async function recordOf({ url }: Sandbox): Promise<readonly Effect[]> {
  const text = await (await fetch(`${url}/sandbox/record`)).text();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Effect);
}
