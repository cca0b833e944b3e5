// Kafka as tools use it: the client library's own lines are left out, errors come as errors.

import type { Config } from "../config/config.ts";
import { kafkaAccess } from "../config/secrets.ts";
import type { KafkaSettings } from "../kafka/port.ts";

export function quietKafka(config: Config, brokers: readonly string[], verb: string): KafkaSettings {
  return { brokers, clientId: `millrace-${verb}`, access: kafkaAccess(config), log: () => undefined };
}
