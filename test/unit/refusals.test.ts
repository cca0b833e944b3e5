import { describe, expect, test } from "vitest";
import { firstRefusal, REFUSAL_CODES, REFUSALS, refusal } from "../../src/domain/refusals.ts";

// As published to consumers; `account_not_empty` is the one that the published list does not name.
const CONTRACT = `
  identity malformed_case_id case_id_in_future intent_expired idempotency_conflict
  amount amount_not_positive amount_too_large unknown_currency
  account unknown_account same_account not_home currency_mismatch account_closed account_frozen
  state case_not_found invalid_state
  funds insufficient_funds`;

describe("refusals", () => {
  test("stand in the order of precedence that consumers were told, each in its category", () => {
    const lines = CONTRACT.trim().split("\n");
    const expected = lines.flatMap((line) => {
      const [category, ...codes] = line.trim().split(" ");
      return codes.map((code) => `${category}.${code}`);
    });
    const ours = REFUSAL_CODES.filter((code) => code !== "account_not_empty");
    expect(ours.map((code) => `${REFUSALS[code].category}.${code}`)).toEqual(expected);
  });

  test("go category by category", () => {
    const categories = REFUSAL_CODES.map((code) => REFUSALS[code].category);
    expect([...new Set(categories)]).toEqual(["identity", "amount", "account", "state", "funds"]);
    const order = categories.map((category) => [...new Set(categories)].indexOf(category));
    expect(order).toEqual([...order].sort((one, other) => one - other));
  });

  test("of two, the one of higher precedence is given", () => {
    const [funds, expired] = ["insufficient_funds", "intent_expired"] as const;
    expect(firstRefusal(funds, expired)).toBe(expired);
    expect(firstRefusal(expired, funds)).toBe(expired);
    expect(firstRefusal(null, funds)).toBe(funds);
    expect(firstRefusal(funds, null)).toBe(funds);
    expect(firstRefusal(null, null)).toBeNull();
    expect(refusal(expired)).toEqual({ category: "identity", code: "intent_expired" });
  });
});
