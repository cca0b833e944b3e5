// The shipped flows and those of `whole-flows`, which have in them what no shipped flow has: for both sides of a simulation.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadFlowFiles } from "../../src/declared/load.ts";
import { readTree } from "../../src/declared/texts.ts";
import { compileFlow } from "../../src/domain/flow/compile.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { makeRules, type Rules } from "../../src/domain/rules.ts";
import { readFlow } from "../../src/workload/second-ledger/flows.ts";
import type { SecondRules } from "../../src/workload/second-ledger/rules.ts";
import { plainTree } from "../../src/workload/second-ledger/tree.ts";
import { DECLARED, RULES } from "./ledger.ts";
import { FLOW_FILES, secondRules } from "./second-audit.ts";

const FOLDER = fileURLToPath(new URL("whole-flows", import.meta.url));

export const WHOLE_FILES = [...FLOW_FILES, ...readdirSync(FOLDER).map((name) => join(FOLDER, name))];

const loaded = loadFlowFiles(WHOLE_FILES, DECLARED.chart);
if (loaded.faults.length > 0) throw new Error(loaded.faults.map(({ message }) => message).join("\n"));

export const WHOLE_FLOWS: readonly Flow[] = loaded.flows;

export function wholeRules(flows: readonly Flow[] = WHOLE_FLOWS): Rules {
  const compiled = flows.map((flow, index) => compileFlow(flow, index + 1));
  return makeRules({ ...RULES, flows: compiled, retired: [] });
}

export function wholeSecondRules(): SecondRules {
  const flows = WHOLE_FILES.map((file, index) =>
    readFlow(index + 1, plainTree(readTree(file, readFileSync(file, "utf8")))),
  );
  return { ...secondRules(), flows };
}
