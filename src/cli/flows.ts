// millrace flows: what is done with flow files before they run. Each verb has a file of its own.

import type { Command } from "commander";
import { type CliContext, withExamples } from "./context.ts";
import { registerCheck } from "./flows-check.ts";
import { registerDiagram } from "./flows-diagram.ts";
import { registerNew } from "./flows-new.ts";
import { registerTest } from "./flows-test.ts";

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("flows")
    .summary("flow files: check, test, draw and begin them")
    .description("Flow files, the state machines of payments. None of this needs a stack.");
  withExamples(verb, "millrace flows test card", "millrace flows diagram card");
  registerCheck(verb, context);
  registerDiagram(verb, context);
  registerTest(verb, context);
  registerNew(verb, context);
}
