// What may never happen, and the invariants that look for it: the table of ARCHITECTURE.md is whole on both sides.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { INVARIANTS } from "../../src/workload/audit/findings.ts";
import { ROOT } from "../support/source.ts";

/** What the rest of the program is made to keep from happening. */
const NEVERS = [
  "two blocks with one number",
  "a gap in numbers",
  "an input in two blocks or in none",
  "a row of one lane written by another",
  "a line outside a block",
  "an outcome for a block that does not exist",
  "two messages of different content with one (lane, topic, sequence)",
  "a repeat or gap that a reader can see",
  "a second effect at a provider for one call",
  "a message between lanes taken twice or never",
  "a balance that is not the sum of its lines",
  "a holder's account below its floor, except by a posting declared `forced`",
  "a currency that does not sum to zero",
];

const text = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");
const rows = [...text.matchAll(/^\| \d+ \|(.*)\|(.*)\|(.*)\|(.*)\|$/gm)].map(
  ([, never = "", , audited = "", forced = ""]) => ({
    nevers: never.split(";").map((one) => one.trim()),
    invariants: [...audited.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name),
    tests: [...forced.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, file = ""]) => file),
  }),
);

describe("the table of what may never happen", () => {
  test("has every one", () => {
    const told = rows.flatMap(({ nevers }) => nevers);
    expect(NEVERS.filter((never) => !told.includes(never))).toEqual([]);
  });

  test("names an invariant and a test for each, and only those that there are", () => {
    for (const { nevers, invariants, tests } of rows) {
      expect([nevers, invariants.length > 0, tests.length > 0]).toEqual([nevers, true, true]);
      expect(invariants.filter((name) => !Object.hasOwn(INVARIANTS, name))).toEqual([]);
      expect(tests.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
    }
  });

  test("leaves no invariant out", () => {
    const named = new Set(rows.flatMap(({ invariants }) => invariants));
    expect(Object.keys(INVARIANTS).filter((name) => !named.has(name))).toEqual([]);
  });
});
