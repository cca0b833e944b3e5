// What a report's payload becomes: the fields that its event declares, each of its type. Text is how values travel: numbers
// as digits, times and durations as milliseconds, truth values as `true` and `false`.

import { fitsLedger } from "../../money.ts";
import type { Value, ValueType } from "../expression.ts";
import type { EventShape } from "../flow.ts";

export type EventFields = Readonly<Record<string, Value>>;

/** @returns the fields, or in words which of them contradicts its type; a value is never quoted, it may be anything */
export type ReadEvent = (payload: Readonly<Record<string, string>>) => EventFields | string;

export const NO_FIELDS: EventFields = Object.freeze({});

export function compileEvent({ fields }: EventShape): ReadEvent {
  const readers = fields.map(({ name, type }) => ({ name, read: compileField(type), form: FORMS[type.kind] }));
  return (payload) => {
    const values: Record<string, Value> = {};
    for (const { name, read, form } of readers) {
      const text: unknown = payload[name]; // what every object has, such as `constructor`, is no text
      const value = read(typeof text === "string" ? text : null);
      if (value === undefined) return `${name} must be ${form}`;
      values[name] = value;
    }
    return values;
  };
}

const FORMS: Record<ValueType["kind"], string> = {
  money: "digits of minor units",
  int: "digits with an optional minus",
  bool: "true or false",
  word: "one of the words that the flow declares",
  text: "there",
  time: "digits of milliseconds, or left out",
  duration: "digits of milliseconds",
  amounts: "a value that can travel",
};

const DIGITS = /^[0-9]{1,39}$/;
const INTEGER = /^-?[0-9]{1,39}$/;
const MILLISECONDS = /^[0-9]{1,15}$/;

/** undefined: it is not of the type. */
function compileField(type: ValueType): (text: string | null) => Value | undefined {
  switch (type.kind) {
    case "money":
      return (text) => ledgerNumber(text, DIGITS);
    case "int":
      return (text) => ledgerNumber(text, INTEGER);
    case "bool":
      return (text) => (text === "true" ? true : text === "false" ? false : undefined);
    case "word":
      return (text) => (text !== null && type.words.includes(text) ? text : undefined);
    case "text":
      // Postgres keeps no zero in what it takes apart; an intent with one is put aside.
      return (text) => (text === null || text.includes("\0") ? undefined : text);
    case "time":
      return (text) => (text === null ? null : MILLISECONDS.test(text) ? BigInt(text) : undefined);
    case "duration":
      return (text) => (text !== null && MILLISECONDS.test(text) ? BigInt(text) : undefined);
    case "amounts":
      return () => undefined;
  }
}

function ledgerNumber(text: string | null, form: RegExp): bigint | undefined {
  if (text === null || !form.test(text)) return undefined;
  const value = BigInt(text);
  return fitsLedger(value) ? value : undefined;
}

/** A value as it travels; null: not known, so it stays at home. */
export function textOf(value: Value): string | null {
  return value === null || typeof value === "string" ? value : String(value);
}
