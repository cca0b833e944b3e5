// Everything that must exist before the first intent: schema in Postgres, topics in Kafka, schemas in the registry. What
// `millrace migrate` does; safe to repeat, and it changes nothing that is there.

import { join } from "node:path";
import { type Config, ratesTopic, type TopicNames, topicNames } from "../config/config.ts";
import { loadDeclared } from "../declared/load.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { KafkaSettings, TopicSpec } from "../kafka/port.ts";
import { openRegistry } from "../kafka/registry.ts";
import { connect } from "../store/database.ts";
import { migrateDatabase } from "../store/migrate.ts";
import { createPartitionsAhead, setUpLanes } from "../store/setup.ts";
import { type Addresses, databaseSettings, REGISTRY_TIMEOUT_MS, ratesSchema, topicSchemas } from "./dependencies.ts";
import { LanesDisagree } from "./requirements.ts";

export type SetUp = {
  readonly lanes: number;
  readonly migrations: readonly string[];
  readonly partitionsMade: number;
  readonly topics: readonly string[];
};

const DAY_MS = 86_400_000;

/** @param lanes  used on first use only; later the database knows
 *  @throws DatabaseUnreachable | KafkaUnreachable | RegistryUnreachable | SchemaRefused | LanesDisagree | DeclaredFaults */
export async function setUp(config: Config, addresses: Addresses, lanes: number, kafka: KafkaSettings): Promise<SetUp> {
  const declared = loadDeclared(config.schemasDir, config.flowsDir);
  const { applied } = await migrateDatabase(addresses.databaseUrl, join(config.schemasDir, "database"));
  const owner = await connect(databaseSettings(config, addresses.databaseUrl, null), "tool");
  try {
    const known = await setUpLanes(owner, lanes);
    const partitionsMade = await createPartitionsAhead(owner, config.partitionsAheadHours);
    const names = topicNames(config);
    const rates = ratesTopic(config);
    await createTopics(kafka, names, rates, known);
    const registry = openRegistry({ url: addresses.schemaRegistryUrl, timeoutMs: REGISTRY_TIMEOUT_MS });
    await registry.registerSchemas([...Object.values(topicSchemas(names, declared)), ratesSchema(config, declared)]);
    return { lanes: known, migrations: applied, partitionsMade, topics: [...Object.values(names), rates] };
  } finally {
    await owner.close();
  }
}

async function createTopics(kafka: KafkaSettings, names: TopicNames, rates: string, lanes: number): Promise<void> {
  const admin = await openAdmin(kafka);
  try {
    await admin.createTopics([...topicSpecs(names, lanes), ratesSpec(rates)]);
    const counts = await admin.partitionCounts(Object.values(names));
    const wrong = [...counts].filter(([, partitions]) => partitions !== lanes);
    if (wrong.length === 0) return;
    const found = wrong.map(([topic, partitions]) => `${topic} has ${partitions}`).join(", ");
    throw new LanesDisagree(
      `there are ${lanes} lanes, so every topic needs ${lanes} partitions, but ${found}; use another MILLRACE_TOPIC_PREFIX or topics made by \`millrace migrate\``,
    );
  } finally {
    await admin.close();
  }
}

/** One partition, so that all that is said of rates has one order, and of each pair of a feed the newest is kept. Append
 *  time says when a rate was there to be known. */
function ratesSpec(topic: string): TopicSpec {
  return { topic, partitions: 1, settings: { "cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime" } };
}

/** Append time is the clock of a lane, so the inputs must carry the broker's. None of these is compacted: every message counts. */
function topicSpecs(names: TopicNames, partitions: number): TopicSpec[] {
  const kept = (days: number): Record<string, string> => ({
    "cleanup.policy": "delete",
    "retention.ms": String(days * DAY_MS),
  });
  // Wider than what intake takes, so that an intent that is too large arrives and is answered by quarantine.
  const input = { ...kept(30), "message.timestamp.type": "LogAppendTime", "max.message.bytes": String(4 << 20) };
  return [
    { topic: names.intents, partitions, settings: input },
    { topic: names.reports, partitions, settings: input },
    { topic: names.outcomes, partitions, settings: kept(30) },
    { topic: names.commands, partitions, settings: kept(30) },
    { topic: names.deadLetters, partitions, settings: kept(30) },
  ];
}
