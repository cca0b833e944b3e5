// What the checker proves of a flow, by name, and the faults that it gathers where it cannot. What each property means
// for whoever writes a flow is in docs/flow-checker.md.

import type { Fault, Place } from "../located.ts";
import type { FlowException } from "./flow.ts";

/** Raised whenever the checker comes to ask for more: proofs of an earlier one do not count then. */
export const CHECKER_REVISION = 2;

/** Every property has its wrong flows in test/unit/flows/wrong, under this name. */
export const PROPERTIES = {
  references: "every name that is used is declared, once",
  types: "values, currencies and accounts are of the kind that their place asks for",
  context: "an intent, an event or a case is read only where there is one",
  cost: "no expression has more than a hundred nodes",
  unused: "nothing is declared and not used",
  kinds: "each kind of state has what it needs and nothing that it cannot have",
  choice: "states that do not wait have a way on, and never go round in circles",
  dead: "every alternative can be taken",
  reachable: "every state is reached from the initial one",
  completion: "every state leads to a final one",
  timers: "what is armed is handled, and what is handled is armed",
  balance: "each line moves one currency between two accounts",
  home: "holders' accounts are the case's holder's own, and what a flow fills no intent may touch",
  invariant: "what the file states of balances is true in every state",
  drained: "accounts that must be empty are, wherever a case rests or ends",
  nonnegative: "no amount is below zero",
  divisor: "nothing is divided by zero",
  attended: "with nobody asking for anything, every case ends or waits for a named human",
  progress: "in every state something is on its way",
  calls: "no call has a second effect, and every result of a call is handled",
  messages: "money for another holder is sent once, and every answer is handled",
  retries: "no call is repeated for ever",
  ends: "a case has one end, and an end and a success exclude each other",
  contradictions: "what a provider says of money is never passed over in silence",
  facts: "what has happened is never refused",
  answers: "every accepted intent causes an outcome",
  outcomes: "outcomes are in the catalogue and carry what it asks for",
  exceptions: "every exception is needed",
  together: "flows that run side by side fit together",
} as const;

export type Property = keyof typeof PROPERTIES;

/** What may be left unproven by name and with a reason: properties that speak of what a case does. That names are
 *  declared, lines balance and guards have types is not open to exception. */
export const EXCEPTABLE: ReadonlySet<string> = new Set<Property>([
  "invariant",
  "drained",
  "nonnegative",
  "divisor",
  "attended",
  "progress",
  "calls",
  "messages",
  "retries",
  "ends",
  "contradictions",
  "facts",
  "outcomes",
]);

/** A fault of a flow: what does not hold, and how a case comes to where it does not. */
export type FlowFault = Fault & {
  readonly property: Property;
  /** the part of the file, as an exception names it: `states.attention`, `calls.void` */
  readonly part: string | null;
  /** shortest events from the start to the fault; null where it is no matter of events */
  readonly path: readonly string[] | null;
};

export type Where = {
  readonly property: Property;
  readonly place: Place;
  readonly part?: string;
  readonly path?: readonly string[];
};

export class Proof {
  readonly #faults = new Map<string, FlowFault>();

  get faults(): readonly FlowFault[] {
    return [...this.#faults.values()];
  }

  /** What neither proof could show. */
  and(other: Proof): Proof {
    const both = new Proof();
    for (const [key, fault] of this.#faults) if (other.#faults.has(key)) both.#faults.set(key, fault);
    return both;
  }

  /** Notes that a property does not hold. The same claim at the same place counts once, with the shortest path.
   *  @param claim says what does not hold, alike in every attempt to prove it
   *  @param found what is in the way, as this attempt has found it */
  fails({ property, place, part, path }: Where, claim: string, found = ""): void {
    const key = `${place.line}:${place.column}:${property}:${claim}`;
    const known = this.#faults.get(key);
    if (known !== undefined && (known.path?.length ?? 0) <= (path?.length ?? 0)) return;
    const detail = found === "" ? "" : ` (${found})`;
    const way = path === undefined ? "" : ` [${path.join(" → ")}]`;
    const fault = {
      property,
      place,
      message: `${property}: ${claim}${detail}${way}`,
      part: part ?? null,
      path: path ?? null,
    };
    this.#faults.set(key, fault);
  }
}

/** Faults that are left when the exceptions are taken off, and what is wrong with the exceptions themselves. */
export function withExceptions(proof: Proof, exceptions: readonly FlowException[]): readonly FlowFault[] {
  const covers = ({ property, at }: FlowException, fault: FlowFault): boolean =>
    property === fault.property && (fault.part === at || fault.part?.startsWith(`${at}.`) === true);
  const own = new Proof();
  for (const exception of exceptions) {
    const { place, property, at, reason } = exception;
    const where: Where = { property: "exceptions", place };
    if (!Object.hasOwn(PROPERTIES, property)) own.fails(where, `"${property}" is no property of a flow`);
    else if (!EXCEPTABLE.has(property)) own.fails(where, `"${property}" holds without exception`);
    else if (reason.trim() === "") own.fails(where, `the exception from ${property} gives no reason`);
    else if (!proof.faults.some((fault) => covers(exception, fault))) {
      own.fails(where, `${property} holds at ${at}: the exception is not needed`);
    }
  }
  const granted = exceptions.filter(({ property }) => EXCEPTABLE.has(property));
  const left = proof.faults.filter((fault) => !granted.some((exception) => covers(exception, fault)));
  return [...left, ...own.faults];
}
