// Published test card numbers, by tokens: `tok_stripe_4242` stands for the number that Stripe publishes with these last
// digits. No number is written here; test/unit/sandbox-choose.test.ts holds the table to the published list.

import { type Behaviour, SMOOTH } from "./behaviour.ts";
import type { Asked } from "./choose.ts";

type CardFate = Pick<Behaviour, "fate" | "code">;

const DONE: CardFate = { fate: "done", code: null };
const declined = (code: string): CardFate => ({ fate: "declined", code });

const FATES_BY_TOKEN: Readonly<Record<string, CardFate>> = {
  tok_stripe_4242: DONE,
  tok_stripe_1881: DONE,
  tok_stripe_4444: DONE,
  tok_stripe_5100: DONE,
  tok_stripe_0005: DONE,
  tok_stripe_8431: DONE,
  tok_stripe_1117: DONE,
  tok_stripe_9424: DONE,
  tok_stripe_5904: DONE,
  tok_stripe_3237: DONE,
  tok_stripe_0000: DONE,
  tok_stripe_0505: DONE,
  tok_stripe_0002: declined("do_not_honor"),
  tok_stripe_9995: declined("insufficient_funds"),
  tok_stripe_9987: declined("lost_card"),
  tok_stripe_9979: declined("stolen_card"),
  tok_stripe_0069: declined("expired_card"),
  tok_stripe_0127: declined("incorrect_cvc"),
  tok_stripe_0119: declined("processing_error"),
  tok_stripe_4241: { fate: "refused", code: "incorrect_number" },
  tok_stripe_0259: { fate: "disputed", code: null },
  tok_stripe_0341: DONE,
  tok_stripe_0101: DONE,
  tok_rapyd_1111: DONE,
  tok_rapyd_0000: DONE,
  tok_rapyd_1105: declined("do_not_honor"),
  tok_rapyd_1143: declined("stolen_card"),
  tok_rapyd_1151: declined("insufficient_funds"),
};

/** Tokens whose payments are authorized, and of which nothing can be captured. */
const CAPTURES_FAIL: ReadonlySet<string> = new Set(["tok_stripe_0341"]);
const FIRST: ReadonlySet<string> = new Set(["authorization", "order"]);

export const CARD_TOKENS: readonly string[] = Object.keys(FATES_BY_TOKEN);

/** @returns what the token's card does, or null when it does nothing of its own with this operation */
export function cardBehaviour({ kind, token }: Asked): Behaviour | null {
  if (token === null) return null;
  const known = Object.hasOwn(FATES_BY_TOKEN, token) ? FATES_BY_TOKEN[token] : undefined;
  if (known === undefined) return null;
  if (kind === "capture" && CAPTURES_FAIL.has(token)) return { ...SMOOTH, ...declined("processing_error") };
  if (FIRST.has(kind) || (kind === "capture" && known.fate === "disputed")) return { ...SMOOTH, ...known };
  return null;
}
