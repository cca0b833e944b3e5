// Messages for tools: the declared schemas with the ids that the registry holds them under.

import { type Config, type TopicNames, topicNames } from "../config/config.ts";
import { type Declared, loadDeclared } from "../declared/load.ts";
import { type Codec, type CodecSettings, createCodec } from "../kafka/codec.ts";
import { openRegistry, type Registry } from "../kafka/registry.ts";
import { REGISTRY_TIMEOUT_MS, topicSchemas } from "../service/dependencies.ts";

export type ToolMessages = {
  readonly codec: Codec;
  /** what it was made of */
  readonly source: Pick<CodecSettings, "schemas" | "ids">;
  readonly declared: Declared;
  readonly topics: TopicNames;
  readonly registry: Registry;
};

/** @throws RegistryUnreachable | SchemaMissing | DeclaredFaults */
export async function openMessages(config: Config, schemaRegistryUrl: string): Promise<ToolMessages> {
  const declared = loadDeclared(config.schemasDir, config.flowsDir);
  const topics = topicNames(config);
  const registry = openRegistry({ url: schemaRegistryUrl, timeoutMs: REGISTRY_TIMEOUT_MS });
  const schemas = topicSchemas(topics, declared);
  const found = await registry.findSchemas(Object.values(schemas));
  const source = {
    schemas: mapValues(schemas, ({ schema }) => schema),
    ids: mapValues(schemas, ({ topic }) => found.get(topic) as number),
  };
  return { codec: createCodec({ ...source, registry }), source, declared, topics, registry };
}

/** Without a registry: for messages that never leave this process, so that their ids are of no meaning. */
export function codecAlone(config: Config, declared: Declared): Codec {
  const schemas = topicSchemas(topicNames(config), declared);
  return createCodec({
    schemas: mapValues(schemas, ({ schema }) => schema),
    ids: { intent: 1, outcome: 2, deadLetter: 3, command: 4, report: 5 },
    registry: { schemaById: () => Promise.resolve(null) },
  });
}

function mapValues<From, To>(record: Record<MessageName, From>, change: (value: From) => To): Record<MessageName, To> {
  return {
    intent: change(record.intent),
    outcome: change(record.outcome),
    deadLetter: change(record.deadLetter),
    command: change(record.command),
    report: change(record.report),
  };
}

type MessageName = keyof ReturnType<typeof topicSchemas>;
