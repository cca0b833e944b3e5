// Payments of every method through providers over real HTTP that make trouble in three operations of ten, while two instances
// and the sandbox that plays the providers are killed again and again: in the end every case is at rest or waits for a named
// person, nothing is left where nothing should be, and what was booked is what the providers did.
// MILLRACE_TEST_PAYMENTS=20000 runs it at full length.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { loadDeclared } from "../../src/declared/load.ts";
import { printCaseId } from "../../src/domain/case-search.ts";
import { keyOfTxid } from "../../src/gateways/providers/instanet/txid.ts";
import { eventId } from "../../src/sandbox/cardco.ts";
import { copiesOf } from "../../src/sandbox/deliveries.ts";
import { notificationId } from "../../src/sandbox/instanet.ts";
import { type Entry, Memory } from "../../src/sandbox/memory.ts";
import type { Effect } from "../../src/workload/audit/sides.ts";
import { readRecord } from "../../src/workload/audit/sides-read.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import {
  type Instance,
  openHalts,
  openWorld,
  runVerb,
  startInstance,
  startVerb,
  type World,
} from "../support/processes.ts";
import { expectRecalls, REFUSING, recalledTransfers } from "../support/recalled-transfers.ts";
import { freePort, type RunningSandbox, startSandboxProcess } from "../support/sandbox-process.ts";
import { waitFor } from "../support/wait.ts";
import { publishLines, seeded } from "../support/workload.ts";

const PAYMENTS = Number(process.env["MILLRACE_TEST_PAYMENTS"] ?? 250);
/** A part of what is sent follows upon a payment. */
const INTENTS = Math.round(PAYMENTS * 1.7);
const INTENTS_PER_SECOND = PAYMENTS > 5_000 ? 100 : 30;
const LOAD_MAX_MS = 60_000 + (2_000 * INTENTS) / INTENTS_PER_SECOND;
const REST_MAX_MS = 240_000;
const ROUNDS_MAX = 12;
const CLAIMS = 6;
/** Each of both instances and the sandbox twice. */
const KILLS_MIN = 6;
const KILL_EVERY_MS = PAYMENTS > 1_000 ? 6_000 : 2_000;

const POLLS = { poll_every: "PT1S", poll_limit: 12, attention_sla: "PT1H" };
/** Behind whatever the sandbox does late, as a day is in life. It does all of it later while it is killed, which on a busy
 *  machine takes seconds, and while thousands wait for it then. */
const LOOKS = { ...POLLS, look_after: PAYMENTS > 1_000 ? "PT15S" : "PT8S" };
/** What a day is in life is a second here. */
const QUICK = {
  cardco: {
    card: { ...POLLS, auth_validity: "PT20S", action_timeout: "PT3S", rate_every: "PT1S" },
    refund: { ...LOOKS, retry_every: "PT2S", funds_within: "PT10S", silence: "PT20S" },
    bnpl: { ...POLLS, approval_validity: "PT20S", extend_after: "PT10S", action_timeout: "PT3S" },
    bnpl_refund: { ...LOOKS, retry_every: "PT2S", funds_within: "PT10S", silence: "PT20S" },
  },
  instanet: {
    instant_push: { ...LOOKS, charge_ttl: "PT6S", close_grace: "PT3S" },
    bank_debit: {
      ...LOOKS,
      lead: "PT1S",
      sign_within: "PT12S",
      silence: "PT3S",
      silence_limit: 6,
      return_risk: "PT14S",
    },
    bank_transfer: { ...LOOKS, due_within: "PT8S" },
    bank_return: LOOKS,
    bank_refund: LOOKS,
    bank_recall: LOOKS,
    crypto: { ...LOOKS, rate_lock: "PT6S", confirm_within: "PT6S", topup_within: "PT4S" },
    crypto_return: LOOKS,
    payout: { ...LOOKS, silence: "PT3S" },
  },
};

