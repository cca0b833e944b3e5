import { expect, test } from "vitest";
import { innerParts, KAFKAJS_VERSION } from "../../src/kafka/wire.ts";

// KafkaJS does not promise its inside. Whoever upgrades it meets these tests first, and the reasons in wire.ts.

test("runs on the one version of KafkaJS whose inside is known", async () => {
  const { default: manifest } = await import("kafkajs/package.json", { with: { type: "json" } });
  expect(manifest.version).toBe(KAFKAJS_VERSION);
  expect(KAFKAJS_VERSION).toBe("2.2.4");
});

test("finds the broker's methods with the parameters that we pass", () => {
  const { Broker } = innerParts;
  const methods = [
    "connect",
    "listOffsets",
    "findGroupCoordinator",
    "initProducerId",
    "addPartitionsToTxn",
    "endTxn",
    "createTopics",
    "describeConfigs",
    "alterConfigs",
    "offsetCommit",
    "deleteRecords",
  ];
  const shapes = methods.map((name) => headOf(Broker.prototype as Record<string, unknown>, name));
  expect(shapes).toMatchInlineSnapshot(`
    [
      "async connect()",
      "async listOffsets({ replicaId, isolationLevel, topics })",
      "async findGroupCoordinator({ groupId, coordinatorType })",
      "async initProducerId({ transactionalId, transactionTimeout })",
      "async addPartitionsToTxn({ transactionalId, producerId, producerEpoch, topics })",
      "async endTxn({ transactionalId, producerId, producerEpoch, transactionResult })",
      "async createTopics({ topics, validateOnly = false, timeout = 5000 })",
      "async describeConfigs({ resources, includeSynonyms = false })",
      "async alterConfigs({ resources, validateOnly = false })",
      "async offsetCommit({ groupId, groupGenerationId, memberId, retentionTime, topics })",
      "async deleteRecords({ topics })",
    ]
  `);
});

test("finds connections that can be asked, rejected and dropped", () => {
  const { ConnectionPool, createLogger } = innerParts;
  const pool = new ConnectionPool({
    host: "127.0.0.1",
    port: 1,
    clientId: "smoke",
    logger: createLogger({ level: 0, logCreator: () => () => {} }),
    socketFactory: () => {
      throw new Error("not connected in this test");
    },
    connectionTimeout: 1,
    requestTimeout: 1,
    enforceRequestTimeout: true,
    ssl: null,
    sasl: null,
    maxInFlightRequests: null,
  });
  expect(pool.pool).toHaveLength(2);
  for (const connection of pool.pool) {
    expect(connection.isConnected()).toBe(false);
    expect(connection.send).toHaveLength(1);
    expect(connection.rejectRequests).toHaveLength(1);
    expect(connection.disconnect).toHaveLength(0);
  }
  expect(pool.getConnection).toBeTypeOf("function");
});

test("speaks the versions of Produce, Fetch and Metadata that our own encoders know", () => {
  const { requests } = innerParts;
  expect(requests["Produce"]?.versions.at(-1)).toBe("7");
  expect(requests["Fetch"]?.versions.at(-1)).toBe("11");
  expect(requests["Metadata"]?.versions.at(-1)).toBe("6");
  expect(innerParts.API_KEYS).toMatchObject({ Produce: 0, Fetch: 1, Metadata: 3 });
});

test("names error codes", () => {
  const error = innerParts.createErrorFromCode(47);
  expect(error).toMatchObject({ type: "INVALID_PRODUCER_EPOCH", code: 47, retriable: false });
  expect(innerParts.createErrorFromCode(90).message).toBe("Unknown error code 90");
});

test("does not schedule a check of a request queue in which nothing waits", () => {
  const timers: unknown[] = [];
  const queue = {
    pending: [],
    throttledUntil: -1,
    set throttleCheckTimeoutId(timer: unknown) {
      timers.push(timer);
    },
  };
  innerParts.RequestQueue.prototype.scheduleCheckPendingRequests.call(queue);
  expect(timers).toEqual([]);
});

/** The first line of a method as written, down to the end of its parameters. */
function headOf(prototype: Record<string, unknown>, name: string): string {
  const source = String(prototype[name]);
  return source.slice(0, source.indexOf(") {") + 1).replaceAll(/\s+/g, " ");
}
