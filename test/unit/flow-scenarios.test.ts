// The scenarios of the shipped flows come out as they say, and leave no way of any flow untaken.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { printFault } from "../../src/domain/located.ts";
import { readScenarioFiles } from "../../src/workload/scenarios/files.ts";
import { runSuite } from "../../src/workload/scenarios/suite.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { DECLARED } from "../support/ledger.ts";

const FLOWS = join(SHIPPED_SCHEMAS, "flows");
const names = DECLARED.flows.map(({ name }) => name);
const { files, faults } = readScenarioFiles(FLOWS, names);
const results = runSuite(DECLARED, files);

test("every file of scenarios can be read", () => {
  expect(faults.map(printFault)).toEqual([]);
});

describe.each(results)("$flow", ({ faults: found, untaken }) => {
  test("does what its scenarios say", () => {
    expect(found.map(printFault).join("\n")).toBe("");
  });

  test("has no way that no scenario takes", () => {
    expect(untaken.map(({ name }) => name)).toEqual([]);
  });
});
