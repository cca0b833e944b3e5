// Routes: which files are refused, where, and why; and the order of choices, which follows from the case alone, keeps to the
// weights, moves nobody else's payments, and is the same to the second ledger.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import type { Located } from "../../src/domain/located.ts";
import { printFault } from "../../src/domain/located.ts";
import { parseRoutes, readTaken } from "../../src/domain/routes/parse.ts";
import {
  nthProvider,
  type Payment,
  type Route,
  type Routes,
  readRoutes,
  writeRoutes,
} from "../../src/domain/routes/routes.ts";
import { routesOf } from "../../src/workload/second-ledger/routes.ts";
import type { Tree } from "../../src/workload/second-ledger/tree.ts";
import { DECLARED } from "../support/ledger.ts";

const CARDCO = readFileSync(new URL("../../schemas/providers/cardco.yaml", import.meta.url), "utf8");

function rootOf(text: string): Located {
  const { root, faults } = readLocatedYaml("card.yaml", text);
  expect(faults).toEqual([]);
  return root as Located;
}

function parsed(...texts: readonly string[]) {
  const { chart, currencies, flows } = DECLARED;
  const cardco = readTaken(rootOf(CARDCO));
  if (cardco === null) throw new Error("the descriptor cannot be read");
  return parseRoutes(texts.map(rootOf), { chart, currencies, flows, taken: new Map([["cardco", cardco]]) });
}

const fileOf = (routes: readonly string[], method = "card"): string => `apiVersion: routes/v1
kind: Routes
metadata: { name: card, owner: payments }
spec:
  method: ${method}
  routes:
${routes.map((route) => `    - ${route}\n`).join("")}`;

