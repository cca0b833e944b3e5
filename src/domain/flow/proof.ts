// What the checker proves of a flow, by name, and the faults it gathers where it cannot.

import type { Fault, Place } from "../located.ts";

/** Every property has its tests in test/unit/flow-check.test.ts, under this name. */
export type Property =
  | "references" // every name that is used is declared, once
  | "types" // amounts, currencies and accounts are of the kind that their use asks for
  | "cost" // no expression is larger than what an event may cost
  | "balance" // each line moves one currency between two accounts
  | "home" // holders' accounts are the case's holder's own, or judged when the intent names them
  | "unused" // nothing is declared and not used
  | "kinds" // each kind of state has what it needs and nothing that it cannot have
  | "choice" // states that do not wait have one way on, and never go round in circles
  | "dead" // no alternative stands behind one that is always taken
  | "reachable" // every state is reached from the initial one
  | "completion" // every state leads to a final one, or waits for a named human
  | "unattended" // so it does when nobody says anything: by timers alone
  | "timers" // what is armed is handled, and what is handled is armed
  | "context" // the intent is asked only where there is one, and only the one that opened the case
  | "answers" // every accepted intent causes an outcome
  | "outcomes" // outcomes are named `<subject>.<past tense>` and not like those of the core
  | "together"; // flows that run side by side do not claim the same intents or ids

export class Proof {
  readonly faults: Fault[] = [];
  readonly #seen = new Set<string>();

  /** Notes that `property` does not hold; the same fault at the same place only once. */
  fails(property: Property, place: Place, message: string): void {
    const key = `${place.line}:${place.column}:${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.faults.push({ place, message: `${property}: ${message}` });
  }
}
