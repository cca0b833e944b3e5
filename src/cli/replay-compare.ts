// The working part of `millrace replay --compare`: finds out what can be compared, has it decided anew in a ledger of its
// own, and tells whether both are equal.

import { type Config, topicNames } from "../config/config.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { KafkaSettings, TopicAdmin } from "../kafka/port.ts";
import { beginReading, readFlowSources } from "../store/audit.ts";
import type { Connection } from "../store/database.ts";
import { countLanes } from "../store/setup.ts";
import { COMPARED, compareLedgers, type Difference, NOT_COMPARED, type Verdict } from "../workload/compare/compare.ts";
import { findEnds, type LaneEnd, requireSameTopic, untilTaken } from "../workload/compare/cut.ts";
import type { Side } from "../workload/compare/side.ts";
import { lastOffsets } from "../workload/replay/replay.ts";
import { ReplayRefused, resolveSpans, type Span } from "../workload/replay/span.ts";
import { openMessages, type ToolMessages } from "./codec.ts";
import type { CliContext } from "./context.ts";
import { requireLanes, withDatabase } from "./database.ts";
import { CommandFailed, EXIT, Interrupted } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import { startProgress } from "./progress.ts";
import type { ReplayWish } from "./replay.ts";
import { decideAnew, type Redecided } from "./replay-ledger.ts";

/** @throws CommandFailed 1 with the first difference | Interrupted | KafkaUnreachable | DatabaseUnreachable |
 *          RegistryUnreachable | StackUnavailable; its stack is down and its folder gone either way */
export async function runCompare(context: CliContext, config: Config, wish: ReplayWish): Promise<void> {
  const addresses = await context.addresses(config);
  const messages = await openMessages(config, addresses.schemaRegistryUrl);
  const kafka = quietKafka(config, addresses.kafkaBrokers, "replay");
  const stop = context.io.interruption();
  const access = { config, databaseUrl: addresses.databaseUrl, verb: "replay", mode: "read" } as const;
  const began = performance.now();
  const admin = await openAdmin(kafka);
  try {
    await withDatabase(access, async (connection) => {
      const source = { context, config, wish, kafka, admin, messages, connection, stop, ...addresses };
      const recorded = await recordedSide(source);
      const verdict = await decideAnew({ ...source, ...recorded }, (redecided) => compare(source, recorded, redecided));
      if (stop.aborted) throw new Interrupted();
      tell(source, recorded, verdict, (performance.now() - began) / 1000);
    });
  } catch (error) {
    if (stop.aborted) throw new Interrupted();
    if (error instanceof ReplayRefused) throw new CommandFailed(EXIT.failed, error.message);
    throw error;
  } finally {
    await admin.close();
  }
}

export type Source = {
  readonly context: CliContext;
  readonly config: Config;
  readonly wish: ReplayWish;
  readonly kafka: KafkaSettings;
  readonly admin: TopicAdmin;
  readonly messages: ToolMessages;
  readonly connection: Connection;
  readonly stop: AbortSignal;
  readonly schemaRegistryUrl: string;
};

export type RecordedSide = {
  readonly spans: readonly Span[];
  readonly ends: readonly LaneEnd[];
  readonly flows: ReadonlyMap<number, string>;
};

/** Settles up to where is compared, and refuses what could not be equal. */
async function recordedSide(source: Source): Promise<RecordedSide> {
  const { wish, admin, connection, stop, context } = source;
  const lanes = requireLanes(await countLanes(connection));
  const wanted = await wholeSpans(source, lanes);
  await requireSameTopic(connection, admin, wish.fromTopic);
  await beginReading(connection);
  const total = Number(wanted.reduce((sum, { to }) => sum + to, 0n));
  const bar = await startProgress(context.out, context.io.stderr, { title: "taken", total, unit: "intents" });
  try {
    await untilTaken(connection, wanted, { waitMs: wish.waitMs, stop, progress: bar.update });
  } finally {
    bar.stop();
  }
  const ends = await findEnds(connection, wanted);
  const flows = await readFlowSources(connection);
  warnOfTimers(source, ends);
  warnOfFlows(
    source,
    flows.map(({ ref }) => ref),
  );
  const spans = ends.map(({ lane, intentsNext }) => ({ partition: lane, from: 0n, to: intentsNext }));
  return { spans, ends, flows: new Map(flows.map(({ number, ref }) => [number, ref])) };
}

