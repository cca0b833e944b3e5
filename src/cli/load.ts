// millrace load: publishes intents, from JSON lines or made up from a seed.

import { statSync } from "node:fs";
import type { Command } from "commander";
import type { Config } from "../config.ts";
import { openMessages, type ToolMessages } from "./codec.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { KafkaSettings } from "../kafka/port.ts";
import { openProducer } from "../kafka/producer.ts";
import { defaultHolders, type GeneratePlan, NOMINAL_RATE } from "../workload/generate.ts";
import { openProfile, PROFILES } from "../workload/generate-profiles.ts";
import type { IntentLineRules } from "../workload/intents.ts";
import { formatTime, parseTime } from "../workload/intents-time.ts";
import { findFaults, LineSource, printLineFault, readFileBytes, RepeatingLast } from "../workload/load.ts";
import { pump, type Pumped, type Source } from "../workload/load-pump.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT, Interrupted, usageFailed } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import { startProgress } from "./progress.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

type LoadOptions = Readonly<
  Partial<Record<"from" | "profile" | "count" | "rate" | "seed" | "holders" | "zipf" | "repeatLast" | "runAt", string>>
>;

const COUNT_MAX = 1_000_000_000;
const RATE_MAX = 1_000_000;
const HOLDERS_MAX = 10_000_000;
const REPEAT_MAX = 1_000_000;
const SEED_MAX = 999_999_999_999_999;
const ZIPF_MAX = 10;

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("load")
    .summary("publish intents: JSON lines or generated ones")
    .description("Publishes intents, in order per holder. Exit 0 when all of them are acknowledged by Kafka.")
    .option("--from <FILE>", "JSON lines, an intent each; - is stdin")
    .option("--repeat-last <K>", "send the last K lines again afterwards, the same bytes: a producer's retry")
    .option("--profile <NAME>", `made-up intents instead: ${PROFILES.join(", ")}`)
    .option("--count <N>", "how many of them in all, openings of accounts included")
    .option("--seed <S>", "the same seed and run time give the same intents (default: 1)")
    .option("--holders <H>", "how many holders they belong to (default: a twentieth of the count, at most 10000)")
    .option("--zipf <Z>", "exponent of the holders' shares; 0 is all alike (default: 0)")
    .option("--rate <N>", "intents a second, each at its time (default: as fast as they are acknowledged)")
    .option("--run-at <TIME>", "time in the case ids that are made here (default: now)")
    .action((options: LoadOptions) => load(context, options));
  withExamples(
    verb,
    "millrace load --from intents.jsonl --repeat-last 100",
    "millrace load --profile transfers --count 100000 --rate 5000 --seed 7",
  );
}

type Plan = {
  readonly from: string | null;
  readonly profile: string | null;
  readonly generate: Omit<GeneratePlan, "runAtMs">;
  readonly rate: number | null;
  readonly repeatLast: number;
  /** null: the moment at which sending begins */
  readonly runAtMs: number | null;
};

async function load(context: CliContext, options: LoadOptions): Promise<void> {
  const usage = usageCheck();
  const plan = readPlan(usage, options);
  const config = await context.config([], usage);
  const toldLines = plan.from === null ? null : await checkLines(plan.from, config);
  const addresses = await context.addresses(config, ["kafkaBrokers", "schemaRegistryUrl"]);
  const messages = await openMessages(config, addresses.schemaRegistryUrl);
  const kafka = quietKafka(addresses.kafkaBrokers, "load");
  const lanes = await countPartitions(kafka, messages.topics.intents);
  await send(context, { plan, kafka, lanes, messages, total: totalOf(plan, toldLines) });
}

/** null when nobody knows it before the end */
function totalOf({ profile, generate, repeatLast }: Plan, lines: number | null): number | null {
  if (profile !== null) return generate.count;
  return lines === null ? null : lines + Math.min(repeatLast, lines);
}

