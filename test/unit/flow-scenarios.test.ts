// The scenarios of the shipped flows come out as they say, and leave no way of any flow untaken.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { printFault } from "../../src/domain/located.ts";
import { readScenarioFiles } from "../../src/workload/scenarios/files.ts";
import type { ScenarioFile } from "../../src/workload/scenarios/scenario.ts";
import { parseScenarios } from "../../src/workload/scenarios/scenario-parse.ts";
import { runSuite } from "../../src/workload/scenarios/suite.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { DECLARED } from "../support/ledger.ts";
import { ROOT } from "../support/source.ts";

const FLOWS = join(SHIPPED_SCHEMAS, "flows");
const names = DECLARED.flows.map(({ name }) => name);
const { files, faults } = readScenarioFiles(FLOWS, names);
const results = runSuite(DECLARED, files);

test("the example of docs/flow-language.md comes out as it says", () => {
  const page = readFileSync(join(ROOT, "docs", "flow-language.md"), "utf8");
  const [, example = ""] = /## Scenarios[\s\S]*?```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const { file, faults: wrong } = parseScenarios(readLocatedYaml("flow-language.md", example));
  expect(wrong).toEqual([]);
  const [result] = runSuite(DECLARED, new Map([["card", file as ScenarioFile]])).filter(({ flow }) => flow === "card");
  expect(result).toMatchObject({ scenarios: 2, faults: [] });
});

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
