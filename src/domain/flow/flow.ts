// A flow as declared: what `parse` makes of a file and `check` proves. Names stay names here; `compile` turns them into
// closures. Every part knows its place, so that a fault can be named with file, line and column. What each part means is
// in docs/flow-language.md.

import type { Place } from "../located.ts";
import type { Expression, Value, ValueType } from "./expression.ts";

export type Flow = {
  readonly place: Place;
  readonly name: string;
  /** major.minor.patch */
  readonly version: string;
  readonly owner: string;
  /** first word of its outcomes: `payment` in `payment.captured`; its name when the file says nothing */
  readonly family: string;
  /** prefix of the ids of its cases: `trf` in `trf_01JD…` */
  readonly caseKind: string;
  readonly start: FlowStart;
  /** currency symbols, bound when the case opens */
  readonly currencies: readonly CurrencySymbol[];
  readonly params: readonly FlowParam[];
  /** events that carry fields, with the types of those */
  readonly events: readonly EventShape[];
  readonly data: readonly DataField[];
  readonly accounts: readonly FlowAccount[];
  readonly invariants: readonly FlowInvariant[];
  readonly postings: readonly FlowPosting[];
  readonly calls: readonly FlowCall[];
  readonly timers: readonly FlowTimer[];
  readonly defaults: FlowDefaults;
  readonly exceptions: readonly FlowException[];
  readonly states: readonly FlowState[];
};

/** What opens a case: an intent (of several flows for one intent type the first whose guard holds), a message from
 *  another holder, or another case of the same holder. */
export type FlowStart =
  | { readonly kind: "intent"; readonly place: Place; readonly type: string; readonly when: Expression | null }
  | { readonly kind: "message"; readonly place: Place; readonly type: string }
  | { readonly kind: "spawn"; readonly place: Place };

/** `from` is a field of what opens the case: `intent.amount.currency`, `intent.currency`, `intent.settlementCurrency`,
 *  `event.amount` (the currency of a message's or a parent's amount, or a text that says one). */
export type CurrencySymbol = { readonly place: Place; readonly symbol: string; readonly from: string };

/** Versioned data: overlays by tenant, holder and provider change the value, never the type. */
export type FlowParam = {
  readonly place: Place;
  readonly name: string;
  readonly type: ValueType;
  readonly default: Value | Readonly<Record<string, bigint>>;
};

export type EventShape = { readonly place: Place; readonly event: string; readonly fields: readonly NamedType[] };
export type NamedType = { readonly place: Place; readonly name: string; readonly type: ValueType };

/** A typed case variable. Only `set` changes it after the start. `init` is an expression over `intent`, `event` (of what
 *  opens the case) and `params`, or a literal. */
export type DataField = {
  readonly place: Place;
  readonly name: string;
  readonly type: ValueType;
  readonly init: Expression;
};

/** Path template: `liability:customer:{holder}:available`, `memo:auth_exposure:{provider}`, `asset:bank:main`, or
 *  `{intent.from}` / `{event.account}` as a whole. */
export type FlowAccount = {
  readonly place: Place;
  readonly alias: string;
  readonly path: string;
  /** symbol of the currency that the holder's account is in: it is opened with the case when it is not there, and a case
   *  whose holder has it in another currency is refused. null: whatever the first line says */
  readonly currency: string | null;
  /** must hold nothing of a case that rests (quiescent) or has ended (final) */
  readonly drains: boolean;
};

/** `bal(exposure, S) == data.held`: true in every state. The right side is linear in money variables of that symbol. */
export type FlowInvariant = {
  readonly place: Place;
  readonly text: string;
  readonly account: string;
  readonly symbol: string;
  readonly equals: Expression;
};

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

/** What a case asks of a gateway, or of another holder's lane. */
export type FlowCall = {
  readonly place: Place;
  readonly name: string;
  readonly to: CallTarget;
  /** what goes along, by name */
  readonly payload: readonly NamedExpression[];
  /** each result, with the event that it becomes */
  readonly results: readonly { readonly place: Place; readonly result: string; readonly event: string }[];
};

