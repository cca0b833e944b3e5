// The working part of `millrace flows backtest`: finds the recorded blocks, has them decided twice, and tells what differs.

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Config, topicNames } from "../config/config.ts";
import { type Declared, loadFlowText } from "../declared/load.ts";
import { type CompiledFlow, compileFlow } from "../domain/flow/compile/compile.ts";
import type { RateBook } from "../domain/fx/rates.ts";
import { makeParameterBook, NO_PARAMETERS, type ParameterBook } from "../domain/parameters/parameters.ts";
import { readOverlays } from "../domain/parameters/stored.ts";
import { NO_ROUTES, readRoutes } from "../domain/routes/routes.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { Codec } from "../kafka/codec.ts";
import type { KafkaSettings, TopicAdmin } from "../kafka/port.ts";
import { takeIn } from "../processor/intake.ts";
import { readReport } from "../processor/reports.ts";
import { beginReading, readCut } from "../store/audit.ts";
import type { Connection } from "../store/database.ts";
import { type ParameterTexts, readParameterTexts } from "../store/parameters.ts";
import { rateBookAt } from "../store/rates.ts";
import { countLanes, type NumberedFlow, readFlowVersions } from "../store/setup.ts";
import { type Backtested, backtest } from "../workload/backtest/backtest.ts";
import type { DecidingSettings, Intake, Recording } from "../workload/backtest/recording.ts";
import { makeReport } from "../workload/backtest/report.ts";
import { CandidateUnfit } from "../workload/backtest/rules-at.ts";
import { findBlocks, type LaneBlocks, readCases, StoredBlocks } from "../workload/backtest/stored.ts";
import { requireSameTopic } from "../workload/compare/cut.ts";
import { ReplayRefused } from "../workload/replay/span.ts";
import { openMessages } from "./codec.ts";
import type { CliContext } from "./context.ts";
import { requireLanes, withDatabase } from "./database.ts";
import { CommandFailed, EXIT, Interrupted } from "./exit.ts";
import type { BacktestWish } from "./flows-backtest.ts";
import { tellBacktest } from "./flows-backtest-view.ts";
import { type Candidate, readCandidate, unsound } from "./flows-candidate.ts";
import { quietKafka } from "./kafka-settings.ts";
import { startProgress } from "./progress.ts";

/** @throws CommandFailed | Interrupted | KafkaUnreachable | DatabaseUnreachable | DeclaredFaults */
export async function runBacktest(context: CliContext, config: Config, wish: BacktestWish): Promise<void> {
  const topics = topicNames(config);
  if (wish.topic !== topics.intents)
    throw new CommandFailed(
      EXIT.failed,
      `--from-topic: the ledger was made of ${topics.intents}, and its blocks say nothing of ${wish.topic}`,
    );
  const addresses = await context.addresses(config);
  const kafka = quietKafka(config, addresses.kafkaBrokers, "backtest");
  const admin = await openAdmin(kafka);
  try {
    const { codec, declared } = await openMessages(config, addresses.schemaRegistryUrl);
    const access = { config, databaseUrl: addresses.databaseUrl, verb: "backtest", mode: "read" } as const;
    await withDatabase(access, async (connection) => {
      requireLanes(await countLanes(connection));
      await requireSameTopic(connection, admin, wish.topic);
      await test({ context, config, wish, kafka, admin, codec, declared, connection });
    });
  } catch (error) {
    if (error instanceof ReplayRefused || error instanceof CandidateUnfit)
      throw new CommandFailed(EXIT.failed, error.message);
    throw error;
  } finally {
    await admin.close();
  }
}

type Parts = {
  readonly context: CliContext;
  readonly config: Config;
  readonly wish: BacktestWish;
  readonly kafka: KafkaSettings;
  readonly admin: TopicAdmin;
  readonly codec: Codec;
  readonly declared: Declared;
  readonly connection: Connection;
};

async function test(parts: Parts): Promise<void> {
  const { context, config, wish, declared, connection, kafka, admin } = parts;
  const registered = await readFlowVersions(connection);
  const { flows } = declared;
  const names = [...registered, ...flows].map(({ name }) => name);
  const candidate = readCandidate(wish.candidate, { workingDir: context.io.workingDir, declared, names });
  const faults = unsound(candidate, config.schemasDir, config.flowsDir);
  if (faults.length > 0) {
    context.out.warn(`${candidate.flow.name}@${candidate.flow.version} is not sound, and could not be promoted:`);
    for (const fault of faults) context.out.warn(`  ${fault}`);
  }
  await beginReading(connection);
  const cut = await readCut(connection);
  const spans = await findBlocks(connection, cut, wish);
  const nameOf = new Map(registered.map(({ number, name }) => [number, name]));
  const cases = await readCases(connection, spans, (number) => nameOf.get(number) ?? "");
  const stored = new StoredBlocks({ connection, kafka, admin, topics: topicNames(config) }, cases);
  try {
    await stored.open(spans);
    const recording: Recording = {
      spans,
      cases,
      accounts: stored.accounts,
      next: (lane) => stored.next(lane),
      rates: ratesIn(connection),
      parameters: await parametersIn(connection, config),
    };
    const done = await decide(parts, { recording, candidate, registered, spans });
    conclude(parts, candidate, spans, done);
  } finally {
    await stored.close();
  }
}

