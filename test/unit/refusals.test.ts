import { describe, expect, test } from "vitest";
import { firstRefusal, REFUSAL_CODES, REFUSALS, refusal, refusalCode } from "../../src/domain/refusals.ts";

// As published to consumers; what the published list does not name stands between, in its category.
const CONTRACT = `
  identity malformed_case_id case_id_in_future intent_expired idempotency_conflict
  amount amount_not_positive amount_too_large unknown_currency
  account account_reserved unknown_account same_account not_home currency_mismatch account_closed account_frozen
  state case_not_found invalid_state
  funds insufficient_funds`;

describe("refusals", () => {
  test("stand in the order of precedence that consumers were told, each in its category", () => {
    const lines = CONTRACT.trim().split("\n");
    const expected = lines.flatMap((line) => {
      const [category, ...codes] = line.trim().split(" ");
      return codes.map((code) => `${category}.${code}`);
    });
    const ours = REFUSAL_CODES.map((code) => `${REFUSALS[code].category}.${code}`);
    expect(ours.filter((code) => expected.includes(code))).toEqual(expected);
  });

  test("go category by category", () => {
    const categories = REFUSAL_CODES.map((code) => REFUSALS[code].category);
    expect([...new Set(categories)]).toEqual(["identity", "amount", "config", "account", "state", "fx", "funds"]);
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

  test("of a flow's own code rank behind all others, and are the asker's to mend", () => {
    const own = refusalCode("increment_limit");
    expect(refusal(own)).toEqual({ category: "validation", code: "increment_limit" });
    expect(firstRefusal(own, "insufficient_funds")).toBe("insufficient_funds");
    expect(firstRefusal(own, refusalCode("nothing_held"))).toBe(own);
    expect(refusalCode("still_held")).toBe("still_held");
  });
});
