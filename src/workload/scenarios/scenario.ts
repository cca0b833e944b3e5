// A scenario as its file declares it: what there is, what happens, and what must have come of it. docs/flow-language.md says
// what each key means. Every expectation knows its place, so that a failure points at the line to look at.

import type { Place } from "../../domain/located.ts";

export type ScenarioFile = {
  readonly flow: string;
  readonly scenarios: readonly Scenario[];
  /** ways of the flow that nothing can take, such as `make_good always 3`, each with the reason why it is there */
  readonly untaken: readonly Word[];
};

export type Scenario = {
  readonly place: Place;
  readonly name: string;
  /** goes on where that scenario of the same file ends; what is given there holds here too */
  readonly from: Word | null;
  readonly given: Given;
  readonly steps: readonly Step[];
};

export type Given = {
  readonly nowMs: number;
  /** whose intents they are, unless a step says otherwise */
  readonly holder: string;
  readonly accounts: readonly GivenAccount[];
  /** mid, in major units, by pair: `EURUSD` */
  readonly rates: readonly GivenRate[];
  /** over the flow's defaults; one that goes on from another changes them from there on */
  readonly parameters: readonly GivenParameter[];
  readonly routes: readonly GivenRoutes[];
};

/** The providers of a method, in the order in which they are chosen. */
export type GivenRoutes = { readonly place: Place; readonly method: string; readonly providers: readonly string[] };

export type GivenAccount = {
  readonly place: Place;
  readonly path: string;
  readonly currency: string;
  /** minor units in the account's normal sign */
  readonly balance: bigint;
  /** null: none */
  readonly floor: bigint | null;
  readonly status: "open" | "frozen" | "closed";
};

/** A price of null takes the rate away. */
export type GivenRate = {
  readonly place: Place;
  readonly from: string;
  readonly to: string;
  readonly price: string | null;
};

export type GivenParameter = { readonly place: Place; readonly name: string; readonly value: GivenValue };
export type GivenValue = string | number | boolean | null | Readonly<Record<string, number>>;

export type Step = {
  readonly place: Place;
  /** the name of the case that is meant; a name that is new names a new case */
  readonly case: string;
  readonly holder: string | null;
  readonly event: StepEvent;
  readonly expected: Expected;
};

export type StepEvent =
  | { readonly kind: "intent"; readonly type: string; readonly fields: Fields; readonly key: string | null }
  /** the answer to the last command of a call, or with `attempt` 0 what nobody asked for */
  | {
      readonly kind: "report";
      readonly call: string;
      readonly result: string;
      readonly fields: Fields;
      readonly attempt: number | null;
      readonly observation: string | null;
    }
  /** nothing happens for so long but timers that are due */
  | { readonly kind: "after"; readonly durationMs: number }
  /** as long as it takes until that timer of the case fires */
  | { readonly kind: "timer"; readonly name: string };

export type Fields = ReadonlyMap<string, { readonly place: Place; readonly value: GivenValue }>;

/** What is not said must not have happened: a line, an outcome or a command more is a failure. */
export type Expected = {
  readonly place: Place;
  readonly state: Word | null;
  /** the latest case of each of these flows */
  readonly states: readonly (Word & { readonly flow: string })[];
  readonly outcomes: Words;
  readonly lines: Words;
  readonly commands: Words;
  readonly balances: readonly ExpectedBalance[];
};

export type Word = { readonly place: Place; readonly text: string };
export type Words = { readonly place: Place; readonly words: readonly Word[] };
export type ExpectedBalance = {
  readonly place: Place;
  readonly path: string;
  readonly currency: string;
  readonly minor: bigint;
};
