// What `doctor` asks of Kafka and the schema registry.

import { type Config, topicNames } from "../config/config.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { TopicAdmin } from "../kafka/port.ts";
import { openRegistry } from "../kafka/registry.ts";
import type { LaneShown } from "../store/reads-lanes.ts";
import { openMessages } from "./codec.ts";
import { MIGRATE } from "./doctor-database.ts";
import { checkBacklog } from "./doctor-lanes.ts";
import type { Doctor } from "./doctor-report.ts";
import { checkTopicSettings } from "./doctor-topics.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";

const COMPATIBILITY = "FULL_TRANSITIVE";

/** @param lanes as the database has them, null when they could not be asked for */
export async function checkKafka(
  doctor: Doctor,
  config: Config,
  brokers: readonly string[],
  lanes: readonly LaneShown[] | null,
): Promise<void> {
  const admin = await doctor.check("kafka", async () => ({
    value: await openAdmin(quietKafka(config, brokers, "doctor")),
    found: `reached, ${brokers.join(", ")}`,
  }));
  if (admin === null) return;
  try {
    await checkCluster(doctor, config, admin, brokers);
    await checkMemory(doctor, config, admin);
    const partitions = await checkTopics(doctor, config, admin, lanes?.length ?? null);
    if (partitions === null) return;
    await checkTimes(doctor, config, admin, partitions);
    await checkTopicSettings(doctor, config, admin);
    if (lanes !== null) await checkBacklog(doctor, config, admin, lanes);
  } finally {
    await admin.close();
  }
}

/** A password that goes over the network as it is may be read by anybody on the way. */
async function checkCluster(
  doctor: Doctor,
  config: Config,
  admin: TopicAdmin,
  brokers: readonly string[],
): Promise<void> {
  const { isFour } = await admin.cluster();
  const { kafkaTls, kafkaSasl } = config;
  const isAway = brokers.some((address) => !/^(localhost|127\.|\[::1\])/.test(address));
  const login = kafkaSasl === "none" ? "no login" : `login by ${kafkaSasl}`;
  const found = `Kafka ${isFour ? "4.0 or newer" : "before 4.0"}; ${kafkaTls ? "TLS" : "not encrypted"}, ${login}`;
  const inClear = {
    found: "the password goes to the brokers as it is: kafkaSasl plain without kafkaTls",
    remedy: "set kafkaTls, or use scram-sha-512",
  };
  await doctor.judge("kafka access", found, kafkaSasl === "plain" && !kafkaTls && isAway ? inClear : null);
}

const HOUR_MS = 3_600_000;

/** The fence of the relay rests on what brokers remember of its writers: they must not forget between two openings. */
async function checkMemory(doctor: Doctor, { relayReopenHours }: Config, admin: TopicAdmin): Promise<void> {
  const settings = await admin.brokerSettings();
  const kept = MEMORY.map((name) => ({ name, ms: Number(settings.get(name) ?? Number.NaN) }));
  const short = kept.filter(({ ms }) => ms <= relayReopenHours * HOUR_MS);
  const told = kept.map(({ name, ms }) => `${name} ${Number.isNaN(ms) ? "not told" : `${ms / HOUR_MS} h`}`).join(", ");
  await doctor.judge(
    "fencing",
    `writers are opened every ${relayReopenHours} h; ${told}`,
    short.length === 0
      ? null
      : {
          found: `brokers forget a lane's writer before it is opened anew (relayReopenHours ${relayReopenHours}): ${told}`,
          remedy: "raise these settings of the brokers, or lower relayReopenHours",
        },
  );
}

const MEMORY = ["producer.id.expiration.ms", "transactional.id.expiration.ms"] as const;

