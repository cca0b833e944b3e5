// Why something did not come about, as flows and providers say it: each code with its category, whether trying again can
// help, and whose doing it is. What the core itself refuses is in refusals.ts.

import type { Refusal } from "./refusals.ts";

export type ReasonCategory =
  | "instrument"
  | "funds"
  | "issuer"
  | "authentication"
  | "mandate"
  | "risk"
  | "customer"
  | "returned"
  | "provider"
  | "fx"
  | "validation"
  | "duplicate"
  | "funds_account"
  | "config"
  | "operations"
  | "internal";

/** soft: later, or after a change, it may go well. final: trying the same again is useless or forbidden. */
export type Severity = "soft" | "final";
export type Blame = "payer" | "merchant" | "us" | "provider" | "issuer";

/** As it stands in an outcome. */
export type Reason = Refusal | { readonly category: ReasonCategory; readonly code: string };

export type ReasonRow = { readonly category: ReasonCategory; readonly severity: Severity; readonly blame: Blame };

/** Codes are part of the contract with consumers: add, never rename. */
const TABLE = {
  invalid_number: ["instrument", "final", "payer"],
  expired_card: ["instrument", "final", "payer"],
  closed_account: ["instrument", "final", "payer"],
  lost_or_stolen: ["instrument", "final", "payer"],
  restricted: ["instrument", "final", "payer"],
  incorrect_cvc: ["instrument", "final", "payer"],
  account_blocked: ["instrument", "final", "payer"],
  insufficient_funds: ["funds", "soft", "payer"],
  limit_exceeded: ["funds", "soft", "payer"],
  frequency_exceeded: ["funds", "soft", "payer"],
  do_not_honor: ["issuer", "soft", "issuer"],
  not_permitted: ["issuer", "final", "issuer"],
  issuer_unavailable: ["issuer", "soft", "issuer"],
  suspected_fraud: ["issuer", "final", "issuer"],
  stop_payment: ["issuer", "final", "issuer"],
  authentication_required: ["authentication", "soft", "payer"],
  authentication_failed: ["authentication", "soft", "payer"],
  authentication_abandoned: ["authentication", "soft", "payer"],
  authentication_unavailable: ["authentication", "soft", "issuer"],
  mandate_missing: ["mandate", "final", "payer"],
  mandate_revoked: ["mandate", "final", "payer"],
  mandate_invalid: ["mandate", "final", "payer"],
  risk_blocked: ["risk", "final", "us"],
  review_rejected: ["risk", "final", "us"],
  review_timeout: ["risk", "final", "us"],
  sanctions: ["risk", "final", "us"],
  canceled: ["customer", "final", "payer"],
  expired: ["customer", "final", "payer"],
  abandoned_or_lost: ["customer", "final", "payer"],
  refund_by_debtor: ["returned", "final", "payer"],
  unauthorised: ["returned", "final", "payer"],
  recall_fraud: ["returned", "final", "payer"],
  recall_error: ["returned", "final", "payer"],
  duplicate: ["returned", "final", "payer"],
  wrong_amount: ["returned", "final", "payer"],
  payer_account_closed: ["returned", "final", "payer"],
  provider_error: ["provider", "soft", "provider"],
  provider_unavailable: ["provider", "soft", "provider"],
  provider_no_record: ["provider", "soft", "provider"],
  timeout_unknown: ["provider", "soft", "provider"],
  late_success_voided: ["provider", "soft", "provider"],
  resolved_no_payment: ["provider", "soft", "provider"],
  payout_not_made: ["provider", "soft", "provider"],
  recall_not_answered: ["provider", "soft", "provider"],
  refund_not_made: ["provider", "soft", "provider"],
  fx_rate_unavailable: ["fx", "soft", "us"],
  quote_expired: ["fx", "soft", "merchant"],
  quote_mismatch: ["fx", "final", "merchant"],
  quote_not_used: ["fx", "soft", "merchant"],
  spread_above_max: ["fx", "soft", "us"],
  position_limit: ["fx", "soft", "us"],
  schema: ["validation", "final", "merchant"],
  amount_too_small: ["validation", "final", "merchant"],
  amount_too_large: ["validation", "final", "merchant"],
  amount_exceeds_authorization: ["validation", "final", "merchant"],
  recall_too_late: ["validation", "final", "payer"],
  amount_exceeds_refundable: ["validation", "final", "merchant"],
  currency_unsupported: ["validation", "final", "merchant"],
  invalid_state: ["validation", "final", "merchant"],
  intent_expired: ["validation", "final", "merchant"],
  partial_approval: ["validation", "final", "issuer"],
  idempotency_conflict: ["duplicate", "final", "merchant"],
  duplicate_reference: ["duplicate", "final", "merchant"],
  insufficient_available: ["funds_account", "soft", "merchant"],
  account_frozen: ["funds_account", "soft", "merchant"],
  negative_balance: ["funds_account", "soft", "merchant"],
  method_disabled: ["config", "soft", "us"],
  merchant_inactive: ["config", "soft", "us"],
  route_missing: ["config", "soft", "us"],
  answer_result_unknown: ["operations", "soft", "provider"],
  approval_not_expected: ["operations", "soft", "provider"],
  auth_result_unknown: ["operations", "soft", "provider"],
  capture_after_end: ["operations", "soft", "provider"],
  capture_amount_differs: ["operations", "soft", "provider"],
  capture_not_expected: ["operations", "soft", "provider"],
  capture_not_requested: ["operations", "soft", "provider"],
  capture_result_unknown: ["operations", "soft", "provider"],
  captured_while_voiding: ["operations", "soft", "provider"],
  charge_result_unknown: ["operations", "soft", "provider"],
  charge_taken_back: ["operations", "soft", "provider"],
  claim_not_expected: ["operations", "soft", "provider"],
  close_result_unknown: ["operations", "soft", "provider"],
  debit_not_settled: ["operations", "soft", "provider"],
  debit_result_unknown: ["operations", "soft", "provider"],
  credit_unmatched: ["operations", "soft", "payer"],
  deposit_late: ["operations", "soft", "payer"],
  deposit_not_confirmed: ["operations", "soft", "provider"],
  deposit_underpaid: ["operations", "soft", "payer"],
  double_refund_risk: ["operations", "soft", "merchant"],
  increment_not_expected: ["operations", "soft", "provider"],
  increment_result_unknown: ["operations", "soft", "provider"],
  issue_result_unknown: ["operations", "soft", "provider"],
  payment_not_expected: ["operations", "soft", "provider"],
  payout_amount_differs: ["operations", "soft", "provider"],
  payout_not_confirmed: ["operations", "soft", "provider"],
  payout_not_expected: ["operations", "soft", "provider"],
  payout_result_unknown: ["operations", "soft", "provider"],
  payout_review: ["operations", "soft", "us"],
  recall_not_expected: ["operations", "soft", "provider"],
  recall_requested: ["operations", "soft", "payer"],
  refund_not_confirmed: ["operations", "soft", "provider"],
  refund_not_expected: ["operations", "soft", "provider"],
  refund_result_unknown: ["operations", "soft", "provider"],
  refund_unclaimed: ["operations", "soft", "payer"],
  refunded_and_returned: ["operations", "soft", "payer"],
  return_bounced: ["operations", "soft", "provider"],
  return_not_expected: ["operations", "soft", "provider"],
  return_rejected: ["operations", "soft", "provider"],
  return_result_unknown: ["operations", "soft", "provider"],
  settled_after_end: ["operations", "soft", "provider"],
  settled_amount_differs: ["operations", "soft", "provider"],
  settlement_not_expected: ["operations", "soft", "provider"],
  unexpected_payment: ["operations", "soft", "payer"],
  void_rejected: ["operations", "soft", "provider"],
  void_result_unknown: ["operations", "soft", "provider"],
  ledger_conflict: ["internal", "final", "us"],
  invariant_violation: ["internal", "final", "us"],
} as const satisfies Readonly<Record<string, readonly [ReasonCategory, Severity, Blame]>>;
export type ReasonCode = keyof typeof TABLE;

export const REASONS = Object.fromEntries(
  Object.entries(TABLE).map(([code, [category, severity, blame]]) => [code, { category, severity, blame }]),
) as Record<ReasonCode, ReasonRow>;

const VALUES = new Map<string, Reason>(
  Object.entries(REASONS).map(([code, { category }]) => [code, Object.freeze({ category, code })]),
);

const CODE = /^[a-z][a-z0-9_]{0,63}$/;

/** The reason that a flow gives by `code`. A code that is in no list of ours is the provider's; text that is no code at all
 *  is not passed on, because nobody knows what it holds. */
export function reasonOf(code: string): Reason {
  const known = VALUES.get(code);
  if (known !== undefined) return known;
  return { category: "provider", code: CODE.test(code) ? code : "provider_error" };
}
