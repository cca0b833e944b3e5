// How the core reads a quote: a case of a flow of the family `quote` that has locked an exchange of one amount into another.
//
// A quote is good for one payment, in one piece or in several. Each piece is its part of the whole by the cumulative rule,
//
//     net of a piece = floor(receives · (taken + x) / gives) - floor(receives · taken / gives),
//
// and the spread likewise: so the pieces sum to exactly what was quoted however they are cut, no piece needs the rate, and
// no way of cutting brings the holder more than the whole.

import { assert } from "../assert.ts";
import { type CaseData, type Kept, valueOf } from "../books.ts";
import type { Value } from "../flow/expression.ts";
import type { Conversion } from "./fx.ts";
import { quotient } from "./rounding.ts";

/** The event by which a payment takes an amount out of a quote. It carries `amount` (money of G) and `by` (the 32 hex
 *  digits of the payment's case). */
export const CONSUME_EVENT = "quote.consume";

/** Flows whose cases are quotes: with currency symbols G, which the holder gives, and R, which it receives. */
export const QUOTE_FAMILY = "quote";
/** The state in which a quote is good. */
export const ACTIVE = "active";

export type Quote = {
  readonly from: string;
  readonly to: string;
  /** minor units of `from`: the whole, and what of it was taken so far */
  readonly gives: bigint;
  readonly taken: bigint;
  /** minor units of `to`, for the whole */
  readonly receives: bigint;
  readonly spread: bigint;
  /** the payment that has begun to take it; "" for none */
  readonly by: string;
};

/** What a case must show of itself to be read as a quote. */
export type QuoteCase = {
  readonly holderId: string;
  readonly state: string;
  readonly flow: { readonly family: string };
  readonly data: Pick<CaseData, "currencies"> & Kept;
};

export type QuoteRefusal = "quote_expired" | "quote_mismatch";

/** Who wants what of a quote. */
export type QuoteUse = {
  readonly holderId: string;
  /** 32 hex digits of the payment's case */
  readonly by: string;
  readonly minor: bigint;
  readonly from: string;
  readonly to: string;
};

/** The quote behind a case if this use of it is allowed now, else why not: a mismatch goes before an end. A quote is good
 *  until its timer has fired, so whatever was in time is honoured however late it is decided. */
export function quoteFor(known: QuoteCase | null, use: QuoteUse): Quote | QuoteRefusal {
  if (known === null || known.holderId !== use.holderId || known.flow.family !== QUOTE_FAMILY) return "quote_mismatch";
  const { currencies } = known.data;
  const value = (name: string): Value | undefined => valueOf(known.data, name);
  if (currencies["G"] !== use.from || currencies["R"] !== use.to) return "quote_mismatch";
  const by = String(value("by") ?? "");
  if (by !== "" && by !== use.by) return "quote_mismatch";
  if (known.state !== ACTIVE) return "quote_expired";
  const [gives, taken, receives, spread] = [value("gives"), value("taken"), value("receives"), value("spread")];
  if (!isAmount(gives) || !isAmount(taken) || !isAmount(receives) || !isAmount(spread)) return "quote_mismatch";
  if (gives === 0n) return "quote_mismatch"; // of nothing there is no part
  const quote: Quote = { from: use.from, to: use.to, gives, taken, receives, spread, by };
  return use.minor < 0n || quote.taken + use.minor > quote.gives ? "quote_mismatch" : quote;
}

function isAmount(value: Value | undefined): value is bigint {
  return typeof value === "bigint" && value >= 0n;
}

/** The next piece of a quote.
 *  @param minor 0n <= minor <= gives - taken
 *  @returns in minor units of `to`; `mid === net + spread`, none negative; all pieces sum to the whole */
export function convertByQuote(quote: Quote, minor: bigint): Conversion {
  const { gives, taken, receives, spread } = quote;
  assert(minor >= 0n && taken + minor <= gives && gives > 0n, "a piece of a quote fits into what is left of it");
  const piece = (whole: bigint): bigint =>
    quotient("fx_credit", whole * (taken + minor), gives) - quotient("fx_credit", whole * taken, gives);
  const part = { net: piece(receives), spread: piece(spread) };
  return { ...part, mid: part.net + part.spread };
}
