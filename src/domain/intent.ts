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
};

/** Fields of an intent that a flow may refer to as `intent.<field>`. */
export type IntentField = "account" | "currency" | "change" | "from" | "to" | "amount";

const FINGERPRINT_VERSION = "1";

/** Tells two bodies under one key apart: 128 bits of SHA-256 over the identifying fields, base64url, 22 characters.
 *
 *  Fields that are absent or hold their default do not take part, so an honest retry by a producer whose schema has
 *  learned a new optional field keeps its fingerprint. Times and tracing do not either: a retry may carry new ones. */
export function fingerprint(intent: Intent): string {
  let text = FINGERPRINT_VERSION;
  const add = (name: string, value: string | null): void => {
    if (value !== null) text += `\n${name}=${value.length}:${value}`;
  };
  add("type", intent.type);
  add("holder", intent.holderId);
  add("case", intent.caseId);
  add("key", intent.idempotencyKey);
  add("source", intent.sourceId);
  add("account", intent.account);
  add("currency", intent.currency);
  if (intent.floorMinor !== 0n) add("floor", intent.floorMinor === null ? "none" : intent.floorMinor.toString());
  add("change", intent.change);
  add("from", intent.from);
  add("to", intent.to);
  if (intent.amount !== null) add("amount", `${intent.amount.currency} ${intent.amount.minor}`);
  if (intent.final !== null) add("final", String(intent.final));
  add("reference", intent.reference);
  if (intent.metadata !== null) {
    // Names are free here, so theirs is a length too: `a` with "b=1:c" and `a=5:b` with "c" must not read the same.
    for (const name of Object.keys(intent.metadata).sort())
      add(`meta.${name.length}:${name}`, intent.metadata[name] ?? null);
  }
  return hash("sha256", text, "base64url").slice(0, 22);
}
