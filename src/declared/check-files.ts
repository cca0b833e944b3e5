// Flow files and files of parameters that are not declared yet, checked as if they were: beside everything else that is
// declared, each in the place of the declared file of its name.

import { existsSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Fault } from "../domain/located.ts";
import { FLOW_FILE_ENDING } from "./flow-files.ts";
import { loadFlowFiles, loadParameterFiles, loadSurroundings, parametersDir } from "./load.ts";

const PARAMETERS_ENDING = ".yaml";

/** @param files `*.flow.yaml`, and any other `*.yaml` as parameters
 *  @returns what is wrong in these files
 *  @throws DeclaredFaults when the chart of accounts or another thing that flows are held against is wrong itself */
export function checkFiles(schemasDir: string, flowsDir: string, files: readonly string[]): readonly Fault[] {
  const given = new Set(files.map((file) => resolve(file)));
  const isFlow = (file: string): boolean => file.endsWith(FLOW_FILE_ENDING);
  const flowFiles = beside(flowsDir, FLOW_FILE_ENDING, files.filter(isFlow));
  const { flows, faults } = loadFlowFiles(flowFiles, loadSurroundings(schemasDir));
  const parameterFiles = beside(
    parametersDir(schemasDir, flowsDir),
    PARAMETERS_ENDING,
    files.filter((file) => !isFlow(file)),
  );
  // An overlay of a flow that has a fault would be called a stranger's.
  const areAllThere = flows.length === flowFiles.length;
  const laid = areAllThere ? loadParameterFiles(parameterFiles, flows).faults : [];
  return [...faults, ...laid].filter(({ place }) => given.has(resolve(place.file)));
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
