// The working part of `millrace load`: checks lines before anything is sent, then sends.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { loadDeclared } from "../declared/load.ts";
import { type ExpressionNode, nodesOf } from "../domain/flow/expression.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { KafkaSettings } from "../kafka/port.ts";
import { openProducer } from "../kafka/producer.ts";
import { openProfile } from "../workload/generate/profiles.ts";
import type { IntentLineRules } from "../workload/intents.ts";
import { formatTime } from "../workload/intents-time.ts";
import { findFaults, LineSource, printLineFault, RepeatingLast, readFileBytes } from "../workload/load/load.ts";
import { type Pumped, pump, type Source } from "../workload/load/pump.ts";
import { openMessages, type ToolMessages } from "./codec.ts";
import type { CliContext } from "./context.ts";
import { CommandFailed, EXIT, Interrupted, usageFailed } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import type { LoadPlan } from "./load.ts";
import { type Finished, Measuring, reportFields, tellReport } from "./load-report.ts";
import { startProgress } from "./progress.ts";
import { noFile } from "./usage.ts";

/** @throws CommandFailed | Interrupted | KafkaUnreachable | RegistryUnreachable */
export async function runLoad(context: CliContext, config: Config, asked: LoadPlan): Promise<void> {
  const { from } = asked;
  const file = from === null || from === "-" ? from : resolve(context.io.workingDir, from);
  const plan = { ...asked, from: file };
  const lines = file === null || file === "-" ? null : await checkLines(file, config);
  const addresses = await context.addresses(config, ["kafkaBrokers", "schemaRegistryUrl"]);
  const messages = await openMessages(config, addresses.schemaRegistryUrl);
  const kafka = quietKafka(config, addresses.kafkaBrokers, "load");
  const lanes = await countPartitions(kafka, messages.topics.intents);
  const sending = { plan, kafka, lanes, messages, total: totalOf(plan, lines) };
  const { report: wish } = plan;
  if (wish === null) return send(context, sending, null);
  const measuring = await Measuring.open(context, { ...sending, wish, registryUrl: addresses.schemaRegistryUrl });
  await send(context, sending, measuring).finally(() => measuring.stop());
}

/** null when nobody knows it before the end */
function totalOf({ profile, generate, repeatLast }: LoadPlan, lines: number | null): number | null {
  if (profile !== null) return generate.count;
  return lines === null ? null : lines + Math.min(repeatLast, lines);
}

/** A file is read through before anything is sent.
 *  @returns its lines; null for a pipe, which can be read once only */
async function checkLines(file: string, config: Config): Promise<number | null> {
  const why = noFile(file);
  if (why !== null) throw new CommandFailed(EXIT.usage, `--from: ${file} ${why}`);
  if (!statSync(file).isFile()) return null;
  const rules = lineRules(loadDeclared(config.schemasDir, config.flowsDir), Date.now());
  const { lines, faults, more } = await findFaults(readFileBytes(file), rules).catch((error: NodeJS.ErrnoException) => {
    if (error.syscall === undefined) throw error;
    throw new CommandFailed(EXIT.usage, `--from: ${file} cannot be read (${error.code})`);
  });
  if (faults.length === 0) return lines;
  const told = faults.map((fault) => printLineFault(file, fault));
  throw usageFailed([...told, ...(more === 0 ? [] : [`${file}: ${more} more faults`]), "nothing was sent"]);
}

function lineRules({ currencies, flows }: ToolMessages["declared"], runAtMs: number): IntentLineRules {
  // Of several flows for one intent that whose guard names the method gives the kind, else the first: it is a label, and the
  // core goes by the bytes behind it.
  const kinds = flows.flatMap(({ start, caseKind }) => {
    if (start.kind !== "intent") return [];
    const words = start.when === null ? [] : nodesOf(start.when.root).flatMap((node) => wordOf(node));
    return [start.type, ...words.map((word) => `${start.type} ${word}`)].map((opens) => [opens, caseKind] as const);
  });
  return { currencies, caseKinds: new Map(kinds.reverse()), runAtMs };
}

