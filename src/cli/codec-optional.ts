// For verbs that show what they know when the registry is away, instead of nothing.

import type { Config } from "../config/config.ts";
import { RegistryUnreachable, SchemaMissing } from "../kafka/registry.ts";
import { openMessages, type ToolMessages } from "./codec.ts";
import type { CliContext } from "./context.ts";

/** @returns null, after a warning, when the registry cannot be reached or lacks our schemas */
export async function messagesIfReachable(
  { out }: CliContext,
  config: Config,
  schemaRegistryUrl: string,
): Promise<ToolMessages | null> {
  try {
    return await openMessages(config, schemaRegistryUrl);
  } catch (error) {
    if (!(error instanceof RegistryUnreachable) && !(error instanceof SchemaMissing)) throw error;
    out.warn(`messages cannot be decoded: ${error.message}`);
    return null;
  }
}
