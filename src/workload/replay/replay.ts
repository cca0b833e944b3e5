// Replays spans of a topic: reads them as they were appended and sends them, in order per partition.

import { BATCH_BYTES_MAX } from "../../kafka/appender.ts";
import type { InputRecord, KafkaSettings, TopicAdmin } from "../../kafka/port.ts";
import { openProducer } from "../../kafka/producer.ts";
import { type Pumped, pump } from "../load/pump.ts";
import { RecordedMerge } from "./merge.ts";
import { type Change, type Replayed, ReplaySource, type Target } from "./source.ts";
import type { Span } from "./span.ts";

export type ReplayPlan = {
  /** where it is read, and where it is sent */
  readonly kafka: { readonly from: KafkaSettings; readonly to: KafkaSettings };
  readonly fromTopic: string;
  readonly spans: readonly Span[];
  readonly target: Target;
  readonly change: Change;
  /** records a second over all partitions; null is as fast as acknowledgements come */
  readonly rate: number | null;
  readonly stop: AbortSignal | null;
  readonly progress: (acknowledged: number, waiting: number) => void;
};

export type ReplayDone = Pumped & {
  readonly records: number;
  readonly bytes: number;
  readonly replayed: readonly Replayed[];
};

/** A replay that ended in the middle. `cause` is what ended it. */
export class ReplayBroken extends Error {
  override name = "ReplayBroken";
  /** handed to the producer; of the last of them some may not be acknowledged */
  readonly records: number;

  constructor(records: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.records = records;
  }
}

/** With a rate only what is sent within this time is handed out at once, so that an interruption is heard. */
const CHUNK_SECONDS = 0.05;
const CHUNK_RECORDS_MAX = 1_000;
/** Of what the topic takes, so that framing has room. */
const BATCH_SHARE = 0.85;
const BATCH_BYTES = 900_000;

/** @throws ReplayBroken | ReplayRefused | KafkaUnreachable | KafkaRefused */
export async function replay(plan: ReplayPlan): Promise<ReplayDone> {
  const { kafka, fromTopic, spans, target, rate, change } = plan;
  const { batchBytesMax } = target;
  const merge = await RecordedMerge.open(kafka.from, fromTopic, spans, plan.stop);
  const producer = await openProducer(kafka.to, { batchBytesMax }).catch(async (error: unknown) => {
    await merge.close();
    throw error;
  });
  const chunkRecords = rate === null ? CHUNK_RECORDS_MAX : Math.ceil(Math.min(rate * CHUNK_SECONDS, CHUNK_RECORDS_MAX));
  const source = new ReplaySource({ merge, spans, change }, target, chunkRecords);
  try {
    const pumped = await pump(producer, source, {
      topic: target.topic,
      partitions: target.partitions.to,
      rate,
      startAtMs: Date.now(),
      stop: plan.stop,
      progress: plan.progress,
      batchBytes: Math.min(BATCH_BYTES, Math.floor(batchBytesMax * BATCH_SHARE)),
    });
    return { ...pumped, records: source.records, bytes: source.bytes, replayed: source.replayed };
  } catch (error) {
    throw new ReplayBroken(source.records, error);
  } finally {
    await Promise.all([merge.close(), producer.close()]);
  }
}

/** What `topic` takes in one append. */
export async function batchBytesMaxOf(admin: TopicAdmin, topic: string): Promise<number> {
  const said = Number((await admin.topicSettings(topic)).get("max.message.bytes"));
  return Number.isSafeInteger(said) && said > 0 ? said : BATCH_BYTES_MAX;
}

const LOOK_BACK_OFFSETS = 50n;

/** The append time of the last record of the spans; null when they are empty. */
export async function lastAppendMs(admin: TopicAdmin, topic: string, spans: readonly Span[]): Promise<number | null> {
  const times: number[] = [];
  for (const span of spans) {
    const last = await lastRecord(admin, topic, span);
    if (last !== null) times.push(last.appendedAtMs);
  }
  return times.length === 0 ? null : Math.max(...times);
}

/** Markers leave holes before the end. */
async function lastRecord(admin: TopicAdmin, topic: string, span: Span): Promise<InputRecord | null> {
  const { partition, from, to } = span;
  if (from === to) return null;
  const tail = await admin.tail(topic, partition);
  if (tail.record !== null && tail.record.offset < to) return tail.record.offset < from ? null : tail.record;
  const lowest = to - LOOK_BACK_OFFSETS > from ? to - LOOK_BACK_OFFSETS : from;
  for (let offset = to - 1n; offset >= lowest; offset--) {
    const record = await admin.recordAt(topic, partition, offset);
    if (record !== null) return record;
  }
  return null;
}

/** The spans up to their last records: behind those only markers may lie, which no lane ever takes. */
export async function lastOffsets(admin: TopicAdmin, topic: string, spans: readonly Span[]): Promise<readonly Span[]> {
  const ends: Span[] = [];
  for (const span of spans) {
    const last = await lastRecord(admin, topic, span);
    ends.push(last === null ? span : { ...span, to: last.offset + 1n });
  }
  return ends;
}
