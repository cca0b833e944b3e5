// Flows that are wrong, kept: each is refused for its own reason, at its own place, and for no other.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { loadSurroundings } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { readFlow } from "../../src/domain/flow/check/check.ts";
import { PROPERTIES } from "../../src/domain/flow/proof.ts";
import { placeOf, replaceOnce, SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { CALLS } from "./flows/wrong/calls.ts";
import { MONEY } from "./flows/wrong/money.ts";
import { NAMES } from "./flows/wrong/names.ts";
import { STATES } from "./flows/wrong/states.ts";
import { BASES, type Wrong } from "./flows/wrong/wrong.ts";

const surroundings = loadSurroundings(join(SHIPPED_SCHEMAS));
const ALL: readonly Wrong[] = [...NAMES, ...STATES, ...MONEY, ...CALLS];

/** What flows break together has its tests in flow-check.test.ts. */
const ONE_FLOW = Object.keys(PROPERTIES).filter((property) => property !== "together");

function faultsOf(text: string): string[] {
  const { faults } = readFlow(readLocatedYaml("f", text), surroundings, parseExpression);
  return faults.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
}

test("keeps two of each property that one flow can break, and the eight that were seeded first", () => {
  const few = ONE_FLOW.filter((property) => ALL.filter((one) => one.property === property).length < 2);
  expect(few).toEqual([]);
  expect(ALL.length).toBeGreaterThanOrEqual(40);
  expect(ALL.filter(({ isSeeded }) => isSeeded === true)).toHaveLength(8);
});

describe.each(ONE_FLOW)("%s", (property) => {
  const own = ALL.filter((one) => one.property === property);
  test.each(own.map((one) => [one.what, one] as const))("refuses %s", (_what, wrong) => {
    const text = wrong.change.reduce((changed, [old, by]) => replaceOnce(changed, old, by), BASES[wrong.base]);
    const faults = faultsOf(text);
    const all = faults.join("\n");
    const at = `${placeOf(text, wrong.at)} ${property}: `;
    const found = faults.filter((fault) => fault.startsWith(at) && wrong.says.test(fault));
    expect(found, `expected ${at}\n${all}`).toHaveLength(1);
    const broken = new Set(faults.map((fault) => /^\d+:\d+ (\w+): /.exec(fault)?.[1]));
    expect([...broken].sort(), `\n${all}`).toEqual([property, ...(wrong.also ?? [])].sort());
    if (wrong.path !== undefined) expect(found[0]).toContain(`[${wrong.path}]`);
  });
});
