import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { Chart, parseChart } from "../../src/domain/accounts.ts";
import type { Located } from "../../src/domain/located.ts";
import { placeOf, replaceOnce, SHIPPED_SCHEMAS, textOf } from "../support/faulty.ts";

const TEXT = textOf(join(SHIPPED_SCHEMAS, "accounts", "chart.yaml"));
const { chart, faults } = parse(TEXT);

function parse(text: string): ReturnType<typeof parseChart> {
  const file = readLocatedYaml("chart.yaml", text);
  expect(file.faults).toEqual([]);
  return parseChart(file.root as Located);
}

const HOLDER_ID = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/).filter((id) => id !== "house");

// Numbers are part of account ids in the database. This list may grow at its end; a line of it never changes.
const NUMBERS = [
  "1 asset:bank:main",
  "2 clearing:payment",
  "3 clearing:refund",
  "4 clearing:dispute",
  "5 clearing:return",
  "6 clearing:payout",
  "7 clearing:unapplied",
  "8 clearing:fx_settlement",
  "9 clearing:network_fee",
  "10 clearing:transit",
  "11 suspense:unidentified_receipt",
  "12 suspense:recon:bank",
  "13 fx:position",
  "14 revenue:processing_fee",
  "15 revenue:fx_spread",
  "16 revenue:payout_fee",
  "17 revenue:dispute_fee",
  "18 expense:dispute",
  "19 expense:chargeback_loss",
  "20 expense:bad_debt",
  "21 expense:network_fee",
  "22 pnl:fx_realised",
  "23 pnl:rounding",
  "24 pnl:recon_writeoff",
  "25 equity:capital",
  "26 equity:retained",
  "283 asset:provider_receivable:script",
  "539 asset:provider_receivable:cardco",
  "795 asset:provider_receivable:instanet",
  "284 asset:provider_reserve:script",
  "540 asset:provider_reserve:cardco",
  "796 asset:provider_reserve:instanet",
  "285 clearing:provider_settlement:script",
  "541 clearing:provider_settlement:cardco",
  "797 clearing:provider_settlement:instanet",
  "286 memo:auth_exposure:script",
  "542 memo:auth_exposure:cardco",
  "798 memo:auth_exposure:instanet",
  "287 memo:auth_contra:script",
  "543 memo:auth_contra:cardco",
  "799 memo:auth_contra:instanet",
  "288 expense:provider_fee:script",
  "544 expense:provider_fee:cardco",
  "800 expense:provider_fee:instanet",
  "289 suspense:recon:script",
  "545 suspense:recon:cardco",
  "801 suspense:recon:instanet",
  "290 asset:crypto_custody:script",
  "546 asset:crypto_custody:cardco",
  "802 asset:crypto_custody:instanet",
];

describe("the shipped chart", () => {
  // What is set aside, and what is not certain yet, is the flows'. `pending` is open because no flow moves it to `available`.
  test("has these accounts of a holder that intents may name, and so a transfer may take from", () => {
    const open = chart.templates.filter(({ openTo }) => openTo === "intents").map(({ path }) => path);
    expect(open).toEqual([
      "liability:customer:{holder}:available",
      "liability:customer:{holder}:unapplied",
      "liability:merchant:{holder}:pending",
      "liability:merchant:{holder}:available",
    ]);
  });

  test("has no fault, and house accounts keep the numbers that they were given", () => {
    expect(faults).toEqual([]);
    expect(chart.house.map(({ number, path }) => `${number} ${path}`)).toEqual(NUMBERS);
    expect(new Set(chart.house.map(({ number }) => number)).size).toBe(chart.house.length);
  });

  test("gives each class the side on which it grows", () => {
    const sides = { asset: "debit", expense: "debit" } as Record<string, string>;
    // A memo has two sides of its own.
    const grown = [...chart.house, ...chart.templates].filter((account) => account.class !== "memo");
    for (const account of grown) {
      expect(account.side, account.path).toBe(sides[account.class] ?? "credit");
    }
  });

  test("lets no holder's account go below zero unless it is opened so", () => {
    for (const template of chart.templates) expect(template.floorMinor, template.path).toBe(0n);
  });
});

