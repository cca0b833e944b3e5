// Where in an intent a card number may not be: in any text. `minor` and `floorMinor` are amounts, and ids of their form are
// ids, whose digits are chance.

import { parseCaseId } from "../ids.ts";
import { INTENT_TEXTS } from "../intent.ts";
import { holdsCardNumber } from "./numbers.ts";
import { NUMBER_DIGITS_MIN } from "./schemes.ts";
import { holdsCardSecret } from "./secrets.ts";

/** Every text of an intent besides its amount's currency and its metadata. */
const TEXT_FIELDS = ["type", "holderId", ...INTENT_TEXTS] as const;
type TextField = (typeof TEXT_FIELDS)[number];

export type TextsOfIntent = Readonly<Record<TextField, string | null>> & {
  readonly amount: { readonly currency: string } | null;
  readonly metadata: Readonly<Record<string, string>> | null;
};

/** Neither part quotes what was found. */
export type CardField = { readonly field: string; readonly found: string };

export const CARD_REMEDY = "send the token that stands for it";
const CARD = "what reads as a card number";
const SECRET = "what by its name is a card's secret";
const METADATA = "a name or value of metadata";

/** @returns which field holds a card number, or null when none does */
export function cardFieldOf(intent: TextsOfIntent): CardField | null {
  for (const field of TEXT_FIELDS) {
    const value = intent[field];
    if (value === null || value.length < NUMBER_DIGITS_MIN) continue;
    // Which form an id has is asked of the few that look like a number.
    if (holdsCardNumber(value) && !isId(field, value)) return { field, found: CARD };
  }
  if (intent.amount !== null && holdsCardNumber(intent.amount.currency))
    return { field: "amount.currency", found: CARD };
  return intent.metadata === null ? null : cardInMetadata(intent.metadata);
}

function cardInMetadata(metadata: Readonly<Record<string, string>>): CardField | null {
  for (const name in metadata) {
    const value = metadata[name] as string;
    if (holdsCardNumber(name) || holdsCardNumber(value)) return { field: METADATA, found: CARD };
    if (holdsCardSecret(name, value)) return { field: METADATA, found: SECRET };
  }
  return null;
}

const TRACE = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

function isId(field: TextField, value: string): boolean {
  if (field === "caseId" || field === "quoteId") return parseCaseId(value) !== null;
  return field === "traceparent" && TRACE.test(value);
}
