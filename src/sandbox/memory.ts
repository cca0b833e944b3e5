// What the sandbox knows: every operation with the turns that it took, made of the journal's entries and of nothing else.
// An entry is applied the same way when it happens and when it is read again, so a restart knows what was known before.

import { assert } from "../domain/assert.ts";
import type { Behaviour } from "./behaviour.ts";
import { idOf } from "./signatures.ts";

export type ProviderName = "cardco" | "instanet";

export type Effect =
  /** money moved, was held or released, or a mandate is in force */
  | "done"
  /** what was done is taken back */
  | "undone"
  /** the payer has his money back, and the case may go on */
  | "disputed"
  /** the payer's bank asks for it back: nothing has moved */
  | "recalled";

/** One thing that happened to an operation. The first is there from the beginning. */
export type Turn = {
  readonly at: number;
  /** which step of its plan it was; null for what came from outside, such as a close */
  readonly step: number | null;
  readonly status: string;
  /** digits of minor units: how much was approved, captured, paid in */
  readonly minor: string;
  readonly code: string | null;
  readonly effect: Effect | null;
};

/** What was asked, as it stands in the journal. */
export type Begun = {
  readonly e: "begun";
  readonly provider: ProviderName;
  /** the idempotency key; at instanet `kind/txid` */
  readonly key: string;
  /** a hash of what was asked, to tell another body under the same key */
  readonly print: string;
  readonly kind: string;
  /** cardco: which payment it belongs to, `authorizations/REF` or `orders/REF`; instanet: the id of the payment that it
   *  gives back, or empty */
  readonly payment: string;
  /** as the client names it */
  readonly reference: string;
  readonly currency: string;
  readonly minor: string;
  readonly token: string | null;
  readonly expiresAt: number | null;
  /** a capture that releases the rest */
  readonly isFinal: boolean;
  /** less than was asked is welcome */
  readonly isPartialTaken: boolean;
  /** instanet: what the client says of it, such as which request it answers */
  readonly details?: Readonly<Record<string, string>>;
  readonly behaviour: Behaviour;
  readonly turn: Turn;
};

export type Turned = {
  readonly e: "turned";
  readonly provider: ProviderName;
  readonly key: string;
  readonly turn: Turn;
};

/** A delivery came to its end: it was taken, or given up. */
export type Told = { readonly e: "told"; readonly id: string; readonly how: "taken" | "given_up" };

export type Entry = Begun | Turned | Told;

export type Operation = Begun & {
  readonly id: string;
  readonly turns: readonly Turn[];
};

/** Something that happened: a turn of an operation, by its number. */
export type Change = { readonly operation: Operation; readonly index: number };

/** A line of the record. */
export type Effected = { readonly operation: Operation; readonly turn: Turn; readonly effect: Effect };

export class Memory {
  readonly #operations = new Map<string, Operation & { readonly turns: Turn[] }>();
  readonly #byId = new Map<string, Operation>();
  readonly #byPayment = new Map<string, Operation[]>();
  readonly #paid = new Map<string, Effected>();
  readonly #recalled = new Map<string, Effected>();
  readonly #told = new Map<string, Told["how"]>();
  readonly #effects: Effected[] = [];
  readonly #changes: Change[] = [];

  apply(entry: Entry): void {
    if (entry.e === "told") this.#told.set(entry.id, entry.how);
    else if (entry.e === "begun") this.#begin(entry);
    else this.#turn(entry);
  }

  find(provider: ProviderName, key: string): Operation | null {
    return this.#operations.get(`${provider} ${key}`) ?? null;
  }

  findById(id: string): Operation | null {
    return this.#byId.get(id) ?? null;
  }

  /** The operations of one payment, oldest first; of one that was given back, those that give back. */
  ofPayment(provider: ProviderName, payment: string): readonly Operation[] {
    return this.#byPayment.get(`${provider} ${payment}`) ?? [];
  }

  /** What was paid under this id, at instanet. */
  findPaid(id: string): Effected | null {
    return this.#paid.get(id) ?? null;
  }

  /** What the payer's bank has asked for under this id, at instanet. */
  findRecalled(id: string): Effected | null {
    return this.#recalled.get(id) ?? null;
  }

  isTold(delivery: string): boolean {
    return this.#told.has(delivery);
  }

  isTaken(delivery: string): boolean {
    return this.#told.get(delivery) === "taken";
  }

  all(): Iterable<Operation> {
    return this.#operations.values();
  }

  /** In the order in which they came about. */
  effects(): readonly Effected[] {
    return this.#effects;
  }

  /** All that happened, at both providers, in its order. */
  changes(): readonly Change[] {
    return this.#changes;
  }

  #begin(asked: Begun): void {
    const { provider, key, turn } = asked;
    const name = `${provider} ${key}`;
    assert(!this.#operations.has(name), `${name} begins twice`);
    const operation = { ...asked, id: idOf("op", name), turns: [] };
    this.#operations.set(name, operation);
    this.#byId.set(operation.id, operation);
    const payment = `${provider} ${asked.payment}`;
    const kin = this.#byPayment.get(payment);
    if (kin === undefined) this.#byPayment.set(payment, [operation]);
    else kin.push(operation);
    this.#turn({ e: "turned", provider, key, turn });
  }

  #turn({ provider, key, turn }: Turned): void {
    const operation = this.#operations.get(`${provider} ${key}`);
    assert(operation !== undefined, `${provider} ${key} turns before it begins`);
    operation.turns.push(turn);
    this.#changes.push({ operation, index: operation.turns.length - 1 });
    if (turn.effect === null) return;
    const effected = { operation, turn, effect: turn.effect };
    this.#effects.push(effected);
    const index = operation.turns.length - 1;
    if (turn.effect === "done") this.#paid.set(paymentId(operation, index), effected);
    if (turn.effect === "recalled") this.#recalled.set(recallId(operation, index), effected);
  }
}

/** The id of what a turn has paid, in or out. */
export function paymentId(operation: Operation, index: number): string {
  return idOf("pmt", `${operation.id} ${index}`);
}

/** The id of the request that a turn is. */
export function recallId(operation: Operation, index: number): string {
  return idOf("rcl", `${operation.id} ${index}`);
}

/** The id of what was paid first; null when nothing was. */
export function firstPaidId(operation: Operation): string | null {
  const index = operation.turns.findIndex(({ effect }) => effect === "done");
  return index === -1 ? null : paymentId(operation, index);
}

export function lastTurn(operation: Operation): Turn {
  return operation.turns.at(-1) as Turn;
}

export function statusOf(operation: Operation): string {
  return lastTurn(operation).status;
}
