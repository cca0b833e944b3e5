// cards, cards-http and p2p: what takes more than one event. The service runs, then intents that are ready are published as
// fast as the broker takes them, and the clock stops when the last outcome has been read. A backlog that was there before
// the service would not do: what a case asks of a provider has a deadline, and it counts from the intent. Half as many go
// before, through the same process: until the compilers of Node and of the broker have settled, some ten seconds of full
// load, the same work costs half as much again, and a service runs for longer than that. How fast those went is told beside
// the figure.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../store/database.ts";
import { Cards } from "../generate/cards.ts";
import { NOMINAL_RATE } from "../generate/generate.ts";
import { PeerTransfers } from "../generate/p2p.ts";
import { Portions } from "../load/load.ts";
import { type Outbound, type Source, wallMs } from "../load/pump.ts";
import { BenchFailed, type BenchFigures, type Benchmark, type BenchSite, rounded } from "./bench.ts";
import { type Environment, later, millrace, SandboxProcess, ServiceProcess } from "./child.ts";
import { cpuBetween, cpuSeconds } from "./cpu.ts";
import { publish } from "./drain.ts";
import { ReaderProcess } from "./reader.ts";

const PLAN = { seed: 1, zipf: 0, rate: NOMINAL_RATE };

/** Payments captured at once, three in ten of them in another currency than the merchant's; the provider answers at once, in
 *  the service's own process. Each is authorized, captured and booked, and gives three outcomes: received, authorized,
 *  captured. */
export const cards: Benchmark = (site, { count }) =>
  cardsAt(site, { name: "cards", count: count ?? 40_000, provider: SCRIPT });

/** The same payments at cardco over HTTP: each is told to a sandbox in a process of its own, which writes every operation to
 *  its journal, flushes it and answers; no trouble, and no webhooks, since everything is answered. */
export const cardsHttp: Benchmark = async (site, { count }) => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-sandbox-"));
  const sandbox = new SandboxProcess(join(folder, "journal"), site.environment);
  try {
    const provider = cardcoAt(await sandbox.url(), folder, sandbox);
    return await cardsAt(site, { name: "cards-http", count: count ?? 20_000, provider });
  } finally {
    await sandbox.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};

type CardsProvider = {
  readonly name: string;
  /** what the figure's settings tell of it */
  readonly told: { readonly provider: string; readonly callsMax?: number };
  /** with which the service serves it */
  readonly environment: Environment;
  /** where it is; null: in the service's own process */
  readonly sandbox: SandboxProcess | null;
};

const SCRIPT: CardsProvider = {
  name: "script",
  told: { provider: "script, in process" },
  environment: { MILLRACE_PROVIDERS: "script" },
  sandbox: null,
};

/** With the default of 32 each flush of the sandbox answers all that are on their way, and then it and the service take turns,
 *  each idle while the other works (docs/benchmarks.md). */
const CALLS_MAX = 128;

/** The keys are those that every sandbox has, and open nothing else. */
function cardcoAt(url: string, folder: string, sandbox: SandboxProcess): CardsProvider {
  const secrets = { key: { env: "BENCH_CARDCO_KEY" }, webhook: { env: "BENCH_CARDCO_WEBHOOK" } };
  const providers = [{ name: "cardco", kind: "cardco", url, calls_max: CALLS_MAX, secrets }];
  const file = join(folder, "providers.yaml");
  writeFileSync(file, JSON.stringify({ apiVersion: "providers/v1", kind: "Providers", providers }));
  const environment = {
    MILLRACE_PROVIDERS: "cardco",
    MILLRACE_PROVIDERS_FILE: file,
    BENCH_CARDCO_KEY: "cardco-test-key",
    BENCH_CARDCO_WEBHOOK: "cardco-test-webhook-secret",
  };
  return { name: "cardco", told: { provider: "cardco, over HTTP", callsMax: CALLS_MAX }, environment, sandbox };
}

