// What a case keeps beside its state, as it stands in the database:
//
//     {"c":{"S":"EUR"},"v":{"amount":"1000"},"w":{"mode":"manual","final":true,"settled_at":null},
//      "t":{"expiry":1763690000000},"a":{"authorize":1},"k":{"authorize":["pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C/auth/1",1763085200000]},
//      "p":"pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C","e":"failed"}
//
// c currencies, v variables that are whole numbers, w those that are words, truth values or unknown, t timers, a how often
// calls were made and children opened, k the key that each call was made under last and since when, p the parent, e the
// result that it ended with. Each part only when it is not empty.

import { assert } from "../domain/assert.ts";
import { type CaseData, NO_DATA } from "../domain/books.ts";
import type { Value } from "../domain/flow/expression.ts";
import { formatCaseId, parseCaseId } from "../domain/ids.ts";

export type StoredData = {
  c?: Record<string, string>;
  v?: Record<string, string>;
  w?: Record<string, string | boolean | null>;
  t?: Record<string, number>;
  a?: Record<string, number>;
  k?: Record<string, [key: string, sinceMs: number]>;
  p?: string;
  e?: string;
};

export function readData(stored: StoredData | null): CaseData {
  if (stored === null) return NO_DATA;
  const values: Record<string, Value> = {};
  for (const name in stored.v) values[name] = BigInt(stored.v[name] as string);
  for (const name in stored.w) values[name] = stored.w[name] as string | boolean | null;
  const keys: CaseData["keys"] = {};
  for (const call in stored.k) {
    const [key, sinceMs] = stored.k[call] as [string, number];
    keys[call] = { key, sinceMs };
  }
  return {
    currencies: stored.c ?? {},
    values,
    timers: stored.t ?? {},
    attempts: stored.a ?? {},
    keys,
    parent: stored.p === undefined ? null : readParent(stored.p),
    ended: stored.e ?? null,
  };
}

function readParent(text: string): CaseData["parent"] {
  const id = parseCaseId(text);
  assert(id !== null, "the parent of a case is written as a case id");
  return { kind: id.kind, uuid: id.uuid };
}

/** @returns null when there is nothing to keep. Put together by hand, twice as fast: names are words of a flow's file, and
 *  only texts can need escaping. */
export function writeData({ currencies, values, timers, attempts, keys, parent, ended }: CaseData): string | null {
  let numbers = "";
  let words = "";
  for (const name in values) {
    const value = values[name] as Value;
    if (typeof value === "bigint") numbers += `${numbers === "" ? "" : ","}"${name}":"${value}"`;
    else words += `${words === "" ? "" : ","}"${name}":${typeof value === "string" ? JSON.stringify(value) : value}`;
  }
  let text = section("c", currencies, '"');
  if (numbers !== "") text += `${text === "" ? "" : ","}"v":{${numbers}}`;
  if (words !== "") text += `${text === "" ? "" : ","}"w":{${words}}`;
  for (const part of [section("t", timers, ""), section("a", attempts, ""), keysSection(keys)]) {
    if (part !== "") text += `${text === "" ? "" : ","}${part}`;
  }
  if (parent !== null) text += `${text === "" ? "" : ","}"p":"${formatCaseId({ ...parent, timeMs: 0 })}"`;
  if (ended !== null) text += `${text === "" ? "" : ","}"e":"${ended}"`;
  return text === "" ? null : `{${text}}`;
}

function keysSection(keys: CaseData["keys"]): string {
  let text = "";
  for (const call in keys) {
    const { key, sinceMs } = keys[call] as CaseData["keys"][string];
    text += `${text === "" ? '"k":{' : ","}"${call}":[${JSON.stringify(key)},${sinceMs}]`;
  }
  return text === "" ? "" : `${text}}`;
}

function section(letter: string, named: Readonly<Record<string, unknown>>, quote: string): string {
  let text = "";
  for (const name in named) {
    text += `${text === "" ? `"${letter}":{` : ","}"${name}":${quote}${named[name]}${quote}`;
  }
  return text === "" ? "" : `${text}}`;
}
