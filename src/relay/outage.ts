// Errors after which the relay asks, waits or opens again; any other is a bug of our own and ends the process.

import { Fenced, KafkaRefused, KafkaUnreachable, WriterBroken } from "../kafka/port.ts";
import { ConnectionLost, DatabaseUnreachable, sqlState } from "../store/database.ts";

export function isOutage(error: unknown): boolean {
  return (
    error instanceof Fenced ||
    error instanceof WriterBroken ||
    error instanceof KafkaUnreachable ||
    error instanceof KafkaRefused ||
    error instanceof ConnectionLost ||
    sqlState(error) !== null ||
    error instanceof DatabaseUnreachable
  );
}
