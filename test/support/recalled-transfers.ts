// Incoming bank transfers that the sandbox has the payer's bank ask back, which seldom happens to those of a load, and what has to
// have become of that when a named person has decided.

import { expect } from "vitest";
import type { Effect } from "../../src/workload/audit/sides.ts";

/** Of a charge that is recalled (docs/sandbox.md). */
const MINOR = "990043";
const EACH = 4;
/** Who gives nothing back. */
export const REFUSING = "mer_recalled_3";
const MERCHANTS = ["mer_recalled_1", "mer_recalled_2", REFUSING];

/** As lines for `load --from`. */
export function recalledTransfers(): string[] {
  const at = { type: "payment_create", method: "bank_transfer", provider: "instanet" };
  const amount = { currency: "EUR", minor: MINOR };
  return MERCHANTS.flatMap((holderId) =>
    Array.from({ length: EACH }, (_, one) => {
      const occurredAt = new Date().toISOString();
      return JSON.stringify({ ...at, holderId, sourceId: `recalled-${one}`, amount, occurredAt });
    }),
  );
}

/** Each request is one case; some were given back, and of others the payer's bank has its no.
 *  @param states of the recalls, with how many are in each */
export function expectRecalls(effects: readonly Effect[], states: readonly (readonly [string, number])[]): void {
  const asked = effects.filter(({ effect }) => effect === "recalled").length;
  const told = states.map(([state, cases]) => `${state} ${cases}`).join(", ");
  const answers = effects.filter(({ kind, effect }) => kind === "recalls" && effect === "done");
  console.info(`${asked} recalls, ${answers.length} answers taken: ${told}`);
  // A charge of which a kill left nothing is none that could be recalled.
  expect(asked, "recalled").toBeGreaterThanOrEqual((MERCHANTS.length * EACH) / 2);
  expect(
    states.reduce((sum, [, cases]) => sum + cases, 0),
    told,
  ).toBe(asked);
  expect(answers.filter(({ minor }) => minor > 0n).length, "given back").toBeGreaterThan(0);
  expect(answers.filter(({ minor }) => minor === 0n).length, "refused").toBeGreaterThan(0);
}
