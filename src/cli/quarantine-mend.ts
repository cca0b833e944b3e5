// Edits of an intent that was put aside, as `--set FIELD=VALUE` gives them. Whether the result is an intent is judged
// afterwards by the intake itself.

import type { Currencies } from "../domain/currencies.ts";
import { INTENT_TEXTS } from "../domain/intent.ts";
import type { IntentMessage, MoneyMessage } from "../kafka/codec-messages.ts";
import { parseTime } from "../workload/intents-time.ts";

/** `value` is null when the field is to be left out. */
export type Edit = { readonly field: string; readonly value: string | null };

type Mended = { -readonly [Field in keyof IntentMessage]: IntentMessage[Field] };

// A retry keeps its case id.
const TEXTS = INTENT_TEXTS.filter((field) => field !== "caseId");
type TextField = (typeof TEXTS)[number];

export const EDITABLE = `type, holderId, ${TEXTS.join(", ")}, amount.minor, amount.currency, amount.scale, floorMinor (digits or none), final, lockSeconds, occurredAt, metadata.KEY`;

/** @returns null when the text is not FIELD=VALUE */
export function parseEdit(text: string): Edit | null {
  const equals = text.indexOf("=");
  if (equals < 1) return null;
  const value = text.slice(equals + 1);
  return { field: text.slice(0, equals), value: value === "" ? null : value };
}

/** Applies edits one after another; an amount's scale follows its currency unless it is set itself.
 *  @returns the intent, and a sentence for each edit that cannot be made */
export function mendIntent(
  intent: IntentMessage,
  edits: readonly Edit[],
  currencies: Currencies,
): { intent: IntentMessage; faults: readonly string[] } {
  const mended: Mended = { ...intent };
  const faults: string[] = [];
  for (const edit of edits) {
    const fault = apply(mended, edit, currencies);
    if (fault !== null) faults.push(`--set ${edit.field}: ${fault}`);
  }
  return { intent: mended, faults };
}

function apply(mended: Mended, { field, value }: Edit, currencies: Currencies): string | null {
  if (field === "caseId") return "a retry keeps its case id; with another it would be another payment";
  if (isText(field)) {
    mended[field] = value;
    return null;
  }
  if (field.startsWith("metadata.")) {
    const { [field.slice("metadata.".length)]: _old, ...others } = mended.metadata ?? {};
    mended.metadata = value === null ? others : { ...others, [field.slice("metadata.".length)]: value };
    return null;
  }
  if (field.startsWith("amount.")) return applyAmount(mended, { field, value }, currencies);
  switch (field) {
    case "type":
    case "holderId":
      if (value === null) return "cannot be left out";
      mended[field] = value;
      return null;
    case "floorMinor":
      mended.floorMinor = value === "none" ? null : (value ?? "0");
      return null;
    case "final":
      if (value !== "true" && value !== "false" && value !== null) return `found "${value}", expected true or false`;
      mended.final = value === null ? null : value === "true";
      return null;
    case "lockSeconds":
      if (value !== null && !/^\d{1,9}$/.test(value)) return `found "${value}", expected a whole number of seconds`;
      mended.lockSeconds = value === null ? null : BigInt(value);
      return null;
    case "occurredAt": {
      const micros = parseTime(value ?? "");
      if (micros === null) return `found "${value ?? ""}", expected a time such as 2026-11-20T10:00:00Z`;
      mended.occurredAt = micros;
      return null;
    }
    default:
      return `no such field; there are ${EDITABLE}`;
  }
}

function isText(field: string): field is TextField {
  return (TEXTS as readonly string[]).includes(field);
}

function applyAmount(mended: Mended, { field, value }: Edit, currencies: Currencies): string | null {
  const amount: MoneyMessage = mended.amount ?? { currency: "", scale: 0, minor: "" };
  if (value === null) return "cannot be left out";
  if (field === "amount.minor") mended.amount = { ...amount, minor: value };
  else if (field === "amount.currency") {
    mended.amount = { ...amount, currency: value, scale: currencies.scaleOf(value) ?? amount.scale };
  } else if (field === "amount.scale" && /^\d{1,2}$/.test(value)) mended.amount = { ...amount, scale: Number(value) };
  else return `expected amount.minor, amount.currency or amount.scale (digits)`;
  return null;
}
