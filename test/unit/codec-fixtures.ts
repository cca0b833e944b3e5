// Messages, schemas and a registry in memory for the codec's tests.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { type Codec, createCodec, type FoundSchema, type SchemaLookup } from "../../src/kafka/codec.ts";
import type { IntentMessage, MessageKind, MoneyMessage, OutcomeMessage } from "../../src/kafka/codec-messages.ts";

const FILES: Record<MessageKind, string> = {
  intent: "intent",
  outcome: "outcome",
  deadLetter: "dead-letter",
  command: "command",
  report: "report",
};

export function schemaText(kind: MessageKind): string {
  return readFileSync(new URL(`../../schemas/messages/${FILES[kind]}.avsc`, import.meta.url), "utf8");
}

export const SCHEMAS: Record<MessageKind, string> = {
  intent: schemaText("intent"),
  outcome: schemaText("outcome"),
  deadLetter: schemaText("deadLetter"),
  command: schemaText("command"),
  report: schemaText("report"),
};

export const IDS: Record<MessageKind, number> = { intent: 11, outcome: 12, deadLetter: 13, command: 14, report: 15 };

export type Field = { name: string; type: unknown; default?: unknown; doc?: string };
export type RecordSchema = { type: string; name: string; namespace: string; fields: Field[] };

/** A schema of ours, changed. */
export function changed(kind: MessageKind, change: (schema: RecordSchema) => void): string {
  const schema = JSON.parse(SCHEMAS[kind]) as RecordSchema;
  change(schema);
  return JSON.stringify(schema);
}

export const CHANNEL: Field = { name: "channel", type: ["null", "string"], default: null, doc: "Where it came from." };

/** Answers from a map and counts; an id that is mapped to an error throws it. */
export class MemoryRegistry implements SchemaLookup {
  readonly schemas = new Map<number, string | FoundSchema | Error>();
  asked: number[] = [];

  async schemaById(id: number): Promise<FoundSchema | null> {
    this.asked.push(id);
    await Promise.resolve();
    const found = this.schemas.get(id);
    if (found === undefined) return null;
    if (found instanceof Error) throw found;
    return typeof found === "string" ? { schema: found, schemaType: "AVRO", referenceCount: 0 } : found;
  }
}

export function codecWith(registry: SchemaLookup, change: Partial<Record<MessageKind, string>> = {}, ids = IDS): Codec {
  return createCodec({ schemas: { ...SCHEMAS, ...change }, ids, registry });
}

export const INTENT: IntentMessage = {
  type: "transfer_create",
  holderId: "cust_12345",
  caseId: "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C",
  sourceId: "t-123456",
  idempotencyKey: null,
  account: null,
  currency: null,
  floorMinor: "0",
  change: null,
  from: "asset:bank:main",
  to: "liability:customer:cust_12345:available",
  amount: { currency: "CZK", scale: 2, minor: "70000" },
  final: null,
  reference: "cash in",
  metadata: { k: "v" },
  occurredAt: 1_732_060_800_123_456n,
  correlationId: null,
  causationId: null,
  traceparent: null,
  method: null,
  captureMode: null,
  tokenRef: null,
  provider: null,
  tenant: null,
  settlementCurrency: null,
  quoteId: null,
  fxBasis: null,
  side: null,
  lockSeconds: null,
  decision: null,
  principal: null,
  reason: null,
};

export const OUTCOME: OutcomeMessage = {
  lane: 3,
  sequence: 123_456n,
  block: 4_242n,
  outcomeId: "out_01JD3Z7Q6R8W2V5K9T0M4N1B7C",
  type: "transfer.completed",
  caseId: "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C",
  sourceId: "t-123456",
  holderId: "cust_12345",
  intentType: "transfer_create",
  idempotencyKey: null,
  status: "completed",
  reason: null,
  repeatOf: null,
  amounts: { amount: { currency: "CZK", scale: 2, minor: "70000" } },
  lines: 1,
  flow: "transfer@1.0.0",
  occurredAt: 1_732_060_800_123_456n,
  recordedAt: 1_732_060_800_999_456n,
  correlationId: null,
  causationId: null,
  traceparent: null,
  parentId: null,
};

/** Text of any kind: empty, long, beyond ASCII, beyond the basic plane, with NUL. */
export const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 200 }),
  fc.constantFrom("", "\u0000", "\uFFFD", "\u202E", "x".repeat(63), "x".repeat(64), "ö".repeat(64), "__proto__"),
);
export const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
export const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const maybeText = fc.option(text);
export const names = fc.dictionary(text, text, { maxKeys: 5, noNullPrototype: true });

export const money: fc.Arbitrary<MoneyMessage> = fc.record({
  currency: text,
  scale: int,
  minor: fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }).map(String),
});

export const intents: fc.Arbitrary<IntentMessage> = fc.record({
  type: text,
  holderId: text,
  caseId: maybeText,
  sourceId: maybeText,
  idempotencyKey: maybeText,
  account: maybeText,
  currency: maybeText,
  floorMinor: maybeText,
  change: maybeText,
  from: maybeText,
  to: maybeText,
  amount: fc.option(money),
  final: fc.option(fc.boolean()),
  reference: maybeText,
  metadata: fc.option(names),
  occurredAt: long,
  correlationId: maybeText,
  causationId: maybeText,
  traceparent: maybeText,
  method: maybeText,
  captureMode: maybeText,
  tokenRef: maybeText,
  provider: maybeText,
  tenant: maybeText,
  settlementCurrency: maybeText,
  quoteId: maybeText,
  fxBasis: maybeText,
  side: maybeText,
  lockSeconds: fc.option(long),
  decision: maybeText,
  principal: maybeText,
  reason: maybeText,
});

export const outcomes: fc.Arbitrary<OutcomeMessage> = fc.record({
  lane: int,
  sequence: long,
  block: long,
  outcomeId: text,
  type: text,
  caseId: maybeText,
  sourceId: maybeText,
  holderId: text,
  intentType: maybeText,
  idempotencyKey: maybeText,
  status: text,
  reason: fc.option(fc.record({ category: text, code: text })),
  repeatOf: fc.option(fc.record({ lane: int, sequence: long })),
  amounts: fc.dictionary(text, money, { maxKeys: 4, noNullPrototype: true }),
  lines: int,
  flow: maybeText,
  occurredAt: long,
  recordedAt: long,
  correlationId: maybeText,
  causationId: maybeText,
  traceparent: maybeText,
  parentId: maybeText,
});
