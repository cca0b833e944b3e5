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
import { type CaseData, NO_DATA, type StoredValues } from "../domain/books.ts";
import type { Value } from "../domain/flow/expression.ts";
import { formatCaseId, parseCaseId } from "../domain/ids.ts";

export type StoredData = {
  c?: Readonly<Record<string, string>>;
  v?: Record<string, string>;
  w?: Record<string, string | boolean | null>;
  t?: Record<string, number>;
  a?: Record<string, number>;
  k?: Record<string, [key: string, sinceMs: number]>;
  p?: string;
  e?: string;
};

/** @returns what a block may change in place: it is decided again from what was stored when it turns out to need more */
export function readData(stored: StoredData | null): CaseData {
  if (stored === null) return NO_DATA;
  const keys: CaseData["keys"] = {};
  for (const call in stored.k) {
    const [key, sinceMs] = stored.k[call] as [string, number];
    keys[call] = { key, sinceMs };
  }
  return {
    currencies: stored.c ?? NO_DATA.currencies,
    values: NO_DATA.values,
    stored: { numbers: stored.v ?? NO_NUMBERS, others: stored.w ?? NO_OTHERS },
    timers: stored.t ?? NO_DATA.timers,
    attempts: { ...stored.a },
    keys,
    parent: readParent(stored),
    ended: stored.e ?? null,
  };
}

const NO_NUMBERS: StoredValues["numbers"] = Object.freeze({});
const NO_OTHERS: StoredValues["others"] = Object.freeze({});

/** The case that opened this one, or null. */
export function readParent({ p }: StoredData): CaseData["parent"] {
  if (p === undefined) return null;
  const id = parseCaseId(p);
  assert(id !== null, "the parent of a case is written as a case id");
  return { kind: id.kind, uuid: id.uuid };
}

/** @returns null when there is nothing to keep. The engine's own printing of a plain object takes half the time of putting
 *  the text together here, and leaves no pieces for the collector. */
export function writeData(data: CaseData): string | null {
  const { currencies, timers, attempts, keys, parent, ended } = data;
  const { numbers, words } = valuesToStore(data);
  const stored: StoredData = {};
  if (isAny(currencies)) stored.c = currencies;
  if (isAny(numbers)) stored.v = numbers;
  if (isAny(words)) stored.w = words;
  if (isAny(timers)) stored.t = timers;
  if (isAny(attempts)) stored.a = attempts;
  if (isAny(keys)) stored.k = usesOf(keys);
  if (parent !== null) stored.p = formatCaseId({ ...parent, timeMs: 0 });
  if (ended !== null) stored.e = ended;
  return isAny(stored) ? JSON.stringify(stored) : null;
}

/** What was read stands as it was, but for what has changed: a time that was unknown and is known now goes over to the
 *  numbers. */
function valuesToStore({ values, stored }: CaseData) {
  const numbers: Record<string, string> = {};
  const words: Record<string, string | boolean | null> = {};
  for (const name in stored?.numbers) if (values[name] === undefined) numbers[name] = stored.numbers[name] as string;
  for (const name in stored?.others) {
    if (values[name] === undefined) words[name] = stored.others[name] as string | boolean | null;
  }
  for (const name in values) {
    const value = values[name] as Value;
    if (typeof value === "bigint") numbers[name] = value.toString();
    else words[name] = value;
  }
  return { numbers, words };
}

function usesOf(keys: CaseData["keys"]): Record<string, [key: string, sinceMs: number]> {
  const uses: Record<string, [string, number]> = {};
  for (const call in keys) {
    const { key, sinceMs } = keys[call] as CaseData["keys"][string];
    uses[call] = [key, sinceMs];
  }
  return uses;
}

function isAny(named: object): boolean {
  for (const _name in named) return true;
  return false;
}