function readPlan(usage: UsageCheck, options: LoadOptions): Plan {
  const { from = null, profile = null } = options;
  if ((from === null) === (profile === null)) usage.fault("load: expected either --from FILE or --profile NAME");
  if (profile !== null) usage.oneOf("--profile", profile, { default: "transfers", names: PROFILES });
  if (profile !== null && options.count === undefined) usage.fault("--count: missing, expected with --profile");
  const idle = (flag: string, text: string | undefined, partner: string): void => {
    if (text !== undefined) usage.fault(`${flag}: expected only with ${partner}`);
  };
  if (profile === null) {
    for (const name of ["count", "seed", "holders", "zipf"] as const) idle(`--${name}`, options[name], "--profile");
  } else {
    idle("--repeat-last", options.repeatLast, "--from");
  }
  const count = usage.wholeNumber("--count", options.count, { default: 1, min: 1, max: COUNT_MAX });
  const rate = usage.wholeNumber("--rate", options.rate, { default: 0, min: 1, max: RATE_MAX });
  const holders = { default: defaultHolders(count), min: 1, max: HOLDERS_MAX };
  return {
    from,
    profile,
    generate: {
      count,
      rate: rate === 0 ? NOMINAL_RATE : rate,
      seed: usage.wholeNumber("--seed", options.seed, { default: 1, min: 0, max: SEED_MAX }),
      holders: usage.wholeNumber("--holders", options.holders, holders),
      zipf: readZipf(usage, options.zipf),
    },
    rate: rate === 0 ? null : rate,
    repeatLast: usage.wholeNumber("--repeat-last", options.repeatLast, { default: 0, min: 0, max: REPEAT_MAX }),
    runAtMs: readRunAt(usage, options.runAt),
  };
}

function readZipf(usage: UsageCheck, text: string | undefined): number {
  const value = text === undefined ? 0 : /^\d{1,2}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= ZIPF_MAX) return value;
  usage.fault(`--zipf: found "${text}", expected a number from 0 to ${ZIPF_MAX}`);
  return 0;
}

function readRunAt(usage: UsageCheck, text: string | undefined): number | null {
  if (text === undefined) return null;
  const micros = parseTime(text);
  if (micros !== null && micros >= 0n) return Number(micros / 1000n);
  usage.fault(`--run-at: found "${text}", expected a time from 1970 on, such as 2026-11-20T10:00:00Z`);
  return null;
}

/** A file is read through before anything is sent.
 *  @returns its lines; null for a stream, which can be read once only */
async function checkLines(from: string, config: Config): Promise<number | null> {
  if (from === "-") return null;
  const stat = statSync(from, { throwIfNoEntry: false });
  if (stat === undefined) throw new CommandFailed(EXIT.usage, `--from: ${from} does not exist`);
  if (stat.isDirectory()) throw new CommandFailed(EXIT.usage, `--from: ${from} is a folder, expected a file`);
  if (!stat.isFile()) return null;
  const { loadDeclared } = await import("../declared/load.ts");
  const rules = lineRules(loadDeclared(config.schemasDir, config.flowsDir), Date.now());
  const { lines, faults, more } = await findFaults(readFileBytes(from), rules);
  if (faults.length === 0) return lines;
  const told = faults.map((fault) => printLineFault(from, fault));
  throw usageFailed([...told, ...(more === 0 ? [] : [`${from}: ${more} more faults`]), "nothing was sent"]);
}

function lineRules({ currencies, flows }: ToolMessages["declared"], runAtMs: number): IntentLineRules {
  return { currencies, caseKinds: new Map(flows.map((flow) => [flow.startsOn, flow.caseKind])), runAtMs };
}

async function countPartitions(kafka: KafkaSettings, topic: string): Promise<number> {
  const admin = await openAdmin(kafka);
  try {
    const count = (await admin.partitionCounts([topic])).get(topic);
    if (count !== undefined) return count;
    throw new CommandFailed(EXIT.failed, `topic ${topic} does not exist; run \`millrace migrate\``);
  } finally {
    await admin.close();
  }
}

type OpenedSource = { readonly source: Source; readonly lines: LineSource | null; readonly repeating: RepeatingLast };
type SourceParts = { readonly messages: ToolMessages; readonly lanes: number; readonly runAtMs: number };

