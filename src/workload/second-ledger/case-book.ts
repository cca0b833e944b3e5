// The cases of a lane. One that has come to its end is kept as a flat text, some 250 bytes instead of 1,500, because there
// are as many of them as there were payments; it is read again when an input names it.

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
  values: ReadonlyMap<string, bigint>;
  /** name to due time in milliseconds */
  timers: ReadonlyMap<string, number>;
  /** the line that it remembers of each event, oldest first */
  history: readonly string[];
  /** false for one that was taken over and that later blocks have moved before it was read */
  readonly isDataKnown: boolean;
};

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
    const [kind, flow, holderId, occurredAt, state, c, v, isDataKnown, history] = JSON.parse(
      Buffer.from(text, "latin1").toString("utf8"),
    ) as [string, number, string, string, string, [string, string][], [string, string][], boolean, string[]];
    return {
      uuid,
      kind,
      flow: this.#flows.find(({ number }) => number === flow) as SecondFlow,
      holderId,
      occurredAt: BigInt(occurredAt),
      state,
      currencies: new Map(c),
      values: new Map(v.map(([name, digits]) => [name, BigInt(digits)])),
      timers: new Map(),
      history,
      isDataKnown,
    };
  }
}

/** 16 characters of a byte each. */
function keyOf(uuid: string): string {
  return Buffer.from(uuid, "hex").toString("latin1");
}

/** Through bytes, so that the text is flat and a byte a character. */
function packed(one: SecondCase): string {
  const { kind, flow, holderId, occurredAt, state, currencies, values, isDataKnown, history } = one;
  const amounts = [...values].map(([name, value]) => [name, value.toString()]);
  const parts = [
    kind,
    flow.number,
    holderId,
    occurredAt.toString(),
    state,
    [...currencies],
    amounts,
    isDataKnown,
    history,
  ];
  return Buffer.from(JSON.stringify(parts)).toString("latin1");
}
