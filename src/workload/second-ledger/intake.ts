// From a record to an intent, or to the reason for which it must have been put aside.

import type { IntentMessage } from "../../kafka/codec-messages.ts";
import type { InputRecord } from "../../kafka/port.ts";
import { cardIn, cardInBytes } from "./card-intake.ts";
import { evaluate, type Scope } from "./evaluate.ts";
import { readExpression } from "./expressions.ts";
import { listsEvent, movesOn, type SecondFlow } from "./flows.ts";
import { homeOf, isHolder } from "./homes.ts";
import type { SecondIntent } from "./intent.ts";
import { neededToChoose, neededToMove, neededToOpen } from "./needs.ts";
import { once } from "./once.ts";
import type { SecondRules } from "./rules.ts";
import { type SchemaBook, schemaIdIn } from "./schemas.ts";
import { fieldOf } from "./scope.ts";
import { at, textOf } from "./tree.ts";

export type Reason =
  | "missing_key"
  | "key_mismatch"
  | "wrong_lane"
  | "undecodable"
  | "unknown_schema"
  | "schema_mismatch"
  | "invalid_field"
  | "too_large"
  | "card_number";

export type Read =
  | { readonly kind: "intent"; readonly intent: SecondIntent }
  /** `field` names what is wrong of an `invalid_field` */
  | { readonly kind: "misfit"; readonly reason: Reason; readonly field: string | null };

const misfit = (reason: Reason, field: string | null = null): Read => ({ kind: "misfit", reason, field });

class WrongField extends Error {
  override name = "WrongField";
}

/** What records of a lane are judged by.
 *  `flows`: of each name the version that new cases opened on then */
export type TakenBy = {
  readonly rules: SecondRules;
  readonly lane: number;
  readonly flows: readonly SecondFlow[];
};

/** A card number is the worse, whatever else is wrong. */
export function takeIn(by: TakenBy, record: InputRecord, schemas: SchemaBook): Read {
  const read = judgeRecord(by, record, schemas);
  if (read.kind === "intent" || read.reason === "card_number") return read;
  return cardInBytes(record, messageOf(record, schemas)) ? misfit("card_number") : read;
}

function messageOf({ value }: InputRecord, schemas: SchemaBook): IntentMessage | null {
  const id = value === null ? null : schemaIdIn(value);
  if (value === null || id === null || (schemas.writerOf(id) ?? null) === null) return null;
  return schemas.read(value) as IntentMessage | null;
}

function judgeRecord(by: TakenBy, record: InputRecord, schemas: SchemaBook): Read {
  const { rules, lane } = by;
  const { key, value } = record;
  if (key === null || key.length === 0) return misfit("missing_key");
  if (value === null) return misfit("undecodable");
  if (value.length > rules.intentBytesMax) return misfit("too_large");
  const id = schemaIdIn(value);
  if (id === null) return misfit("undecodable");
  const writer = schemas.writerOf(id);
  if (writer === undefined) return misfit("unknown_schema");
  if (writer === null) return misfit("schema_mismatch");
  const message = schemas.read(value) as IntentMessage | null;
  if (message === null) return misfit("undecodable");
  if (cardIn(message)) return misfit("card_number");
  const holderId = key.toString("utf8");
  if (holderId !== message.holderId) return misfit("key_mismatch");
  if (!isHolder(holderId)) return misfit("invalid_field", "holderId");
  if (homeOf(holderId, rules.lanes) !== lane) return misfit("wrong_lane");
  try {
    return { kind: "intent", intent: judged(by, message, record.appendedAtMs) };
  } catch (error) {
    if (error instanceof WrongField) return misfit("invalid_field", error.message);
    throw error;
  }
}

const ID_CHARS = 128;
const LONG_CHARS = 256;

/** @throws WrongField naming the first field that is not of its form */
function judged(by: TakenBy, message: IntentMessage, appendedAtMs: number): SecondIntent {
  const { rules } = by;
  const opens = opening(by.flows, message.type).length > 0;
  const isKnown = opens || message.type === DECISION || rules.flows.some((flow) => movesOn(flow, message.type));
  if (!isKnown) throw new WrongField("type");
  for (const field of ["caseId", "sourceId", "idempotencyKey"] as const) judgeName(field, message[field], ID_CHARS);
  for (const field of ["account", "currency"] as const) judgeName(field, message[field], LONG_CHARS);
  const floorMinor = message.floorMinor === null ? null : digits("floorMinor", message.floorMinor);
  if (message.change !== null && !["floor", "freeze", "unfreeze", "close"].includes(message.change)) {
    throw new WrongField("change");
  }
  for (const field of ["from", "to"] as const) judgeName(field, message[field], LONG_CHARS);
  const amount = message.amount === null ? null : judgeAmount(rules, message.amount);
  judgeText("reference", message.reference, 1_024);
  judgeMetadata(message.metadata);
  judgeTime(message.occurredAt, appendedAtMs + rules.caseFutureMs);
  for (const field of ["correlationId", "causationId", "traceparent"] as const)
    judgeName(field, message[field], LONG_CHARS);
  judgePaymentFields(message);
  const intent: SecondIntent = { ...message, floorMinor, amount };
  for (const field of neededFields(by, intent)) {
    if (intent[field as keyof SecondIntent] === null) throw new WrongField(field);
  }
  if (!opens && intent.idempotencyKey === null) throw new WrongField("idempotencyKey");
  return intent;
}

/** An operator's decision on a case. */
const DECISION = "case_decide";

