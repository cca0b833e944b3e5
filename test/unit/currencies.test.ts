import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readLocatedCsv } from "../../src/declared/csv.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { parseCurrencies } from "../../src/domain/currencies.ts";
import type { Located } from "../../src/domain/located.ts";
import { SHIPPED_SCHEMAS, textOf } from "../support/faulty.ts";

const ISO = textOf(join(SHIPPED_SCHEMAS, "currencies", "iso4217.csv"));
const CRYPTO = textOf(join(SHIPPED_SCHEMAS, "currencies", "crypto.yaml"));
const HEADING = "code,name,scale\n";
const NO_CRYPTO = "apiVersion: currencies/v1\nkind: Currencies\ncurrencies: {}\n";

function parse(iso: string, crypto: string): ReturnType<typeof parseCurrencies> {
  return parseCurrencies(
    readLocatedCsv("iso.csv", iso).root as Located,
    readLocatedYaml("crypto.yaml", crypto).root as Located,
  );
}

function faultsOf(iso: string, crypto: string): string[] {
  return parse(iso, crypto).faults.map(
    ({ place, message }) => `${place.file}:${place.line}:${place.column} ${message}`,
  );
}

describe("the shipped currencies", () => {
  const { currencies, faults } = parse(ISO, CRYPTO);

  test("are ISO's current list: 17 without decimals, 7 with three, 2 with four, 139 with two", () => {
    expect(faults).toEqual([]);
    const byScale = new Map<number, string[]>();
    for (const { code, scale } of currencies.all().filter(({ code: iso }) => /^[A-Z]{3}$/.test(iso))) {
      byScale.set(scale, [...(byScale.get(scale) ?? []), code]);
    }
    const none = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    expect(byScale.get(0)?.join(" ")).toBe(none);
    expect(byScale.get(3)?.join(" ")).toBe("BHD IQD JOD KWD LYD OMR TND");
    expect(byScale.get(4)?.join(" ")).toBe("CLF UYW");
    expect(byScale.get(2)).toHaveLength(139);
  });

  test.each(["XAU", "XAG", "XDR", "XTS", "XXX", "DEM", "eur", "EURO", "", "EUR ", "constructor", "USDC"])(
    "do not hold %j",
    (code) => {
      expect(currencies.scaleOf(code)).toBeNull();
      expect(currencies.find(code)).toBeNull();
    },
  );

  test.each([
    ["EUR", 2],
    ["JPY", 0],
    ["KWD", 3],
    ["UYW", 4],
    ["BTC", 8],
    ["ETH", 18],
    ["USDC@eip155:1", 6],
  ])("give %s %d decimals", (code, scale) => {
    expect(currencies.scaleOf(code)).toBe(scale);
    expect(currencies.find(code)).toBe(code);
  });
});

describe("refuses a currency, at the place where it is wrong:", () => {
  test.each([
    ["a code in small letters", "eur,Euro,2\n", "iso.csv:2:1 code must be three capital letters"],
    ["five decimals", "EUR,Euro,5\n", "iso.csv:2:10 scale must be a digit from 0 to 4 or empty"],
    ["no name", "EUR,,2\n", "iso.csv:2:5 name must be text"],
    ["a code twice", "EUR,Euro,2\nEUR,Euro,2\n", "iso.csv:3:1 currency EUR is declared twice"],
  ])("%s", (_what, rows, says) => {
    const faults = faultsOf(HEADING + rows, NO_CRYPTO);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.startsWith(says), faults[0]).toBe(true);
  });

  test.each([
    ["a scale beyond 18", "ETH: {name: Ether, scale: 19}", "scale must be a whole number from 0 to 18"],
    ["a scale that is text", 'ETH: {name: Ether, scale: "18"}', "scale must be a whole number"],
    ["a network without a reference", '"USDC@eip155": {name: x, scale: 6}', "a crypto currency is named"],
    ["a code of ISO's", "EUR: {name: x, scale: 2}", "currency EUR is declared twice"],
  ])("%s", (_what, row, says) => {
    const faults = faultsOf(`${HEADING}EUR,Euro,2\n`, NO_CRYPTO.replace("{}", `\n  ${row}`));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^crypto\.yaml:4:/);
    expect(faults[0]).toContain(says);
  });
});
