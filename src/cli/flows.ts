// millrace flows: what is done with flow files before they run. Each verb has a file of its own.

import type { Command } from "commander";
import { type CliContext, withExamples } from "./context.ts";
import { registerBacktest } from "./flows-backtest.ts";
import { registerCheck } from "./flows-check.ts";
import { registerDiagram } from "./flows-diagram.ts";
import { registerNew } from "./flows-new.ts";
import { registerPromote, registerPromotions } from "./flows-promote.ts";
import { registerTest } from "./flows-test.ts";

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("flows")
    .summary("flow files: check, test, draw and begin them; backtest and promote versions")
    .description(
      "Flow files, the state machines of payments. Only `backtest`, `promote`, `promotions` and `check --registered` need a " +
        "stack.",
    );
  withExamples(verb, "millrace flows test card", "millrace flows diagram card");
  registerCheck(verb, context);
  registerDiagram(verb, context);
  registerTest(verb, context);
  registerNew(verb, context);
  registerBacktest(verb, context);
  registerPromote(verb, context);
  registerPromotions(verb, context);
}
