// The shipped flows and those of `whole-flows`, which have in them what no shipped flow has: for both sides of a simulation.

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseExpression } from "../../src/declared/cel.ts";
import { readTree } from "../../src/declared/texts.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { compileFlow } from "../../src/domain/flow/compile.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { parseFlow } from "../../src/domain/flow/parse.ts";
import { makeRules, type Rules } from "../../src/domain/rules.ts";
import { readFlow } from "../../src/workload/second-ledger/flows.ts";
import type { SecondRules } from "../../src/workload/second-ledger/rules.ts";
import { plainTree } from "../../src/workload/second-ledger/tree.ts";
import { RULES } from "./ledger.ts";
import { FLOW_FILES, secondRules } from "./second-audit.ts";

const FOLDER = fileURLToPath(new URL("whole-flows", import.meta.url));

export const WHOLE_FILES = [...FLOW_FILES, ...readdirSync(FOLDER).map((name) => join(FOLDER, name))];

/** A file's text, or what a test makes of it. */
export type Change = (name: string, text: string) => string;
const AS_IT_IS: Change = (_, text) => text;

const texts = WHOLE_FILES.map((file) => ({ file, text: readFileSync(file, "utf8") }));

export const WHOLE_FLOWS: readonly Flow[] = flowsOf(AS_IT_IS);

/** Parsed and not proven: a test may change a flow into one that no checker would let run. */
function flowsOf(change: Change): Flow[] {
  return texts.map(({ file, text }) => {
    const { root } = readLocatedYaml(file, change(basename(file), text));
    const flow = root === null ? null : parseFlow(root, parseExpression).flow;
    if (flow === null) throw new Error(`${file} is no flow`);
    return flow;
  });
}

export function wholeRules(change: Change = AS_IT_IS): Rules {
  const compiled = flowsOf(change).map((flow, index) => compileFlow(flow, index + 1));
  return makeRules({ ...RULES, flows: compiled, retired: [] });
}

export function wholeSecondRules(change: Change = AS_IT_IS): SecondRules {
  const flows = texts.map(({ file, text }, index) =>
    readFlow(index + 1, plainTree(readTree(file, change(basename(file), text)))),
  );
  return { ...secondRules(), flows };
}
