// cards and p2p: what takes more than one event. The service runs, then everything is published as fast as the broker takes
// it, and the clock stops when the last outcome has been read. A backlog that was there before the service would not do:
// what a case asks of a provider has a deadline, and it counts from the intent.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../store/database.ts";
import { Cards } from "../generate/cards.ts";
import { NOMINAL_RATE } from "../generate/generate.ts";
import { PeerTransfers } from "../generate/p2p.ts";
import { Portions } from "../load/load.ts";
import { type Source, wallMs } from "../load/pump.ts";
import { BenchFailed, type BenchFigures, type Benchmark, type BenchSite, rounded } from "./bench.ts";
import { later, millrace, ServiceProcess } from "./child.ts";
import { cpuBetween, cpuSeconds } from "./cpu.ts";
import { publish } from "./drain.ts";
import { ReaderProcess } from "./reader.ts";

const SEED = 1;

/** Payments captured at once, three in ten of them in another currency than the merchant's; the provider answers at once, in
 *  the service's own process. Each is authorized, captured and booked, and gives three outcomes: received, authorized,
 *  captured. */
export const cards: Benchmark = async (site, { count: wished }) => {
  const count = wished ?? 40_000;
  const holders = Math.min(1_000, count);
  await publishRates(site);
  const plan = { count, seed: SEED, holders, zipf: 0, runAtMs: Date.now(), rate: NOMINAL_RATE };
  const source = new Cards(plan, { encoder: site.codec.encoders.intent, lanes: site.lanes }, { only: "payments" });
  const run: PaymentsRun = { name: "cards", count, outcomes: CARD_OUTCOMES * count, source };
  const figures = await measure(site, run);
  await assertStates(site, { pay: { captured: count } });
  return { ...figures, settings: { ...figures.settings, merchants: holders, provider: "script, in process" } };
};

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
  const holders = Math.max(2, Math.min(20_000, count));
  const opening = 2 * holders;
  const plan = { count: opening + count, seed: SEED, holders, zipf: 0, runAtMs: Date.now(), rate: NOMINAL_RATE };
  const parts = { encoder: site.codec.encoders.intent, lanes: site.lanes };
  const portions = new Portions(new PeerTransfers(plan, parts));
  site.note(`p2p: opening ${holders} accounts with money on them`);
  await measure(site, { name: "p2p", count: opening, outcomes: opening, source: portions.take(opening) });
  const source = portions.take(count);
  const figures = await measure(site, { name: "p2p", count, outcomes: TRANSFER_OUTCOMES * count, source });
  await assertStates(site, { trf: { completed: holders + count }, tri: { received: count } });
  return { ...figures, settings: { ...figures.settings, holders } };
};

const TRANSFER_OUTCOMES = 3;

type PaymentsRun = {
  readonly name: string;
  readonly count: number;
  readonly outcomes: number;
  readonly source: Source;
};

async function measure(site: BenchSite, { name, count, outcomes, source }: PaymentsRun): Promise<BenchFigures> {
  const environment = { ...site.environment, MILLRACE_ROLES: "lanes,gateways", MILLRACE_PROVIDERS: "script" };
  const service = new ServiceProcess(environment);
  const reader = await ReaderProcess.open(site, { topic: site.topics.outcomes, count: outcomes });
  try {
    await service.untilTaken(site.lanes);
    site.note(`${name}: measuring ${count}`);
    const blocksBefore = await countRows(site, "block");
    const before = cpuSeconds({ ...site.stackPids, node: service.pid });
    const startedAtMs = wallMs();
    await publish(site, source);
    const publishedAtMs = wallMs();
    const read = await reader.done(() => service.assertRuns());
    const cpu = cpuBetween(before, cpuSeconds({ ...site.stackPids, node: service.pid }));
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
  } catch (error) {
    throw service.explain(error);
  } finally {
    reader.stop();
    await service.stop();
  }
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
