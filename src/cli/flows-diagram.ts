// millrace flows diagram: a flow as a picture, Mermaid for documents that draw it or SVG for all others.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { suggest } from "../config/suggest.ts";
import type { Flow } from "../domain/flow/flow.ts";
import { printFault } from "../domain/located.ts";
import { makeFolder } from "../folders.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT, usageFailed } from "./exit.ts";
import { usageCheck } from "./usage.ts";

type Options = { readonly format?: string; readonly out?: string; readonly outDir?: string };

const FORMATS = ["mermaid", "svg"];

export function registerDiagram(flows: Command, context: CliContext): void {
  const verb = flows
    .command("diagram [NAME]")
    .description(
      "Draws a flow: its states and timers, what moves a case between them, the postings that go with it and their lines. " +
        "Of a flow in the making too; it need not pass the checker.",
    )
    .option("--format <FORMAT>", "mermaid or svg (default: mermaid)")
    .option("--out <FILE>", "write it there, not to stdout")
    .option("--out-dir <DIR>", "every flow in both formats, as DIR/NAME.svg and DIR/NAME.md")
    .action((name: string | undefined, options: Options) => diagram(context, name, options));
  withExamples(
    verb,
    "millrace flows diagram card",
    "millrace flows diagram card --format svg --out card.svg",
    "millrace flows diagram --out-dir docs/flows",
  );
}

async function diagram(context: CliContext, name: string | undefined, options: Options): Promise<void> {
  const usage = usageCheck();
  const format = usage.oneOf("--format", options.format, { default: "mermaid", names: FORMATS });
  if ((name === undefined) === (options.outDir === undefined))
    usage.fault("expected either the NAME of a flow or --out-dir DIR");
  const { flowsDir } = await context.config([], usage);
  const { flowNames } = await import("../declared/flow-files.ts");
  const { diagramOf } = await import("../domain/flow/diagram/diagram.ts");
  const { markdown, mermaid } = await import("../domain/flow/diagram/mermaid.ts");
  const { svg } = await import("../domain/flow/diagram/svg.ts");
  if (options.outDir !== undefined) {
    makeFolder(options.outDir);
    for (const one of flowNames(flowsDir)) {
      const drawn = diagramOf(await readOne(flowsDir, one));
      const files = { [`${one}.svg`]: svg(drawn), [`${one}.md`]: markdown(drawn) };
      for (const [file, text] of Object.entries(files)) written(context, join(options.outDir, file), text);
    }
    return;
  }
  const drawn = diagramOf(await readOne(flowsDir, name as string));
  const text = format === "svg" ? svg(drawn) : mermaid(drawn);
  if (options.out !== undefined) written(context, options.out, text);
  else context.out.row({ flow: drawn.name, version: drawn.version, format, text }, text.trimEnd());
}

function written({ out }: CliContext, file: string, text: string): void {
  writeFileSync(file, text);
  out.row({ file, bytes: Buffer.byteLength(text) }, `${file} written`);
}

/** @throws CommandFailed 2 when there is no such flow, 1 with every place where its form is wrong */
async function readOne(flowsDir: string, name: string): Promise<Flow> {
  const { flowNames, readFlowFile } = await import("../declared/flow-files.ts");
  const read = readFlowFile(flowsDir, name);
  if (read === null) {
    const names = flowNames(flowsDir);
    throw usageFailed([`${name}: no such flow in ${flowsDir}; there are ${names.join(", ")}${suggest(name, names)}`]);
  }
  if (read.flow === null) throw new CommandFailed(EXIT.failed, read.faults.map(printFault).join("\n"));
  return read.flow;
}
