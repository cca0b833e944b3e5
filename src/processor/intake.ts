// From bytes to an intent, or to the reason why not. Nothing is thrown away: what cannot be understood is handed on with
// its reason and becomes a quarantine row and a dead letter in the block that takes the record.

import type { IntentInput } from "../domain/books.ts";
import { homeLane, isHolderId } from "../domain/holder.ts";
import { parseCaseId } from "../domain/ids.ts";
import { ACCOUNT_CHANGES, type AccountChange, INTENT_VALUES, type Intent, type IntentField } from "../domain/intent.ts";
import { parseMinor } from "../domain/money.ts";
import type { QuarantineReason } from "../domain/refusals.ts";
import { neededFields, type Rules } from "../domain/rules.ts";
import { type IntentDecoder, Undecodable } from "../kafka/codec.ts";
import type { IntentMessage } from "../kafka/codec-messages.ts";
import type { InputRecord } from "../kafka/port.ts";
import { cardNumberIn, cardNumberInBytes } from "./intake-cards.ts";

export type Misfit = {
  readonly kind: "misfit";
  readonly record: InputRecord;
  readonly reason: QuarantineReason;
  /** which field or byte, what was found, what was expected */
  readonly detail: string;
};

export type IntakeLimits = { readonly recordBytesMax: number; readonly futureMs: number };

const ID_CHARS_MAX = 128;
const PATH_CHARS_MAX = 256;
const REFERENCE_CHARS_MAX = 1024;
const METADATA_KEYS_MAX = 50;
const METADATA_KEY_CHARS_MAX = 64;
const METADATA_VALUE_CHARS_MAX = 500;
const DIGITS_MAX = 64;
const LOCK_SECONDS_MAX = 7n * 86_400n;
const EARLIEST_MICROS = BigInt(Date.UTC(1900, 0, 1)) * 1000n;
// Newlines and NUL break texts apart downstream (the case's history, Postgres text), so names hold none of them.
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;
/** They become words of a flow, and parts of account paths. */
const WORD = { form: /^[a-z0-9_]{1,32}$/, said: "1 to 32 of a-z 0-9 and _" };
const DECISION = { form: /^[a-z0-9_]{1,64}$/, said: "1 to 64 of a-z 0-9 and _" };
const LABEL = { form: /^[A-Za-z0-9_.-]{1,64}$/, said: "1 to 64 of A-Z a-z 0-9 _ - ." };

/** Its message goes into logs and dead letters, so it names field and form and never quotes what was found: that may be a
 *  card number or a name. */
class FieldFault extends Error {}

/** @param decoder was asked for the record's schema id when the record came: one that it does not know does not exist */
export function takeIn(
  record: InputRecord,
  lane: number,
  rules: Rules,
  decoder: IntentDecoder,
  limits: IntakeLimits,
): IntentInput | Misfit {
  const taken = judge(record, lane, rules, decoder, limits);
  if (taken.kind === "intent" || taken.reason === "card_number") return taken;
  // A misfit's bytes are kept and published. Whatever else is wrong with it, a card number is the worse.
  const detail = cardNumberInBytes(record, decoder);
  return detail === null ? taken : { ...taken, reason: "card_number", detail };
}

