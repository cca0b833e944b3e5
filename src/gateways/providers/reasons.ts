// What providers give as reasons, in the words of `domain/reasons.ts` (domain.md 8.6): their own code first, else the code
// of the network behind them. A code that nobody here knows is `provider_error`, and never passed on as it is.

import { REASONS, type ReasonCode } from "../../domain/reasons.ts";

export type Given = {
  readonly code: string | null;
  /** ISO 8583, field 39, of cards; ISO 20022 of banks */
  readonly networkCode: string | null;
  /** of card schemes: whether trying again may help */
  readonly adviceCode: string | null;
};

export type Reasoned = { readonly code: ReasonCode; readonly isRetriable: boolean };

export function reasonFor({ code, networkCode, adviceCode }: Given): Reasoned {
  const known = own(CODES, code) ?? (isReason(code) ? code : null) ?? own(NETWORK_CODES, networkCode);
  const found = known ?? "provider_error";
  const isForbidden = NEVER_AGAIN.has(adviceCode ?? "") || FORBIDDEN.has(networkCode ?? "");
  return { code: found, isRetriable: known !== null && !isForbidden && AT_ONCE.has(found) };
}

function isReason(code: string | null): code is ReasonCode {
  return code !== null && Object.hasOwn(REASONS, code);
}

function own(table: Readonly<Record<string, ReasonCode>>, code: string | null): ReasonCode | null {
  return code !== null && Object.hasOwn(table, code) ? (table[code] as ReasonCode) : null;
}

/** Where another attempt at once may go otherwise. Soft declines such as a lack of funds need time, which a case does not
 *  take by itself. */
const AT_ONCE: ReadonlySet<ReasonCode> = new Set<ReasonCode>(["issuer_unavailable", "provider_unavailable"]);

/** Mastercard: do not try again; the cardholder has cancelled. */
const NEVER_AGAIN: ReadonlySet<string> = new Set(["03", "21"]);
/** Visa, category 1: the cardholder has stopped the payments. */
const FORBIDDEN: ReadonlySet<string> = new Set(["R0", "R1"]);

/** Words of providers that are not ours. */
const CODES: Readonly<Record<string, ReasonCode>> = {
  expired: "expired_card",
  lost_card: "lost_or_stolen",
  stolen_card: "lost_or_stolen",
  processing_error: "provider_error",
  not_supported: "not_permitted",
  invalid_amount: "amount_too_small",
  currency_not_supported: "currency_unsupported",
  currency_mismatch: "currency_unsupported",
  not_authorized: "invalid_state",
  nothing_to_void: "invalid_state",
  amount_exceeds_captured: "amount_exceeds_refundable",
  amount_exceeds_original: "amount_exceeds_refundable",
  original_unknown: "provider_no_record",
  recall_unknown: "provider_no_record",
  recall_answered: "duplicate_reference",
  rejected_by_bank: "provider_error",
  not_found: "provider_no_record",
  too_late: "expired",
  account_closed: "closed_account",
  unknown_account: "invalid_number",
  rate_limited: "frequency_exceeded",
};

const NETWORK_CODES: Readonly<Record<string, ReasonCode>> = {
  "05": "do_not_honor",
  "12": "not_permitted",
  "14": "invalid_number",
  "41": "lost_or_stolen",
  "43": "lost_or_stolen",
  "46": "closed_account",
  "51": "insufficient_funds",
  "54": "expired_card",
  "57": "not_permitted",
  "58": "not_permitted",
  "59": "suspected_fraud",
  "61": "limit_exceeded",
  "62": "restricted",
  "65": "frequency_exceeded",
  "78": "account_blocked",
  "82": "incorrect_cvc",
  "91": "issuer_unavailable",
  "94": "duplicate_reference",
  "96": "provider_error",
  "1A": "authentication_required",
  N7: "incorrect_cvc",
  R0: "stop_payment",
  R1: "stop_payment",
  AC01: "invalid_number",
  AC04: "closed_account",
  AC06: "account_blocked",
  AG01: "not_permitted",
  AM02: "limit_exceeded",
  AM04: "insufficient_funds",
  AM05: "duplicate",
  DUPL: "duplicate",
  FRAD: "recall_fraud",
  FR01: "risk_blocked",
  MD01: "mandate_missing",
  MD06: "refund_by_debtor",
  MS02: "mandate_revoked",
  MS03: "do_not_honor",
  R10: "unauthorised",
  RR04: "sanctions",
  AB05: "provider_unavailable",
  AB06: "provider_unavailable",
};
