// Verbs as processes of their own on a test service's database and topics: for what only a process shows, such as Ctrl-C.

import { startVerb, type Verb, type World } from "./processes.ts";
import type { TestService } from "./service.ts";

export type OpenedWorld = { start(argv: readonly string[]): Verb };

export function openWorldOf({ addresses, config }: TestService): OpenedWorld {
  const environment = {
    KAFKA_BROKERS: addresses.kafkaBrokers.join(","),
    DATABASE_URL: addresses.databaseUrl,
    SCHEMA_REGISTRY_URL: addresses.schemaRegistryUrl,
    MILLRACE_TOPIC_PREFIX: config.topicPrefix,
  };
  return { start: (argv) => startVerb({ environment } as unknown as World, argv) };
}
