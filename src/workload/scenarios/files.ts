// The files of scenarios beside flows.

import { existsSync, readFileSync } from "node:fs";
import { scenarioFile } from "../../declared/flow-files.ts";
import { readLocatedYaml } from "../../declared/yaml.ts";
import type { Fault } from "../../domain/located.ts";
import type { ScenarioFile } from "./scenario.ts";
import { parseScenarios } from "./scenario-parse.ts";

/** @returns the files by their flow; a flow may have none */
export function readScenarioFiles(
  flowsDir: string,
  flows: readonly string[],
): { readonly files: ReadonlyMap<string, ScenarioFile>; readonly faults: readonly Fault[] } {
  const files = new Map<string, ScenarioFile>();
  const faults: Fault[] = [];
  for (const flow of flows) {
    const path = scenarioFile(flowsDir, flow);
    if (!existsSync(path)) continue;
    const located = readLocatedYaml(path, readFileSync(path, "utf8"));
    const { file, faults: found } = parseScenarios(located);
    faults.push(...found);
    if (file === null) continue;
    if (file.flow === flow) files.set(flow, file);
    else if (located.root !== null) faults.push({ place: located.root.place, message: `its flow must be ${flow}` });
  }
  return { files, faults };
}