const SECRETS = {
  CARDCO_KEY: "cardco-test-key",
  CARDCO_WEBHOOK: "cardco-test-webhook-secret",
  INSTANET_ID: "millrace",
  INSTANET_SECRET: "instanet-test-client-secret",
  INSTANET_CALLBACK: "instanet-test-callback-secret",
};

/** Which states are at rest, and in which a person is waited for, as `kind state`. */
const STATES: ReadonlyMap<string, string> = new Map<string, string>(
  loadDeclared(SHIPPED_SCHEMAS).flows.flatMap(({ caseKind, states }) =>
    states.map(({ name, kind, human }) => {
      const stands = human ? "person" : kind === "quiescent" || kind === "final" ? "rest" : "open";
      return [`${caseKind} ${name}`, stands] as const;
    }),
  ),
);
/** Of a create that was refused. */
const REFUSED = "rejected";

test("payments of every method end at rest or with a person, and as their providers say, whoever is killed meanwhile", async () => {
  const seed = Number(process.env["MILLRACE_TEST_SEED"] ?? Date.now() % 1_000_000);
  console.info(
    `MILLRACE_TEST_SEED=${seed} MILLRACE_TEST_PAYMENTS=${PAYMENTS} npx vitest run test/faults/methods.test.ts`,
  );
  const folder = mkdtempSync(join(tmpdir(), "methods-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [port, ...webhookPorts] = [await freePort(), await freePort(), await freePort()];
  const sandboxArgs = optionsOf({
    dir: join(folder, "sandbox"),
    script: claimsOf(folder),
    port: String(port),
    trouble: "0.3",
    seed: String(seed),
    "soon-ms": "50",
    "late-ms": "1500",
    "slow-ms": "500",
    "silent-ms": "2000",
    "token-seconds": "20",
    "cardco-webhook": `http://127.0.0.1:${webhookPorts[0]}/webhooks/cardco`,
    "instanet-callback": `http://127.0.0.1:${webhookPorts[1]}/webhooks/instanet`,
  });
  let sandbox = await startSandboxProcess(sandboxArgs);
  const world = await openWorld({ environment: environmentOf(folder, sandbox) });
  const start = (name: string): Promise<Instance> => {
    return startInstance(world, name, { MILLRACE_WEBHOOK_PORT: String(webhookPorts[name === "a" ? 0 : 1]) });
  };
  const instances = await Promise.all(["a", "b"].map(start));
  await publishRates(world);

  const counts = ["--count", String(INTENTS), "--rate", String(INTENTS_PER_SECOND), "--holders", "40"];
  const load = startVerb(world, ["load", "--profile", "methods", "--seed", String(seed), ...counts], LOAD_MAX_MS);
  await publishLines(world, recalledTransfers());
  const random = seeded(seed);
  let isThrough = false;
  void load.ended.then(() => {
    isThrough = true;
  });
  let kills = 0;
  for (; !isThrough || kills < KILLS_MIN; kills++) {
    await sleep(KILL_EVERY_MS * (0.5 + random()));
    const victim = instances[kills % 3];
    if (victim === undefined) {
      await sandbox.kill();
      sandbox = await startSandboxProcess(sandboxArgs);
    } else {
      await victim.kill();
      instances[kills % 3] = await start(victim.name);
    }
  }
  expect((await load.ended).code, (await load.ended).stderr).toBe(0);
  // What was not taken is sent again at once, not when its turn has come: half a minute after the last try, say.
  await sandbox.kill();
  sandbox = await startSandboxProcess(sandboxArgs);
  const journal = join(folder, "sandbox", "journal.jsonl");
  await sleep(3_000);
  await askForRefunds(world);
  await untilRest(world, journal);
  expect(await openHalts(world)).toEqual([]);
  await expectEveryMethod(world, kills);

  await decideAll(world, sandbox, journal);
  const recalls = [...(await caseStates(world))].filter(([state]) => state.startsWith("brc "));
  expectRecalls(await recordOf(sandbox), recalls);
  expect(await balancesOf(world, "clearing:")).toEqual([]);
  expect(await balancesOf(world, "memo:auth_")).toEqual([]);
  await Promise.all(instances.map((one) => one.stop()));
  await expectBothSides(world, sandbox);
}, 2_400_000);

/** Some pushes are claimed back for fraud, which the seed makes of none. */
function claimsOf(folder: string): string {
  const file = join(folder, "script.json");
  const when = { provider: "instanet", kind: "charges", key: "charges/psh_*" };
  writeFileSync(file, JSON.stringify([{ when, do: "claimed twice", times: CLAIMS }]));
  return file;
}

/** Every invariant holds, and of what differs between bookings and providers nothing is excused. */
async function expectBothSides(world: World, { url }: RunningSandbox): Promise<void> {
  const { stdout } = await runVerb(world, ["verify", "--deep", "--sandbox", url, "--json"], [0, 1]);
  const rows = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { invariant?: string; ok: boolean; checked: number; problems: string[] });
  const findings = rows.filter(({ invariant }) => invariant !== undefined);
  expect(findings.filter(({ ok }) => !ok)).toEqual([]);
  for (const name of ["effects_asked_for", "effects_once", "bookings_equal_effects"])
    expect(findings.find(({ invariant }) => invariant === name)?.checked, name).toBeGreaterThan(PAYMENTS / 2);
  const summary = rows.at(-1);
  console.info(`verify: ${JSON.stringify(summary)}`);
  expect(summary).toMatchObject({ ok: true, sides: { underWay: [], withPerson: [] } });
}

function optionsOf(options: Readonly<Record<string, string>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
}

function environmentOf(folder: string, { url }: RunningSandbox): Record<string, string> {
  const schemas = join(folder, "schemas");
  cpSync(SHIPPED_SCHEMAS, schemas, { recursive: true });
  for (const [provider, flows] of Object.entries(QUICK)) {
    for (const [flow, values] of Object.entries(flows)) {
      const spec = { flow, overlays: [{ provider, values }] };
      const file = { apiVersion: "parameters/v1", kind: "Parameters", metadata: { name: flow, owner: "tests" }, spec };
      writeFileSync(join(schemas, "parameters", `${flow}.yaml`), JSON.stringify(file));
    }
  }
  const cardco = { key: { env: "CARDCO_KEY" }, webhook: { env: "CARDCO_WEBHOOK" } };
  const instanet = {
    client_id: { env: "INSTANET_ID" },
    client_secret: { env: "INSTANET_SECRET" },
    webhook: { env: "INSTANET_CALLBACK" },
  };
  const providers = [
    { name: "cardco", kind: "cardco", url, secrets: cardco },
    { name: "instanet", kind: "instanet", url, secrets: instanet },
  ];
  const file = join(folder, "providers.yaml");
  writeFileSync(file, JSON.stringify({ apiVersion: "providers/v1", kind: "Providers", providers }));
  return {
    ...SECRETS,
    MILLRACE_ROLES: "lanes,gateways,rates",
    MILLRACE_PROVIDERS: "cardco,instanet",
    MILLRACE_PROVIDERS_FILE: file,
    MILLRACE_SCHEMAS_DIR: schemas,
    MILLRACE_MISSED_EVENTS_SECONDS: "5",
    MILLRACE_TIMER_MARGIN_MS: "500",
    MILLRACE_CLOCK_SKEW_MAX_MS: "500",
  };
}

async function publishRates(world: World): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "rates-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const day = new Date().toISOString().slice(0, 10);
  writeFileSync(
    join(folder, "ecb.csv"),
    `Date,USD,JPY,GBP,ETH,USDC@eip155:1,\n${day},1.0850,161.94,0.8412,0.0004,1.0860,\n`,
  );
  await runVerb(world, ["rates", "publish", "--from", join(folder, "ecb.csv"), "--only-latest", "--as-of", "now"]);
  await waitFor("rates to be taken in", async () => {
    return Number((await world.query("select count(*) as n from rate"))[0]?.["n"]) >= 5;
  });
}

