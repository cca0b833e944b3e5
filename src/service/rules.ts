// The rules that a process decides by: what is declared, and every flow version that a case may still live by.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Config } from "../config.ts";
import { type Declared, loadFlowText } from "../declared/load.ts";
import { compileFlow } from "../domain/flow/compile.ts";
import type { ParameterBook } from "../domain/parameters.ts";
import { makeRules, type Rules } from "../domain/rules.ts";
import type { Connection } from "../store/database.ts";
import { registerFlows } from "../store/setup.ts";
import { loadParameters } from "./parameters.ts";

export type LoadedRules = { readonly rules: Rules; readonly parameters: ParameterBook };

/** @throws DeclaredFaults | FlowVersionChanged */
export async function loadRules(
  session: Connection,
  config: Config,
  declared: Declared,
  lanes: number,
): Promise<LoadedRules> {
  const files = declared.flows.map((flow) => {
    const source = readFileSync(flow.place.file, "utf8");
    const contentHash = createHash("sha256").update(source).digest("hex");
    return { name: flow.name, version: flow.version, contentHash, source };
  });
  const versions = await registerFlows(session, files);
  // Every version that ever ran is compiled, because its cases stay on it; new cases open on the files' versions only.
  const known = versions.map((version) => {
    const current = declared.flows.find((flow) => flow.name === version.name && flow.version === version.version);
    const flow = current ?? loadFlowText(`${version.name}@${version.version}`, version.source, declared.chart);
    return { flow, isCurrent: current !== undefined, compiled: compileFlow(flow, version.number) };
  });
  const earlier = known.filter(({ isCurrent }) => !isCurrent);
  const parameters = await loadParameters(
    session,
    declared,
    earlier.map(({ flow }) => flow),
  );
  const rules = makeRules({
    chart: declared.chart,
    currencies: declared.currencies,
    lanes,
    flows: known.flatMap(({ isCurrent, compiled }) => (isCurrent ? [compiled] : [])),
    retired: earlier.map(({ compiled }) => compiled),
    caseWindowMs: config.caseWindowDays * 86_400_000,
    caseFutureMs: config.caseFutureHours * 3_600_000,
  });
  return { rules, parameters };
}
