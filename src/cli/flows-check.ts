// millrace flows check: what the checker says of flow files and parameters, all at once.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { DeclaredFaults } from "../declared/load.ts";
import { type Fault, printFault } from "../domain/located.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT, usageFailed } from "./exit.ts";

export function registerCheck(flows: Command, context: CliContext): void {
  const verb = flows
    .command("check [FILES...]")
    .description(
      "Proves flow files and files of parameters sound, as `run` does before it begins: everything that is declared, or " +
        "FILES beside it, each in the place of the declared file of its name. Exit 1 with every fault: file, line, column.",
    )
    .action((files: readonly string[]) => check(context, files));
  withExamples(verb, "millrace flows check", "millrace flows check drafts/card.flow.yaml drafts/card.yaml");
}

async function check(context: CliContext, files: readonly string[]): Promise<void> {
  const given = files.map((file) => resolve(context.io.workingDir, file));
  const missing = given.filter((file) => !existsSync(file));
  if (missing.length > 0) throw usageFailed(missing.map((file) => `${file}: does not exist`));
  const { schemasDir, flowsDir } = await context.config();
  const { loadDeclared } = await import("../declared/load.ts");
  const { checkFiles } = await import("../declared/check-files.ts");
  if (given.length === 0) {
    const { flows, overlays } = faultsTold(context, () => loadDeclared(schemasDir, flowsDir));
    for (const { name, version } of flows)
      context.out.row({ flow: name, version, ok: true, overlaid: overlays.has(name) }, `${name}@${version}: sound`);
    return;
  }
  tellFaults(
    context,
    faultsTold(context, () => checkFiles(schemasDir, flowsDir, given)),
  );
  for (const file of given) context.out.row({ file, ok: true }, `${file}: sound`);
}

function faultsTold<T>(context: CliContext, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if ((error as Error).name !== "DeclaredFaults") throw error;
    tellFaults(context, (error as DeclaredFaults).faults);
    throw error;
  }
}

/** @throws CommandFailed when there is any */
function tellFaults({ out }: CliContext, faults: readonly Fault[]): void {
  for (const fault of faults) out.row({ ...fault.place, message: fault.message, ok: false }, printFault(fault));
  const count = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
  if (faults.length > 0) throw new CommandFailed(EXIT.failed, `${count} found`);
}
