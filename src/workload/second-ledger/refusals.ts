// The documented order of refusals: of all that apply, the first of this list is given, and what a flow calls a refusal of
// its own ranks behind all others. And the categories of codes that outcomes give as their reason.

const IN_ORDER: readonly (readonly [category: string, codes: readonly string[]])[] = [
  ["identity", ["malformed_case_id", "case_id_in_future", "intent_expired", "idempotency_conflict"]],
  ["amount", ["amount_not_positive", "amount_too_large", "unknown_currency", "currency_unsupported"]],
  ["amount", ["amount_too_small", "amount_exceeds_authorization", "amount_exceeds_refundable"]],
  ["config", ["route_missing"]],
  ["account", ["account_reserved"]],
  ["account", ["unknown_account", "same_account", "not_home", "currency_mismatch", "account_closed", "account_frozen"]],
  ["state", ["case_not_found", "invalid_state", "account_not_empty", "still_held"]],
  ["fx", ["quote_mismatch", "quote_expired", "fx_rate_unavailable", "spread_above_max", "position_limit"]],
  ["funds", ["funds_provisional", "insufficient_funds"]],
];

/** The first of those that apply; null when none does. */
export function firstOf(applying: ReadonlySet<string>): string | null {
  for (const [, codes] of IN_ORDER) for (const code of codes) if (applying.has(code)) return code;
  const [own] = applying;
  return own ?? null;
}

/** Of a refusal. */
export function reasonOf(code: string): { readonly category: string; readonly code: string } {
  const found = IN_ORDER.find(([, codes]) => codes.includes(code));
  return { category: found?.[0] ?? "validation", code };
}

/** Of what flows and providers say, by category. */
const SAID: Readonly<Record<string, string>> = {
  instrument: "invalid_number expired_card closed_account lost_or_stolen restricted incorrect_cvc account_blocked",
  funds: "insufficient_funds limit_exceeded frequency_exceeded",
  issuer: "do_not_honor not_permitted issuer_unavailable suspected_fraud stop_payment",
  authentication: "authentication_required authentication_failed authentication_abandoned authentication_unavailable",
  mandate: "mandate_missing mandate_revoked mandate_invalid",
  risk: "risk_blocked review_rejected review_timeout sanctions",
  customer: "canceled expired abandoned_or_lost",
  returned: "refund_by_debtor unauthorised recall_fraud recall_error duplicate wrong_amount payer_account_closed",
  provider:
    "provider_error provider_unavailable provider_no_record timeout_unknown late_success_voided resolved_no_payment payout_not_made recall_not_answered refund_not_made",
  fx: "fx_rate_unavailable quote_expired quote_mismatch quote_not_used spread_above_max position_limit",
  validation:
    "schema amount_too_small amount_too_large amount_exceeds_authorization amount_exceeds_refundable recall_too_late currency_unsupported invalid_state intent_expired partial_approval",
  duplicate: "idempotency_conflict duplicate_reference",
  funds_account: "insufficient_available account_frozen negative_balance",
  config: "method_disabled merchant_inactive route_missing",
  operations:
    "answer_result_unknown approval_not_expected auth_result_unknown capture_after_end capture_amount_differs capture_not_expected capture_not_requested capture_result_unknown captured_while_voiding charge_result_unknown charge_taken_back claim_not_expected close_result_unknown credit_unmatched debit_not_settled debit_result_unknown deposit_late deposit_not_confirmed deposit_underpaid double_refund_risk increment_not_expected " +
    "increment_result_unknown issue_result_unknown payment_not_expected payout_amount_differs payout_not_confirmed payout_not_expected payout_result_unknown payout_review " +
    "recall_not_expected recall_requested refund_not_confirmed refund_not_expected refund_result_unknown refund_unclaimed refunded_and_returned " +
    "return_bounced return_not_expected return_rejected return_result_unknown settled_after_end settled_amount_differs settlement_not_expected unexpected_payment void_rejected void_result_unknown",
  internal: "ledger_conflict invariant_violation",
};

/** Of a code that an outcome carries beside what it says. What is no code is not passed on. */
export function saidReason(code: string): { readonly category: string; readonly code: string } {
  for (const [category, codes] of Object.entries(SAID)) {
    if (codes.split(" ").includes(code)) return { category, code };
  }
  return { category: "provider", code: /^[a-z][a-z0-9_]{0,63}$/.test(code) ? code : "provider_error" };
}
