// millrace rates: publish what a feed says, list what is known, and judge what was put aside.

import type { Command } from "commander";
import { type CliContext, withExamples } from "./context.ts";
import { LIMIT } from "./rows.ts";

export type PublishOptions = {
  readonly from: string;
  readonly feed?: string;
  readonly onlyLatest?: boolean;
  readonly day?: string;
  readonly asOf?: string;
};
export type AcceptOptions = { readonly seq: string; readonly reason: string };

export function register(program: Command, context: CliContext): void {
  const summary = "exchange rates: publish a feed's, list what is known, judge what was put aside";
  const verb = program.command("rates").summary(summary).description(`${summary}.`);
  withExamples(verb, "millrace rates publish --from eurofxref-hist.csv --only-latest", "millrace rates list");
  registerPublish(verb, context);
  const list = verb
    .command("list")
    .summary("the rates that are known")
    .description(
      "The newest rate of each pair and feed, with its quality now, the surcharge on it and until when it is usable. With --at-version as blocks of that version had them.",
    )
    .option("--at-version <N>", "the book as it was at a version")
    .action(async (options: { atVersion?: string }) => (await import("./rates-list.ts")).listRates(context, options));
  withExamples(list, "millrace rates list", "millrace rates list --at-version 12 --json");
  const refused = verb
    .command("refused")
    .summary("ticks that were put aside")
    .description("Ticks that were not believed, newest first, each with its reason.")
    .option(LIMIT, "at most N of them (default: 50)")
    .action(async (options: { limit?: string }) => (await import("./rates-list.ts")).listRefused(context, options));
  withExamples(refused, "millrace rates refused --limit 20");
  const accept = verb
    .command("accept <FEED> <PAIR>")
    .summary("believe a tick that jumped")
    .description(
      "Makes a version of a tick that was put aside because it jumped, for which a person has seen that the market did. Exit 1 when the pair has a newer rate.",
    )
    .requiredOption("--seq <N>", "the tick's number, as `rates refused` shows it")
    .requiredOption("--reason <TEXT>", "why it is right; kept")
    .action(async (feed: string, pair: string, options: AcceptOptions) =>
      (await import("./rates-accept.ts")).acceptRate(context, feed, pair, options),
    );
  withExamples(
    accept,
    'millrace rates accept ecb EUR/CHF --seq 1421334000000018 --reason "the bank gave up its floor"',
  );
}

function registerPublish(verb: Command, context: CliContext): void {
  const publish = verb
    .command("publish")
    .summary("publish the reference rates of the European Central Bank")
    .description(
      [
        "Publishes a file of reference rates (eurofxref-hist.csv of the European Central Bank) to the topic of rates, oldest day",
        "first; publishing it again changes nothing. A fault anywhere in the file: exit 1, and nothing is published. A currency",
        "without a rate is withdrawn; columns that are no currency here are left out and told.",
      ].join(" "),
    )
    .requiredOption("--from <FILE>", "the file")
    .option("--feed <NAME>", "the feed of schemas/rates/feeds.yaml that says so (default: ecb)")
    .option("--only-latest", "only the newest day")
    .option("--day <YYYY-MM-DD>", "only this day")
    .option(
      "--as-of <TIME>",
      "let the prices have held at this time, or `now`, instead of on their day: for trying things out",
    )
    .action(async (options: PublishOptions) => (await import("./rates-publish.ts")).publishRates(context, options));
  withExamples(
    publish,
    "millrace rates publish --from eurofxref-hist.csv --only-latest",
    "millrace rates publish --from eurofxref-hist.csv --day 2023-12-29 --as-of now",
  );
}
