// The documented order of refusals: of all that apply, the first of this list is given.

const IN_ORDER: readonly (readonly [category: string, codes: readonly string[]])[] = [
  ["identity", ["malformed_case_id", "case_id_in_future", "intent_expired", "idempotency_conflict"]],
  ["amount", ["amount_not_positive", "amount_too_large", "unknown_currency"]],
  ["account", ["unknown_account", "same_account", "not_home", "currency_mismatch", "account_closed", "account_frozen"]],
  ["state", ["case_not_found", "invalid_state", "account_not_empty"]],
  ["funds", ["insufficient_funds"]],
];

/** The first of those that apply; null when none does. */
export function firstOf(applying: ReadonlySet<string>): string | null {
  for (const [, codes] of IN_ORDER) for (const code of codes) if (applying.has(code)) return code;
  return null;
}

export function reasonOf(code: string): { readonly category: string; readonly code: string } {
  const found = IN_ORDER.find(([, codes]) => codes.includes(code));
  return { category: found?.[0] ?? "", code };
}
