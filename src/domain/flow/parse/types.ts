// Types in a flow file: `{money: S}`, `{int: true}`, `{enum: [a, b]}`; where nothing but a type is said also `int`, `text`.

import type { Located, Place } from "../../located.ts";
import type { Fields } from "../../reading.ts";
import type { ValueType } from "../expression.ts";
import type { FlowReading } from "../flow-reading.ts";
import { CURRENCY_SYMBOL, NAME, WORDS_JOINED } from "../names.ts";

type PlainType = "int" | "bool" | "text" | "time" | "duration" | "amounts";
export type TypeKey = "money" | "enum" | PlainType;

/** What can be a case variable or a field of an event. */
export const DATA_TYPES: readonly TypeKey[] = ["money", "int", "bool", "enum", "text", "time"];
/** What can be a parameter: money has no currency there, and no moment holds for every case. */
export const PARAM_TYPES: readonly TypeKey[] = ["int", "bool", "enum", "text", "duration", "amounts"];

/** Of the keys of a row, the one that says the type. */
export function readType(
  reading: FlowReading,
  place: Place,
  row: Fields,
  what: string,
  known: readonly TypeKey[],
): ValueType | null {
  const [key, ...more] = known.filter((one) => row.has(one));
  if (key === undefined) return reading.fault(place, `${what} lacks its type, one of ${known.join(", ")}`);
  if (more.length > 0) reading.fault(place, `${what} has two types: ${key} and ${more.join(" and ")}`);
  return readTypeOf(reading, key, row.get(key) as Located, what);
}

function readTypeOf(reading: FlowReading, key: TypeKey, node: Located, what: string): ValueType | null {
  if (key === "money") {
    const symbol = reading.textLike(node, "money", CURRENCY_SYMBOL, "a currency symbol");
    return symbol === null ? null : { kind: "money", symbol };
  }
  if (key === "enum") return readWords(reading, node, what);
  if (node.kind === "scalar" && node.value === true) return { kind: key };
  return reading.fault(node.place, `${key} of ${what} must be true: it only says the type`);
}

function readWords(reading: FlowReading, node: Located, what: string): ValueType | null {
  const items = reading.items(node, `enum of ${what}`);
  if (items === null) return null;
  const words = items.flatMap((item) => reading.textLike(item, "a word of an enum", NAME, WORDS_JOINED) ?? []);
  const twice = words.find((word, index) => words.indexOf(word) !== index);
  if (twice !== undefined) reading.fault(node.place, `the word "${twice}" is in the enum of ${what} twice`);
  if (items.length === 0) return reading.fault(node.place, `the enum of ${what} has no words`);
  return words.length === items.length ? { kind: "word", words } : null;
}

const SHORT: readonly PlainType[] = ["int", "bool", "text", "time"];

/** The type of an event's field: a word, or a map that says more. */
export function readFieldType(reading: FlowReading, node: Located, what: string): ValueType | null {
  if (node.kind === "map") {
    const row = reading.fields(node, what, { required: [], optional: DATA_TYPES });
    return row === null ? null : readType(reading, node.place, row, what, DATA_TYPES);
  }
  const kind = reading.word(node, what, SHORT);
  return kind === null ? null : { kind };
}
