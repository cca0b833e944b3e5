// What every role works with.

import { type Config, type TopicNames, topicNames } from "../config/config.ts";
import { type Declared, loadDeclared } from "../declared/load.ts";
import { openAdmin } from "../kafka/admin.ts";
import { type Codec, createCodec } from "../kafka/codec.ts";
import type { KafkaSettings, TopicAdmin } from "../kafka/port.ts";
import { openRegistry, type Registry } from "../kafka/registry.ts";
import { type Connection, connect, type DatabaseSettings } from "../store/database.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { type Addresses, databaseSettings, REGISTRY_TIMEOUT_MS, topicSchemas } from "./dependencies.ts";
import { assertTopics, findLanes } from "./requirements.ts";

export type ServiceParts = {
  readonly config: Config;
  readonly addresses: Addresses;
  readonly kafka: KafkaSettings;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** ends the process at once, because an assertion of our own failed */
  readonly crash: (error: unknown) => void;
};

export type Common = {
  readonly declared: Declared;
  readonly database: DatabaseSettings;
  readonly lanes: number;
  readonly codec: Codec;
  readonly registry: Registry;
  readonly admin: TopicAdmin;
  readonly names: TopicNames;
};

export async function openCommon({ config, addresses, kafka }: ServiceParts): Promise<Common> {
  const declared = loadDeclared(config.schemasDir, config.flowsDir);
  const database = databaseSettings(config, addresses.databaseUrl, "millrace_service");
  const lanes = await withConnection(database, findLanes);
  const registry = openRegistry({ url: addresses.schemaRegistryUrl, timeoutMs: REGISTRY_TIMEOUT_MS });
  const codec = await openCodec(registry, config, declared);
  const admin = await openAdmin(kafka);
  await assertTopics(admin, config, lanes);
  return { declared, database, lanes, codec, registry, admin, names: topicNames(config) };
}

async function openCodec(registry: Registry, config: Config, declared: Declared): Promise<Codec> {
  const schemas = topicSchemas(topicNames(config), declared);
  const ids = await registry.findSchemas(Object.values(schemas));
  const of = <T>(pick: (schema: { topic: string; schema: string }) => T) => ({
    intent: pick(schemas.intent),
    outcome: pick(schemas.outcome),
    deadLetter: pick(schemas.deadLetter),
    command: pick(schemas.command),
    report: pick(schemas.report),
  });
  return createCodec({ registry, schemas: of((one) => one.schema), ids: of((one) => ids.get(one.topic) as number) });
}

export async function withConnection<T>(
  database: DatabaseSettings,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect(database, "service");
  return work(connection).finally(() => connection.close());
}