async function caseStates(world: World): Promise<Map<string, number>> {
  const rows = await world.query(
    "select kind, state, count(*)::int as cases from case_state group by 1, 2 order by 1, 2",
  );
  return new Map(rows.map((row) => [`${row["kind"]} ${row["state"]}`, row["cases"] as number]));
}

function isAtRest(state: string): boolean {
  return state.endsWith(` ${REFUSED}`) || STATES.get(state) === "rest" || STATES.get(state) === "person";
}

/** Nor has the sandbox anything left to tell, or to do, that a case at rest does not wait for. */
async function untilRest(world: World, journal: string): Promise<void> {
  let told = "";
  let restingSince = Number.POSITIVE_INFINITY;
  const isSo = async (): Promise<boolean> => {
    const states = await caseStates(world);
    told = [...states].map(([state, cases]) => `${state} ${cases}`).join(", ");
    await sleep(300);
    const [looks] = await world.query("select count(*)::int as looks from timer where name = 'look'");
    const memory = readMemory(journal);
    const isTold = webhooksLeft(memory) === 0 && (await areListsRead(world, memory));
    const isResting = looks?.["looks"] === 0 && [...states.keys()].every(isAtRest) && isTold;
    restingSince = isResting ? Math.min(restingSince, Date.now()) : Number.POSITIVE_INFINITY;
    return Date.now() - restingSince > 3_000;
  };
  await waitFor(() => `every case to be at rest or with a person: ${told}`, isSo, REST_MAX_MS);
}

