// Money is an integer of minor units with its currency. No float ever touches an amount.

export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** An integer number of a currency's smallest units: 12.34 EUR is 1234n, 12 JPY is 12n. */
export type MinorUnits = Brand<bigint, "MinorUnits">;
/** ISO 4217 code, or a declared crypto asset with its network (`USDC@eip155:1`). */
export type CurrencyCode = Brand<string, "CurrencyCode">;

export type Money = { readonly minor: MinorUnits; readonly currency: CurrencyCode };

/** Postgres keeps amounts as NUMERIC(38,0): one digit more is refused, never rounded. */
export const MINOR_DIGITS_MAX = 38;
const MINOR_LIMIT = 10n ** BigInt(MINOR_DIGITS_MAX);
const MINOR_LIMIT_BELOW = -MINOR_LIMIT;

const DIGITS = /^-?[0-9]+$/;

export function minorUnits(value: bigint): MinorUnits {
  return value as MinorUnits;
}

/** Reads minor units as they travel: an optional minus and digits, nothing else.
 *  @returns null when the text is not an integer (`1.5`, `1e3`, ``, ` 1`); size and sign are judged by the caller */
export function parseMinor(text: string): MinorUnits | null {
  return DIGITS.test(text) && text.length <= 1024 ? minorUnits(BigInt(text)) : null;
}

/** Whether the magnitude fits the ledger's 38 digits. */
export function fitsLedger(minor: bigint): boolean {
  return minor < MINOR_LIMIT && minor > MINOR_LIMIT_BELOW;
}
