// What clients send, read into what is meant. Every field is named when it is wrong, none is passed over, and no value is
// quoted: it may be a card number.

import { createHash } from "node:crypto";
import { holdsCardNumber } from "../domain/cards/numbers.ts";
import type { HttpRequest } from "../http/server.ts";
import { Refused } from "./refused.ts";

export type Fields = Readonly<Record<string, unknown>>;

const TEXT_CHARACTERS_MAX = 255;
const DETAILS_MAX = 64;
const CURRENCY = /^[A-Z][A-Z0-9]{1,15}(@[a-z0-9-]{3,8}:[A-Za-z0-9-]{1,32})?$/;
const DIGITS = /^(0|[1-9]\d{0,37})$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** @param names of the fields that may be there
 *  @throws Refused 400, 415 */
export function readBody(request: HttpRequest, names: readonly string[]): Fields {
  if (!/^application\/json *(;|$)/.test(request.headers["content-type"] ?? "")) {
    throw new Refused(415, "content_type_invalid", "content-type: expected application/json");
  }
  return readFields("the body", parseJson(request.body), names);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Refused(400, "body_invalid", "the body: expected JSON in UTF-8");
  }
}

function readFields(where: string, value: unknown, names: readonly string[]): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(where, "an object");
  const unknown = Object.keys(value).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Refused(
      400,
      "field_unknown",
      `${where}: has a field that is not known here; known are ${names.join(", ")}`,
    );
  }
  return value as Fields;
}

export function readText(fields: Fields, name: string): string {
  return readOptionalText(fields, name) ?? missing(name);
}

export function readOptionalText(fields: Fields, name: string): string | null {
  const value = fields[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== "string" || value === "" || value.length > TEXT_CHARACTERS_MAX) {
    throw invalid(name, `a text of 1 to ${TEXT_CHARACTERS_MAX} characters`);
  }
  refuseCards(name, value);
  return value;
}

export function readYesOrNo(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean") throw invalid(name, "true or false");
  return value;
}

export type Amount = { readonly currency: string; readonly minor: string };

export function readAmount(fields: Fields): Amount {
  return readOptionalAmount(fields) ?? missing("amount");
}

export function readOptionalAmount(fields: Fields): Amount | null {
  if (fields["amount"] === undefined || fields["amount"] === null) return null;
  const { currency, minor } = readFields("amount", fields["amount"], ["currency", "minor"]);
  if (typeof currency !== "string" || !CURRENCY.test(currency)) throw invalid("amount.currency", "a code such as EUR");
  if (typeof minor !== "string" || !DIGITS.test(minor)) {
    throw invalid("amount.minor", "a text of 1 to 38 digits: minor units");
  }
  return { currency, minor };
}

/** @returns milliseconds since the epoch */
export function readTime(name: string, value: unknown): number {
  const ms = typeof value === "string" && TIME.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw invalid(name, "a time such as 2026-11-20T10:00:00Z");
  return ms;
}

/** Texts by name; what they say is the client's. */
export function readDetails(fields: Fields): Readonly<Record<string, string>> {
  const value = fields["details"] ?? {};
  if (typeof value !== "object" || Array.isArray(value)) throw invalid("details", "an object of texts");
  const entries = Object.entries(value as Fields);
  if (entries.length > DETAILS_MAX) throw invalid("details", `at most ${DETAILS_MAX} texts`);
  return Object.fromEntries(entries.map(([name]) => [name, readOptionalText(value as Fields, name) ?? ""]));
}

/** A provider that takes tokens takes no numbers: whoever sends one by mistake has to hear of it. */
export function refuseCards(name: string, text: string): void {
  if (holdsCardNumber(text)) throw new Refused(422, "card_number", `${name}: holds a card number, expected a token`);
}

/** A hash of what is asked, the same in whatever order its fields stand. */
export function printOf(asked: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(asked)))
    .digest("hex");
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, sorted(one)]));
}

function missing(name: string): never {
  throw new Refused(400, "field_missing", `${name}: missing`);
}

function invalid(name: string, expected: string): Refused {
  return new Refused(400, "field_invalid", `${name}: expected ${expected}`);
}
