// What the settings say of Postgres, Kafka and the registry, as their doors want it: for the service, and for what sets it
// up.

import { type Config, ratesTopic, type TopicNames } from "../config/config.ts";
import type { Declared } from "../declared/load.ts";
import { createRateCodec, type RateCodec } from "../kafka/codec-rate.ts";
import type { Registry, TopicSchema } from "../kafka/registry.ts";
import type { DatabaseSettings } from "../store/database.ts";

export type Addresses = {
  readonly kafkaBrokers: readonly string[];
  readonly databaseUrl: string;
  readonly schemaRegistryUrl: string;
};

export const REGISTRY_TIMEOUT_MS = 5_000;

export function databaseSettings(config: Config, url: string, role: DatabaseSettings["role"]): DatabaseSettings {
  return {
    url,
    role,
    connectTimeoutMs: config.connectTimeoutMs,
    statementTimeoutMs: config.statementTimeoutMs,
    lockTimeoutMs: config.lockTimeoutMs,
    applicationName: `millrace ${config.instance}`.slice(0, 63),
  };
}

/** Which registered schema belongs to which topic, by what the message is. */
export function topicSchemas(
  names: TopicNames,
  declared: Declared,
): Record<"intent" | "outcome" | "deadLetter" | "command" | "report", TopicSchema> {
  const of = (topic: string, file: string): TopicSchema => ({ topic, schema: declared.messageSchemas[file] as string });
  return {
    intent: of(names.intents, "intent"),
    outcome: of(names.outcomes, "outcome"),
    deadLetter: of(names.deadLetters, "dead-letter"),
    command: of(names.commands, "command"),
    report: of(names.reports, "report"),
  };
}

export function ratesSchema(config: Config, declared: Declared): TopicSchema {
  return { topic: ratesTopic(config), schema: declared.messageSchemas["rate"] as string };
}

/** The codec of rates, with the id that the registry has for their schema.
 *  @throws SchemaMissing | RegistryUnreachable */
export async function openRateCodec(config: Config, declared: Declared, registry: Registry): Promise<RateCodec> {
  const { topic, schema } = ratesSchema(config, declared);
  const ids = await registry.findSchemas([{ topic, schema }]);
  return createRateCodec(schema, ids.get(topic) as number, registry);
}
