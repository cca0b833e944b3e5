// A candidate: the file of a new version of a flow, as `flows backtest` and `flows promote` read it.

import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { suggest } from "../config/suggest.ts";
import { checkFiles } from "../declared/check-files.ts";
import { FLOW_FILE_ENDING } from "../declared/flow-files.ts";
import { type Declared, loadFlowText } from "../declared/load.ts";
import type { Flow } from "../domain/flow/flow.ts";
import { printFault } from "../domain/located.ts";
import { contentHash } from "../workload/backtest/report.ts";
import { usageFailed } from "./exit.ts";
import { noFile } from "./usage.ts";

export type Candidate = {
  readonly flow: Flow;
  readonly file: string;
  readonly source: string;
  readonly contentHash: string;
  /** of the flow that is declared under its name; null when none is */
  readonly declared: { readonly version: string; readonly contentHash: string } | null;
};

/** @param names of flows that are declared or registered
 *  @throws CommandFailed 2 when there is no such file, or it is of no flow that is known | DeclaredFaults */
export function readCandidate(
  file: string,
  { workingDir, declared, names }: { workingDir: string; declared: Declared; names: readonly string[] },
): Candidate {
  const path = resolve(workingDir, file);
  const why = noFile(path);
  if (why !== null) throw usageFailed([`${path}: ${why}`]);
  if (!path.endsWith(FLOW_FILE_ENDING)) throw usageFailed([`${path}: expected a file called NAME${FLOW_FILE_ENDING}`]);
  const source = readFileSync(path, "utf8");
  const flow = loadFlowText(path, source, declared.chart);
  const known = [...new Set(names)].sort();
  if (!known.includes(flow.name)) {
    throw usageFailed([
      `${path}: ${flow.name} is no flow that is declared or registered; there are ${known.join(", ")}${suggest(flow.name, known)}`,
    ]);
  }
  if (basename(path) !== `${flow.name}${FLOW_FILE_ENDING}`)
    throw usageFailed([`${path}: expected the file of flow ${flow.name} to be called ${flow.name}${FLOW_FILE_ENDING}`]);
  const today = declared.flows.find(({ name }) => name === flow.name);
  return {
    flow,
    file: path,
    source,
    contentHash: contentHash(source),
    declared:
      today === undefined
        ? null
        : { version: today.version, contentHash: contentHash(readFileSync(today.place.file, "utf8")) },
  };
}

/** What the checker says of it in the place of the declared file, a line a fault. */
export function unsound({ file }: Candidate, schemasDir: string, flowsDir: string): readonly string[] {
  return checkFiles(schemasDir, flowsDir, [file]).map(printFault);
}
