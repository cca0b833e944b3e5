// The chart of accounts and the currencies, from the plain trees of their files.

import { isHolder } from "./homes.ts";
import { once } from "./once.ts";
import { at, entriesOf, itemsOf, type Tree, type TreeMap, textOf } from "./tree.ts";

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
  const { house, holders } = writtenOut(chart as TreeMap);
  const found = house.get(path);
  if (found !== undefined) return found;
  const parts = path.split(":");
  for (const { wanted, holderAt, place } of holders) {
    const holderId = parts[holderAt] ?? "";
    const isSame =
      parts.length === wanted.length && wanted.every((part, index) => part === parts[index] || index === holderAt);
    if (isSame && isHolder(holderId)) return { ...place, holderId };
  }
  return null;
}

/** Every account of the house, and the templates of holders' accounts in the order of the file. */
const writtenOut = once((chart: TreeMap) => {
  const house = new Map<string, SecondPlace>();
  for (const account of itemsOf(at(chart, "house"))) {
    const declared = textOf(at(account, "path"), "a path of the chart");
    const place = { side: sideOf(account), holderId: null, floorMinor: null, isReserved: isReserved(account) };
    for (const provider of declared.includes("{provider}") ? itemsOf(at(chart, "providers")) : [null]) {
      const name = provider === null ? "" : textOf(at(provider, "name"), "a provider's name");
      house.set(declared.replace("{provider}", name), place);
    }
  }
  const holders = itemsOf(at(chart, "holder")).map((template) => {
    const wanted = textOf(at(template, "path"), "a path of the chart").split(":");
    const floorMinor = BigInt(textOf(at(template, "floorMinor"), "a floor"));
    const place = { side: sideOf(template), floorMinor, isReserved: isReserved(template) };
    return { wanted, holderAt: wanted.indexOf("{holder}"), place };
  });
  return { house, holders };
});

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