/** A ledger is decided from its first intent on, or not at all. */
async function wholeSpans({ wish, admin }: Source, lanes: number): Promise<readonly Span[]> {
  const topic = wish.fromTopic;
  const partitions = (await admin.partitionCounts([topic])).get(topic);
  if (partitions === undefined) throw new ReplayRefused(`--from-topic: topic ${topic} does not exist`);
  if (partitions !== lanes) {
    throw new ReplayRefused(
      `the ledger has ${lanes} lanes and ${topic} ${partitions} partitions: it was made of another topic`,
    );
  }
  const spans = await resolveSpans(admin, topic, partitions, wish);
  if (spans.length !== partitions) throw new ReplayRefused("with --compare every partition must be named, or none");
  const late = spans.filter(({ from }) => from > 0n).map(({ partition, from }) => `${partition} at offset ${from}`);
  if (late.length === 0) return lastOffsets(admin, topic, spans);
  throw new ReplayRefused(
    `a ledger can only be equal when it is decided from the first intent on, and these partitions begin later: ${late.join(", ")}; what came before has expired, or --from leaves it out`,
  );
}

function warnOfTimers({ context }: Source, ends: readonly LaneEnd[]): void {
  const fired = ends.reduce((sum, { timers }) => sum + timers, 0);
  if (fired === 0) return;
  context.out.warn(
    `${fired} timers have fired: they fall due by the time of the block that set them, and blocks end elsewhere in another run, so a difference in them or behind them may mean nothing`,
  );
}

function warnOfFlows({ context, messages }: Source, ran: readonly string[]): void {
  const declared = new Set(messages.declared.flows.map(({ name, version }) => `${name}@${version}`));
  const gone = ran.filter((ref) => !declared.has(ref));
  if (gone.length === 0) return;
  context.out.warn(
    `flows that have run and are not declared any more: ${gone.join(", ")}; their cases are decided by those of now`,
  );
}

async function compare(source: Source, recorded: RecordedSide, redecided: Redecided): Promise<Verdict> {
  const { context, messages, connection, stop, wish } = source;
  const bar = await startProgress(context.out, context.io.stderr, { title: "compare", total: null, unit: "rows" });
  const intentsTopic = topicNames(source.config).intents;
  const sides = {
    recorded: side(messages, connection, recorded.flows, wish.fromTopic, redecided.offsetOf),
    replayed: side(redecided.messages, redecided.connection, redecided.flows, intentsTopic, (_, offset) => offset),
  };
  try {
    return await compareLedgers({
      sides,
      ends: { recorded: recorded.ends, replayed: redecided.ends },
      stop,
      progress: bar.update,
    });
  } finally {
    bar.stop();
  }
}

function side(
  { codec }: ToolMessages,
  connection: Connection,
  flows: Side["flows"],
  intentsTopic: string,
  offsetOf: Side["offsetOf"],
): Side {
  return { connection, decoders: codec.decoders, flows, intentsTopic, offsetOf };
}

function tell({ context }: Source, { ends }: RecordedSide, verdict: Verdict, seconds: number): void {
  const { difference, counts, isLater } = verdict;
  const notCompared = [NOT_COMPARED, ...(isLater ? ["floors and states of accounts (the ledger had gone on)"] : [])];
  const at = ends.map(({ lane, block }) => `${lane}:${block}`).join(",");
  const found = COMPARED.map((what) => `${counts[what].toLocaleString("en")} ${NAMES[what]}`).join(", ");
  const rounded = Math.round(seconds * 1000) / 1000;
  const fields = { equal: difference === null, difference, compared: counts, cut: at, notCompared, seconds: rounded };
  const not = `not compared: ${notCompared.join("; ")}`;
  if (difference === null) {
    context.out.say(not);
    context.out.row(fields, `equal: ${found} of ${ends.length} lanes in ${seconds.toFixed(1)} s`);
    return;
  }
  context.out.row(fields, [`equal until then: ${found}`, ...differenceText(difference)].join("\n"));
  throw new CommandFailed(EXIT.failed, "the ledgers are not equal");
}

const NAMES: Readonly<Record<(typeof COMPARED)[number], string>> = {
  outcomes: "outcomes",
  deadLetters: "dead letters",
  quarantine: "quarantine rows",
  cases: "cases",
  lines: "lines",
  balances: "balances",
};

function differenceText({ what, lane, place, field, recorded, replayed }: Difference): string[] {
  const value = (text: unknown): string => (text === null ? "nothing" : JSON.stringify(text));
  return [
    `first difference: ${NAMES[what]}, lane ${lane}${field === null ? "" : `, ${field}`}`,
    `  recorded: ${value(recorded)}${place.recorded === null ? "" : ` (${place.recorded})`}`,
    `  replayed: ${value(replayed)}${place.replayed === null ? "" : ` (${place.replayed})`}`,
  ];
}
