// millrace fx: a rate between two currencies, and what conversions have made of the house's positions.

import type { Command } from "commander";
import { type CliContext, withExamples } from "./context.ts";

export type PositionsOptions = { readonly in?: string; readonly atVersion?: string };

export function register(program: Command, context: CliContext): void {
  const summary = "a rate between two currencies; positions and their result";
  const verb = program.command("fx").summary(summary).description(`${summary}.`);
  withExamples(verb, "millrace fx rate EUR USD", "millrace fx positions --in EUR");
  const rate = verb
    .command("rate <FROM> <TO>")
    .summary("the rate by which FROM is turned into TO")
    .description(
      "The rate at mid between two currencies, direct or over a feed's pivot, with where it comes from and whether anything is converted by it. Exit 1 when there is none that is usable.",
    )
    .option("--at <TIME>", "by the version that was the newest then, at that time (default: now)")
    .action(async (from: string, to: string, options: { at?: string }) =>
      (await import("./fx-rate.ts")).showRate(context, from, to, options),
    );
  withExamples(rate, "millrace fx rate EUR USD", "millrace fx rate JPY KWD --at 2026-11-20T10:00:00Z --json");
  const positions = verb
    .command("positions")
    .summary("positions, their cost and result, and spread")
    .description(
      [
        "For each currency of one cut: position (above zero long), what it cost by weighted average, what it is worth, and the",
        "result that is realised and that is not; then spread revenue by pair, and what is on pnl:rounding: nothing, as long as",
        "only shipped flows book, whose conversions leave nothing over. Exit 1 unless positions are what the lines say, and what",
        "they are worth is the result that was not swept yet.",
      ].join(" "),
    )
    .option("--in <CURRENCY>", "the home currency in which results are told (default: EUR)")
    .option("--at-version <N>", "value by this version of rates (default: the newest)")
    .action(async (options: PositionsOptions) => (await import("./fx-positions.ts")).showPositions(context, options));
  withExamples(positions, "millrace fx positions --in USD", "millrace fx positions --json");
}