function readMemory(journal: string): Memory {
  const memory = new Memory();
  const [, ...entries] = readFileSync(journal, "utf8").split("\n").slice(0, -1);
  for (const entry of entries) memory.apply(JSON.parse(entry) as Entry);
  return memory;
}

/** Both providers' lists of events were read to their end, in which stands what no webhook tells. */
async function areListsRead(world: World, memory: Memory): Promise<boolean> {
  const rows = await world.query("select provider, position from event_position");
  const end = String(memory.changes().length);
  return rows.length === 2 && rows.every(({ position }) => position === end);
}

/** Webhooks that nobody has taken yet. */
function webhooksLeft(memory: Memory): number {
  const left = [...memory.all()].map((operation) => {
    const { provider, behaviour, turns } = operation;
    const nameOf = provider === "cardco" ? eventId : notificationId;
    const ids = turns.flatMap((_, index) =>
      copiesOf(behaviour.post, index).map(({ suffix }) => `${nameOf(operation, index)}${suffix}`),
    );
    return ids.filter((id) => !memory.isTold(id)).length;
  });
  return left.reduce((sum, count) => sum + count, 0);
}

/** Those of the load follow their payments by seconds, which is before the capture where a machine is slow. Debits become
 *  available long behind that. */
async function askForRefunds(world: World): Promise<void> {
  await waitFor("debits to be available", async () => ((await caseStates(world)).get("dbt cleared") ?? 0) >= 3);
  const lines: string[] = [];
  for (const [kind, state] of [
    ["pay", "captured"],
    ["psh", "completed"],
    ["btr", "applied"],
    ["dbt", "cleared"],
  ]) {
    const rows = await world.query(
      `select case_id, holder_id, data from case_state where kind = '${kind}' and state = '${state}' limit 12`,
    );
    for (const { case_id: uuid, holder_id: holderId, data } of rows) {
      const currency = (data as { readonly c?: { readonly S?: string } }).c?.S;
      const type = "refund_create";
      const caseId = printCaseId(String(uuid), String(kind));
      const occurredAt = new Date().toISOString();
      const amount = { currency, minor: "1" };
      lines.push(JSON.stringify({ type, holderId, caseId, idempotencyKey: "once-more", amount, occurredAt }));
    }
  }
  await publishLines(world, lines);
  await sleep(2_000);
}

