// Flows for tests of the runtime: parsed and compiled without being proven, so that a test may run what the checker would
// refuse, and the checker may learn more without a test of the runtime changing.

import { parseExpression } from "../../src/declared/cel.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { type CompiledFlow, compileFlow } from "../../src/domain/flow/compile/compile.ts";
import type { Flow } from "../../src/domain/flow/flow.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import { makeRules, type Rules } from "../../src/domain/rules.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { FLOWS, producing, RULES } from "./ledger.ts";

export function uncheckedFlow(text: string): Flow {
  const file = readLocatedYaml("test", text);
  if (file.root === null) throw new Error(JSON.stringify(file.faults));
  const { flow, faults } = parseFlow(file.root, parseExpression);
  if (flow === null || faults.length > 0) throw new Error(JSON.stringify(faults, null, 2));
  return flow;
}

/** The rules of the shipped flows and of these. */
export function rulesWith(...texts: readonly string[]): Rules {
  const own = texts.map((text, index): CompiledFlow => compileFlow(uncheckedFlow(text), FLOWS.length + 1 + index));
  return makeRules({ ...RULES, flows: [...FLOWS, ...own], retired: [] });
}

/** An intent of any type, with nothing but what is given beside holder and ids. */
export function intent(holderId: string, type: string, more: Partial<NewIntent> = {}): NewIntent {
  return producing.payIn(holderId, 0, { type, from: null, to: null, amount: null, ...more });
}

export const euros = (minor: number | bigint) => ({ currency: "EUR", scale: 2, minor: String(minor) });
