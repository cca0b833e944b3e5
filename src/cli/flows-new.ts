// millrace flows new: a flow to begin with, from one that is there.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { suggest } from "../config/suggest.ts";
import { type Fault, printFault } from "../domain/located.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT, usageFailed } from "./exit.ts";
import { usageCheck } from "./usage.ts";

type Options = { readonly like: string };

const NAME = /^[a-z][a-z0-9_]{1,31}$/;

export function registerNew(flows: Command, context: CliContext): void {
  const verb = flows
    .command("new <NAME>")
    .description(
      "Copies a flow and its scenarios under another name, with what two flows may not share renamed: the kind of its ids, " +
        "what opens a case of it, and outcomes that bear its name. It lies beside the flow in `flowsDir`, where `run` takes it " +
        "up, and passes the checker; nothing is overwritten.",
    )
    .requiredOption("--like <NAME>", "the flow to copy")
    .action((name: string, options: Options) => newFlow(context, name, options));
  withExamples(verb, "millrace flows new wallet --like card");
}

async function newFlow(context: CliContext, name: string, { like }: Options): Promise<void> {
  const usage = usageCheck();
  if (!NAME.test(name)) usage.fault(`NAME: found "${name}", expected 2 to 32 of a-z 0-9 _, a letter first`);
  const { schemasDir, flowsDir } = await context.config([], usage);
  const { flowFile, flowNames, readFlowFile, scenarioFile } = await import("../declared/flow-files.ts");
  const { copyFlow, copyScenarios } = await import("../declared/flow-copy.ts");
  const names = flowNames(flowsDir);
  if (!names.includes(like))
    throw usageFailed([
      `--like: no flow "${like}" in ${flowsDir}; there are ${names.join(", ")}${suggest(like, names)}`,
    ]);
  const [file, scenarios] = [flowFile(flowsDir, name), scenarioFile(flowsDir, name)];
  for (const one of [file, scenarios]) {
    if (existsSync(one)) throw new CommandFailed(EXIT.failed, `${one} is there already; nothing was written`);
  }
  const caseKinds = names.flatMap((one) => readFlowFile(flowsDir, one)?.flow?.caseKind ?? []);
  const source = flowFile(flowsDir, like);
  const { text, renamed } = copyFlow({ file: source, text: readFileSync(source, "utf8"), name, caseKinds });
  const written = [{ file, text }];
  const beside = scenarioFile(flowsDir, like);
  if (existsSync(beside)) {
    written.push({ file: scenarios, text: copyScenarios(beside, readFileSync(beside, "utf8"), renamed) });
  }
  for (const one of written) writeFileSync(one.file, one.text, { flag: "wx" });
  const faults = await faultsOf(schemasDir, flowsDir, file);
  if (faults.length > 0) {
    for (const one of written) rmSync(one.file);
    const why = "the copy would not pass the checker, so it was taken away again:";
    throw new CommandFailed(EXIT.failed, [why, ...faults.map(printFault)].join("\n"));
  }
  for (const one of written) context.out.row({ file: one.file, like }, `${one.file} written`);
  if (renamed.opens === null)
    context.out.note(`no flow opens a case of ${name} yet, so its scenarios are still to be told: none was copied`);
}

/** What is wrong with the copy among the others; what is wrong with those is not its fault. */
async function faultsOf(schemasDir: string, flowsDir: string, file: string): Promise<readonly Fault[]> {
  const { DeclaredFaults, loadDeclared } = await import("../declared/load.ts");
  try {
    loadDeclared(schemasDir, flowsDir);
    return [];
  } catch (error) {
    if (!(error instanceof DeclaredFaults)) throw error;
    return error.faults.filter(({ place }) => place.file === file);
  }
}