describe("a file of routes", () => {
  test("says providers by method; one that is closed is as if it were not there", () => {
    const { routes, faults } = parsed(
      fileOf([
        "{ provider: script, weight: 2 }",
        "{ provider: cardco, currencies: [EUR], min: 100, max: 500, closed: true }",
        "{ provider: cardco, currencies: [USD], min: 1 }",
      ]),
    );
    expect(faults).toEqual([]);
    expect(routes).toEqual(
      new Map([
        [
          "card",
          [
            { provider: "script", currencies: null, min: null, max: null, weight: 2n },
            { provider: "cardco", currencies: ["USD"], min: 1n, max: null, weight: 1n },
          ],
        ],
      ]),
    );
  });

  test("that is shipped is right, and without currencies a route is for all that its provider takes", () => {
    expect(DECLARED.routes.get("card")?.map(({ provider }) => provider)).toEqual(["script"]);
    const { routes } = parsed(fileOf(["{ provider: cardco }"]));
    expect(routes.get("card")?.[0]?.currencies).toContain("JPY");
    expect(routes.get("card")?.[0]?.currencies).not.toContain("BTC");
  });

  test.for<[route: string, fault: string]>([
    ["{ provider: script, wieght: 1 }", '7:27: unknown key "wieght" in a route'],
    ["{ weight: 1 }", '7:7: a route lacks "provider"'],
    ["{ provider: nobody }", '7:19: "nobody" is no provider of the chart; it has: script, cardco, instanet'],
    ["{ provider: script, weight: 0 }", "7:35: weight must be a whole number from 1 to 1000000"],
    ["{ provider: script, weight: 1.5 }", "7:35: weight must be a whole number"],
    ["{ provider: script, weight: '2' }", "7:35: weight must be a whole number"],
    ["{ provider: script, weight: -3 }", "7:35: weight must be a whole number"],
    ["{ provider: script, closed: 1 }", "7:35: closed must be true or false"],
    ["{ provider: script, currencies: [EUR, XXY] }", "7:45: XXY is no currency"],
    ["{ provider: script, currencies: [EUR, EUR] }", "7:45: EUR is there twice"],
    ["{ provider: script, currencies: [] }", "7:39: currencies are left out where"],
    ["{ provider: cardco, currencies: [BTC] }", "7:40: cardco does not take BTC; it takes: EUR"],
    ["{ provider: script, currencies: [EUR], min: 5, max: 4 }", "7:51: min 5 is above max 4"],
    ["{ provider: script, currencies: [EUR], min: -1 }", "7:51: min must be a whole number from 0"],
    ["{ provider: script, min: 5 }", "7:32: min is in minor units: say currencies"],
    ["{ provider: script, currencies: [EUR, JPY], max: 5 }", "7:56: max is in minor units: say currencies"],
  ])("is refused for %s", ([route, fault]) => {
    expect(parsed(fileOf([route])).faults.map(printFault)).toEqual([expect.stringContaining(`card.yaml:${fault}`)]);
  });

  test("is refused for a method that no flow asks for, twice for one method, and for two routes of one provider", () => {
    const said = (...texts: readonly string[]): string[] => parsed(...texts).faults.map(({ message }) => message);
    expect(said(fileOf(["{ provider: script }"], "cash"))).toEqual([
      'no flow asks for routes of method "cash"; asked for: card',
    ]);
    const one = fileOf(["{ provider: script }"]);
    expect(said(one, one)).toEqual(["method card has its routes in another file already"]);
    const twice = ["script has a route of card for such a currency already"];
    expect(said(fileOf(["{ provider: script }", "{ provider: script, currencies: [EUR] }"]))).toEqual(twice);
    const both = "{ provider: script, currencies: [EUR, USD] }";
    expect(said(fileOf([both, "{ provider: script, currencies: [USD] }"]))).toEqual(twice);
    // Opened, it would be there twice.
    expect(said(fileOf(["{ provider: script, closed: true }", "{ provider: script }"]))).toEqual(twice);
    const many = Array.from({ length: 17 }, () => "{ provider: script }");
    expect(said(fileOf(many))[0]).toBe("method card has more than 16 routes");
  });

  test("is refused for an amount that its provider cannot write, and for a method that it does not take", () => {
    const { chart, currencies, flows } = DECLARED;
    const cardco = {
      methods: ["wallet"],
      currencies: new Map([
        ["EUR", { scale: 1, step: 1 }],
        ["JPY", { scale: 0, step: 50 }],
        ["USD", { scale: 3, step: 10 }], // a digit more than ours, and no use of it
      ]),
    };
    const surroundings = { chart, currencies, flows, taken: new Map([["cardco", cardco]]) };
    const text = fileOf([
      "{ provider: cardco, currencies: [EUR], min: 105 }",
      "{ provider: cardco, currencies: [JPY], min: 100, max: 120 }",
      "{ provider: cardco, currencies: [USD], min: 105 }",
    ]);
    expect(parseRoutes([rootOf(text)], surroundings).faults.map(({ message }) => message)).toEqual([
      "cardco does not take card; it takes: wallet",
      "cardco does not take min 105 of EUR: not in its units",
      "cardco does not take card; it takes: wallet",
      "cardco does not take max 120 of JPY: not in its units",
      "cardco does not take card; it takes: wallet",
    ]);
  });
});

const uuidOf = (number: number): string => (0x1938f3a0000n * 2n ** 80n + BigInt(number)).toString(16).padStart(32, "0");

function orderOf(routes: Routes, caseUuid: string): string[] {
  const payment: Payment = { caseUuid, method: "card", currency: "EUR", minor: 100n };
  const order: string[] = [];
  for (let n = 1n; ; n++) {
    const provider = nthProvider(routes, payment, n);
    if (provider === null) return order;
    order.push(provider);
  }
}

const weighted = (weights: Readonly<Record<string, bigint>>): Routes =>
  new Map([
    [
      "card",
      Object.entries(weights).map(([provider, weight]) => ({
        provider,
        currencies: null,
        min: null,
        max: null,
        weight,
      })),
    ],
  ]);

