import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@cfworker/json-schema";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { loadDeclared } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import type { Located } from "../../src/domain/located.ts";
import {
  makeParameterBook,
  NO_PARAMETERS,
  type Overlays,
  type ParamValue,
} from "../../src/domain/parameters/parameters.ts";
import { checkEarlierVersions, parseParameters } from "../../src/domain/parameters/parse.ts";
import { readOverlays, writeOverlays } from "../../src/domain/parameters/stored.ts";
import { plain } from "../support/declared.ts";
import { placeOf, replaceOnce, SHIPPED_SCHEMAS, textOf } from "../support/faulty.ts";
import { WHOLE } from "./flow-language-cases.ts";

const GOOD = `apiVersion: parameters/v1
kind: Parameters
metadata: { name: parcel, owner: tests }
spec:
  flow: parcel
  overlays:
    - provider: fast
      values: { validity: P1D, tries: 1, eager: true }
    - tenant: shop
      values: { tries: 2, basis: original }
    - holder: mer_7
      values: { tries: 5, label: "seven", fixed: { USD: 20, "*": 5, EUR: 25 } }
`;

function flowOf(text: string): Flow {
  return parseFlow(readLocatedYaml("flow", text).root as never, parseExpression).flow as Flow;
}

const PARCEL = flowOf(WHOLE);
const UNTOLD = flowOf(WHOLE.replace("name: parcel", "name: untold").replace(/ {4}tenant: .*\n/, ""));

function read(...texts: string[]): { overlays: Overlays; faults: string[] } {
  const roots = texts.map((text, at) => readLocatedYaml(`p${at}`, text).root as Located);
  const { overlays, faults } = parseParameters(roots, [PARCEL, UNTOLD]);
  return { overlays, faults: faults.map(({ place, message }) => `${place.line}:${place.column} ${message}`) };
}

const NOBODY = { tenant: null, provider: null, holderId: "mer_1" };

test("lays a holder's value over a tenant's, a tenant's over a provider's, and these over the default", () => {
  const { overlays, faults } = read(GOOD);
  expect(faults).toEqual([]);
  const book = makeParameterBook(3, overlays);
  expect(book.version).toBe(3);
  const laid = (who: object): unknown => book.overlay("parcel", { ...NOBODY, ...who });
  expect(laid({})).toBeNull();
  expect(laid({ provider: "slow", tenant: "none" })).toBeNull();
  expect(laid({ provider: "fast" })).toEqual({ validity: 86_400_000n, tries: 1n, eager: true });
  expect(laid({ provider: "fast", tenant: "shop" })).toEqual({
    validity: 86_400_000n,
    eager: true,
    tries: 2n,
    basis: "original",
  });
  expect(laid({ provider: "fast", tenant: "shop", holderId: "mer_7" })).toMatchObject({ tries: 5n, basis: "original" });
  expect(laid({ holderId: "mer_7" })).toEqual({ tries: 5n, label: "seven", fixed: { USD: 20n, "*": 5n, EUR: 25n } });
  expect(book.overlay("card", NOBODY)).toBeNull();
  expect(NO_PARAMETERS.overlay("parcel", NOBODY)).toBeNull();
});

test("gives the same answer for the same payment, made once", () => {
  const book = makeParameterBook(1, read(GOOD).overlays);
  const who = { provider: "fast", tenant: "shop", holderId: "mer_1" };
  expect(book.overlay("parcel", who)).toBe(book.overlay("parcel", { ...who, holderId: "mer_2" }));
});

/** what is wrong, what is replaced by what, where the fault stands, and what it says */
const WRONG: readonly (readonly [string, string, string, string, RegExp])[] = [
  [
    "a flow that there is not",
    "flow: parcel",
    "flow: parcels",
    "parcels",
    /flow "parcels" is not declared; with parameters: parcel, untold/,
  ],
  [
    "a parameter that there is not",
    "eager: true",
    "eagre: true",
    "eagre",
    /parcel has no parameter "eagre"; it has: validity, tries/,
  ],
  ["a value of another type", "tries: 1", "tries: many", "many", /parameter tries must be a whole number/],
  ["a number below zero", "tries: 1", "tries: -1", "-1", /from 0 to/],
  ["a fraction", "tries: 1", "tries: 1.5", "1.5", /must be a whole number/],
  ["a word that its enum does not have", "original", "latest", "latest", /must be one of original, current/],
  ["a duration of a month", "P1D", "P1M", "P1M", /without years or months/],
  ["a truth that is text", "eager: true", 'eager: "true"', '"true"', /must be true or false/],
  [
    "a table that leaves out what the default has",
    'USD: 20, "*": 5, EUR: 25',
    "USD: 20",
    "{ USD: 20",
    /lacks \*, which the default has/,
  ],
  [
    "an overlay for a tenant that no case knows",
    "flow: parcel",
    "flow: untold",
    "shop",
    /a case of untold has no text variable "tenant", so no overlay for one reaches it/,
  ],
  [
    "an overlay for nobody",
    "    - tenant: shop\n      values",
    "    - values",
    "values: { tries: 2",
    /for one provider, or one tenant/,
  ],
  [
    "an overlay for two",
    "    - tenant: shop\n",
    "    - tenant: shop\n      holder: a\n",
    "tenant: shop",
    /found tenant and holder/,
  ],
  ["an overlay for the house", "mer_7", "house", "house", /not "house"/],
  [
    "an unknown key",
    "      values: { tries: 2",
    "      since: x\n      values: { tries: 2",
    "since",
    /unknown key "since" in an overlay/,
  ],
  ["another kind of file", "kind: Parameters", "kind: Flow", "Flow", /kind must be one of Parameters/],
];

