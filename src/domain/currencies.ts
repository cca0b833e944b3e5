// The currencies that amounts may be in, with their scale: ISO 4217's list, and crypto assets declared by asset and
// network, because the same token on two networks is two assets. A code without a minor unit (gold, XXX) is listed in
// the file and is no currency here.

import type { Fault, Located } from "./located.ts";
import type { CurrencyCode } from "./money.ts";
import { Reading } from "./reading.ts";

/** `scale`: how many decimals the smallest unit has (EUR 2, JPY 0, KWD 3, ETH 18). */
export type Currency = { readonly code: CurrencyCode; readonly name: string; readonly scale: number };

const ISO_SCALE_MAX = 4;
const CRYPTO_SCALE_MAX = 18;
const ISO_CODE = /^[A-Z]{3}$/;
/** Codes of ISO 4217 are of this form too. */
export const CRYPTO_CODE = /^[A-Z][A-Z0-9]{1,15}(@[a-z0-9-]{3,8}:[A-Za-z0-9-]{1,32})?$/;

export class Currencies {
  readonly #byCode: ReadonlyMap<string, Currency>;

  constructor(currencies: readonly Currency[]) {
    this.#byCode = new Map(currencies.map((currency) => [currency.code, currency]));
  }

  /** Decimals of the smallest unit; null when this is not a currency of ours: the refusal `unknown_currency`. */
  scaleOf(code: string): number | null {
    return this.#byCode.get(code)?.scale ?? null;
  }

  /** The code as a currency's, or null. */
  find(code: string): CurrencyCode | null {
    return this.#byCode.get(code)?.code ?? null;
  }

  all(): readonly Currency[] {
    return [...this.#byCode.values()];
  }
}

/** @param iso    a list of maps `code, name, scale`, all text; an empty scale means "no minor unit"
 *  @param crypto a map `apiVersion: currencies/v1`, `kind: Currencies`, `currencies: {CODE: {name, scale}}` */
export function parseCurrencies(iso: Located, crypto: Located): { currencies: Currencies; faults: readonly Fault[] } {
  const reading = new Reading();
  const found = new Map<string, Currency>();
  for (const { currency, node } of [...readIso(reading, iso), ...readCrypto(reading, crypto)]) {
    if (found.has(currency.code)) reading.fault(node.place, `currency ${currency.code} is declared twice`);
    else found.set(currency.code, currency);
  }
  return { currencies: new Currencies([...found.values()]), faults: reading.faults };
}

type Declared = { readonly currency: Currency; readonly node: Located };

function readIso(reading: Reading, iso: Located): Declared[] {
  const found: Declared[] = [];
  for (const node of reading.items(iso, "the ISO list") ?? []) {
    const row = reading.fields(node, "a currency", { required: ["code", "name", "scale"] });
    const code = reading.textLike(row?.get("code"), "code", ISO_CODE, "three capital letters");
    const name = reading.text(row?.get("name"), "name");
    const scaleNode = row?.get("scale");
    if (scaleNode?.kind === "scalar" && scaleNode.value === "") continue; // gold, test codes: no minor unit
    const scale = reading.textLike(scaleNode, "scale", /^[0-4]$/, `a digit from 0 to ${ISO_SCALE_MAX} or empty`);
    if (code === null || name === null || scale === null) continue;
    found.push({ node, currency: { code: code as CurrencyCode, name, scale: Number(scale) } });
  }
  return found;
}

function readCrypto(reading: Reading, crypto: Located): Declared[] {
  const file = reading.fields(crypto, "the file", { required: ["apiVersion", "kind", "currencies"] });
  reading.word(file?.get("apiVersion"), "apiVersion", ["currencies/v1"]);
  reading.word(file?.get("kind"), "kind", ["Currencies"]);
  const node = file?.get("currencies");
  const found: Declared[] = [];
  for (const entry of (node && reading.entries(node, "currencies")) ?? []) {
    const row = reading.fields(entry.value, `currency ${entry.key}`, { required: ["name", "scale"] });
    const name = reading.text(row?.get("name"), "name");
    const scale = reading.integer(row?.get("scale"), "scale", 0, CRYPTO_SCALE_MAX);
    if (!CRYPTO_CODE.test(entry.key)) {
      reading.fault(entry.keyPlace, `a crypto currency is named SYMBOL or SYMBOL@network:reference, not ${entry.key}`);
    } else if (name !== null && scale !== null) {
      found.push({ node: entry.value, currency: { code: entry.key as CurrencyCode, name, scale } });
    }
  }
  return found;
}
