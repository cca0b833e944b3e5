// Card numbers at the door: no record that holds one is taken in, and nothing of it is copied. The texts of an intent are
// looked through, and of what cannot be read the bytes.

import { CARD_REMEDY, cardFieldOf } from "../domain/card-fields.ts";
import { holdsCardNumber } from "../domain/card-numbers.ts";
import { type IntentDecoder, Undecodable } from "../kafka/codec.ts";
import type { IntentMessage } from "../kafka/codec-messages.ts";
import type { InputRecord } from "../kafka/port.ts";

/** @returns which field holds a card number and what to do; null when none does */
export function cardNumberIn(message: IntentMessage): string | null {
  const card = cardFieldOf(message);
  return card === null ? null : `${card.field}: ${card.found}; ${CARD_REMEDY}`;
}

/** The same of a record that is put aside for another reason, whose bytes would be copied. */
export function cardNumberInBytes(record: InputRecord, decoder: IntentDecoder): string | null {
  const detail = `the record: what reads as a card number; ${CARD_REMEDY}`;
  if (record.key !== null && holdsCardNumber(record.key.toString("utf8"))) return detail;
  if (record.value === null) return null;
  const texts = [record.value.toString("latin1"), record.value.toString("utf8")];
  if (!texts.some(holdsCardNumber)) return null;
  const amounts = amountsOf(record.value, decoder);
  return texts.some((text) => holdsCardNumber(without(text, amounts))) ? detail : null;
}

// Shorter ones are no candidates, and their digits stand in other texts too.
const AMOUNT = /^-?\d{13,}$/;

/** The amounts of an intent that can be read. What is no amount under the name of one is text. */
function amountsOf(value: Buffer, decoder: IntentDecoder): string[] {
  try {
    if (decoder.needs(value) !== null) return [];
    const { amount, floorMinor } = decoder.decode(value);
    return [amount?.minor ?? "", floorMinor ?? ""].filter((minor) => AMOUNT.test(minor));
  } catch (error) {
    if (error instanceof Undecodable) return [];
    throw error;
  }
}

function without(text: string, amounts: readonly string[]): string {
  return amounts.reduce((rest, minor) => rest.replaceAll(minor, "x"), text);
}