describe("refuses, at the place where it is wrong:", () => {
  test.each(WRONG)("%s", (_what, old, by, marker, says) => {
    const text = replaceOnce(GOOD, old, by);
    const { faults } = read(text);
    const found = faults.filter((fault) => fault.startsWith(`${placeOf(text, marker)} `) && says.test(fault));
    expect(found, faults.join("\n")).toHaveLength(1);
  });

  test("values for the same tenant in two files", () => {
    const { faults } = read(GOOD, GOOD);
    expect(faults).toHaveLength(3);
    expect(faults[1]).toBe(`${placeOf(GOOD, "tenant: shop")} tenant shop has values for parcel already, in p0:9`);
  });
});

test("whatever is done to a file, there are overlays or faults, and never a crash", () => {
  const mangle = fc.record({ at: fc.nat(GOOD.length), cut: fc.nat(30), put: fc.string({ maxLength: 12 }) });
  fc.assert(
    fc.property(fc.array(mangle, { minLength: 1, maxLength: 3 }), (changes) => {
      let text = GOOD;
      for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut);
      const { root, faults } = readLocatedYaml("p", text);
      const read = root === null ? null : parseParameters([root], [PARCEL]);
      if (read === null) expect(faults).not.toEqual([]);
      else expect(readOverlays(writeOverlays(read.overlays))).toEqual(read.overlays);
    }),
    { numRuns: 200 },
  );
});

test("refuses a parameter that an earlier version of the flow knows by another type", () => {
  const { overlays } = read(GOOD);
  const earlier = flowOf(
    replaceOnce(WHOLE, "tries: { int: true, default: 3 }", "tries: { duration: true, default: P3D }").replace(
      "1.2.3",
      "1.2.2",
    ),
  );
  expect(
    checkEarlierVersions(overlays, [PARCEL], [earlier]).map(({ place, message }) => `${place.line} ${message}`),
  ).toEqual([
    "10 parameter tries was of another type in parcel@1.2.2, whose cases read the same overlays: give it another name",
  ]);
  expect(checkEarlierVersions(overlays, [PARCEL], [flowOf(WHOLE)])).toEqual([]);
  const others = read(GOOD.replaceAll(/tries: \d,? ?/g, "")).overlays;
  expect(checkEarlierVersions(others, [PARCEL], [earlier])).toEqual([]);
});

const VALUE: fc.Arbitrary<ParamValue> = fc.oneof(
  fc.bigInt(),
  fc.boolean(),
  fc.string(),
  fc.dictionary(fc.string(), fc.bigInt(), { noNullPrototype: true, maxKeys: 3 }),
);
const PART = fc
  .array(fc.tuple(fc.string(), fc.dictionary(fc.string(), VALUE, { noNullPrototype: true, maxKeys: 3 })), {
    maxLength: 3,
  })
  .map((all) => new Map(all));
const OVERLAYS = fc
  .array(fc.tuple(fc.string(), fc.record({ provider: PART, tenant: PART, holder: PART }, { noNullPrototype: true })))
  .map((all) => new Map(all));

test("what is stored reads back as the same overlays, in one text whatever the order of the files", () => {
  fc.assert(
    fc.property(OVERLAYS, (overlays) => {
      const text = writeOverlays(overlays);
      expect(readOverlays(text)).toEqual(overlays);
      expect(writeOverlays(new Map([...overlays].reverse()))).toBe(text);
    }),
    { numRuns: 100 },
  );
});

test("a change of comments or order makes no version, a change of a value does", () => {
  const text = writeOverlays(read(GOOD).overlays);
  const turned = GOOD.replace("validity: P1D, tries: 1, eager: true", "eager: true, validity: PT24H, tries: 1");
  expect(writeOverlays(read(`# a comment\n${turned}`).overlays)).toBe(text);
  expect(writeOverlays(read(replaceOnce(GOOD, "tries: 1", "tries: 2")).overlays)).not.toBe(text);
});

const PARAMETERS = join(SHIPPED_SCHEMAS, "parameters");
const schema = new Validator(JSON.parse(readFileSync(join(PARAMETERS, "parameters.schema.json"), "utf8")), "2020-12");
const isValid = (text: string): boolean => schema.validate(plain(readLocatedYaml("p", text).root as Located)).valid;

test("the schema for editors knows the shipped files, and refuses what is misspelt", () => {
  for (const name of readdirSync(PARAMETERS).filter((one) => one.endsWith(".yaml")))
    expect(isValid(textOf(join(PARAMETERS, name))), name).toBe(true);
  expect(isValid(GOOD)).toBe(true);
  for (const [what, old, by] of WRONG) {
    const isOfForm = /number below|fraction|nobody|for two|house|unknown key|kind of file/.test(what);
    expect(isValid(replaceOnce(GOOD, old, by)), what).toBe(!isOfForm);
  }
});

test("the shipped overlays fit the shipped flows", () => {
  expect([...loadDeclared(SHIPPED_SCHEMAS).overlays.keys()]).toEqual([
    "bank_debit",
    "bank_transfer",
    "bnpl",
    "card",
    "instant_push",
    "payout",
  ]);
});