function openSource(plan: Plan, { messages, lanes, runAtMs }: SourceParts): OpenedSource {
  const { codec, declared } = messages;
  const parts = { encoder: codec.encoders.intent, lanes };
  if (plan.from === null) {
    const source = openProfile(plan.profile ?? "", { ...plan.generate, runAtMs }, parts);
    const repeating = new RepeatingLast(source, 0);
    return { source: repeating, lines: null, repeating };
  }
  const bytes = plan.from === "-" ? (process.stdin as AsyncIterable<Buffer>) : readFileBytes(plan.from);
  const lines = new LineSource(bytes, lineRules(declared, runAtMs), parts);
  const repeating = new RepeatingLast(lines, plan.repeatLast, () => lines.faults.length === 0);
  return { source: repeating, lines, repeating };
}

type Sending = {
  readonly plan: Plan;
  readonly kafka: KafkaSettings;
  readonly messages: ToolMessages;
  readonly lanes: number;
  readonly total: number | null;
};

async function send(context: CliContext, sending: Sending): Promise<void> {
  const { plan, kafka, messages, lanes, total } = sending;
  const producer = await openProducer(kafka);
  const progress = await startProgress(context.out, context.io.stderr, { title: "load", total, unit: "intents" });
  const stop = context.io.interruption();
  // The run begins now, not when the command did: the first intents would be late by the time it took to connect. Times
  // in generated intents count from the run, so unless it is set in the past an intent's time is when it is to be sent.
  const startAtMs = Date.now();
  const runAtMs = plan.runAtMs ?? startAtMs;
  const opened = openSource(plan, { messages, lanes, runAtMs });
  const options = { topic: messages.topics.intents, partitions: lanes, rate: plan.rate, startAtMs, stop };
  try {
    const pumped = await pump(producer, opened.source, { ...options, progress: progress.update });
    progress.stop();
    tell(context, { ...sending, ...opened, runAtMs }, pumped);
  } catch (error) {
    progress.stop();
    throw asUnreachable(error, opened.repeating.handedOut);
  } finally {
    await producer.close();
  }
  if (stop.aborted) throw new Interrupted();
}

type Sent = Sending & OpenedSource & { readonly runAtMs: number };

function tell(context: CliContext, { lines, repeating, runAtMs, plan, messages, lanes }: Sent, pumped: Pumped): void {
  const name = plan.from === "-" ? "stdin" : (plan.from ?? "");
  const faults = lines?.faults ?? [];
  if (faults.length > 0) {
    const sent = `${pumped.acknowledged} intents before line ${faults[0]?.line} were sent`;
    throw usageFailed([...faults.map((fault) => printLineFault(name, fault)), sent]);
  }
  const { acknowledged, seconds, lateMsMax } = pumped;
  const perSecond = Math.round(acknowledged / Math.max(seconds, 0.001));
  const { handedOut: sent, repeated } = repeating;
  const again = repeated === 0 ? "" : `, the last ${repeated} of them twice`;
  const late = plan.rate === null || lateMsMax < 100 ? "" : `; at most ${lateMsMax} ms behind the rate`;
  context.out.row(
    {
      sent,
      repeated,
      acknowledged,
      seconds: Math.round(seconds * 1000) / 1000,
      perSecond,
      lateMsMax,
      runAt: formatTime(BigInt(runAtMs) * 1000n),
      topic: messages.topics.intents,
      partitions: lanes,
    },
    `${sent} intents sent${again}, all acknowledged in ${seconds.toFixed(1)} s (${perSecond}/s)${late}`,
  );
}

/** The producer repeats for a minute; what is left then is a broker that does not come back. */
function asUnreachable(error: unknown, handedOut: number): unknown {
  if (!(error instanceof Error) || error.name !== "WriterBroken") return error;
  const message = `${error.message}; of ${handedOut} intents some were not acknowledged: see \`millrace stack status\`, then send them again`;
  return new CommandFailed(EXIT.unreachable, message);
}
