// What the closures of a compiled flow read while an event is decided. A draft is one; so is an intent alone, for the
// guards that say which flow an intent opens.

import type { HolderAccount, HouseAccount } from "../accounts.ts";
import type { CaseRecord } from "../books.ts";
import type { Rate } from "../fx/fx.ts";
import type { Intent } from "../intent.ts";
import type { ParamValue } from "../parameters/parameters.ts";
import type { RefusalCode } from "../refusals.ts";
import type { Value } from "./expression.ts";

/** What a conversion gives: `net`, `mid`, `spread`, `cost`. */
export type Figures = Readonly<Record<string, bigint>>;

export interface Scope {
  /** null where something else than an intent is decided */
  readonly intent: Intent | null;
  readonly holderId: string;
  /** as it is written: `pay_01JD…` */
  readonly caseId: string;
  /** when the event happened, in milliseconds */
  readonly atMs: bigint;
  readonly attempt: bigint;
  /** values bound by `let`, each in its slot */
  readonly lets: (Value | Figures)[];
  /** A variable of the case, by its slot. */
  value(slot: number): Value;
  eventField(name: string): Value;
  currencyOf(symbol: string): string;
  param(name: string, otherwise: ParamValue): ParamValue;
  /** Null: none that is good enough now. */
  rateOf(from: string, to: string): Rate | null;
  scaleOf(currency: string): number;
  /** Null: there are fewer than `n` choices for such a payment of this case. */
  routeOf(
    payment: { readonly method: string; readonly currency: string; readonly minor: bigint },
    n: bigint,
  ): string | null;
  spendable(path: string): bigint;
  placeOf(path: string): HouseAccount | HolderAccount | null;
  /** 32 hex digits */
  readonly caseUuid: string;
  /** Null: there is no case of that id. */
  quoteCase(id: string): CaseRecord | null;
  readonly nowMs: number;
  /** Refuses the event for a reason that only showed while a value was computed. */
  refuse(code: RefusalCode): void;
  /** Refuses an event that would keep, tell or send a number of more digits than the ledger holds. */
  judgeSize(value: Value): void;
}

export type Get = (scope: Scope) => Value;
export type Test = (scope: Scope) => boolean;
export type Path = (scope: Scope) => string;

/** What a name can mean where an expression stands. */
export type Names = {
  /** the flow's variables, each with its slot */
  readonly variables: ReadonlyMap<string, number>;
  readonly symbols: ReadonlySet<string>;
  readonly params: ReadonlyMap<string, ParamValue>;
  readonly accounts: ReadonlyMap<string, Path>;
  /** bound by `let` before, each with its slot */
  readonly lets: ReadonlyMap<string, number>;
};