export type CallTarget =
  | {
      readonly kind: "gateway";
      /** `card.authorize` */
      readonly op: string;
      /** asks and moves nothing: needs no key */
      readonly readOnly: boolean;
      /** template over case data: `{case}/auth/{data.attempt}`; null for a call that only asks */
      readonly key: readonly KeyPart[] | null;
      /** for how long the provider knows a key that it has been given; null for a call that only asks, and in versions kept
       *  from before there was such a thing, whose commands are executed within their timeout alone */
      readonly keyLifetime: Expression | null;
      /** how long the provider may take before its answer counts as unknown */
      readonly timeoutMs: number;
    }
  /** `type` is that of the flow which a message opens there; `holder` an expression: `holder.of(intent.to)` */
  | { readonly kind: "message"; readonly type: string; readonly holder: Expression };

export type KeyPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "value"; readonly value: Expression };

/** `anchor`: counted from that moment instead of from when the state was entered. */
export type FlowTimer = {
  readonly place: Place;
  readonly name: string;
  readonly after: Expression;
  readonly anchor: Expression | null;
};

/** What a declared event does in a state that does not list it. Intents are always refused there (`invalid_state`). */
export type FlowDefaults = {
  /** reports of these events are never absorbed: each raises `ops.attention` with the code */
  readonly alarms: readonly { readonly place: Place; readonly event: string; readonly code: string }[];
};

/** A property that need not be proven for one part of the file, by name and with the reason. */
export type FlowException = {
  readonly place: Place;
  readonly property: string;
  /** `states.attention`, `timers.poll`: the part that it is granted for */
  readonly at: string;
  readonly reason: string;
};

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
  /** for `choice`, and for an `initial` without events: the first alternative whose guard holds is taken at once */
  readonly always: readonly Alternative[];
};

/** `intent.<type>`, `ops.<decision>`, `timer.<name>`, `child.<flow>.<word>`, or an event that a call's result becomes. */
export type FlowEvent = {
  readonly place: Place;
  readonly event: string;
  readonly alternatives: readonly Alternative[];
};

/** `to` is a state name, or `stay`: no exit, no entry, timers untouched. Naming the own state re-enters it. An alternative
 *  that refuses goes nowhere and does nothing: the intent is answered with its code. */
export type Alternative = {
  readonly place: Place;
  /** null: taken whenever none before it was */
  readonly when: Expression | null;
  readonly refuse: string | null;
  readonly actions: readonly Action[];
  readonly to: string;
};

export type Action =
  | { readonly kind: "let"; readonly place: Place; readonly values: readonly NamedExpression[] }
  | {
      readonly kind: "post";
      readonly place: Place;
      readonly posting: string;
      readonly amounts: readonly NamedExpression[];
    }
  | { readonly kind: "set"; readonly place: Place; readonly values: readonly NamedExpression[] }
  | {
      readonly kind: "emit";
      readonly place: Place;
      readonly type: string;
      readonly code: Expression | null;
      readonly amounts: readonly NamedExpression[];
    }
  | { readonly kind: "call"; readonly place: Place; readonly call: string }
  /** the terminal outcome `<family>.<result>`, once a case; later ones do nothing */
  | {
      readonly kind: "end";
      readonly place: Place;
      readonly result: "failed" | "canceled" | "expired";
      readonly code: Expression | null;
    }
  /** opens a child case of the same holder */
  | {
      readonly kind: "spawn";
      readonly place: Place;
      readonly flow: string;
      readonly values: readonly NamedExpression[];
    }
  /** tells the case that spawned this one: it gets the event `child.<this flow>.<word>` */
  | {
      readonly kind: "tell";
      readonly place: Place;
      readonly word: string;
      readonly values: readonly NamedExpression[];
    }
  /** takes an amount out of a quote of the same holder, which must still be good for it */
  | {
      readonly kind: "consume";
      readonly place: Place;
      readonly quote: Expression;
      readonly amount: Expression;
    }
  | { readonly kind: "open_account"; readonly place: Place; readonly account: string; readonly currency: string }
  | { readonly kind: "change_account"; readonly place: Place; readonly account: string };

export type NamedExpression = { readonly place: Place; readonly name: string; readonly value: Expression };
