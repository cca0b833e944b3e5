// Flow files one by one, for tools that look at a flow which may still be in the making.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Flow } from "../domain/flow/flow.ts";
import { parseFlow } from "../domain/flow/parse/parse.ts";
import type { Fault } from "../domain/located.ts";
import { parseExpression } from "./cel.ts";
import { readLocatedYaml } from "./yaml.ts";

export const FLOW_FILE_ENDING = ".flow.yaml";
const SCENARIO_FILE_ENDING = ".scenarios.yaml";

/** Names of the flows of a folder, in their order. */
export function flowNames(flowsDir: string): string[] {
  const files = readdirSync(flowsDir).filter((name) => name.endsWith(FLOW_FILE_ENDING));
  return files.map((name) => name.slice(0, -FLOW_FILE_ENDING.length)).sort();
}

export function flowFile(flowsDir: string, name: string): string {
  return join(flowsDir, `${name}${FLOW_FILE_ENDING}`);
}

/** The scenarios beside a flow. */
export function scenarioFile(flowsDir: string, name: string): string {
  return join(flowsDir, `${name}${SCENARIO_FILE_ENDING}`);
}

/** The flow as its file declares it, whether or not it would pass the checker.
 *  @returns null when there is no such file; `flow` null when its form is wrong */
export function readFlowFile(
  flowsDir: string,
  name: string,
): { readonly flow: Flow | null; readonly faults: readonly Fault[] } | null {
  const file = flowFile(flowsDir, name);
  if (!existsSync(file)) return null;
  const located = readLocatedYaml(file, readFileSync(file, "utf8"));
  if (located.root === null || located.faults.length > 0) return { flow: null, faults: located.faults };
  const { flow, isWhole, faults } = parseFlow(located.root, parseExpression);
  return { flow: isWhole ? flow : null, faults };
}
