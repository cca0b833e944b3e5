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
import { type CaseData, type KeyUse, NONE, noData, type Variables } from "../domain/books.ts";
import { type CaseId, parseCaseId } from "../domain/ids.ts";

export type StoredData = {
  c?: Readonly<Record<string, string>>;
  v?: Record<string, string>;
  w?: Record<string, string | boolean | null>;
  t?: Readonly<Record<string, number>>;
  a?: Readonly<Record<string, number>>;
  k?: Readonly<Record<string, KeyUse>>;
  p?: string;
  e?: string;
};

/** Nothing of what was stored is copied, or looked at before an event does: most of what a case keeps its next event does
 *  not need. */
export function readData(stored: StoredData | null, variables: Variables): CaseData {
  if (stored === null) return noData(variables);
  return {
    currencies: stored.c ?? NONE,
    variables,
    values: variables.unbound,
    stored: { numbers: stored.v ?? NONE, others: stored.w ?? NONE, looked: null },
    timers: stored.t ?? NONE,
    attempts: stored.a ?? NONE,
    keys: stored.k ?? NONE,
    parent: stored.p ?? null,
    ended: stored.e ?? null,
  };
}

/** The case that opened this one, or null. */
export function readParent({ p }: StoredData): CaseId | null {
  if (p === undefined) return null;
  const id = parseCaseId(p);
  assert(id !== null, "the parent of a case is written as a case id");
  return id;
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
  if (isAny(keys)) stored.k = keys;
  if (parent !== null) stored.p = parent;
  if (ended !== null) stored.e = ended;
  return isAny(stored) ? JSON.stringify(stored) : null;
}

/** What was read stands as it was, but for what has changed: a time that was unknown and is known now goes over to the
 *  numbers. In the order of the flow's file, whatever changed first, so that cases of a flow have few shapes. */
function valuesToStore({ variables: { names }, values, stored }: CaseData) {
  const numbers: Record<string, string> = {};
  const words: Record<string, string | boolean | null> = {};
  for (let slot = 0; slot < names.length; slot++) {
    const name = names[slot] as string;
    const value = values[slot];
    const digits = value === undefined ? stored?.numbers[name] : undefined;
    const other = value === undefined && digits === undefined ? stored?.others[name] : value;
    if (digits !== undefined) numbers[name] = digits;
    else if (typeof other === "bigint") numbers[name] = other.toString();
    else if (other !== undefined) words[name] = other;
  }
  return { numbers, words };
}

function isAny(named: object): boolean {
  for (const _name in named) return true;
  return false;
}
