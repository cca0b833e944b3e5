// Intents as JSON lines, as people and scripts write them. Only the form is judged here: which fields there are and of
// which kind. An amount of "-1", a currency that nobody knows or a case id of rubbish is sent as it stands, because the
// service is what answers it.

import { CARD_REMEDY, cardFieldOf } from "../domain/cards/fields.ts";
import { holdsCardNumber, maskCardNumbers } from "../domain/cards/numbers.ts";
import type { Currencies } from "../domain/currencies.ts";
import { deriveCaseId, formatCaseId } from "../domain/ids.ts";
import { INTENT_TEXTS } from "../domain/intent.ts";
import { NUL, NUL_FOUND } from "../domain/utf8.ts";
import type { IntentMessage, MoneyMessage } from "../kafka/codec-messages.ts";
import { parseTime } from "./intents-time.ts";

export type IntentLineRules = {
  readonly currencies: Currencies;
  /** kind of the case ids by the intent type that opens a case, and by type and method where that decides:
   *  `payment_create card` */
  readonly caseKinds: ReadonlyMap<string, string>;
  /** the time of the case ids that are derived here, milliseconds since the epoch */
  readonly runAtMs: number;
};

/** `field` is "" when the line as a whole is wrong. */
export type LineFault = { readonly field: string; readonly found: string; readonly expected: string };

export type ParsedLine =
  | { readonly kind: "intent"; readonly intent: IntentMessage }
  | { readonly kind: "faults"; readonly faults: readonly LineFault[] };

/** A line longer than this cannot be one message: a broker takes 1,048,588 bytes. */
export const LINE_CHARS_MAX = 1_000_000;

const OTHERS = ["type", "holderId", "floorMinor", "amount", "final", "metadata", "occurredAt", "lockSeconds"] as const;
const FIELDS: ReadonlySet<string> = new Set([...OTHERS, ...INTENT_TEXTS]);
const SCALE_MAX = 2 ** 31 - 1;

type Json = Readonly<Record<string, unknown>>;

/** Reads one line. `floorMinor` that is left out is "0"; a missing scale is the currency's, and 0 where the currency is
 *  unknown, since the refusal does not depend on it. */
export function parseIntentLine(text: string, rules: IntentLineRules): ParsedLine {
  const faults: LineFault[] = [];
  const json = readObject(text, faults);
  if (json === null) return { kind: "faults", faults };
  for (const field of Object.keys(json)) {
    if (FIELDS.has(field)) continue;
    const expected = `one of ${[...FIELDS].join(", ")}`;
    faults.push({ field: maskCardNumbers(field), found: "such a field", expected });
  }
  const read = new LineReader(json, faults);
  const intent: IntentMessage = {
    type: read.text("type"),
    holderId: read.text("holderId"),
    caseId: read.nullableText("caseId"),
    sourceId: read.nullableText("sourceId"),
    idempotencyKey: read.nullableText("idempotencyKey"),
    account: read.nullableText("account"),
    currency: read.nullableText("currency"),
    floorMinor: read.floor(),
    change: read.nullableText("change"),
    from: read.nullableText("from"),
    to: read.nullableText("to"),
    amount: read.amount(rules.currencies),
    final: read.final(),
    reference: read.nullableText("reference"),
    metadata: read.metadata(),
    occurredAt: read.occurredAt(),
    correlationId: read.nullableText("correlationId"),
    causationId: read.nullableText("causationId"),
    traceparent: read.nullableText("traceparent"),
    method: read.nullableText("method"),
    captureMode: read.nullableText("captureMode"),
    tokenRef: read.nullableText("tokenRef"),
    provider: read.nullableText("provider"),
    tenant: read.nullableText("tenant"),
    settlementCurrency: read.nullableText("settlementCurrency"),
    quoteId: read.nullableText("quoteId"),
    fxBasis: read.nullableText("fxBasis"),
    side: read.nullableText("side"),
    lockSeconds: read.lockSeconds(),
    decision: read.nullableText("decision"),
    principal: read.nullableText("principal"),
    reason: read.nullableText("reason"),
  };
  // Here and not only at the intake: what is published once stays in the topic for as long as that is kept.
  const card = cardFieldOf(intent);
  if (card !== null) faults.push({ ...card, expected: CARD_REMEDY });
  const caseId = faults.length === 0 ? caseIdOf(intent, rules, faults) : null;
  return faults.length > 0 ? { kind: "faults", faults } : { kind: "intent", intent: { ...intent, caseId } };
}

function readObject(text: string, faults: LineFault[]): Json | null {
  const expected = "a JSON object on one line";
  if (text.length > LINE_CHARS_MAX) {
    faults.push({ field: "", found: `${text.length} characters`, expected: `at most ${LINE_CHARS_MAX}` });
    return null;
  }
  if (text.includes(NUL)) {
    faults.push({ field: "", found: NUL_FOUND, expected: `${expected}, in UTF-8` });
    return null;
  }
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Json;
    faults.push({ field: "", found: describe(json), expected });
  } catch (error) {
    // The reason quotes a part of the line, and of a card number a part is too much.
    const isSecret = holdsCardNumber(text);
    const why = isSecret ? "with what reads as a card number" : error instanceof Error ? error.message : String(error);
    faults.push({ field: "", found: `something else (${why})`, expected });
  }
  return null;
}

