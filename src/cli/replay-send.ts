// The working part of `millrace replay`: checks that it can be done, sends, and tells what was sent.

import { type Config, topicNames } from "../config/config.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { KafkaSettings, TopicAdmin } from "../kafka/port.ts";
import { makeRenewal } from "../workload/replay/renew.ts";
import { batchBytesMaxOf, lastAppendMs, type ReplayDone, replay } from "../workload/replay/replay.ts";
import { type Change, Renewing, UNCHANGED } from "../workload/replay/source.ts";
import { formatOffsets, ReplayRefused, resolveSpans, type Span } from "../workload/replay/span.ts";
import { openMessages } from "./codec.ts";
import type { CliContext } from "./context.ts";
import { CommandFailed, EXIT, Interrupted } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import { startProgress } from "./progress.ts";
import type { NewPayments, ReplayWish } from "./replay.ts";
import { isoTime, position } from "./rows.ts";

const DAY_MS = 86_400_000;

/** @throws CommandFailed | Interrupted | KafkaUnreachable | KafkaRefused | RegistryUnreachable */
export async function runReplay(context: CliContext, config: Config, wish: ReplayWish): Promise<void> {
  const need = wish.asNew === null ? (["kafkaBrokers"] as const) : (["kafkaBrokers", "schemaRegistryUrl"] as const);
  const addresses = await context.addresses(config, need);
  const kafka = quietKafka(config, addresses.kafkaBrokers, "replay");
  refuseTarget(config, wish);
  const admin = await openAdmin(kafka);
  const parts = { context, config, wish, kafka, admin, registryUrl: addresses.schemaRegistryUrl };
  try {
    await send(parts, await prepare(parts));
  } catch (error) {
    throw toldPlainly(error);
  } finally {
    await admin.close();
  }
}

type Parts = {
  readonly context: CliContext;
  readonly config: Config;
  readonly wish: ReplayWish;
  readonly kafka: KafkaSettings;
  readonly admin: TopicAdmin;
  readonly registryUrl: string;
};

/** In the topics that lanes write, the last message is the relay's cursor: anything else there would halt the lane. */
function refuseTarget(config: Config, { fromTopic, toTopic }: ReplayWish): void {
  const names = topicNames(config);
  const written = [names.outcomes, names.deadLetters, names.commands];
  const isLanes = written.includes(toTopic) || (toTopic === names.reports && fromTopic !== names.reports);
  if (!isLanes) return;
  throw new CommandFailed(
    EXIT.failed,
    `${toTopic} is written by the lanes themselves, and a foreign record there would halt them; name another topic with --to-topic`,
  );
}

type Prepared = {
  readonly spans: readonly Span[];
  readonly partitions: { readonly from: number; readonly to: number };
  readonly change: Change;
  readonly renewing: Renewing | null;
  /** as asked for, without the run's own milliseconds; null when nothing is renewed */
  readonly shiftMs: number | null;
};

async function prepare(parts: Parts): Promise<Prepared> {
  const { wish, admin } = parts;
  const { fromTopic, toTopic } = wish;
  const counts = await admin.partitionCounts([fromTopic, toTopic]);
  for (const [flag, topic] of [
    ["--from-topic", fromTopic],
    ["--to-topic", toTopic],
  ] as const) {
    if (!counts.has(topic)) throw new CommandFailed(EXIT.failed, `${flag}: topic ${topic} does not exist`);
  }
  const partitions = { from: counts.get(fromTopic) ?? 0, to: counts.get(toTopic) ?? 0 };
  const spans = await resolveSpans(admin, fromTopic, partitions.from, wish);
  if (wish.asNew === null) return { spans, partitions, change: UNCHANGED, renewing: null, shiftMs: null };
  const shiftMs = await shiftOf(parts, wish.asNew, spans);
  const renewing = await openRenewing(parts, wish.asNew, shiftMs);
  return { spans, partitions, change: renewing, renewing, shiftMs };
}

async function shiftOf({ admin, wish }: Parts, asNew: NewPayments, spans: readonly Span[]): Promise<number> {
  if (asNew.shiftMs !== null) return asNew.shiftMs;
  const nowMs = Date.now();
  return nowMs - ((await lastAppendMs(admin, wish.fromTopic, spans)) ?? nowMs);
}

async function openRenewing(parts: Parts, { run, isShiftGiven }: NewPayments, shiftMs: number): Promise<Renewing> {
  const { codec } = await openMessages(parts.config, parts.registryUrl);
  return new Renewing({
    codec,
    renewal: makeRenewal(run, shiftMs),
    caseWindowMs: parts.config.caseWindowDays * DAY_MS,
    expired: isShiftGiven ? "send" : "refuse",
    topic: parts.wish.fromTopic,
  });
}

