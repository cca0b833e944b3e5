// All scenarios of flows: read, run, counted.

import type { Chart } from "../../domain/accounts.ts";
import type { Currencies } from "../../domain/currencies.ts";
import { compileFlow } from "../../domain/flow/compile/compile.ts";
import type { Flow } from "../../domain/flow/flow.ts";
import { type Fault, printFault } from "../../domain/located.ts";
import { makeRules } from "../../domain/rules.ts";
import { type Way, watched, waysOf } from "./coverage.ts";
import { runScenario, type ScenarioWorld } from "./run.ts";
import type { ScenarioFile } from "./scenario.ts";

export type SuiteGiven = { readonly flows: readonly Flow[]; readonly chart: Chart; readonly currencies: Currencies };

export type FlowResult = {
  readonly flow: string;
  readonly scenarios: number;
  /** of failed scenarios, each once however many go on from where it stands */
  readonly faults: readonly Fault[];
  readonly failed: number;
  readonly ways: number;
  /** alternatives that no scenario of any flow takes, those left out that its file says nothing can take */
  readonly untaken: readonly Way[];
  /** how many those are */
  readonly excused: number;
};

const DAY_MS = 86_400_000;

/** @param files by flow; a flow without scenarios counts with none of its ways taken */
export function runSuite(given: SuiteGiven, files: ReadonlyMap<string, ScenarioFile>): FlowResult[] {
  const taken = new Set<string>();
  const world = worldOf(given, taken);
  const ran = given.flows.map((flow) => {
    const scenarios = files.get(flow.name)?.scenarios ?? [];
    const faults = scenarios.map((scenario) => runScenario(world, flow, scenario, scenarios));
    return { flow, scenarios: scenarios.length, faults };
  });
  return ran.map(({ flow, scenarios, faults }) => {
    const ways = waysOf(flow);
    const { excuses, wrong } = excusesOf(flow, ways, taken, files.get(flow.name));
    return {
      flow: flow.name,
      scenarios,
      faults: [...once(faults), ...wrong],
      failed: faults.filter((one) => one.length > 0).length + wrong.length,
      ways: ways.length,
      untaken: ways.filter(({ name }) => !taken.has(name) && !excuses.has(name)),
      excused: excuses.size,
    };
  });
}

/** Each fault with how many scenarios beside its own it keeps from being run. */
function once(ofScenarios: readonly (readonly Fault[])[]): Fault[] {
  const found = new Map<string, { readonly fault: Fault; times: number }>();
  for (const faults of ofScenarios) {
    for (const [text, fault] of new Map(faults.map((one) => [printFault(one), one]))) {
      const known = found.get(text);
      if (known === undefined) found.set(text, { fault, times: 1 });
      else known.times += 1;
    }
  }
  return [...found.values()].map(({ fault: { place, message }, times }) => {
    return {
      place,
      message: times === 1 ? message : `${message} (${times - 1} more go on from there and were not run)`,
    };
  });
}

/** An excuse for a way that is taken, or that there is not, is wrong. */
function excusesOf(
  { name: flow }: Flow,
  ways: readonly Way[],
  taken: ReadonlySet<string>,
  file: ScenarioFile | undefined,
): { readonly excuses: ReadonlySet<string>; readonly wrong: readonly Fault[] } {
  const excuses = new Set<string>();
  const wrong: Fault[] = [];
  for (const { place, text } of file?.untaken ?? []) {
    const name = `${flow} ${text}`;
    if (taken.has(name)) wrong.push({ place, message: `"${text}" is taken, so it needs no reason` });
    else if (!ways.some((way) => way.name === name)) wrong.push({ place, message: `the flow has no way "${text}"` });
    else excuses.add(name);
  }
  return { excuses, wrong };
}

function worldOf({ flows, chart, currencies }: SuiteGiven, taken: Set<string>): ScenarioWorld {
  const compiled = flows.map((flow, index) => watched(compileFlow(flow, index + 1), (way) => taken.add(way)));
  const rules = makeRules({
    chart,
    currencies,
    lanes: 1,
    flows: compiled,
    retired: [],
    caseWindowMs: 400 * DAY_MS,
    caseFutureMs: DAY_MS,
  });
  return { rules, flows };
}
