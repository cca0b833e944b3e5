// The shipped flows and those of `whole-flows`, which have in them what no shipped flow has: for both sides of a simulation.

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseExpression } from "../../src/declared/cel.ts";
import { readTree } from "../../src/declared/texts.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { type CompiledFlow, compileFlow } from "../../src/domain/flow/compile/compile.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import { makeRules, type Rules } from "../../src/domain/rules.ts";
import { readFlow, type SecondFlow } from "../../src/workload/second-ledger/flows.ts";
import type { SecondRules } from "../../src/workload/second-ledger/rules.ts";
import { plainTree } from "../../src/workload/second-ledger/tree.ts";
import { RULES } from "./ledger.ts";
import { FLOW_FILES, SECOND_RULES } from "./second-audit.ts";

const FOLDER = fileURLToPath(new URL("whole-flows", import.meta.url));

export const WHOLE_FILES = [...FLOW_FILES, ...readdirSync(FOLDER).map((name) => join(FOLDER, name))];

/** A file's text, or what a test makes of it. */
export type Change = (name: string, text: string) => string;
const AS_IT_IS: Change = (_, text) => text;

const texts = WHOLE_FILES.map((file) => ({ file, text: readFileSync(file, "utf8") }));

export const WHOLE_FLOWS: readonly Flow[] = texts.map(({ file, text }) => flowOf(file, text));
const COMPILED = WHOLE_FLOWS.map((flow, index) => compileFlow(flow, index + 1));

/** Parsed and not proven: a test may change a flow into one that no checker would let run. */
function flowOf(file: string, text: string): Flow {
  const { root } = readLocatedYaml(file, text);
  const flow = root === null ? null : parseFlow(root, parseExpression).flow;
  if (flow === null) throw new Error(`${file} is no flow`);
  return flow;
}

export function wholeFlows(change: Change): readonly Flow[] {
  return texts.map(({ file, text }) => flowOf(file, change(basename(file), text)));
}

/** Only what is changed is read anew: most tests change one flow of many. */
export function wholeRules(change: Change = AS_IT_IS): Rules {
  const flows = texts.map(({ file, text }, index) => {
    const changed = change(basename(file), text);
    if (changed === text) return COMPILED[index] as CompiledFlow;
    return compileFlow(flowOf(file, changed), index + 1);
  });
  return makeRules({ ...RULES, flows, retired: [] });
}

const READ = texts.map(({ file, text }, index) => readFlow(index + 1, plainTree(readTree(file, text))));

export function wholeSecondRules(change: Change = AS_IT_IS): SecondRules {
  const flows = texts.map(({ file, text }, index) => {
    const changed = change(basename(file), text);
    if (changed === text) return READ[index] as SecondFlow;
    return readFlow(index + 1, plainTree(readTree(file, changed)));
  });
  return { ...SECOND_RULES, flows };
}
