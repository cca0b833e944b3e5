// Kafka as tools use it: the client library's own lines are left out, errors come as errors.

import type { KafkaSettings } from "../kafka/port.ts";

export function quietKafka(brokers: readonly string[], verb: string): KafkaSettings {
  return { brokers, clientId: `millrace-${verb}`, log: () => undefined };
}
