// Quotes as cases of the family `quote` lock them: the holder gives `gives` of G and receives `receives` of R, in one piece or
// in several, for one payment.

import type { SecondCase } from "./case-book.ts";
import { readCaseId } from "./case-ids.ts";
import { floor, type Value } from "./evaluate.ts";

export type QuoteUse = {
  readonly holderId: string;
  /** 32 hex digits of the case that uses it */
  readonly by: string;
  readonly minor: bigint;
  readonly from: string;
  readonly to: string;
};

/** Why a quote may not be used so; null when it may. */
export function whyNotQuote(known: SecondCase | undefined, use: QuoteUse): string | null {
  if (known === undefined || known.holderId !== use.holderId || known.flow.family !== "quote") return "quote_mismatch";
  if (known.currencies.get("G") !== use.from || known.currencies.get("R") !== use.to) return "quote_mismatch";
  const by = known.values.get("by") ?? "";
  if (by !== "" && by !== use.by) return "quote_mismatch";
  if (known.state !== "active") return "quote_expired";
  const held = ["gives", "taken", "receives", "spread"].map((name) => known.values.get(name));
  if (held.some((value) => typeof value !== "bigint" || value < 0n) || known.values.get("gives") === 0n) {
    return "quote_mismatch";
  }
  return use.minor < 0n || use.minor > heldOf(known, "gives") - heldOf(known, "taken") ? "quote_mismatch" : null;
}

/** The next piece: what is received of the whole up to behind it, less what was up to before it. */
export function pieceOf(quote: SecondCase, minor: bigint): ReadonlyMap<string, Value> {
  const [gives, taken] = [heldOf(quote, "gives"), heldOf(quote, "taken")];
  const part = (name: string): bigint => {
    const whole = heldOf(quote, name);
    return floor(whole * (taken + minor), gives) - floor(whole * taken, gives);
  };
  const [net, spread] = [part("receives"), part("spread")];
  return new Map([
    ["net", net],
    ["mid", net + spread],
    ["spread", spread],
  ]);
}

function heldOf(quote: SecondCase, name: string): bigint {
  const value = quote.values.get(name);
  return typeof value === "bigint" ? value : 0n;
}

/** The case that a quote's id names; null when it names none. */
export function quoteUuid(id: string): string | null {
  return readCaseId(id)?.uuid ?? null;
}