describe("the order of choices", () => {
  test("names each provider once, and ends", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(..."abcdefgh"), { minLength: 1 }), fc.nat(), (names, number) => {
        const routes = weighted(Object.fromEntries(names.map((name, at) => [name, BigInt(at * 7 + 1)])));
        expect(orderOf(routes, uuidOf(number)).sort()).toEqual([...names].sort());
        expect(
          nthProvider(routes, { caseUuid: uuidOf(number), method: "card", currency: "EUR", minor: 1n }, 0n),
        ).toBeNull();
      }),
    );
  });

  test("keeps to the weights, for the first choice and for what is left", () => {
    const routes = weighted({ a: 3n, b: 2n, c: 1n });
    const cases = 6_000;
    const counts = new Map<string, number>();
    for (let one = 0; one < cases; one++) {
      const [first = "", second = ""] = orderOf(routes, uuidOf(one));
      for (const key of [first, `${first}${second}`]) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const share = (key: string): number => (counts.get(key) ?? 0) / cases;
    expect(share("a")).toBeCloseTo(3 / 6, 1);
    expect(share("b")).toBeCloseTo(2 / 6, 1);
    expect(Math.abs(share("a") - 3 / 6)).toBeLessThan(0.02);
    expect(Math.abs(share("ab") - (3 / 6) * (2 / 3))).toBeLessThan(0.02);
  });

  test("moves no other payment when a route is taken away, and takes the heavier always where it is far above", () => {
    const all = weighted({ a: 5n, b: 2n, c: 1n });
    const without = weighted({ a: 5n, b: 2n });
    const far = weighted({ a: 1n, b: 1_000_000n });
    for (let one = 0; one < 500; one++) {
      const order = orderOf(all, uuidOf(one));
      expect(orderOf(without, uuidOf(one))).toEqual(order.filter((name) => name !== "c"));
      expect(orderOf(far, uuidOf(one))).toEqual(["b", "a"]);
    }
  });

  test("leaves out what does not take the currency or the amount, to its last unit", () => {
    const route: Route = { provider: "a", currencies: ["EUR"], min: 100n, max: 200n, weight: 1n };
    const routes: Routes = new Map([["card", [route]]]);
    const chosen = (currency: string, minor: bigint, method = "card"): string | null =>
      nthProvider(routes, { caseUuid: uuidOf(1), method, currency, minor }, 1n);
    expect([99n, 100n, 200n, 201n].map((minor) => chosen("EUR", minor))).toEqual([null, "a", "a", null]);
    expect([chosen("USD", 150n), chosen("EUR", 150n, "cash")]).toEqual([null, null]);
  });

  test("is the same to the second ledger, which reads it as it is stored", () => {
    const route = fc.record<Route>({
      provider: fc.constantFrom("script", "cardco", "instanet", "other"),
      currencies: fc.option(fc.subarray(["EUR", "USD", "JPY"], { minLength: 1 })),
      min: fc.option(fc.bigInt({ min: 0n, max: 300n })),
      max: fc.option(fc.bigInt({ min: 0n, max: 300n })),
      weight: fc.bigInt({ min: 1n, max: 1_000_000n }),
    });
    const list = fc.uniqueArray(route, { selector: ({ provider }) => provider, maxLength: 4 });
    const uuid = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((number) => number.toString(16).padStart(32, "0"));
    fc.assert(
      fc.property(
        list,
        uuid,
        fc.constantFrom("EUR", "USD"),
        fc.bigInt({ min: 0n, max: 310n }),
        fc.bigInt({ min: 0n, max: 5n }),
        (all, caseUuid, currency, minor, n) => {
          const routes: Routes = new Map([["card", all]]);
          const second = routesOf(JSON.parse(writeRoutes(routes)) as Tree);
          const first = nthProvider(routes, { caseUuid, method: "card", currency, minor }, n);
          expect(second({ uuid: caseUuid, method: "card", currency, minor }, n)).toBe(first);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("is stored alike however the files are laid out", () => {
    const [a, b] = ["{ provider: script }", "{ provider: cardco, currencies: [USD, EUR] }"];
    const other = "{ weight: 1, currencies: [EUR, USD], provider: cardco }";
    const text = writeRoutes(parsed(fileOf([a, b])).routes);
    expect(writeRoutes(parsed(fileOf([other, a])).routes)).toBe(text);
    expect(writeRoutes(readRoutes(text))).toBe(text);
  });
});

test("the schema for editors knows the keys that the reader knows", () => {
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, "../../schemas/routes/routes.schema.json"), "utf8"));
  const { items, maxItems } = schema.properties.spec.properties.routes;
  expect(Object.keys(items.properties)).toEqual(["provider", "currencies", "min", "max", "weight", "closed"]);
  expect([maxItems, items.properties.weight.maximum]).toEqual([16, 1_000_000]);
});
