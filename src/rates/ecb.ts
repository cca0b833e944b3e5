// The reference rates of the European Central Bank as it publishes them (eurofxref-hist.csv), with what is odd in them:
// a comma at the end of each line, newest day first, `N/A` for a currency without a rate that day. A currency whose column
// has gone to `N/A` for good is dead, and its last rate must not live on: each day says of every currency either what it
// costs or that it has no rate.
//
// A file of one's own may have a column for a crypto asset, by its code: the bank tells of none.

import { CRYPTO_CODE } from "../domain/currencies.ts";

/** What the file says of one day: a price as it stands there, or null for `N/A`. */
export type EcbDay = {
  readonly day: string;
  readonly line: number;
  readonly rates: readonly { readonly currency: string; readonly price: string | null }[];
};

/** Something is wrong with the file; nothing of it is published. */
export class EcbFileWrong extends Error {
  override name = "EcbFileWrong";
}

/** Faults told at once; a file of the wrong kind has one in each line. */
const FAULTS_MAX = 10;
const BYTES_MAX = 32 << 20;
const DAY = /^\d{4}-\d\d-\d\d$/;
const PRICE = /^\d{1,12}(\.\d{1,12})?$/;
const NONE = "N/A";

/** @param file name to show in faults
 *  @returns days, oldest first
 *  @throws EcbFileWrong with file and line of every fault */
export function readEcbFile(file: string, text: string): EcbDay[] {
  const faults: string[] = [];
  const fault = (line: number, what: string): void => void faults.push(`${file}:${line}: ${what}`);
  if (text.length > BYTES_MAX) throw new EcbFileWrong(`${file}: larger than ${BYTES_MAX} bytes, which no such file is`);
  const lines = text.split(/\r?\n/);
  const currencies = readHeading(lines[0] ?? "", fault);
  const days: EcbDay[] = [];
  for (let index = 1; index < lines.length && currencies !== null; index++) {
    if (lines[index] === "") continue;
    const day = readDay(lines[index] as string, index + 1, currencies, fault);
    if (day !== null) days.push(day);
  }
  if (faults.length === 0 && days.length === 0) fault(1, "the file has no day");
  days.reverse();
  for (let index = 1; index < days.length; index++) {
    const [one, next] = [days[index - 1] as EcbDay, days[index] as EcbDay];
    if (one.day >= next.day)
      fault(one.line, `${one.day} comes after ${next.day}: days go from the newest to the oldest, each once`);
  }
  if (faults.length > 0) throw new EcbFileWrong(told(faults));
  return days;
}

function told(faults: readonly string[]): string {
  const more = faults.length - FAULTS_MAX;
  return [...faults.slice(0, FAULTS_MAX), ...(more > 0 ? [`and ${more} more`] : [])].join("\n");
}

type Fault = (line: number, what: string) => void;

function readHeading(line: string, fault: Fault): string[] | null {
  const [first, ...currencies] = cells(line.replace(/^\uFEFF/, ""));
  if (first !== "Date") {
    fault(1, `begins with ${JSON.stringify((first ?? "").slice(0, 40))}, expected a heading: Date,USD,JPY,…`);
    return null;
  }
  const wrong = currencies.filter((code, index) => !CRYPTO_CODE.test(code) || currencies.indexOf(code) !== index);
  for (const code of wrong) fault(1, `column ${JSON.stringify(code.slice(0, 40))} is no currency, or there twice`);
  if (currencies.length === 0) fault(1, "the heading names no currency");
  return wrong.length > 0 || currencies.length === 0 ? null : currencies;
}

function readDay(line: string, number: number, currencies: readonly string[], fault: Fault): EcbDay | null {
  const [day = "", ...prices] = cells(line);
  if (!isDay(day)) {
    fault(number, `${JSON.stringify(day.slice(0, 40))} is no day, expected YYYY-MM-DD`);
    return null;
  }
  if (prices.length !== currencies.length) {
    fault(number, `has ${prices.length} rates, and the heading ${currencies.length} currencies`);
    return null;
  }
  const rates = currencies.map((currency, index) => {
    const text = prices[index] as string;
    if (text === NONE) return { currency, price: null };
    if (!PRICE.test(text) || /^0*(\.0*)?$/.test(text)) {
      fault(number, `${currency}: found ${JSON.stringify(text.slice(0, 40))}, expected a price above zero or ${NONE}`);
    }
    return { currency, price: text };
  });
  return { day, line: number, rates };
}

/** Some engines take the 30th of February for the 2nd of March. */
function isDay(text: string): boolean {
  const ms = DAY.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

/** The comma at the end of a line begins no cell. */
function cells(line: string): string[] {
  return line
    .replace(/,$/, "")
    .split(",")
    .map((cell) => cell.trim());
}
