// Card numbers at the door: no record that holds one is taken in, and nothing of it is copied. The texts of an intent are
// looked through, and of what cannot be read the bytes.

import { CARD_REMEDY, cardFieldOf } from "../domain/cards/fields.ts";
import { holdsCardNumber } from "../domain/cards/numbers.ts";
import { type IntentDecoder, Undecodable } from "../kafka/codec.ts";
import type { IntentMessage } from "../kafka/codec-messages.ts";
import type { InputRecord } from "../kafka/port.ts";

/** @returns which field holds a card number and what to do; null when none does */
export function cardNumberIn(message: IntentMessage): string | null {
  const card = cardFieldOf(message);
  return card === null ? null : `${card.field}: ${card.found}; ${CARD_REMEDY}`;
}

/** The same of a record that is put aside for another reason, whose bytes would be copied. What is written apart in its
 *  texts may stand together in its bytes, and the other way round, so both are looked through. */
export function cardNumberInBytes(record: InputRecord, decoder: IntentDecoder): string | null {
  const detail = `the record: what reads as a card number; ${CARD_REMEDY}`;
  if (record.key !== null && holdsCardNumber(record.key.toString("utf8"))) return detail;
  if (record.value === null) return null;
  const message = readable(record.value, decoder);
  const card = message === null ? null : cardNumberIn(message);
  if (card !== null) return card;
  const rest = message === null ? record.value : withoutAmounts(record.value, message);
  return holdsCardNumber(rest.toString("latin1")) || holdsCardNumber(rest.toString("utf8")) ? detail : null;
}

function readable(value: Buffer, decoder: IntentDecoder): IntentMessage | null {
  try {
    return decoder.needs(value) === null ? decoder.decode(value) : null;
  } catch (error) {
    if (error instanceof Undecodable) return null;
    throw error;
  }
}

// What is no amount under the name of one is text. Shorter ones are no candidates; Avro writes the length of these in one
// byte.
const AMOUNT = /^-?\d{13,62}$/;

/** Each amount is taken out once, with its length before it: the same digits in a field that only the writer's schema has
 *  are no amount. */
function withoutAmounts(value: Buffer, { amount, floorMinor }: IntentMessage): Buffer {
  let rest = value;
  for (const minor of [amount?.minor ?? "", floorMinor ?? ""]) {
    if (!AMOUNT.test(minor)) continue;
    const written = Buffer.concat([Buffer.from([2 * minor.length]), Buffer.from(minor)]);
    const at = rest.indexOf(written);
    if (at >= 0) rest = Buffer.concat([rest.subarray(0, at), Buffer.from("x"), rest.subarray(at + written.length)]);
  }
  return rest;
}
