// Reads outcomes with KafkaJS and proves that none is missing or doubled: each lane counts its own from 0 without gaps.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { SchemaRegistry } from "@kafkajs/confluent-schema-registry";
import { Kafka, logLevel } from "kafkajs";

const { KAFKA_BROKERS = "localhost:9092", SCHEMA_REGISTRY_URL = "http://localhost:8081" } = process.env;
const { MILLRACE_TOPIC_PREFIX = "", GROUP = "book", BOOK = "book.jsonl" } = process.env;
const topic = `${MILLRACE_TOPIC_PREFIX}payments.public.outcomes.v1`;

// What was read and how far are one write here, so that no crash can part them. In a database: one commit for both; then
// several processes may share the group. A file is for one.
const written = existsSync(BOOK) ? readFileSync(BOOK, "utf8") : "";
const whole = written.slice(0, written.lastIndexOf("\n") + 1);
if (whole !== written) writeFileSync(BOOK, whole); // a crash tore the last line
const next = new Map();
for (const line of whole.split("\n").filter(Boolean)) {
  const { lane, sequence } = JSON.parse(line);
  next.set(lane, sequence + 1);
}

const kafka = new Kafka({ clientId: "book", brokers: KAFKA_BROKERS.split(","), logLevel: logLevel.WARN });
const admin = kafka.admin();
await admin.connect();
for (const { partition, low } of await admin.fetchTopicOffsets(topic)) {
  if (low === "0" && !next.has(partition)) next.set(partition, 0); // nothing has expired: it must begin at 0
}
await admin.disconnect();

const registry = new SchemaRegistry({ host: SCHEMA_REGISTRY_URL });
const consumer = kafka.consumer({ groupId: GROUP, maxWaitTimeInMs: 500 });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  eachBatch: async ({ batch: { partition, messages } }) => {
    let expected = next.get(partition);
    let lines = "";
    for (const { value } of messages) {
      const { lane, sequence, type, caseId, sourceId, reason } = await registry.decode(value);
      if (sequence < expected) continue; // delivered again, and in the book already
      if (sequence > (expected ?? sequence) || lane !== partition) {
        console.error(`lane ${partition}: expected outcome ${expected}, found ${sequence} of lane ${lane}`);
        process.exit(1); // a gap is never stepped over
      }
      expected = sequence + 1;
      lines += `${JSON.stringify({ lane, sequence, type, caseId, sourceId, reason: reason?.code ?? null })}\n`;
    }
    appendFileSync(BOOK, lines);
    if (expected !== undefined) next.set(partition, expected);
    process.stdout.write(lines);
  },
});
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => consumer.disconnect());
