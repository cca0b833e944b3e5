// What the settings say of Postgres, Kafka and the registry, as their doors want it: for the service, and for what sets it
// up.

import type { Config, TopicNames } from "../config.ts";
import type { Declared } from "../declared/load.ts";
import type { TopicSchema } from "../kafka/registry.ts";
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