async function send(parts: Parts, prepared: Prepared): Promise<void> {
  const { context, wish, kafka, admin } = parts;
  const { spans, partitions, change } = prepared;
  tellPartitions(parts, prepared);
  const total = Number(spans.reduce((sum, { from, to }) => sum + (to - from), 0n));
  const progress = await startProgress(context.out, context.io.stderr, { title: "replay", total, unit: "records" });
  const stop = context.io.interruption();
  const target = { topic: wish.toTopic, partitions, batchBytesMax: await batchBytesMaxOf(admin, wish.toTopic) };
  try {
    const done = await replay({
      kafka: { from: kafka, to: kafka },
      fromTopic: wish.fromTopic,
      spans,
      target,
      change,
      rate: wish.rate,
      stop,
      progress: progress.update,
    });
    progress.stop();
    tell(parts, prepared, done, stop.aborted ? "interrupted" : "done");
  } finally {
    progress.stop();
  }
  if (stop.aborted) throw new Interrupted();
}

function tellPartitions({ context, wish }: Parts, { partitions: { from, to }, shiftMs }: Prepared): void {
  if (from !== to) {
    context.out.note(
      `${wish.fromTopic} has ${from} partitions and ${wish.toTopic} ${to}: each record goes to the partition of its key (murmur2)`,
    );
  }
  if (wish.asNew?.shiftMs === null) {
    context.out.note(`times are moved by ${shiftMs}ms; for the same payments again: --shift ${shiftMs}ms`);
  }
}

function tell({ context, wish }: Parts, prepared: Prepared, done: ReplayDone, end: "done" | "interrupted"): void {
  const { records, bytes, seconds, lateMsMax } = done;
  const { renewing, shiftMs, partitions } = prepared;
  const perSecond = Math.round(records / Math.max(seconds, 0.001));
  const sent = prepared.spans.map((span, at) => ({ ...span, ...done.replayed[at] }));
  context.out.row(
    {
      records,
      bytes,
      seconds: Math.round(seconds * 1000) / 1000,
      perSecond,
      rate: wish.rate,
      lateMsMax,
      fromTopic: wish.fromTopic,
      toTopic: wish.toTopic,
      fromPartitions: partitions.from,
      toPartitions: partitions.to,
      interrupted: end === "interrupted",
      spans: sent.map(({ partition, from, to, records: count }) => ({
        partition,
        from: position(from),
        to: position(to),
        records: count ?? 0,
      })),
      asNew: renewing === null ? null : { run: wish.asNew?.run, shiftMs, ...renewing.counts },
    },
    [
      `${records} records (${bytes} bytes) replayed into ${wish.toTopic} in ${seconds.toFixed(1)} s (${perSecond}/s)${lateness(wish, lateMsMax)}`,
      ...(renewing === null ? [] : [renewedText(renewing, wish.asNew?.run ?? "")]),
    ].join("\n"),
  );
  if (end === "done") return;
  const rest = sent.map(({ partition, next, from, to }) => ({ partition, from: next ?? from, to }));
  const left = rest.filter(({ from, to }) => from < to);
  const again = `--from ${formatOffsets(left, "from")} --to ${formatOffsets(left, "to")}`;
  if (left.length > 0) context.out.warn(`what is left: ${again}`);
}

function lateness({ rate }: ReplayWish, lateMsMax: number): string {
  return rate === null || lateMsMax < 100 ? "" : `; at most ${lateMsMax} ms behind the rate`;
}

function renewedText({ counts: { intents, unread, expired } }: Renewing, run: string): string {
  const others = unread === 0 ? "" : `; ${unread} that are no intents were sent as they are`;
  const old = expired === 0 ? "" : `; ${expired} are older than cases are kept and will be refused (intent_expired)`;
  return `${intents} intents are new payments of run ${run}${others}${old}`;
}

/** What was sent before it broke is told with what broke it; the rest as it is. */
function toldPlainly(error: unknown): unknown {
  if (error instanceof ReplayRefused) return new CommandFailed(EXIT.failed, error.message);
  if (!(error instanceof Error) || error.name !== "ReplayBroken") return error;
  const { cause, records } = error as Error & { records: number };
  if (records === 0 && cause instanceof ReplayRefused) return new CommandFailed(EXIT.failed, cause.message);
  const isDown = cause instanceof Error && ["WriterBroken", "KafkaUnreachable"].includes(cause.name);
  const sent = `${records} records were sent before, the last of them perhaps not acknowledged (${isoTime(Date.now())})`;
  return new CommandFailed(isDown ? EXIT.unreachable : EXIT.failed, `${error.message}\n${sent}`);
}