/** The trouble was real: of each method some went well and some did not. */
async function expectEveryMethod(world: World, kills: number): Promise<void> {
  const states = await caseStates(world);
  console.info(`${kills} kills; ${[...states].map(([state, cases]) => `${state} ${cases}`).join(", ")}`);
  const cards = ["pay captured", "pay ended", "rfd completed", "bnp captured", "wal captured"];
  const banks = [
    "brc review",
    "psh completed",
    "psh ended",
    "btr applied",
    "brf completed",
    "dbt cleared",
    "dbt ended",
  ];
  for (const state of [...cards, ...banks, "pyo paid", "pyo ended", "cry booked"])
    expect(states.get(state), `${state} of ${[...states.keys()].join(", ")}`).toBeGreaterThan(0);
  const refunds = await world.query("select data->>'p' as parent from case_state where kind = 'brf'");
  const refunded = new Set(refunds.map(({ parent }) => String(parent).slice(0, 3)));
  expect([...refunded].sort(), "methods with refunds by bank").toEqual(["btr", "dbt", "psh"]);
  const [given] = await world.query(
    "select count(*)::int as refunds from case_state where kind = 'brf' and state = 'completed' and data->>'p' like 'dbt%'",
  );
  expect(given?.["refunds"], "refunds of debits that were taken").toBeGreaterThan(0);
  const [claims] = await world.query(
    "select count(*)::int as claims from case_state where kind = 'psh' and history::text like '%psp.charge.claimed%'",
  );
  expect(claims?.["claims"], "claims for fraud").toBeGreaterThan(0);
}

/** Balances that are not zero. */
async function balancesOf(world: World, prefix: string): Promise<string[]> {
  const { stdout } = await runVerb(world, ["ledger", "balances", "--prefix", prefix, "--json"]);
  const rows = stdout.split("\n").filter((line) => line !== "");
  return rows
    .map((line) => JSON.parse(line) as { account: string; currency: string; balanceMinor: string })
    .filter(({ balanceMinor }) => balanceMinor !== "0")
    .map(({ account, currency, balanceMinor }) => `${account} ${currency} ${balanceMinor}`);
}

// Who waits for a person --------------------------------------------------------------------------------------------------

type Waiting = {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly holderId: string;
  readonly currency: string;
  /** null for a case that none opened */
  readonly parent: string | null;
  readonly v: Readonly<Record<string, unknown>>;
};

async function recordOf({ url }: RunningSandbox): Promise<readonly Effect[]> {
  return readRecord(await (await fetch(`${url}/sandbox/record`)).text());
}

/** A named person decides by what the provider's record says, as often as it takes. */
async function decideAll(world: World, sandbox: RunningSandbox, journal: string): Promise<void> {
  for (let round = 0; ; round++) {
    const waiting = await waitingCases(world);
    if (waiting.length === 0) return;
    const told = waiting.map(({ id, state, v }) => `${id} ${state} ${JSON.stringify(v)}`).join(", ");
    expect(round, `still waiting: ${told}`).toBeLessThan(ROUNDS_MAX);
    const effects = await recordOf(sandbox);
    await publishLines(
      world,
      waiting.map((one) => decisionLine(one, effects, round)),
    );
    await sleep(2_000);
    await untilRest(world, journal);
  }
}

async function waitingCases(world: World): Promise<Waiting[]> {
  const rows = await world.query("select case_id, kind, holder_id, state, data from case_state");
  const waiting = rows.filter(({ kind, state }) => STATES.get(`${kind} ${state}`) === "person");
  return waiting.map(({ case_id: uuid, kind, holder_id: holderId, state, data }) => {
    const { c = {}, v = {}, w = {} } = data as Record<"c" | "v" | "w", Record<string, unknown> | undefined>;
    const { p: parent = null } = data as { readonly p?: string | null };
    const id = printCaseId(String(uuid), String(kind));
    return {
      id,
      kind: String(kind),
      state: String(state),
      holderId: String(holderId),
      currency: String(c["S"]),
      parent,
      v: { ...v, ...w },
    };
  });
}

