// What looking for card numbers costs an intent: `npx vitest bench --run --config test/bench/vitest.config.ts card-numbers`.
// Each turn is 1,000 intents, so 1,000,000 divided by hz is nanoseconds an intent.

import { bench, describe } from "vitest";
import { cardFieldOf } from "../../src/domain/cards/fields.ts";
import type { IntentMessage } from "../../src/kafka/codec-messages.ts";
import { codecWith, INTENT, MemoryRegistry } from "../unit/codec-fixtures.ts";

const codec = codecWith(new MemoryRegistry());
const intents = Array.from({ length: 1_000 }, (_, index): IntentMessage => {
  const intent: IntentMessage = {
    ...INTENT,
    holderId: `cust_${index}`,
    sourceId: `t-${index}`,
    from: "asset:bank:main",
    to: `liability:customer:cust_${index}:available`,
    reference: null,
    metadata: null,
  };
  return codec.decoders.intent.decode(codec.encoders.intent.encode(intent));
});
const noted = intents.map((intent) => ({
  ...intent,
  reference: "Invoice 2026-1182 of November",
  metadata: { channel: "app", order: "ord-1234567890" },
}));

describe("1,000 intents", () => {
  bench("transfers", () => {
    for (const intent of intents) cardFieldOf(intent);
  });
  bench("transfers with reference and metadata", () => {
    for (const intent of noted) cardFieldOf(intent);
  });
});
