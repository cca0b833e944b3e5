// Currencies, parameters, events and case variables of a flow file.

import type { Located, Place } from "../../located.ts";
import type { ParamValue } from "../../parameters/parameters.ts";
import type { Fields, Reading } from "../../reading.ts";
import { parseDurationMs } from "../duration.ts";
import type { Expression, ExpressionNode, ValueType } from "../expression.ts";
import type { CurrencySymbol, DataField, EventShape, FlowParam } from "../flow.ts";
import { DURATION_FORM, type FlowReading, isUnread, unread } from "../flow-reading.ts";
import { CURRENCY_SYMBOL, EVENT_FORM, isEventName, isOpeningEvent, NAME, WORDS_JOINED } from "../names.ts";
import { DATA_TYPES, PARAM_TYPES, readFieldType, readType } from "./types.ts";

export function mustMatch(reading: Reading, place: Place, name: string, pattern: RegExp, form: string): void {
  if (!pattern.test(name)) reading.fault(place, `the name ${JSON.stringify(name)} must be ${form}`);
}

const CURRENCY_SOURCE = /^(intent\.(amount\.currency|currency|settlementCurrency)|event\.[a-z][a-z0-9_]{0,39})$/;
const SOURCES =
  "intent.amount.currency, intent.currency, intent.settlementCurrency, or event.<field> of what opens the case";

export function readCurrency(reading: FlowReading, symbol: string, place: Place, node: Located): CurrencySymbol {
  mustMatch(reading, place, symbol, CURRENCY_SYMBOL, "a capital letter or a few");
  return { place, symbol, from: reading.textLike(node, `currency ${symbol}`, CURRENCY_SOURCE, SOURCES) ?? "" };
}

export function readEventShape(reading: FlowReading, event: string, place: Place, node: Located): EventShape {
  if (event.startsWith("intent.") || event.startsWith("timer.")) {
    reading.fault(place, `${event} is not listed here: an intent's fields are intent.<field>, and a timer has none`);
  } else if (!isEventName(event) && !isOpeningEvent(event)) {
    reading.fault(place, `an event is ${EVENT_FORM}, message.<type> or spawn; found ${JSON.stringify(event)}`);
  }
  const fields = (reading.entries(node, `event ${event}`) ?? []).flatMap(({ key, keyPlace, value }) => {
    mustMatch(reading, keyPlace, key, NAME, WORDS_JOINED);
    if (key === "at") reading.fault(keyPlace, "every event has the field at, its time, without being told");
    const type = readFieldType(reading, value, `field ${key} of ${event}`);
    return type === null ? [] : [{ place: keyPlace, name: key, type }];
  });
  return { place, event, fields };
}

export function readParam(reading: FlowReading, name: string, place: Place, node: Located): FlowParam {
  mustMatch(reading, place, name, NAME, WORDS_JOINED);
  const what = `parameter ${name}`;
  const row = reading.fields(node, what, { required: ["default"], optional: PARAM_TYPES });
  const type = row === null ? null : readType(reading, place, row, what, PARAM_TYPES);
  const given = row?.get("default");
  const value = type === null || given === undefined ? null : readParamValue(reading, given, what, type);
  return { place, name, type: type ?? { kind: "text" }, default: value ?? "" };
}

/** A value of a parameter, in the flow itself or laid over it. Numbers are never negative: the checker relies on it.
 *  @returns null when it does not fit, with the fault noted */
export function readParamValue(
  reading: Reading,
  node: Located,
  what: string,
  type: ValueType,
): NonNullable<ParamValue> | null {
  switch (type.kind) {
    case "int": {
      const value = reading.integer(node, what, 0, Number.MAX_SAFE_INTEGER);
      return value === null ? null : BigInt(value);
    }
    case "bool":
      if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
      return reading.fault(node.place, `${what} must be true or false`);
    case "word":
      return reading.word(node, what, type.words);
    case "text":
      return node.kind === "scalar" && node.value === "" ? "" : reading.text(node, what);
    case "duration": {
      const text = reading.text(node, what);
      const ms = text === null ? null : parseDurationMs(text);
      if (ms !== null) return BigInt(ms);
      return text === null ? null : reading.fault(node.place, `${what} must be ${DURATION_FORM}; found "${text}"`);
    }
    case "amounts":
      return readAmounts(reading, node, what);
    default:
      return reading.fault(node.place, `${what} cannot be of type ${type.kind}`);
  }
}

function readAmounts(reading: Reading, node: Located, what: string): Readonly<Record<string, bigint>> | null {
  const entries = reading.entries(node, what);
  if (entries === null) return null;
  const amounts: [string, bigint][] = [];
  for (const { key, keyPlace, value } of entries) {
    mustMatch(reading, keyPlace, key, /^([A-Za-z0-9_]{1,40}|\*)$/, "a word, such as a currency or a pair, or *");
    const amount = reading.integer(value, `${key} of ${what}`, 0, Number.MAX_SAFE_INTEGER);
    if (amount !== null) amounts.push([key, BigInt(amount)]);
  }
  return Object.fromEntries(amounts);
}

const DATA_KEYS = { required: [], optional: [...DATA_TYPES, "init", "from", "default"] };

/** `from` is what `init` was called when a field could only be read from the intent; versions kept with their cases
 *  still say it. */
export function readData(reading: FlowReading, name: string, place: Place, node: Located): DataField {
  mustMatch(reading, place, name, NAME, WORDS_JOINED);
  const what = `data field ${name}`;
  const row = reading.fields(node, what, DATA_KEYS);
  const type = row === null ? null : readType(reading, place, row, what, DATA_TYPES);
  if (type !== null) reading.dataTypes.set(name, type);
  const init = row === null ? unread(place) : readInit(reading, place, row, what, type);
  const fallback = row?.get("default");
  return {
    place,
    name,
    type: type ?? { kind: "text" },
    init: fallback === undefined || type === null ? init : withDefault(reading, init, fallback, what, type),
  };
}

function readInit(reading: FlowReading, place: Place, row: Fields, what: string, type: ValueType | null): Expression {
  const init = row.get("init");
  const from = row.get("from");
  if (init !== undefined && from !== undefined) reading.fault(place, `${what} takes "init" or "from", not both`);
  const node = init ?? from;
  if (node !== undefined) return reading.expression(node, init === undefined ? "from" : "init", type);
  reading.fault(place, `${what} lacks "init", what it holds when the case opens`);
  return unread(place);
}

/** `{init: intent.x, default: w}` is `has(intent.x) ? intent.x : w`. */
function withDefault(reading: FlowReading, init: Expression, node: Located, what: string, type: ValueType): Expression {
  if (isUnread(init)) return init;
  const { root } = init;
  if ((type.kind !== "word" && type.kind !== "text") || root.kind !== "name" || root.path[0] !== "intent") {
    reading.fault(node.place, `${what} takes a default only as an enum or text whose init is a field of the intent`);
    return init;
  }
  const value = readParamValue(reading, node, `default of ${what}`, type);
  if (value === null || typeof value === "object") return init;
  const test: ExpressionNode = { kind: "call", name: "has", arguments: [root] };
  // oxlint-disable-next-line no-thenable -- a branch, which nobody awaits
  return { ...init, root: { kind: "choice", test, then: root, otherwise: { kind: "literal", value } } };
}
