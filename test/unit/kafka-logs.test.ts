import { expect, test } from "vitest";
import { logSink, rankOf } from "../../src/kafka/logs.ts";
import type { LogEntry } from "../../src/kafka/wire-types.ts";

const ERROR = 1;
const WARN = 2;
const INFO = 4;

function line(namespace: string, level: number, message: string, extra: object = {}): LogEntry {
  return { namespace, level, log: { message, timestamp: "now", logger: "kafkajs", ...extra } };
}

test.each<[string, LogEntry, string]>([
  [
    "the predecessor's Kafka transaction being completed",
    line("Connection", ERROR, "Response AddPartitionsToTxn(key: 24, version: 1)", {
      error:
        "The producer attempted to update a transaction while another concurrent operation on the same transaction",
    }),
    "debug",
  ],
  [
    "a coordinator that is starting",
    line("Connection", ERROR, "Response GroupCoordinator(key: 10, version: 2)", {
      error: "The group coordinator is not available",
    }),
    "debug",
  ],
  [
    "a coordinator that is loading",
    line("Connection", ERROR, "Response InitProducerId(key: 22, version: 1)", { error: "The coordinator is loading" }),
    "debug",
  ],
  ["a broker that is away", line("Connection", ERROR, "Connection error: connect ECONNREFUSED"), "debug"],
  ["a pause", line("ConsumerGroup", INFO, "Pausing fetching from 1 topics"), "debug"],
  [
    "a fence",
    line("Connection", ERROR, "Response AddPartitionsToTxn(key: 24, version: 1)", { error: "old epoch" }),
    "error",
  ],
  ["anything else at error", line("Connection", ERROR, "Response ListOffsets", { error: "not authorized" }), "error"],
  ["anything else at warn", line("Cluster", WARN, "odd"), "warn"],
  ["a level that is not known", line("Cluster", 9, "odd"), "debug"],
])("ranks %s", (_name, entry, rank) => {
  expect(rankOf(entry)).toBe(rank);
});

test("hands on the fields, and a stack with errors only", () => {
  const said: unknown[] = [];
  const log = logSink({ brokers: [], clientId: "c", log: (...args) => said.push(args) });
  log(line("Connection", ERROR, "Response ListOffsets", { error: "not authorized", broker: "b:1", stack: "at x" }));
  log(line("Cluster", WARN, "odd", { stack: "at y" }));
  expect(said).toEqual([
    ["error", { kafka: "Connection", error: "not authorized", broker: "b:1", stack: "at x" }, "Response ListOffsets"],
    ["warn", { kafka: "Cluster" }, "odd"],
  ]);
});
