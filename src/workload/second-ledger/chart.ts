// The chart of accounts and the currencies, looked up in the plain trees of their files at every question.

import { isHolder } from "./homes.ts";
import { at, entriesOf, itemsOf, type Tree, textOf } from "./tree.ts";

export type SecondPlace = {
  readonly side: "debit" | "credit";
  /** null: the house's */
  readonly holderId: string | null;
  /** null: none */
  readonly floorMinor: bigint | null;
  /** an intent that names it is refused */
  readonly isReserved: boolean;
};

/** @returns null when the chart has no such path */
export function placeOf(chart: Tree, path: string): SecondPlace | null {
  const providers = itemsOf(at(chart, "providers")).map((provider) =>
    textOf(at(provider, "name"), "a provider's name"),
  );
  for (const account of itemsOf(at(chart, "house"))) {
    const declared = textOf(at(account, "path"), "a path of the chart");
    const paths = declared.includes("{provider}")
      ? providers.map((one) => declared.replace("{provider}", one))
      : [declared];
    if (paths.includes(path))
      return { side: sideOf(account), holderId: null, floorMinor: null, isReserved: isReserved(account) };
  }
  const parts = path.split(":");
  for (const template of itemsOf(at(chart, "holder"))) {
    const wanted = textOf(at(template, "path"), "a path of the chart").split(":");
    const holderAt = wanted.indexOf("{holder}");
    const holderId = parts[holderAt] ?? "";
    const isSame =
      parts.length === wanted.length && wanted.every((part, index) => part === parts[index] || index === holderAt);
    if (!isSame || !isHolder(holderId)) continue;
    const floorMinor = BigInt(textOf(at(template, "floorMinor"), "a floor"));
    return { side: sideOf(template), holderId, floorMinor, isReserved: isReserved(template) };
  }
  return null;
}

function isReserved(account: Tree): boolean {
  return at(account, "open_to") === "flows";
}

function sideOf(account: Tree): "debit" | "credit" {
  return at(account, "side") === "debit" ? "debit" : "credit";
}

/** Decimals of each currency. @param iso text of the ISO list: `code,name,scale` */
export function readScales(iso: string, crypto: Tree): ReadonlyMap<string, number> {
  const scales = new Map<string, number>();
  for (const row of iso.split(/\r?\n/).slice(1)) {
    const cells = row.split(",");
    const [code, scale] = [cells[0] ?? "", cells.at(-1) ?? ""];
    if (/^[A-Z]{3}$/.test(code) && /^[0-4]$/.test(scale)) scales.set(code, Number(scale));
  }
  for (const [code, currency] of entriesOf(at(crypto, "currencies"))) scales.set(code, Number(at(currency, "scale")));
  return scales;
}
