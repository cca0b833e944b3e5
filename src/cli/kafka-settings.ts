// Kafka as tools use it: the client library's own lines are left out, errors come as errors.

import type { Config } from "../config/config.ts";
import { kafkaAccess } from "../config/secrets.ts";
import type { KafkaSettings } from "../kafka/port.ts";

/** A connection that is not answered gets a second chance: a broker may be on its way up. */
const TRIES = 2;

export function quietKafka(config: Config, brokers: readonly string[], verb: string): KafkaSettings {
  const connectDeadlineMs = TRIES * config.connectTimeoutMs;
  return {
    brokers,
    clientId: `millrace-${verb}`,
    access: kafkaAccess(config),
    connectDeadlineMs,
    log: () => undefined,
  };
}
