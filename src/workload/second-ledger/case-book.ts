// The cases of a lane. One that has come to its end is kept as a flat text, some 250 bytes instead of 1,500, because there
// are as many of them as there were payments; it is read again when an input names it.

import type { Value } from "./evaluate.ts";
import type { SecondFlow } from "./flows.ts";
import { at } from "./tree.ts";

export type SecondCase = {
  /** 32 hex digits */
  readonly uuid: string;
  readonly kind: string;
  readonly flow: SecondFlow;
  readonly holderId: string;
  readonly occurredAt: bigint;
  state: string;
  currencies: ReadonlyMap<string, string>;
  values: ReadonlyMap<string, Value>;
  /** name to due time in milliseconds */
  timers: ReadonlyMap<string, number>;
  /** how often each call was made, and under `+<flow>` how many children it opened */
  attempts: ReadonlyMap<string, number>;
  /** the key that each call was made under last, and since when, in milliseconds */
  keys: ReadonlyMap<string, readonly [key: string, sinceMs: number]>;
  /** the id of the case that opened this one, as it is written */
  readonly parent: string | null;
  /** the result that it ended with */
  ended: string | null;
  /** the line that it remembers of each event, oldest first */
  history: readonly string[];
  /** false for one that was taken over and that later blocks have moved before it was read */
  readonly isDataKnown: boolean;
  /** by account, debits less credits of its own lines; null when not all of those are known */
  held: ReadonlyMap<bigint, bigint> | null;
};

/** A case of which nothing has come yet; refused, it stays so. */
export function freshCase(
  { uuid, kind }: { readonly uuid: string; readonly kind: string },
  flow: SecondFlow,
  holderId: string,
  of: Pick<SecondCase, "occurredAt" | "parent">,
): SecondCase {
  return {
    uuid,
    kind,
    flow,
    holderId,
    ...of,
    state: "rejected",
    currencies: new Map(),
    values: new Map(),
    timers: new Map(),
    attempts: new Map(),
    keys: new Map(),
    ended: null,
    history: [],
    isDataKnown: true,
    held: new Map(),
  };
}

export function isSettled({ flow, state }: Pick<SecondCase, "flow" | "state">): boolean {
  return state === "rejected" || at(flow.spec, "states", state, "kind") === "final";
}

export class CaseBook {
  #flows: readonly SecondFlow[];
  readonly #cases = new Map<string, SecondCase | string>();
  /** those that may be put to rest */
  readonly #live = new Set<string>();

  constructor(flows: readonly SecondFlow[]) {
    this.#flows = flows;
  }

  /** More versions are known than before. */
  goBy(flows: readonly SecondFlow[]): void {
    this.#flows = flows;
  }

  get size(): number {
    return this.#cases.size;
  }

  has(uuid: string): boolean {
    return this.#cases.has(keyOf(uuid));
  }

  /** For whoever may change it; what is changed stays until `rest`, and then as well. */
  get(uuid: string): SecondCase | undefined {
    const found = this.look(uuid);
    if (found !== undefined) this.set(found);
    return found;
  }

  look(uuid: string): SecondCase | undefined {
    const kept = this.#cases.get(keyOf(uuid));
    return typeof kept === "string" ? this.#unpacked(uuid, kept) : kept;
  }

  set(one: SecondCase): void {
    this.#cases.set(keyOf(one.uuid), one);
    this.#live.add(one.uuid);
  }

  delete(uuid: string): void {
    this.#cases.delete(keyOf(uuid));
    this.#live.delete(uuid);
  }

  uuids(): string[] {
    return [...this.#cases.keys()].map((key) => Buffer.from(key, "latin1").toString("hex"));
  }

  /** Packs what has come to its end. */
  rest(): void {
    for (const uuid of this.#live) {
      const one = this.#cases.get(keyOf(uuid));
      if (one === undefined || typeof one === "string" || !isSettled(one)) continue;
      this.#cases.set(keyOf(uuid), packed(one));
    }
    this.#live.clear();
  }

  #unpacked(uuid: string, text: string): SecondCase {
    const [kind, flow, holderId, occurredAt, state, isDataKnown, data, history] = JSON.parse(
      Buffer.from(text, "latin1").toString("utf8"),
    ) as [string, number, string, string, string, boolean, StoredData, string[]];
    return {
      uuid,
      kind,
      flow: this.#flows.find(({ number }) => number === flow) as SecondFlow,
      holderId,
      occurredAt: BigInt(occurredAt),
      state,
      ...readData(data),
      history,
      isDataKnown,
      // Of one at its end nothing is asked any more.
      held: null,
    };
  }
}

/** 16 characters of a byte each. */
function keyOf(uuid: string): string {
  return Buffer.from(uuid, "hex").toString("latin1");
}

/** Through bytes, so that the text is flat and a byte a character. */
function packed(one: SecondCase): string {
  const { kind, flow, holderId, occurredAt, state, isDataKnown, history } = one;
  const parts = [kind, flow.number, holderId, occurredAt.toString(), state, isDataKnown, dataOf(one), history];
  return Buffer.from(JSON.stringify(parts)).toString("latin1");
}

// What it holds -----------------------------------------------------------------------------------------------------------

export type CaseHeld = Pick<SecondCase, "currencies" | "values" | "timers" | "attempts" | "keys" | "parent" | "ended">;

/** As it is kept: c currencies, v numbers by their digits, w words, truths and what is not known, t timers, a attempts, k the
 *  keys of calls, p the parent, e the result. Each part only when it is not empty. */
export type StoredData = {
  readonly c?: Record<string, string>;
  readonly v?: Record<string, string>;
  readonly w?: Record<string, string | boolean | null>;
  readonly t?: Record<string, number>;
  readonly a?: Record<string, number>;
  readonly k?: Record<string, readonly [string, number]>;
  readonly p?: string;
  readonly e?: string;
};

export function readData({ c = {}, v = {}, w = {}, t = {}, a = {}, k = {}, p, e }: StoredData): CaseHeld {
  const numbers = Object.entries(v).map(([name, digits]): [string, Value] => [name, BigInt(digits)]);
  return {
    currencies: new Map(Object.entries(c)),
    values: new Map<string, Value>([...numbers, ...Object.entries(w)]),
    timers: new Map(Object.entries(t)),
    attempts: new Map(Object.entries(a)),
    keys: new Map(Object.entries(k)),
    parent: p ?? null,
    ended: e ?? null,
  };
}

export function dataOf({ currencies, values, timers, attempts, keys, parent, ended }: CaseHeld): StoredData {
  const numbers = [...values].filter(([, value]) => typeof value === "bigint");
  const words = [...values].filter(([, value]) => typeof value !== "bigint");
  const parts = {
    c: currencies,
    v: new Map(numbers.map(([name, value]) => [name, String(value)])),
    w: new Map(words),
    t: timers,
    a: attempts,
    k: keys,
  };
  const kept = Object.entries(parts).filter(([, part]) => part.size > 0);
  const data = Object.fromEntries(kept.map(([name, part]) => [name, Object.fromEntries<unknown>(part)]));
  return { ...data, ...(parent === null ? {} : { p: parent }), ...(ended === null ? {} : { e: ended }) };
}