/** A create without a case id gets one that the same line gets again in the same run. A type that no flow starts on is
 *  sent without: what it means is for the service to say. */
function caseIdOf(intent: IntentMessage, rules: IntentLineRules, faults: LineFault[]): string | null {
  const kind = rules.caseKinds.get(`${intent.type} ${intent.method}`) ?? rules.caseKinds.get(intent.type);
  if (intent.caseId !== null || kind === undefined) return intent.caseId;
  if (intent.sourceId === null) {
    faults.push({ field: "caseId", found: "neither caseId nor sourceId", expected: "one of them in a create" });
    return null;
  }
  const { type, holderId, account, sourceId } = intent;
  const identity = account === null ? [type, holderId, sourceId] : [type, holderId, account, sourceId];
  return formatCaseId(deriveCaseId(kind, rules.runAtMs, identity));
}

class LineReader {
  readonly #json: Json;
  readonly #faults: LineFault[];

  constructor(json: Json, faults: LineFault[]) {
    this.#json = json;
    this.#faults = faults;
  }

  text(field: string): string {
    const value = this.#own(field);
    return typeof value === "string" ? value : this.#fault(field, value, "a string", "");
  }

  nullableText(field: (typeof INTENT_TEXTS)[number]): string | null {
    const value = this.#own(field);
    if (value === undefined || value === null || typeof value === "string") return value ?? null;
    return this.#fault(field, value, "a string or null", null);
  }

  floor(): string | null {
    const value = this.#own("floorMinor");
    if (value === undefined) return "0";
    if (value === null || typeof value === "string") return value;
    return this.#fault("floorMinor", value, "a string of digits, or null for no floor", null);
  }

  final(): boolean | null {
    const value = this.#own("final");
    if (value === undefined || value === null || typeof value === "boolean") return value ?? null;
    return this.#fault("final", value, "true, false or null", null);
  }

  lockSeconds(): bigint | null {
    const value = this.#own("lockSeconds");
    if (value === undefined || value === null) return null;
    return Number.isSafeInteger(value)
      ? BigInt(value as number)
      : this.#fault("lockSeconds", value, "a whole number of seconds, or null", null);
  }

  amount(currencies: Currencies): MoneyMessage | null {
    const value = this.#own("amount");
    if (value === undefined || value === null) return null;
    const expected = '{"currency":"EUR","minor":"1000"}';
    if (typeof value !== "object" || Array.isArray(value)) return this.#fault("amount", value, expected, null);
    const money = value as Json;
    const { currency, minor, scale } = money;
    for (const part of Object.keys(money)) {
      if (!["currency", "minor", "scale"].includes(part)) this.#fault(`amount.${part}`, "such a field", expected, null);
    }
    if (typeof currency !== "string") return this.#fault("amount.currency", currency, "a string", null);
    if (typeof minor !== "string") return this.#fault("amount.minor", minor, "a string of digits", null);
    if (scale === undefined) return { currency, minor, scale: currencies.scaleOf(currency) ?? 0 };
    const isScale = typeof scale === "number" && Number.isInteger(scale) && Math.abs(scale) <= SCALE_MAX;
    return isScale ? { currency, minor, scale } : this.#fault("amount.scale", scale, "a whole number", null);
  }

  metadata(): Readonly<Record<string, string>> | null {
    const value = this.#own("metadata");
    if (value === undefined || value === null) return null;
    const expected = "an object of strings, or null";
    if (typeof value !== "object" || Array.isArray(value)) return this.#fault("metadata", value, expected, null);
    for (const [key, one] of Object.entries(value)) {
      if (typeof one !== "string") this.#fault(`metadata.${key}`, one, "a string", null);
    }
    return value as Readonly<Record<string, string>>;
  }

  occurredAt(): bigint {
    const value = this.#own("occurredAt");
    const micros = typeof value === "string" ? parseTime(value) : null;
    return micros ?? this.#fault("occurredAt", value, "a time such as 2026-11-20T10:00:00Z", 0n);
  }

  /** `__proto__` and the like are no fields of ours. */
  #own(field: string): unknown {
    return Object.hasOwn(this.#json, field) ? this.#json[field] : undefined;
  }

  #fault<Usable>(field: string, found: unknown, expected: string, usable: Usable): Usable {
    this.#faults.push({ field: maskCardNumbers(field), found: describe(found), expected });
    return usable;
  }
}

/** What is read without a stack is printed with one. */
function printed(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return "what is nested too deep to be shown";
  }
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = maskCardNumbers(printed(value));
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
