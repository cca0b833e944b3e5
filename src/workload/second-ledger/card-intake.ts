// Where docs/card-numbers.md has card numbers looked for in a record.

import type { IntentMessage } from "../../kafka/codec-messages.ts";
import type { InputRecord } from "../../kafka/port.ts";
import { readsAsCard, readsAsSecret } from "./card-numbers.ts";
import { readCaseId } from "./case-ids.ts";

const AMOUNTS: readonly string[] = ["floorMinor"];
const IDS: readonly string[] = ["caseId", "quoteId"];

/** Every text that the message has, whatever its field is called. */
export function cardIn(message: IntentMessage): boolean {
  const inFields = Object.entries(message).some(([field, value]) => {
    if (typeof value !== "string" || AMOUNTS.includes(field)) return false;
    if (IDS.includes(field) && readCaseId(value) !== null) return false;
    if (field === "traceparent" && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value)) return false;
    return readsAsCard(value);
  });
  const inMetadata = Object.entries(message.metadata ?? {}).some(
    ([name, value]) => readsAsCard(name) || readsAsCard(value) || readsAsSecret(name, value),
  );
  return inFields || inMetadata || readsAsCard(message.amount?.currency ?? "");
}

/** @param message what the bytes say, null when that cannot be told: its amounts are no texts in them either, if they are digits */
export function cardInBytes({ key, value }: InputRecord, message: IntentMessage | null): boolean {
  if (key !== null && readsAsCard(key.toString("utf8"))) return true;
  if (value === null) return false;
  if (message !== null && cardIn(message)) return true;
  let bytes = value.toString("latin1");
  for (const minor of [message?.amount?.minor, message?.floorMinor]) {
    if (typeof minor !== "string" || !/^-?[0-9]{13,62}$/.test(minor)) continue;
    // A text is written behind the double of its length.
    bytes = bytes.replace(String.fromCharCode(minor.length * 2) + minor, "x");
  }
  return readsAsCard(bytes) || readsAsCard(Buffer.from(bytes, "latin1").toString("utf8"));
}