function judge(
  record: InputRecord,
  lane: number,
  rules: Rules,
  decoder: IntentDecoder,
  limits: IntakeLimits,
): IntentInput | Misfit {
  const misfit = (reason: QuarantineReason, detail: string): Misfit => ({ kind: "misfit", record, reason, detail });
  if (record.key === null || record.key.length === 0)
    return misfit("missing_key", "the record has no key; the key must be the holder id");
  if (record.value === null) return misfit("undecodable", "the record has no value");
  if (record.value.length > limits.recordBytesMax) {
    return misfit("too_large", `${record.value.length} bytes, at most ${limits.recordBytesMax} are taken`);
  }
  // What was not found is forgotten after a while; a record that waited for longer still names what does not exist.
  const unknownId = decoder.needs(record.value);
  if (unknownId !== null) return misfit("unknown_schema", `the registry has no schema ${unknownId}`);
  let message: IntentMessage;
  try {
    message = decoder.decode(record.value);
  } catch (error) {
    if (error instanceof Undecodable) return misfit(error.reason, error.message);
    throw error;
  }
  const card = cardNumberIn(message);
  if (card !== null) return misfit("card_number", card);
  const key = record.key.toString("utf8");
  if (key !== message.holderId) return misfit("key_mismatch", "the key is not the holder id of the body");
  if (!isHolderId(key))
    return misfit("invalid_field", "holderId: 1 to 64 of A-Z a-z 0-9 _ - . are taken, and `house` is reserved");
  const home = homeLane(key, rules.lanes);
  if (home !== lane) {
    return misfit(
      "wrong_lane",
      `partition ${lane} is not the holder's home ${home}; set the producer's partitioner to murmur2_random`,
    );
  }
  try {
    const intent = readIntent(message, record.appendedAtMs, rules, limits);
    return {
      kind: "intent",
      offset: record.offset,
      appendedAtMs: record.appendedAtMs,
      intent,
      caseId: parseCaseId(intent.caseId),
    };
  } catch (error) {
    if (error instanceof FieldFault) return misfit("invalid_field", error.message);
    throw error;
  }
}

function readIntent(message: IntentMessage, appendedAtMs: number, rules: Rules, limits: IntakeLimits): Intent {
  const kind = rules.intents.get(message.type);
  if (kind === undefined) {
    throw new FieldFault(`type: no flow takes it; those taken are ${[...rules.intents.keys()].join(", ")}`);
  }
  const intent: Intent = {
    type: kind.type,
    holderId: message.holderId,
    caseId: name("caseId", message.caseId, ID_CHARS_MAX),
    sourceId: name("sourceId", message.sourceId, ID_CHARS_MAX),
    idempotencyKey: name("idempotencyKey", message.idempotencyKey, ID_CHARS_MAX),
    account: name("account", message.account, PATH_CHARS_MAX),
    currency: name("currency", message.currency, PATH_CHARS_MAX),
    floorMinor: message.floorMinor === null ? null : digits("floorMinor", message.floorMinor),
    change: change(message.change),
    from: name("from", message.from, PATH_CHARS_MAX),
    to: name("to", message.to, PATH_CHARS_MAX),
    amount: message.amount === null ? null : money(message.amount, rules),
    final: message.final,
    reference: text("reference", message.reference, REFERENCE_CHARS_MAX),
    metadata: metadata(message.metadata),
    occurredAtMicros: time(message.occurredAt, appendedAtMs + limits.futureMs),
    correlationId: name("correlationId", message.correlationId, PATH_CHARS_MAX),
    causationId: name("causationId", message.causationId, PATH_CHARS_MAX),
    traceparent: name("traceparent", message.traceparent, PATH_CHARS_MAX),
    method: formed("method", message.method, WORD),
    captureMode: word("captureMode", message.captureMode),
    tokenRef: name("tokenRef", message.tokenRef, ID_CHARS_MAX),
    provider: formed("provider", message.provider, LABEL),
    tenant: formed("tenant", message.tenant, LABEL),
    settlementCurrency: name("settlementCurrency", message.settlementCurrency, PATH_CHARS_MAX),
    quoteId: name("quoteId", message.quoteId, ID_CHARS_MAX),
    fxBasis: word("fxBasis", message.fxBasis),
    side: word("side", message.side),
    lockSeconds: lockSeconds(message.lockSeconds),
    decision: formed("decision", message.decision, DECISION),
    principal: name("principal", message.principal, ID_CHARS_MAX),
    reason: text("reason", message.reason, REFERENCE_CHARS_MAX),
  };
  const needed = neededFields(rules, intent);
  if (needed === null) throw new FieldFault(`method: no flow takes a ${kind.type} like this one`);
  for (const field of needed) need(intent, field);
  if (kind.opens.length === 0 && intent.idempotencyKey === null) {
    throw new FieldFault(`idempotencyKey: ${kind.type} must name one, unique within its case`);
  }
  return intent;
}