type Given = {
  readonly recording: Recording;
  readonly candidate: Candidate;
  readonly registered: readonly NumberedFlow[];
  readonly spans: readonly LaneBlocks[];
};

async function decide(parts: Parts, { recording, candidate, registered, spans }: Given): Promise<Backtested> {
  const { context, config, declared, codec, connection } = parts;
  const lanes = await countLanes(connection);
  const versions = registered.map(
    ({ name, version, source, number }): CompiledFlow =>
      compileFlow(loadFlowText(`${name}@${version}`, source, declared.chart), number),
  );
  const isDeclared = ({ name, version }: NumberedFlow): boolean =>
    declared.flows.some((flow) => flow.name === name && flow.version === version);
  const total = Number(spans.reduce((sum, { from, until }) => sum + until - from + 1n, 0n));
  const bar = await startProgress(context.out, context.io.stderr, { title: "backtest", total, unit: "blocks" });
  let blocks = 0;
  try {
    const done = await backtest({
      recording,
      intake: intakeOf(codec, lanes),
      flows: {
        chart: declared.chart,
        currencies: declared.currencies,
        lanes,
        versions,
        declared: new Set(registered.filter(isDeclared).map(({ number }) => number)),
        candidate: compileFlow(candidate.flow, 0),
      },
      topics: topicNames(config),
      progress: () => bar.update(++blocks, total),
      stop: context.io.interruption(),
    });
    if (done === null) throw new Interrupted();
    return done;
  } finally {
    bar.stop();
  }
}

function intakeOf({ decoders: { intent, report } }: Codec, lanes: number): Intake {
  return {
    learn: async ({ intents, reports }) => {
      for (const { value } of intents) await learn(intent, value);
      for (const { value } of reports) await learn(report, value);
    },
    intent: (record, lane, rules, { intentBytesMax, caseFutureMs }) =>
      takeIn(record, lane, rules, intent, { recordBytesMax: intentBytesMax, futureMs: caseFutureMs }),
    report: (record, lane) => readReport(record, lane, lanes, report),
  };
}

type Learns = { needs(value: Buffer): number | null; learn(id: number): Promise<unknown> };

async function learn(decoder: Learns, value: Buffer | null): Promise<void> {
  const id = value === null ? null : decoder.needs(value);
  if (id !== null) await decoder.learn(id);
}

/** Versions that follow each other are asked for again and again, as lanes take turns. */
const RATES_KEPT = 64;

function ratesIn(connection: Connection): Recording["rates"] {
  const kept = new Map<bigint, RateBook>();
  return async (version) => {
    const known = kept.get(version);
    if (known !== undefined) return known;
    const book = await rateBookAt(connection, version);
    kept.set(version, book);
    for (const oldest of kept.keys()) if (kept.size > RATES_KEPT) kept.delete(oldest);
    return book;
  };
}

async function parametersIn(connection: Connection, config: Config): Promise<Recording["parameters"]> {
  const texts = await readParameterTexts(connection);
  const made = new Map<bigint, Awaited<ReturnType<Recording["parameters"]>>>();
  return async (version) => {
    const known = made.get(version);
    if (known !== undefined) return known;
    const said = texts.get(version);
    const book = said === undefined ? NO_PARAMETERS : bookOf(version, said);
    // Of versions from before settings were written down, those of whoever asks stand for them.
    const settings = said?.settings ?? null;
    const one = { book, settings: settingsOf(settings === null ? config : (JSON.parse(settings) as SettingsText)) };
    made.set(version, one);
    return one;
  };
}

function bookOf(version: bigint, { overlays, routes }: ParameterTexts): ParameterBook {
  return makeParameterBook(Number(version), readOverlays(overlays), routes === null ? NO_ROUTES : readRoutes(routes));
}

type SettingsText = Pick<Config, "caseWindowDays" | "caseFutureHours" | "intentBytesMax">;

function settingsOf({ caseWindowDays, caseFutureHours, intentBytesMax }: SettingsText): DecidingSettings {
  return { caseWindowMs: caseWindowDays * 86_400_000, caseFutureMs: caseFutureHours * 3_600_000, intentBytesMax };
}

function conclude(
  { context, wish }: Parts,
  { flow, contentHash, declared }: Candidate,
  spans: readonly LaneBlocks[],
  { result, against }: Backtested,
): void {
  const lanes = spans.map(({ lane, from, until, digest, intentsFrom, intentsNext }) => ({
    lane,
    fromBlock: from.toString(),
    untilBlock: until.toString(),
    digest,
    intentsFrom: intentsFrom.toString(),
    intentsNext: intentsNext.toString(),
  }));
  const candidate = { flow: flow.name, version: flow.version, contentHash };
  const madeAt = new Date().toISOString();
  const report = makeReport({ candidate, declared, against, topic: wish.topic, lanes, madeAt }, result);
  if (wish.reportFile !== null)
    writeFileSync(resolve(context.io.workingDir, wish.reportFile), `${JSON.stringify(report, null, 2)}\n`);
  tellBacktest(context.out, result, report, wish.limit);
  if (result.undecidable.length > 0)
    throw new CommandFailed(EXIT.failed, `the candidate cannot decide ${result.undecidable.length} inputs`);
  if (wish.expectsNone && !(result.identical && result.notReproduced.length === 0))
    throw new CommandFailed(EXIT.failed, "not what --expect-none expects");
}
