// millrace flows check: what the checker says of flow files and parameters, all at once.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import type { Declared, DeclaredFaults } from "../declared/load.ts";
import type { Flow } from "../domain/flow/flow.ts";
import type { FlowFault } from "../domain/flow/proof.ts";
import { type Fault, printFault } from "../domain/located.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT, usageFailed } from "./exit.ts";
import { noFile } from "./usage.ts";

export function registerCheck(flows: Command, context: CliContext): void {
  const verb = flows
    .command("check [FILES...]")
    .description(
      "Proves flow files, files of parameters and of routes sound, as `run` does before it begins: everything that is declared, or " +
        "FILES beside it, each in the place of the declared file that is called like it (NAME.flow.yaml is a flow, any other " +
        "name parameters, or routes where it says kind: Routes). Exit 1 with every fault: file, line, column.",
    )
    .option("--keep", "remember beside the flows (proven.json) that they are sound, so that nothing proves them again")
    .option(
      "--registered",
      "also hold what is declared against every version in the database that is not declared any more: its cases go on " +
        "by it, and open and tell what is declared now",
    )
    .action((files: readonly string[], options: CheckOptions) => check(context, files, options));
  withExamples(
    verb,
    "millrace flows check",
    "millrace flows check drafts/card.flow.yaml drafts/card.yaml",
    "millrace flows check --keep",
    "millrace flows check --registered",
  );
}

type CheckOptions = { readonly keep?: true; readonly registered?: true };

async function check(context: CliContext, files: readonly string[], options: CheckOptions): Promise<void> {
  const given = files.map((file) => resolve(context.io.workingDir, file));
  const missing = given.filter((file) => noFile(file) !== null);
  if (missing.length > 0) throw usageFailed(missing.map((file) => `${file}: ${noFile(file)}`));
  for (const option of ["keep", "registered"] as const)
    if (options[option] && files.length > 0) throw usageFailed([`--${option} is for what is declared: give no files`]);
  const config = await context.config();
  const { schemasDir, flowsDir } = config;
  const { loadDeclared, proveDeclared } = await import("../declared/load.ts");
  const { flowNames } = await import("../declared/flow-files.ts");
  const { checkFiles } = await import("../declared/check-files.ts");
  if (given.length === 0) {
    if (existsSync(flowsDir) && flowNames(flowsDir).length === 0)
      throw usageFailed([`flowsDir: no *.flow.yaml in ${flowsDir}, so there is nothing to check`]);
    const proven = faultsTold(context, () => proveDeclared(schemasDir, flowsDir));
    const declared = faultsTold(context, () => loadDeclared(schemasDir, flowsDir));
    const kept = options.registered ? await keptFlows(context, config, declared) : [];
    for (const flow of declared.flows) tellSound(context, flow, declared.overlays.has(flow.name));
    for (const { name, version } of kept)
      context.out.row({ flow: name, version, ok: true, kept: true }, `${name}@${version}: kept for its cases, fits`);
    if (options.keep) (await import("../declared/proven.ts")).writeProven(flowsDir, proven);
    return;
  }
  tellFaults(
    context,
    faultsTold(context, () => checkFiles(schemasDir, flowsDir, given)),
  );
  for (const file of given) context.out.row({ file, ok: true }, `${file}: sound`);
}

/** Versions that only their cases live by. */
async function keptFlows(context: CliContext, config: Config, declared: Declared): Promise<readonly Flow[]> {
  const { databaseUrl } = await context.addresses(config);
  const { loadKept } = await import("../declared/load.ts");
  const { readFlowVersions } = await import("../store/setup.ts");
  const { withDatabase } = await import("./database.ts");
  const registered = await withDatabase({ config, databaseUrl, verb: "flows check", mode: "read" }, readFlowVersions);
  return faultsTold(context, () => loadKept(declared, registered));
}

function tellSound({ out }: CliContext, { name, version, exceptions }: Flow, overlaid: boolean): void {
  const granted = exceptions.map(({ property, at, reason }) => ({ property, at, reason }));
  const text = granted
    .map(({ property, at, reason }) => `\n  not proven: ${property} at ${at}, because ${reason}`)
    .join("");
  out.row({ flow: name, version, ok: true, overlaid, exceptions: granted }, `${name}@${version}: sound${text}`);
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
  for (const fault of faults) {
    // Faults of form have neither a property nor events that lead there.
    const { property = null, path = null } = fault as Partial<FlowFault>;
    out.row({ ...fault.place, property, message: fault.message, path, ok: false }, printFault(fault));
  }
  const count = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
  if (faults.length > 0) throw new CommandFailed(EXIT.failed, `${count} found`);
}
