// millrace flows test: the scenarios beside the flows, on the core that the service runs on.

import type { Command } from "commander";
import { suggest } from "../config/suggest.ts";
import type { Flow } from "../domain/flow/flow.ts";
import { actionsOf } from "../domain/flow/walk.ts";
import { printFault } from "../domain/located.ts";
import type { FlowResult } from "../workload/scenarios/suite.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT, usageFailed } from "./exit.ts";

export function registerTest(flows: Command, context: CliContext): void {
  const verb = flows
    .command("test [NAME]")
    .description(
      "Runs the scenarios of one flow or of all (NAME.scenarios.yaml beside each) and prints how many ways out of states " +
        "they take. Exit 1 when something comes out otherwise than expected; what no scenario takes is listed.",
    )
    .action((name: string | undefined) => testFlows(context, name));
  withExamples(verb, "millrace flows test", "millrace flows test card");
}

async function testFlows(context: CliContext, name: string | undefined): Promise<void> {
  const { schemasDir, flowsDir } = await context.config();
  const { loadDeclared } = await import("../declared/load.ts");
  const { readScenarioFiles } = await import("../workload/scenarios/files.ts");
  const { runSuite } = await import("../workload/scenarios/suite.ts");
  const declared = loadDeclared(schemasDir, flowsDir);
  const names = declared.flows.map((flow) => flow.name);
  if (name !== undefined && !names.includes(name))
    throw usageFailed([`${name}: no such flow in ${flowsDir}; there are ${names.join(", ")}${suggest(name, names)}`]);
  const { files, faults } = readScenarioFiles(flowsDir, names);
  if (faults.length > 0) throw new CommandFailed(EXIT.usage, faults.map(printFault).join("\n"));
  // Of one flow its own scenarios alone: what those of others take of it is theirs to lose.
  const own = name === undefined ? files : new Map([...files].filter(([flow]) => flow === name));
  const results = runSuite(declared, own).filter(({ flow }) => name === undefined || flow === name);
  const openers = openersOf(declared.flows);
  for (const result of results) tell(context, result, openers.get(result.flow) ?? []);
  const failed = results.reduce((sum, one) => sum + one.failed, 0);
  if (failed > 0) throw new CommandFailed(EXIT.failed, `${failed} scenarios failed`);
}

/** Of each flow, what opens cases of it: an intent, or other flows. */
function openersOf(flows: readonly Flow[]): ReadonlyMap<string, readonly string[]> {
  const openers = flows.map(({ name, start }): [string, string[]] => {
    if (start.kind === "intent") return [name, [`intent.${start.type}`]];
    const opens = (flow: Flow): boolean =>
      start.kind === "message"
        ? flow.calls.some(({ to }) => to.kind === "message" && to.type === start.type)
        : actionsOf(flow).some((action) => action.kind === "spawn" && action.flow === name);
    return [name, flows.filter(opens).map((flow) => flow.name)];
  });
  return new Map(openers);
}

/** Faults as the checker writes them; then the flow's line, and the ways that nothing takes.
 *  @param openers what opens cases of the flow */
function tell({ out }: CliContext, result: FlowResult, openers: readonly string[]): void {
  const { flow, scenarios, faults, failed, ways, untaken, excused } = result;
  for (const fault of faults) out.row({ flow, fault }, printFault(fault));
  const taken = ways - untaken.length - excused;
  const missing = untaken.map(
    ({ name, place }) => `\n  not taken: ${place.file}:${place.line}:${place.column}: ${name}`,
  );
  const none =
    openers.length === 0
      ? "no scenarios, as no flow opens a case of it yet"
      : `no scenarios, though a case of it is opened by ${openers.join(", ")}`;
  const told = scenarios === 0 ? none : `${scenarios - failed} of ${scenarios} scenarios as expected`;
  const verdict = `${told}, ${taken} of ${ways} ways taken${excused === 0 ? "" : `, ${excused} that nothing can take`}`;
  out.row(
    { flow, scenarios, failed, ways, taken, excused, untaken: untaken.map(({ name }) => name) },
    `${flow}: ${verdict}${missing.join("")}`,
  );
}