function need(intent: Intent, field: IntentField): void {
  if (intent[field] === null) throw new FieldFault(`${field}: ${intent.type} must carry it`);
}

function name(field: string, value: string | null, charsMax: number): string | null {
  if (value === null) return null;
  if (value.length === 0 || value.length > charsMax)
    throw new FieldFault(`${field}: 1 to ${charsMax} characters, found ${value.length}`);
  if (CONTROL.test(value)) throw new FieldFault(`${field}: no control characters`);
  return value;
}

function formed(field: string, value: string | null, { form, said }: { form: RegExp; said: string }): string | null {
  if (value !== null && !form.test(value)) throw new FieldFault(`${field}: ${said}`);
  return value;
}

function word(field: "captureMode" | "fxBasis" | "side", value: string | null): string | null {
  if (value === null) return null;
  const words: readonly string[] = INTENT_VALUES[field].words;
  if (!words.includes(value)) throw new FieldFault(`${field}: one of ${words.join(", ")}`);
  return value;
}

function lockSeconds(value: bigint | null): bigint | null {
  if (value !== null && (value < 1n || value > LOCK_SECONDS_MAX))
    throw new FieldFault(`lockSeconds: 1 to ${LOCK_SECONDS_MAX}`);
  return value;
}

function text(field: string, value: string | null, charsMax: number): string | null {
  if (value !== null && value.length > charsMax)
    throw new FieldFault(`${field}: at most ${charsMax} characters, found ${value.length}`);
  if (value?.includes("\u0000")) throw new FieldFault(`${field}: no NUL characters`);
  return value;
}

function digits(field: string, value: string): bigint {
  const minor = value.length <= DIGITS_MAX ? parseMinor(value) : null;
  if (minor === null)
    throw new FieldFault(
      `${field}: digits with an optional minus, at most ${DIGITS_MAX}, found ${value.length} characters`,
    );
  return minor;
}

function money(message: { currency: string; scale: number; minor: string }, rules: Rules): Intent["amount"] {
  const currency = name("amount.currency", message.currency, PATH_CHARS_MAX) as string;
  const scale = rules.currencies.scaleOf(currency);
  if (scale !== null && message.scale !== scale)
    throw new FieldFault(`amount.scale: ${currency} has ${scale}, found ${message.scale}`); // a known currency's name
  return { currency, scale: message.scale, minor: digits("amount.minor", message.minor) };
}

function change(value: string | null): AccountChange | null {
  if (value === null) return null;
  const known = ACCOUNT_CHANGES.find((one) => one === value);
  if (known === undefined) throw new FieldFault(`change: one of ${ACCOUNT_CHANGES.join(", ")}`);
  return known;
}

function metadata(values: IntentMessage["metadata"]): IntentMessage["metadata"] {
  if (values === null) return null;
  const keys = Object.keys(values);
  if (keys.length > METADATA_KEYS_MAX)
    throw new FieldFault(`metadata: at most ${METADATA_KEYS_MAX} keys, found ${keys.length}`);
  for (const key of keys) {
    name("metadata key", key, METADATA_KEY_CHARS_MAX);
    text("a value of metadata", values[key] as string, METADATA_VALUE_CHARS_MAX);
  }
  return values;
}

function time(micros: bigint, latestMs: number): bigint {
  if (micros < EARLIEST_MICROS || micros > BigInt(latestMs) * 1000n) {
    throw new FieldFault(`occurredAt: from 1900 to a day after it was published, found ${micros} microseconds`);
  }
  return micros;
}