/** @returns how many partitions the topics have, null when that is not right */
async function checkTopics(
  doctor: Doctor,
  config: Config,
  admin: TopicAdmin,
  lanes: number | null,
): Promise<number | null> {
  const names = Object.values(topicNames(config));
  const counts = await admin.partitionCounts(names);
  const missing = names.filter((topic) => !counts.has(topic));
  const expected = lanes ?? Math.max(...counts.values());
  const odd = [...counts].filter(([, partitions]) => partitions !== expected);
  const without = { found: `there is no ${missing.join(", ")}`, remedy: MIGRATE };
  const uneven = {
    found: `${odd.map(([topic, partitions]) => `${topic} has ${partitions} partitions`).join(", ")}; expected ${expected}, one a lane`,
    remedy: "give the topics one partition a lane again; adding lanes is an operation of its own",
  };
  const bad = missing.length > 0 ? without : odd.length > 0 ? uneven : null;
  await doctor.judge("topics", `all ${names.length}, with ${expected} partitions each`, bad);
  return bad === null ? expected : null;
}

async function checkTimes(doctor: Doctor, config: Config, admin: TopicAdmin, partitions: number): Promise<void> {
  const { intents, reports } = topicNames(config);
  const stamped = await Promise.all(
    [intents, reports].map(async (topic) => ({
      topic,
      by: (await admin.topicSettings(topic)).get("message.timestamp.type"),
    })),
  );
  const wrong = stamped.filter(({ by }) => by !== "LogAppendTime").map(({ topic }) => topic);
  await doctor.judge(
    "append time",
    "the brokers stamp every input",
    wrong.length === 0
      ? null
      : {
          found: `producers stamp the records of ${wrong.join(", ")}`,
          remedy: "set message.timestamp.type=LogAppendTime: the append time is the clock of a lane",
        },
  );
  await checkBrokerClock(doctor, config, admin, partitions);
}

/** Without writing, the newest records alone tell the brokers' time: a clock that is ahead shows, one behind does not. */
async function checkBrokerClock(doctor: Doctor, config: Config, admin: TopicAdmin, partitions: number): Promise<void> {
  const { intents } = topicNames(config);
  await doctor.check("broker clock", async () => {
    const lanes = Array.from({ length: partitions }, (_, partition) => partition);
    const tails = await Promise.all(lanes.map((partition) => admin.tail(intents, partition)));
    const times = tails.flatMap(({ record }) => (record === null ? [] : [record.appendedAtMs]));
    const aheadMs = times.length === 0 ? 0 : Math.max(...times) - Date.now();
    const found = times.length === 0 ? "no record tells it yet" : "the newest input is not of the future";
    if (aheadMs <= config.clockSkewMaxMs) return { value: true, found };
    const remedy = `set the clocks (NTP); more than ${config.clockSkewMaxMs} ms apart halts the lanes`;
    throw new CommandFailed(
      EXIT.failed,
      `a record was appended ${Math.round(aheadMs)} ms ahead of our time\n${remedy}`,
    );
  });
}

export async function checkRegistry(doctor: Doctor, config: Config, schemaRegistryUrl: string): Promise<void> {
  const reached = await doctor.check("registry", async () => {
    // Whether it knows the first schema does not matter: only an answer does.
    const registry = openRegistry({ url: schemaRegistryUrl, timeoutMs: config.connectTimeoutMs });
    await registry.schemaById(1);
    return { value: true, found: `reached, ${registry.url}` };
  });
  if (reached === null) return;
  const registered = await doctor.check("schemas", async () => {
    await openMessages(config, schemaRegistryUrl);
    return { value: true, found: "all registered" };
  });
  if (registered !== null) await checkCompatibility(doctor, config, schemaRegistryUrl);
}

/** Under a weaker level somebody could register a schema by which old records, or running readers, cannot be read. */
async function checkCompatibility(doctor: Doctor, config: Config, url: string): Promise<void> {
  await doctor.check("compatibility", async () => {
    const registry = openRegistry({ url, timeoutMs: config.connectTimeoutMs });
    const topics = Object.values(topicNames(config));
    const levels = await Promise.all(
      topics.map(async (topic) => ({ topic, level: await registry.compatibilityOf(topic) })),
    );
    const weak = levels.filter(({ level }) => level !== COMPATIBILITY);
    if (weak.length === 0) return { value: true, found: `${COMPATIBILITY} for every topic` };
    const told = weak.map(({ topic, level }) => `${topic}-value has ${level}`).join(", ");
    throw new CommandFailed(
      EXIT.failed,
      `${told}\nset the compatibility of these subjects to ${COMPATIBILITY} in the registry`,
    );
  });
}
