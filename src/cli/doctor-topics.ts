// What `doctor` asks of the topics: whether they keep what they are given, for as long and as safely as the ledger needs.

import { type Config, topicNames } from "../config/config.ts";
import type { ClusterShown, TopicAdmin } from "../kafka/port.ts";
import type { Doctor } from "./doctor-report.ts";

type Settings = ReadonlyMap<string, string>;
type Topic = { readonly topic: string; readonly settings: Settings; readonly isInput: boolean };

const DAY_MS = 86_400_000;
/** A weekend, and a week to find out and mend what halted a lane. */
const RETENTION_MIN_DAYS = 7;
const COPIES_WANTED = 3;
/** Of a record beside the intent: key, headers, the batch. */
const RECORD_OVERHEAD_BYTES = 1024;

/** @param topics all exist */
export async function checkTopicSettings(doctor: Doctor, config: Config, admin: TopicAdmin): Promise<void> {
  const names = topicNames(config);
  const topics: Topic[] = await Promise.all(
    Object.values(names).map(async (topic) => ({
      topic,
      settings: await admin.topicSettings(topic),
      isInput: topic === names.intents || topic === names.reports,
    })),
  );
  await checkRetention(doctor, topics);
  await checkSizes(doctor, config, topics, names.intents);
  await checkCopies(doctor, admin, topics);
}

async function checkRetention(doctor: Doctor, topics: readonly Topic[]): Promise<void> {
  const inputs = topics.filter(({ isInput }) => isInput);
  const daysOf = ({ settings }: Topic): number => number(settings, "retention.ms") / DAY_MS;
  const short = inputs.filter((topic) => daysOf(topic) >= 0 && daysOf(topic) < RETENTION_MIN_DAYS);
  const sized = inputs.filter(({ settings }) => number(settings, "retention.bytes") >= 0);
  const kept = inputs.map((topic) => (daysOf(topic) < 0 ? "for ever" : `${Math.round(daysOf(topic))} days`));
  const tooShort = {
    found: `${short.map(({ topic }) => topic).join(", ")} keeps inputs for less than ${RETENTION_MIN_DAYS} days: what a halted lane has not taken by then is lost`,
    remedy: `set retention.ms to at least ${RETENTION_MIN_DAYS * DAY_MS}`,
  };
  const bySize = {
    found: `${sized.map(({ topic }) => topic).join(", ")} drops inputs by size (retention.bytes), whether they were taken or not`,
    remedy: "set retention.bytes=-1",
  };
  await doctor.judge(
    "retention",
    `inputs are kept ${kept.join(", ")}`,
    short.length > 0 ? tooShort : sized.length > 0 ? bySize : null,
  );
  const compacted = topics.filter(({ settings }) => (settings.get("cleanup.policy") ?? "").includes("compact"));
  const drops = {
    found: `${compacted.map(({ topic }) => topic).join(", ")} is compacted, which drops records in the middle`,
    remedy: "set cleanup.policy=delete",
  };
  await doctor.judge("cleanup", "no topic is compacted", compacted.length === 0 ? null : drops);
}

/** A message that the topic does not take would stand before its lane for ever, or never arrive. */
async function checkSizes(doctor: Doctor, config: Config, topics: readonly Topic[], intents: string): Promise<void> {
  const { intentBytesMax, relayBatchBytesMax } = config;
  const small = topics.flatMap(({ topic, settings, isInput }) => {
    if (isInput && topic !== intents) return [];
    const [need, setting] = isInput
      ? [intentBytesMax + RECORD_OVERHEAD_BYTES, "intentBytesMax"]
      : [relayBatchBytesMax, "relayBatchBytesMax"];
    const takes = number(settings, "max.message.bytes");
    return takes >= need ? [] : [`${topic} takes ${takes} bytes, and ${setting} needs ${need}`];
  });
  await doctor.judge(
    "message size",
    `topics take intents of ${intentBytesMax} bytes and appends of ${relayBatchBytesMax}`,
    small.length === 0 ? null : { found: small.join("; "), remedy: "raise max.message.bytes, or lower the setting" },
  );
}

async function checkCopies(doctor: Doctor, admin: TopicAdmin, topics: readonly Topic[]): Promise<void> {
  const cluster = await admin.cluster();
  const wrong: string[] = [];
  let fewest = Number.POSITIVE_INFINITY;
  for (const { topic, settings } of topics) {
    const copies = await admin.copies(topic);
    const all = Math.min(...copies.map((one) => one.all));
    fewest = Math.min(fewest, all);
    const behind = copies.filter((one) => one.inSync < one.all).length;
    wrong.push(...copyFaults({ topic, all, behind, settings, cluster }));
  }
  const single = cluster.brokers === 1 ? "; one broker: what it loses is lost" : "";
  await doctor.judge(
    "replication",
    `${fewest} copies on ${cluster.brokers} brokers, all in sync${single}`,
    wrong.length === 0
      ? null
      : { found: wrong.join("; "), remedy: "see your cluster's tools: kafka-topics, kafka-configs" },
  );
}

type Copies = {
  readonly topic: string;
  readonly all: number;
  readonly behind: number;
  readonly settings: Settings;
  readonly cluster: ClusterShown;
};

function copyFaults({ topic, all, behind, settings, cluster }: Copies): string[] {
  const wanted = Math.min(COPIES_WANTED, cluster.brokers);
  const inSyncMin = number(settings, "min.insync.replicas");
  return [
    ...(all < wanted ? [`${topic} has ${all} copies of ${wanted}`] : []),
    ...(behind > 0 ? [`${behind} partitions of ${topic} have copies that are behind`] : []),
    ...(all >= COPIES_WANTED && inSyncMin < 2
      ? [`${topic} acknowledges what one broker has (min.insync.replicas ${inSyncMin}; set 2)`]
      : []),
    ...(all > 1 && inSyncMin >= all ? [`${topic} takes nothing while any broker is down (min.insync.replicas)`] : []),
    ...(settings.get("unclean.leader.election.enable") === "true"
      ? [`${topic} may lose what was acknowledged (unclean.leader.election.enable)`]
      : []),
  ];
}

/** -1 where the brokers did not say. */
function number(settings: Settings, name: string): number {
  const value = Number(settings.get(name) ?? -1);
  return Number.isFinite(value) ? value : -1;
}
