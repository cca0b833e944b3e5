// A flow as declared: what `parse` makes of a file and `check` proves. Names stay names here; `compile` turns them into
// closures. Every part knows its place, so that a fault can be named with file, line and column.

import type { Place } from "../located.ts";

export type Flow = {
  readonly place: Place;
  readonly name: string;
  /** major.minor.patch */
  readonly version: string;
  readonly owner: string;
  /** prefix of the ids of its cases: `trf` in `trf_01JD…` */
  readonly caseKind: string;
  /** the intent type that opens a case */
  readonly startsOn: string;
  /** currency symbols, bound when the case opens */
  readonly currencies: readonly CurrencySymbol[];
  readonly data: readonly DataField[];
  readonly accounts: readonly FlowAccount[];
  readonly postings: readonly FlowPosting[];
  readonly timers: readonly FlowTimer[];
  readonly states: readonly FlowState[];
};

export type CurrencySymbol = { readonly place: Place; readonly symbol: string; readonly from: string };

/** A typed case variable. `money` names the currency symbol it is in. Only `set` changes it after the start. */
export type DataField = {
  readonly place: Place;
  readonly name: string;
  readonly type: { readonly money: string };
  /** field of the opening intent (`intent.amount.minor`) or a number of minor units */
  readonly from: { readonly intent: string } | { readonly minor: bigint };
};

/** Path template: `liability:customer:{holder}:available`, `asset:bank:main`, or `{intent.from}` as a whole. */
export type FlowAccount = { readonly place: Place; readonly alias: string; readonly path: string };

export type FlowPosting = {
  readonly place: Place;
  /** catalogue name: `P17` */
  readonly name: string;
  readonly title: string;
  readonly inputs: readonly string[];
  readonly lines: readonly FlowLine[];
  /** may take a holder's account below its floor; a fact of the outside world, never a wish */
  readonly forced: boolean;
};

/** debit alias, credit alias, currency symbol, name of one of the posting's inputs */
export type FlowLine = {
  readonly place: Place;
  readonly debit: string;
  readonly credit: string;
  readonly currency: string;
  readonly amount: string;
};

export type FlowTimer = { readonly place: Place; readonly name: string; readonly afterMs: number };

export type StateKind = "initial" | "active" | "choice" | "quiescent" | "final";

export type FlowState = {
  readonly place: Place;
  readonly name: string;
  readonly kind: StateKind;
  /** waits for a named human: exempt from "every case ends by timers alone" */
  readonly human: boolean;
  /** armed on entry, cancelled on leaving */
  readonly timers: readonly { readonly place: Place; readonly name: string }[];
  readonly entry: readonly Action[];
  /** for `initial`, `active` and `quiescent` */
  readonly events: readonly FlowEvent[];
  /** for `choice`, and for an `initial` without events: the first alternative is taken at once */
  readonly always: readonly Alternative[];
};

/** `intent.<type>` or `timer.<name>` */
export type FlowEvent = {
  readonly place: Place;
  readonly event: string;
  readonly alternatives: readonly Alternative[];
};

/** `to` is a state name, or `stay`: no exit, no entry, timers untouched. Naming the own state re-enters it. */
export type Alternative = { readonly place: Place; readonly actions: readonly Action[]; readonly to: string };

export type Action =
  | { readonly kind: "post"; readonly place: Place; readonly posting: string; readonly amounts: readonly NamedValue[] }
  | { readonly kind: "set"; readonly place: Place; readonly values: readonly NamedValue[] }
  | { readonly kind: "emit"; readonly place: Place; readonly type: string; readonly amounts: readonly NamedValue[] }
  | { readonly kind: "open_account"; readonly place: Place; readonly account: string; readonly currency: string }
  | { readonly kind: "change_account"; readonly place: Place; readonly account: string };

/** `value` is `data.<field>`, `intent.amount.minor`, or digits (minor units). */
export type NamedValue = { readonly place: Place; readonly name: string; readonly value: string };
