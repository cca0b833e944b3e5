// How fast one core reads intents and writes outcomes: `npx vitest bench --run --config test/bench/vitest.config.ts`.
// Each turn is a batch of 1,000 different messages, so hz times 1,000 is messages a second.

import { bench, describe } from "vitest";
import { MessageBuffer } from "../../src/kafka/codec.ts";
import type { IntentMessage, OutcomeMessage } from "../../src/kafka/codec-messages.ts";
import { CHANNEL, changed, codecWith, IDS, INTENT, MemoryRegistry, OUTCOME } from "../unit/codec-fixtures.ts";

const MESSAGES = 1_000;
const NEWER_ID = 77;

const newerSchema = changed("intent", (schema) => schema.fields.push(CHANNEL));
const registry = new MemoryRegistry();
registry.schemas.set(NEWER_ID, newerSchema);
const codec = codecWith(registry);
const newer = codecWith(new MemoryRegistry(), { intent: newerSchema }, { ...IDS, intent: NEWER_ID });
await codec.decoders.intent.learn(NEWER_ID);

const each = <Made>(make: (index: number) => Made): Made[] =>
  Array.from({ length: MESSAGES }, (_, index) => make(index));

const intents = each(
  (index): IntentMessage => ({
    ...INTENT,
    holderId: `cust_${index}`,
    sourceId: `t-${index}`,
    to: `liability:customer:cust_${index}:available`,
    amount: { currency: "CZK", scale: 2, minor: String(index * 997) },
    occurredAt: INTENT.occurredAt + BigInt(index) * 1_000n,
  }),
);
const outcomes = each(
  (index): OutcomeMessage => ({
    ...OUTCOME,
    sequence: OUTCOME.sequence + BigInt(index),
    holderId: `cust_${index}`,
    sourceId: `t-${index}`,
    amounts: { amount: { currency: "CZK", scale: 2, minor: String(index * 997) } },
    recordedAt: OUTCOME.recordedAt + BigInt(index) * 1_000n,
  }),
);
const values = intents.map((intent) => codec.encoders.intent.encode(intent));
const newerValues = intents.map((intent) =>
  newer.encoders.intent.encode({ ...intent, channel: "web" } as IntentMessage),
);
const outcomeValues = outcomes.map((outcome) => codec.encoders.outcome.encode(outcome));
const block = new MessageBuffer();

describe(`1,000 messages of ${values[0]?.length} and ${outcomeValues[0]?.length} bytes`, () => {
  bench("decode intents, schema as ours", () => {
    for (const value of values) codec.decoders.intent.decode(value);
  });
  bench("decode intents, through a resolver", () => {
    for (const value of newerValues) codec.decoders.intent.decode(value);
  });
  bench("ask what is needed, then decode, as intake does", () => {
    for (const value of newerValues)
      if (codec.decoders.intent.needs(value) === null) codec.decoders.intent.decode(value);
  });
  bench("encode intents", () => {
    for (const intent of intents) codec.encoders.intent.encode(intent);
  });
  bench("encode outcomes into one buffer", () => {
    block.clear();
    for (const outcome of outcomes) codec.encoders.outcome.encodeInto(block, outcome);
  });
  bench("decode outcomes", () => {
    for (const value of outcomeValues) codec.decoders.outcome.decode(value);
  });
});