function wordOf(node: ExpressionNode): string[] {
  return node.kind === "literal" && typeof node.value === "string" ? [node.value] : [];
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

function openSource(plan: LoadPlan, { messages, lanes, runAtMs }: SourceParts): OpenedSource {
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
  readonly plan: LoadPlan;
  readonly kafka: KafkaSettings;
  readonly messages: ToolMessages;
  readonly lanes: number;
  readonly total: number | null;
};

async function send(context: CliContext, sending: Sending, measuring: Measuring | null): Promise<void> {
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
  const meter = measuring?.begin(startAtMs) ?? null;
  const watch = meter === null ? {} : { watch: meter };
  // How many wait for their outcome, where that is measured; else how many wait for Kafka.
  const update = (done: number, waiting: number): void => progress.update(done, meter?.waiting ?? waiting);
  try {
    const pumped = await pump(producer, opened.source, { ...options, ...watch, progress: update });
    progress.stop();
    assertNoFaults(plan, opened, pumped);
    const settings = { topic: messages.topics.intents, partitions: lanes, runAt: timeOf(runAtMs) };
    const sent = { ...sending, ...opened, runAtMs };
    const finished = await finish(measuring, stop, settings).catch((error: unknown) => {
      tell(context, { ...sent, finished: null }, pumped); // That all is acknowledged is true without a report.
      throw error;
    });
    tell(context, { ...sent, finished }, pumped);
    if (finished !== null) tellReport(context, finished);
  } catch (error) {
    progress.stop();
    throw asUnreachable(error, opened.repeating.handedOut);
  } finally {
    await producer.close();
  }
  if (stop.aborted) throw new Interrupted();
}

async function finish(measuring: Measuring | null, stop: AbortSignal, settings: object): Promise<Finished | null> {
  return measuring === null ? null : measuring.finish(stop, { ...settings });
}

/** Of a pipe faults are known only when all before them has been sent.
 *  @throws CommandFailed */
function assertNoFaults({ from }: LoadPlan, { lines }: OpenedSource, pumped: Pumped): void {
  const faults = lines?.faults ?? [];
  if (faults.length === 0) return;
  const name = from === "-" ? "stdin" : (from ?? "");
  const sent = `${pumped.acknowledged} intents before line ${faults[0]?.line} were sent`;
  throw usageFailed([...faults.map((fault) => printLineFault(name, fault)), sent]);
}

type Sent = Sending & OpenedSource & { readonly runAtMs: number; readonly finished: Finished | null };

function tell(context: CliContext, sent: Sent, pumped: Pumped): void {
  const { repeating, runAtMs, plan, messages, lanes, finished } = sent;
  const { acknowledged, seconds, lateMsMax } = pumped;
  const perSecond = Math.round(acknowledged / Math.max(seconds, 0.001));
  const { handedOut, repeated } = repeating;
  const again = repeated === 0 ? "" : `, the last ${repeated} of them twice`;
  const late = plan.rate === null || lateMsMax < 100 ? "" : `; at most ${lateMsMax} ms behind the rate`;
  context.out.row(
    {
      ...(finished === null ? {} : reportFields(finished)),
      sent: handedOut,
      repeated,
      acknowledged,
      seconds: Math.round(seconds * 1000) / 1000,
      perSecond,
      lateMsMax,
      runAt: timeOf(runAtMs),
      topic: messages.topics.intents,
      partitions: lanes,
    },
    `${handedOut} intents sent${again}, all acknowledged in ${seconds.toFixed(1)} s (${perSecond}/s)${late}`,
  );
}

function timeOf(ms: number): string {
  return formatTime(BigInt(ms) * 1000n);
}

/** The producer repeats for a minute; what is left then is a broker that does not come back. */
function asUnreachable(error: unknown, handedOut: number): unknown {
  if (!(error instanceof Error) || error.name !== "WriterBroken") return error;
  const message = `${error.message}; of ${handedOut} intents some were not acknowledged: see \`millrace stack status\`, then send them again`;
  return new CommandFailed(EXIT.unreachable, message);
}