describe("resolving a path", () => {
  test("finds every house account by its path, always as the same object", () => {
    for (const account of chart.house) expect(chart.resolve(account.path)).toBe(account);
  });

  test("finds an account at a provider under each provider's name, and under no other", () => {
    const text = replaceOnce(TEXT, "\nhouse:", '\n  - { number: 200, name: other, meaning: "one more" }\n\nhouse:');
    const two = parse(text).chart;
    expect(two.resolve("memo:auth_exposure:other")).toMatchObject({ kind: "house", number: 200 * 256 + 30 });
    expect(two.resolve("memo:auth_exposure:script")).toMatchObject({ kind: "house", number: 256 + 30 });
    expect(two.resolve("memo:auth_exposure:{provider}")).toBeNull();
    expect(two.resolve("memo:auth_exposure:third")).toBeNull();
  });

  test("finds every account of every holder, and says whose it is", () => {
    fc.assert(
      fc.property(HOLDER_ID, fc.constantFrom(...chart.templates), (holderId, template) => {
        const path = template.path.replace("{holder}", () => holderId);
        const account = chart.resolve(path);
        const { class: accountClass, side, openTo } = template;
        expect(account).toEqual({ kind: "holder", path, holderId, class: accountClass, side, floorMinor: 0n, openTo });
        expect(chart.resolve(path)).toEqual(account);
      }),
    );
  });

  test.each([
    "",
    "asset:bank",
    "asset:bank:other",
    "asset:bank:main:",
    "ASSET:BANK:MAIN",
    "liability:customer:cust_1",
    "liability:customer:cust_1:",
    "liability:customer:cust_1:spent",
    "liability:customer::available",
    "liability:customer:house:available",
    "liability:customer:{holder}:available",
    "liability:customer:cust 1:available",
    "liability:customer:cust_1:available:more",
    "liability:merchant:mer_1:unapplied",
    `liability:customer:${"a".repeat(65)}:available`,
    "liability:customer:cust_1:available\n",
    "constructor",
    "__proto__",
  ])("finds nothing at %j", (path) => {
    expect(chart.resolve(path)).toBeNull();
  });

  test("finds the same account again, whatever was asked for in between", () => {
    const small = new Chart(chart.house, chart.templates);
    for (let round = 0; round < 2; round++) {
      for (let holder = 0; holder < 120_000; holder++) {
        const account = small.resolve(`liability:customer:c${holder}:hold`);
        if (account?.kind !== "holder" || account.holderId !== `c${holder}`)
          expect.fail(`wrong account for c${holder}`);
      }
    }
  });
});

const WRONG: readonly (readonly [what: string, old: string, by: string, marker: string, says: RegExp])[] = [
  ["a number twice", "number: 2, path", "number: 1, path", '{ number: 1, path: "clearing', /number 1 is given twice/],
  [
    "a path twice",
    '"clearing:refund"',
    '"clearing:payment"',
    "{ number: 3, path",
    /clearing:payment is declared twice/,
  ],
  ["a number of zero", "number: 2, path", "number: 0, path", "0, path", /whole number from 1/],
  ["a class that is none", "class: asset", "class: assets", "assets", /class must be one of asset/],
  ["a side that is none", "side: debit", "side: left", "left", /side must be one of debit, credit/],
  [
    "a house path with a place-holder",
    '"asset:bank:main"',
    '"asset:bank:{bank}"',
    '"asset:bank:{bank}"',
    /words joined by colons/,
  ],
  [
    "a holder's path without a holder",
    ":{holder}:hold",
    ":hold",
    '"liability:customer:hold"',
    /with \{holder\} between/,
  ],
  ["a floor that is a number", 'floorMinor: "0"', "floorMinor: 0", "0, meaning", /floorMinor must be text/],
  ["a floor that is a fraction", 'floorMinor: "0"', 'floorMinor: "0.5"', '"0.5"', /digits of minor units/],
  [
    "a template twice",
    ":{holder}:hold",
    ":{holder}:available",
    '{ path: "liability:customer:{holder}:available", class',
    /declared twice/,
  ],
  [
    "a provider's number that is none",
    "number: 1, name",
    "number: 256, name",
    "256, name",
    /whole number from 1 to 255/,
  ],
  [
    "a provider's name that no path bears",
    "name: script",
    'name: "Script 1"',
    '"Script 1"',
    /name must be small letters/,
  ],
  ["an unknown key", "number: 2, path", "number: 2, floor: 0, path", "floor: 0", /unknown key "floor"/],
];

describe("refuses a chart, at the place where it is wrong:", () => {
  test.each(WRONG)("%s", (what, old, by, marker, says) => {
    const text = replaceOnce(TEXT, old, by);
    const place = placeOf(text, marker, what === "a template twice" ? 2 : 1);
    const found = parse(text).faults.map((fault) => `${fault.place.line}:${fault.place.column} ${fault.message}`);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(says);
    expect(found[0]?.split(" ")[0]).toBe(place);
  });
});