function neededFields({ rules, flows }: TakenBy, intent: SecondIntent): string[] {
  const openers = opening(flows, intent.type);
  if (openers.length > 0) {
    const needed = openers.length === 1 ? neededToOpen : neededToChoose;
    const toChoose = openers.flatMap((flow) => needed(flow));
    if (toChoose.some((field) => intent[field as keyof SecondIntent] === null)) return toChoose;
    const chosen = openerOf(flows, intent);
    if (chosen === null) throw new WrongField("method");
    return [...toChoose, ...neededToOpen(chosen)];
  }
  const event = eventOf(intent);
  const current = flows.filter((flow) => listsEvent(flow, event));
  const moving = current.length > 0 ? current : rules.flows.filter((flow) => listsEvent(flow, event)).slice(-1);
  const decided = intent.type === DECISION ? ["decision", "principal", "reason"] : [];
  return [...decided, ...moving.flatMap((flow) => neededToMove(flow, event))];
}

/** The flows that an intent may open a case of, in the order in which they are asked: by name, and one without guard last. */
const opening = once((flows: readonly SecondFlow[], type: string): SecondFlow[] => {
  const all = flows.filter(({ startsOn }) => startsOn === type).sort((one, other) => (one.name < other.name ? -1 : 1));
  const isGuarded = (flow: SecondFlow): boolean => at(flow.spec, "starts_on", "when") !== undefined;
  return [...all.filter(isGuarded), ...all.filter((flow) => !isGuarded(flow))];
});

/** The flow that an intent opens a case of; null: it moves one. */
export function openerOf(flows: readonly SecondFlow[], intent: SecondIntent): SecondFlow | null {
  const found = opening(flows, intent.type).find((flow) => {
    const when = at(flow.spec, "starts_on", "when");
    return when === undefined || evaluate(readExpression(textOf(when, "a guard")), scopeOf(intent)) === true;
  });
  return found ?? null;
}

/** There is no case yet, and nothing else to read. */
function scopeOf(intent: SecondIntent): Scope {
  return {
    named: ([first, ...path]) => (first === "intent" ? fieldOf(intent, path) : undefined),
    asked: (name, [word]) =>
      name === "has" ? fieldOf(intent, String(word).split(".").slice(1)) !== undefined : undefined,
  };
}

/** As flow files call it: an operator's decision by its word. */
export function eventOf({ type, decision }: Pick<SecondIntent, "type" | "decision">): string {
  return type === DECISION ? `ops.${decision}` : `intent.${type}`;
}

const FORMS: readonly (readonly [keyof IntentMessage & PaymentText, RegExp])[] = [
  ["method", /^[a-z0-9_]{1,32}$/],
  ["captureMode", /^(automatic|manual)$/],
  ["provider", /^[A-Za-z0-9_.-]{1,64}$/],
  ["tenant", /^[A-Za-z0-9_.-]{1,64}$/],
  ["fxBasis", /^(original|current)$/],
  ["side", /^(sell|buy)$/],
  ["decision", /^[a-z0-9_]{1,64}$/],
];
type PaymentText = "method" | "captureMode" | "provider" | "tenant" | "fxBasis" | "side" | "decision";

/** Fields of payments, refunds, quotes and operators' decisions. */
function judgePaymentFields(message: IntentMessage): void {
  for (const [field, form] of FORMS) {
    const value = message[field];
    if (value !== null && !form.test(value)) throw new WrongField(field);
  }
  for (const field of ["tokenRef", "quoteId", "principal"] as const) judgeName(field, message[field], ID_CHARS);
  judgeName("settlementCurrency", message.settlementCurrency, LONG_CHARS);
  const { lockSeconds } = message;
  if (lockSeconds !== null && !(lockSeconds >= 1n && lockSeconds <= 604_800n)) throw new WrongField("lockSeconds");
  judgeText("reason", message.reason, 1_024);
}

function judgeName(field: string, value: string | null, charsMax: number): void {
  if (value === null) return;
  const hasControl = [...value].some((char) => char < " " || char === "\u007f");
  if (value.length === 0 || value.length > charsMax || hasControl) throw new WrongField(field);
}

function judgeText(field: string, value: string | null, charsMax: number): void {
  if (value !== null && (value.length > charsMax || value.includes("\u0000"))) throw new WrongField(field);
}

function digits(field: string, value: string): bigint {
  if (value.length > 64 || !/^-?[0-9]+$/.test(value)) throw new WrongField(field);
  return BigInt(value);
}

function judgeAmount(rules: SecondRules, amount: NonNullable<IntentMessage["amount"]>): SecondIntent["amount"] {
  judgeName("amount.currency", amount.currency, LONG_CHARS);
  const scale = rules.scales.get(amount.currency);
  if (scale !== undefined && scale !== amount.scale) throw new WrongField("amount.scale");
  return { currency: amount.currency, scale: amount.scale, minor: digits("amount.minor", amount.minor) };
}

function judgeMetadata(metadata: IntentMessage["metadata"]): void {
  if (metadata === null) return;
  const entries = Object.entries(metadata);
  if (entries.length > 50) throw new WrongField("metadata");
  for (const [key, value] of entries) {
    judgeName("metadata", key, 64);
    judgeText("metadata", value, 500);
  }
}

const YEAR_1900_MICROS = BigInt(Date.UTC(1900, 0, 1)) * 1_000n;

function judgeTime(micros: bigint, latestMs: number): void {
  if (micros < YEAR_1900_MICROS || micros > BigInt(latestMs) * 1_000n) throw new WrongField("occurredAt");
}
