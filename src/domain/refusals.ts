// Every business "no" that an intent can get, in order of precedence: when several apply, the first of this table is
// given. A refusal is a value and an outcome, never an exception. What cannot be understood at all is quarantined.

import type { Brand } from "./money.ts";

export type RefusalCategory = "identity" | "amount" | "account" | "state" | "fx" | "funds" | "config" | "validation";

/** Order is precedence. Codes are part of the contract with consumers: add, never rename. */
export const REFUSAL_CODES = [
  "malformed_case_id",
  "case_id_in_future",
  "intent_expired",
  "idempotency_conflict",
  "amount_not_positive",
  "amount_too_large",
  "unknown_currency",
  "currency_unsupported",
  "amount_too_small",
  "amount_exceeds_authorization",
  "amount_exceeds_refundable",
  "route_missing",
  "account_reserved",
  "unknown_account",
  "same_account",
  "not_home",
  "currency_mismatch",
  "account_closed",
  "account_frozen",
  "case_not_found",
  "invalid_state",
  "account_not_empty",
  "still_held",
  "quote_mismatch",
  "quote_expired",
  "fx_rate_unavailable",
  "spread_above_max",
  "position_limit",
  "funds_provisional",
  "insufficient_funds",
] as const;
export type KnownRefusal = (typeof REFUSAL_CODES)[number];

/** A code of a flow's own, from `refuse:` in its file; ranks behind all others. */
export type FlowRefusal = Brand<string, "FlowRefusal">;
export type RefusalCode = KnownRefusal | FlowRefusal;

/** As it stands in an outcome. */
export type Refusal = { readonly category: RefusalCategory; readonly code: RefusalCode };

const CATEGORIES: Record<KnownRefusal, RefusalCategory> = {
  malformed_case_id: "identity",
  case_id_in_future: "identity",
  intent_expired: "identity",
  idempotency_conflict: "identity",
  amount_not_positive: "amount",
  amount_too_large: "amount",
  unknown_currency: "amount",
  currency_unsupported: "amount",
  amount_too_small: "amount",
  amount_exceeds_authorization: "amount",
  amount_exceeds_refundable: "amount",
  route_missing: "config", // no open route for such a payment
  account_reserved: "account", // open to flows alone, and named by an intent
  unknown_account: "account",
  same_account: "account",
  not_home: "account",
  currency_mismatch: "account",
  account_closed: "account",
  account_frozen: "account",
  case_not_found: "state",
  invalid_state: "state",
  account_not_empty: "state", // closing an account that still holds money
  still_held: "state",
  quote_mismatch: "fx",
  quote_expired: "fx",
  fx_rate_unavailable: "fx",
  spread_above_max: "fx",
  position_limit: "fx",
  funds_provisional: "funds", // settled, and in the time in which most returns come
  insufficient_funds: "funds",
};

/** Each code with its category and its rank; a lower rank wins. */
export const REFUSALS = Object.fromEntries(
  REFUSAL_CODES.map((code, rank) => [code, Object.freeze({ category: CATEGORIES[code], code, rank })]),
) as Record<KnownRefusal, { readonly category: RefusalCategory; readonly code: KnownRefusal; readonly rank: number }>;

const VALUES = new Map<string, Refusal>(
  REFUSAL_CODES.map((code) => [code, Object.freeze({ category: CATEGORIES[code], code })]),
);

/** The refusal as a value; always the same object for a known code. */
export function refusal(code: RefusalCode): Refusal {
  return VALUES.get(code) ?? { category: "validation", code };
}

/** A code as a flow's file says it. */
export function refusalCode(text: string): RefusalCode {
  return (VALUES.get(text)?.code ?? text) as RefusalCode;
}

/** Whichever of two refusals takes precedence; null means there was none. */
export function firstRefusal(one: RefusalCode | null, other: RefusalCode | null): RefusalCode | null {
  if (one === null || other === null) return one ?? other;
  return rankOf(one) <= rankOf(other) ? one : other;
}

function rankOf(code: RefusalCode): number {
  return (REFUSALS as Record<string, { readonly rank: number } | undefined>)[code]?.rank ?? REFUSAL_CODES.length;
}

/** Why a record could not be taken as an intent; it is put aside with its reason, and the lane goes on. */
export const QUARANTINE_REASONS = [
  "missing_key",
  "key_mismatch",
  "wrong_lane",
  "undecodable",
  "unknown_schema",
  "schema_mismatch",
  "invalid_field",
  "too_large",
  "card_number",
] as const;
export type QuarantineReason = (typeof QUARANTINE_REASONS)[number];