type CardsRun = { readonly name: string; readonly count: number; readonly provider: CardsProvider };

async function cardsAt(site: BenchSite, { name, count, provider }: CardsRun): Promise<BenchFigures> {
  const warmUp = warmUpOf(count);
  const holders = Math.min(1_000, count);
  await publishRates(site);
  const plan = { ...PLAN, count: warmUp + count, holders, runAtMs: Date.now() };
  const parts = { encoder: site.codec.encoders.intent, lanes: site.lanes };
  const portions = new Portions(new Cards(plan, parts, { only: "payments", provider: provider.name }));
  const figures = await served(site, provider, async (running) => {
    const warm = await measure(site, running, { name, count: warmUp, outcomesOf: CARD_OUTCOMES, portions });
    const run = await measure(site, running, { name, count, outcomesOf: CARD_OUTCOMES, portions });
    return warmed(run, warm);
  });
  await assertStates(site, { pay: { captured: warmUp + count } });
  return { ...figures, settings: { ...figures.settings, merchants: holders, ...provider.told } };
}

const CARD_OUTCOMES = 3;

/** Reference rates of now, as `rates publish` takes them from the bank's file, taken in before anything is measured. */
async function publishRates(site: BenchSite): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-rates-"));
  const file = join(folder, "ecb.csv");
  const day = new Date().toISOString().slice(0, 10);
  writeFileSync(file, `Date,USD,JPY,GBP,\n${day},1.0850,161.94,0.8412,\n`);
  const service = new ServiceProcess({ ...site.environment, MILLRACE_ROLES: "lanes,rates" });
  try {
    await millrace(
      ["rates", "publish", "--from", file, "--only-latest", "--as-of", "now"],
      site.environment,
      site.stop,
    );
    const until = performance.now() + RATES_MAX_MS;
    while ((await countRows(site, "rate")) < RATES) {
      service.assertRuns();
      if (performance.now() > until) throw new BenchFailed("the rates were published and not taken in");
      await later(100);
    }
  } catch (error) {
    throw service.explain(error);
  } finally {
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const RATES = 3;
const RATES_MAX_MS = 30_000;

async function countRows(site: BenchSite, table: "rate" | "block"): Promise<number> {
  const connection = await connect(site.database, "tool");
  const { rows } = await connection
    .plain(`select count(*)::int as rows from ${table}`)
    .finally(() => connection.close());
  return rows[0]?.["rows"] as number;
}

/** Transfers from one holder to another, most of them to another lane: the sender's outcome, the receiver's, and the
 *  sender's that it arrived. */
export const p2p: Benchmark = async (site, { count: wished }) => {
  const count = wished ?? 100_000;
  const warmUp = warmUpOf(count);
  const holders = Math.max(2, Math.min(20_000, count));
  const opening = 2 * holders;
  const plan = { ...PLAN, count: opening + warmUp + count, holders, runAtMs: Date.now() };
  const parts = { encoder: site.codec.encoders.intent, lanes: site.lanes };
  const portions = new Portions(new PeerTransfers(plan, parts));
  const figures = await served(site, SCRIPT, async (running) => {
    site.note(`p2p: opening ${holders} accounts with money on them`);
    await measure(site, running, { name: "p2p", count: opening, outcomesOf: 1, portions });
    const warm = await measure(site, running, { name: "p2p", count: warmUp, outcomesOf: TRANSFER_OUTCOMES, portions });
    const run = await measure(site, running, { name: "p2p", count, outcomesOf: TRANSFER_OUTCOMES, portions });
    return warmed(run, warm);
  });
  await assertStates(site, { trf: { completed: holders + warmUp + count }, tri: { received: warmUp + count } });
  return { ...figures, settings: { ...figures.settings, holders } };
};

const TRANSFER_OUTCOMES = 3;

function warmUpOf(count: number): number {
  return Math.ceil(count / 2);
}

function warmed(run: BenchFigures, warm: BenchFigures): BenchFigures {
  return { ...run, settings: { ...run.settings, warmUp: warm.count, warmUpPerSecond: warm.perSecond } };
}

type Running = { readonly service: ServiceProcess; readonly sandbox: SandboxProcess | null };

/** The figures that `work` makes with a service that has all lanes.
 *  @throws BenchFailed with the service's last lines */
async function served(
  site: BenchSite,
  { environment, sandbox }: CardsProvider,
  work: (running: Running) => Promise<BenchFigures>,
): Promise<BenchFigures> {
  const service = new ServiceProcess({ ...site.environment, MILLRACE_ROLES: "lanes,gateways", ...environment });
  try {
    await service.untilTaken(site.lanes);
    return await work({ service, sandbox });
  } catch (error) {
    throw service.explain(error);
  } finally {
    await service.stop();
  }
}

type Portion = {
  readonly name: string;
  readonly count: number;
  /** outcomes that each intent comes to */
  readonly outcomesOf: number;
  readonly portions: Portions;
};

/** Publishes the next `count` of the portions and waits for their last outcome. */
async function measure(
  site: BenchSite,
  { service, sandbox }: Running,
  { name, count, outcomesOf, portions }: Portion,
): Promise<BenchFigures> {
  const outcomes = outcomesOf * count;
  const pids = { ...site.stackPids, node: service.pid, ...(sandbox === null ? {} : { sandbox: sandbox.pid }) };
  const check = (): void => {
    service.assertRuns();
    sandbox?.assertRuns();
  };
  const reader = await ReaderProcess.open(site, { topic: site.topics.outcomes, count: outcomes });
  try {
    const intents = await made(portions.take(count));
    site.note(`${name}: measuring ${count}`);
    const blocksBefore = await countRows(site, "block");
    const before = cpuSeconds(pids);
    const startedAtMs = wallMs();
    await publish(site, intents);
    const publishedAtMs = wallMs();
    const read = await reader.done(check);
    const cpu = cpuBetween(before, cpuSeconds(pids));
    const seconds = (read.lastAtMs - startedAtMs) / 1000;
    return {
      count,
      seconds: rounded(seconds),
      perSecond: Math.round(count / seconds),
      settings: {
        lanes: site.lanes,
        outcomes,
        blocks: (await countRows(site, "block")) - blocksBefore,
        outcomesPerSecond: Math.round(outcomes / seconds),
        publishedSeconds: rounded((publishedAtMs - startedAtMs) / 1000),
      },
      cpu,
      course: { kind: "counted", startedAtMs, bySecond: read.bySecond },
    };
  } finally {
    reader.stop();
  }
}

/** The same records, made and encoded at once: whoever makes intents has cores of their own, or has them ready. */
async function made(source: Source): Promise<Source> {
  const records: Outbound[] = [];
  for (let chunk = await source.next(); chunk !== null; chunk = await source.next()) records.push(...chunk);
  let rest: readonly Outbound[] | null = records;
  return {
    next: async () => {
      const all = rest;
      rest = null;
      return all;
    },
  };
}

/** Numbers of cases by the prefix of their ids and their state. */
type CaseCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** A fast run that ended otherwise would be no run.
 *  @throws BenchFailed */
async function assertStates(site: BenchSite, wanted: CaseCounts): Promise<void> {
  const connection = await connect(site.database, "tool");
  const { rows } = await connection.plain("select kind, state, count(*)::int as cases from case_state group by 1, 2");
  await connection.close();
  for (const [kind, states] of Object.entries(wanted)) {
    for (const [state, cases] of Object.entries(states)) {
      const found = rows.find((row) => row["kind"] === kind && row["state"] === state)?.["cases"] ?? 0;
      if (found === cases) continue;
      const told = rows.map((row) => `${row["kind"]} ${row["state"]} ${row["cases"]}`).join(", ");
      throw new BenchFailed(`${cases} cases ${kind} should be ${state}, and there are ${found}: ${told}`);
    }
  }
}
