// The rules that a process decides by: what is declared, and every flow version that a case may still live by.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { type Declared, loadKept } from "../declared/load.ts";
import { assert } from "../domain/assert.ts";
import { type CompiledFlow, compileFlow } from "../domain/flow/compile/compile.ts";
import type { Flow } from "../domain/flow/flow.ts";
import type { ParameterBook } from "../domain/parameters/parameters.ts";
import { makeRules, type Rules } from "../domain/rules.ts";
import type { Connection } from "../store/database.ts";
import { readFlowVersions, registerFlows } from "../store/setup.ts";
import { loadParameters } from "./parameters.ts";

export type LoadedRules = { readonly rules: Rules; readonly parameters: ParameterBook };

/** @throws DeclaredFaults when what is declared does not fit a version that cases still live by | FlowVersionChanged */
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
  // Before anything is registered: a release that is refused leaves nothing behind that later ones would have to fit.
  const kept = loadKept(declared, await readFlowVersions(session));
  const versions = await registerFlows(session, files);
  // Every version that ever ran is compiled, because its cases stay on it; new cases open on the files' versions only.
  const compile = (flow: Flow): CompiledFlow => {
    const known = versions.find(({ name, version }) => name === flow.name && version === flow.version);
    assert(known !== undefined, `${flow.name}@${flow.version} is registered`);
    return compileFlow(flow, known.number);
  };
  const parameters = await loadParameters(session, declared, config);
  const rules = makeRules({
    chart: declared.chart,
    currencies: declared.currencies,
    lanes,
    flows: declared.flows.map(compile),
    retired: kept.map(compile),
    caseWindowMs: config.caseWindowDays * 86_400_000,
    caseFutureMs: config.caseFutureHours * 3_600_000,
  });
  return { rules, parameters };
}
