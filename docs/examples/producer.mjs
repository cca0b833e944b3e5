// Publishes intents with KafkaJS. Run it again on the same day: all are answered as repeats, and no money moves.
import { createHash } from "node:crypto";
import { SchemaRegistry } from "@kafkajs/confluent-schema-registry";
import { Kafka, Partitioners } from "kafkajs";

const { KAFKA_BROKERS = "localhost:9092", SCHEMA_REGISTRY_URL = "http://localhost:8081" } = process.env;
const { MILLRACE_TOPIC_PREFIX = "", DAY = new Date().toISOString().slice(0, 10) } = process.env;
const topic = `${MILLRACE_TOPIC_PREFIX}payments.public.intents.v1`;
const [holderId, account, bank] = ["cust_34", "liability:customer:cust_34:available", "asset:bank:main"];

// A case id is a time and a hash of the producer's own names. The time is the order's, never that of sending: so a
// retry, or the same job after a crash, names the same case again.
const timeMs = Date.parse(`${DAY}T00:00:00Z`);
function intent(kind, type, names, fields) {
  const hash = createHash("sha256");
  for (const bytes of [type, holderId, ...names].map((name) => Buffer.from(name))) {
    hash.update(Buffer.from([0, 0, bytes.length >> 8, bytes.length & 255])).update(bytes);
  }
  let bits = (BigInt(timeMs) << 80n) | BigInt(`0x${hash.digest("hex").slice(0, 20)}`);
  let ulid = "";
  for (; ulid.length < 26; bits >>= 5n) ulid = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[Number(bits & 31n)] + ulid;
  return { type, holderId, caseId: `${kind}_${ulid}`, sourceId: names.at(-1), occurredAt: timeMs * 1000, ...fields };
}
const transfer = (sourceId, from, to, minor) =>
  intent("trf", "transfer_create", [sourceId], { from, to, amount: { currency: "EUR", scale: 2, minor } });

const intents = [
  intent("acc", "account_open", [account, "open"], { account, currency: "EUR" }),
  transfer("order-1", bank, account, "5000"), // 50.00 EUR as digits of cents, never a float
  transfer("order-2", account, "revenue:processing_fee", "125"),
  transfer("order-3", account, bank, "999999"), // more than there is: refused
];

const registry = new SchemaRegistry({ host: SCHEMA_REGISTRY_URL });
const schemaId = await registry.getLatestSchemaId(`${topic}-value`);
const producer = new Kafka({ clientId: "shop", brokers: KAFKA_BROKERS.split(",") }).producer({
  createPartitioner: Partitioners.DefaultPartitioner, // murmur2 of the key, as in Java
});
await producer.connect();
// One partition a send, one send at a time. Even so a send can be lost with the process or the broker: an intent is
// settled when its outcome is there, and until then sending it again is right and free.
for (const one of intents) {
  await producer.send({ topic, messages: [{ key: one.holderId, value: await registry.encode(schemaId, one) }] });
  console.log(one.sourceId, one.caseId);
}
await producer.disconnect();
