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
import { replaceOnce, SHIPPED_SCHEMAS } from "../support/faulty.ts";
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

test("no shipped flow lists a way that nothing can take", () => {
  expect([...files].filter(([, { untaken }]) => untaken.length > 0).map(([name]) => name)).toEqual([]);
});

test("tells a fault once, however many scenarios go on from where it stands", () => {
  const file = join(FLOWS, "card.scenarios.yaml");
  const text = replaceOnce(readFileSync(file, "utf8"), "state: authorizing", "state: authorized");
  const { file: wrong } = parseScenarios(readLocatedYaml(file, text));
  const [broken] = runSuite(DECLARED, new Map([["card", wrong as ScenarioFile]])).filter(({ flow }) => flow === "card");
  const [fault, ...others] = (broken?.faults ?? []).filter(({ message }) => !message.includes("needs no reason"));
  expect(others).toEqual([]);
  expect(fault?.message).toMatch(/^a payment is asked for: step 1: the case is authorizing, expected authorized \(/);
  const [, more = ""] = /\((\d+) more go on from there and were not run\)$/.exec(fault?.message ?? "") ?? [];
  expect(Number(more)).toBeGreaterThan(10);
  expect(broken?.failed).toBe(Number(more) + 1);
});
