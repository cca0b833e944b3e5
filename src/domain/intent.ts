// An intent as the core sees it: amounts are integers, fields that its type needs are there, nothing is checked twice.

import { hash } from "node:crypto";

export type AccountChange = "floor" | "freeze" | "unfreeze" | "close";
export const ACCOUNT_CHANGES: readonly AccountChange[] = ["floor", "freeze", "unfreeze", "close"];

/** As asked: the currency may be unknown and the amount of any size and sign; the core refuses those. */
export type AskedMoney = { readonly minor: bigint; readonly currency: string; readonly scale: number };

export type Intent = {
  readonly type: string;
  readonly holderId: string;
  /** as the producer wrote it */
  readonly caseId: string | null;
  readonly sourceId: string | null;
  /** null on a create: there the case id is the key */
  readonly idempotencyKey: string | null;
  readonly account: string | null;
  readonly currency: string | null;
  /** null: no floor */
  readonly floorMinor: bigint | null;
  readonly change: AccountChange | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly amount: AskedMoney | null;
  readonly final: boolean | null;
  readonly reference: string | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly occurredAtMicros: bigint;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly traceparent: string | null;
  readonly method: string | null;
  readonly captureMode: string | null;
  readonly tokenRef: string | null;
  readonly provider: string | null;
  readonly tenant: string | null;
  readonly settlementCurrency: string | null;
  readonly quoteId: string | null;
  readonly fxBasis: string | null;
  readonly side: string | null;
  readonly lockSeconds: bigint | null;
  readonly decision: string | null;
  /** who decided, for `case_decide` */
  readonly principal: string | null;
  readonly reason: string | null;
};

/** The texts that an intent may leave out, in the order of its schema; `floorMinor` is an amount. Who reads, mends or
 *  searches texts goes by this list, so that none is forgotten by one of them. */
export const INTENT_TEXTS = [
  "caseId",
  "sourceId",
  "idempotencyKey",
  "account",
  "currency",
  "change",
  "from",
  "to",
  "reference",
  "correlationId",
  "causationId",
  "traceparent",
  "method",
  "captureMode",
  "tokenRef",
  "provider",
  "tenant",
  "settlementCurrency",
  "quoteId",
  "fxBasis",
  "side",
  "decision",
  "principal",
  "reason",
] as const;

/** What a flow finds in a field of an intent. An amount's minor units are of the amount's own currency. */
export type IntentValue =
  | { readonly kind: "money" | "currency" | "text" | "bool" | "int" }
  | { readonly kind: "word"; readonly words: readonly string[] };

/** Every field that a flow may name as `intent.<path>`, with what it holds. Intake holds a word to its list, so a flow
 *  never meets another one. */
export const INTENT_VALUES = {
  account: { kind: "text" },
  currency: { kind: "currency" },
  change: { kind: "word", words: ACCOUNT_CHANGES },
  from: { kind: "text" },
  to: { kind: "text" },
  "amount.minor": { kind: "money" },
  "amount.currency": { kind: "currency" },
  final: { kind: "bool" },
  reference: { kind: "text" },
  method: { kind: "text" },
  captureMode: { kind: "word", words: ["automatic", "manual"] },
  tokenRef: { kind: "text" },
  provider: { kind: "text" },
  tenant: { kind: "text" },
  settlementCurrency: { kind: "currency" },
  quoteId: { kind: "text" },
  fxBasis: { kind: "word", words: ["original", "current"] },
  side: { kind: "word", words: ["sell", "buy"] },
  lockSeconds: { kind: "int" },
  decision: { kind: "text" },
  principal: { kind: "text" },
  reason: { kind: "text" },
} as const satisfies Readonly<Record<string, IntentValue>>;
export type IntentPath = keyof typeof INTENT_VALUES;

/** The fields themselves: an intent without one that its flow reads is put aside. */
export type IntentField = Exclude<IntentPath, `amount.${string}`> | "amount";

const FINGERPRINT_VERSION = "1";

/** Tells two bodies under one key apart: 128 bits of SHA-256 over the identifying fields, base64url, 22 characters.
 *
 *  Fields that are absent or hold their default do not take part, so an honest retry by a producer whose schema has
 *  learned a new optional field keeps its fingerprint. Times and tracing do not either: a retry may carry new ones. */
export function fingerprint(intent: Intent): string {
  let text = FINGERPRINT_VERSION;
  text += field("type", intent.type);
  text += field("holder", intent.holderId);
  text += field("case", intent.caseId);
  text += field("key", intent.idempotencyKey);
  text += field("source", intent.sourceId);
  text += field("account", intent.account);
  text += field("currency", intent.currency);
  if (intent.floorMinor !== 0n)
    text += field("floor", intent.floorMinor === null ? "none" : intent.floorMinor.toString());
  text += field("change", intent.change);
  text += field("from", intent.from);
  text += field("to", intent.to);
  if (intent.amount !== null) text += field("amount", `${intent.amount.currency} ${intent.amount.minor}`);
  if (intent.final !== null) text += field("final", String(intent.final));
  text += field("reference", intent.reference);
  // Learned later by the schema, and absent from every intent before: what is absent leaves the fingerprint as it was.
  text += field("method", intent.method);
  text += field("captureMode", intent.captureMode);
  text += field("tokenRef", intent.tokenRef);
  text += field("provider", intent.provider);
  text += field("tenant", intent.tenant);
  text += field("settlementCurrency", intent.settlementCurrency);
  text += field("quoteId", intent.quoteId);
  text += field("fxBasis", intent.fxBasis);
  text += field("side", intent.side);
  if (intent.lockSeconds !== null) text += field("lockSeconds", intent.lockSeconds.toString());
  text += field("decision", intent.decision);
  text += field("principal", intent.principal);
  text += field("reason", intent.reason);
  if (intent.metadata !== null) {
    // Names are free here, so theirs is a length too: `a` with "b=1:c" and `a=5:b` with "c" must not read the same.
    for (const name of Object.keys(intent.metadata).sort())
      text += field(`meta.${name.length}:${name}`, intent.metadata[name] ?? null);
  }
  return hash("sha256", text, "base64url").slice(0, 22);
}

/** A field as it takes part: its name, how long its value is, the value. */
function field(name: string, value: string | null): string {
  return value === null ? "" : `\n${name}=${value.length}:${value}`;
}
