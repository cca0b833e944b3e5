// Flow files, files of parameters and of routes that are not declared yet, checked as if they were: beside everything else that is
// declared, each in the place of the declared file of its name.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Fault } from "../domain/located.ts";
import { FLOW_FILE_ENDING } from "./flow-files.ts";
import {
  checkPromises,
  keptProofs,
  loadFlowFiles,
  loadParameterFiles,
  loadPromised,
  loadRouteFiles,
  loadSurroundings,
  parametersDir,
  routesDir,
} from "./load.ts";

const YAML_ENDING = ".yaml";

/** @param files `*.flow.yaml`; any other that says `kind: Routes` as routes, and what is left as parameters
 *  @returns what is wrong in these files
 *  @throws DeclaredFaults when the chart of accounts or another thing that flows are held against is wrong itself */
export function checkFiles(schemasDir: string, flowsDir: string, files: readonly string[]): readonly Fault[] {
  const given = new Set(files.map((file) => resolve(file)));
  const isFlow = (file: string): boolean => file.endsWith(FLOW_FILE_ENDING);
  const flowFiles = beside(flowsDir, FLOW_FILE_ENDING, files.filter(isFlow));
  const surroundings = loadSurroundings(schemasDir);
  const { flows, faults } = loadFlowFiles(flowFiles, surroundings, keptProofs(schemasDir, flowsDir));
  const others = files.filter((file) => !isFlow(file));
  const parameters = others.filter((file) => !saysRoutes(file));
  const parameterFiles = beside(parametersDir(schemasDir, flowsDir), YAML_ENDING, parameters);
  const routeFiles = beside(routesDir(schemasDir, flowsDir), YAML_ENDING, others.filter(saysRoutes));
  // An overlay of a flow that has a fault would be called a stranger's.
  const areAllThere = flows.length === flowFiles.length;
  if (!areAllThere) return faults.filter(({ place }) => given.has(resolve(place.file)));
  const { overlays, faults: laid } = loadParameterFiles(parameterFiles, flows);
  const { routes, faults: routed } = loadRouteFiles(routeFiles, schemasDir, { ...surroundings, flows });
  const here = [...faults, ...laid, ...routed].filter(({ place }) => given.has(resolve(place.file)));
  // A fault of these stands at the flow, whichever file has changed: what is declared without them has none.
  return here.length > 0 ? here : checkPromises({ flows, overlays, routes }, loadPromised(schemasDir));
}

function saysRoutes(file: string): boolean {
  return /^kind: *Routes *$/m.test(readFileSync(file, "utf8"));
}

/** The declared files of a folder, but for those that are given in another version, and behind them the given ones. */
function beside(dir: string, ending: string, given: readonly string[]): string[] {
  const names = new Set(given.map((file) => basename(file)));
  const declared = existsSync(dir) ? readdirSync(dir).filter((name) => name.endsWith(ending)) : [];
  return [
    ...declared
      .filter((name) => !names.has(name))
      .sort()
      .map((name) => join(dir, name)),
    ...given,
  ];
}