function decisionLine(one: Waiting, effects: readonly Effect[], round: number): string {
  const { decision, minor } = decisionOf(one, effects, round);
  return JSON.stringify({
    type: "case_decide",
    holderId: one.holderId,
    caseId: one.id,
    idempotencyKey: `person-${round}`,
    decision,
    ...(minor === undefined ? {} : { amount: { currency: one.currency, minor: String(minor) } }),
    principal: "ada",
    reason: "the provider's file",
    occurredAt: new Date().toISOString(),
  });
}

type Decision = { readonly decision: string; readonly minor?: bigint };

function decisionOf(one: Waiting, effects: readonly Effect[], round: number): Decision {
  const { kind, state, v } = one;
  const did = (of: string): bigint => doneFor(one, of, effects);
  const number = (name: string): bigint => BigInt(String(v[name] ?? "0"));
  switch (`${kind} ${state}`) {
    case "pay fx_attention":
      return { decision: "retry" };
    case "pay attention":
    case "bnp attention": {
      const more = did("capture") - number("captured");
      if (more > 0n) return { decision: "confirm_capture", minor: more };
      return { decision: number("held") > 0n ? "confirm_released" : "confirm_nothing" };
    }
    case "rfd attention":
    case "bnr attention":
      return { decision: did("refund") > 0n ? "confirm_refunded" : "confirm_failed" };
    case "brf attention":
      return { decision: did("returns") > 0n ? "confirm_refunded" : "confirm_failed" };
    case "brc review":
      // What a merchant has not enough for is refused in the next round.
      return { decision: one.holderId === REFUSING || round > 0 ? "refuse" : "accept" };
    case "brc attention":
      return { decision: wasAnswered(one, effects) ? "confirm_answered" : "confirm_failed" };
    case "pyo review":
      return { decision: "approve" };
    case "pyo attention":
      return { decision: did("payouts") > 0n ? "confirm_paid" : "confirm_failed" };
    case "dbt attention":
    case "dbt settled_late":
      return did("debits") > 0n
        ? { decision: "confirm_settled", minor: did("debits") }
        : { decision: "confirm_nothing" };
    case "brt unapplied":
      return { decision: "return" };
    case "brt attention":
    case "crr attention":
      if (did("returns") > 0n || isClaimed(one, effects)) return { decision: "confirm_returned" };
      return { decision: v["refused"] === true ? "retry_return" : "confirm_refused" };
    case "cry late_review":
      return { decision: "send_back" };
    default:
      return { decision: "confirm_nothing" };
  }
}

/** The payer has it, by a claim for fraud. */
function isClaimed({ parent, holderId }: Waiting, effects: readonly Effect[]): boolean {
  const undone = effects.filter(({ effect }) => effect === "undone");
  return parent !== null && doneFor({ id: parent, holderId }, "charges", undone) < 0n;
}

/** A no is an answer too, which gives nothing. */
function wasAnswered(one: Waiting, effects: readonly Effect[]): boolean {
  const own = effectsFor(one, "recalls", effects);
  return own.filter(({ effect }) => effect === "done").length > own.filter(({ effect }) => effect === "undone").length;
}

function effectsFor({ id, holderId }: Pick<Waiting, "id" | "holderId">, kind: string, effects: readonly Effect[]) {
  return effects.filter((effect) => {
    if (effect.kind !== kind) return false;
    if (effect.provider === "cardco") return effect.key.startsWith(`${id}/`);
    const found = keyOfTxid(effect.key);
    return found !== null && found.isOf(holderId) && found.key.startsWith(`${id}/`);
  });
}

function doneFor({ id, holderId }: Pick<Waiting, "id" | "holderId">, kind: string, effects: readonly Effect[]): bigint {
  const own = effectsFor({ id, holderId }, kind, effects);
  return own.reduce((sum, { effect, minor }) => sum + (effect === "undone" ? -minor : minor), 0n);
}
