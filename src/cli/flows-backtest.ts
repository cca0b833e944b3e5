// millrace flows backtest: what a candidate for a flow would have made of a recorded span.

import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { contradiction, type Place, parsePlace } from "../workload/replay/span.ts";
import { type CliContext, withExamples } from "./context.ts";
import { noFile, type UsageCheck, usageCheck } from "./usage.ts";

type BacktestOptions = {
  readonly fromTopic: string;
  readonly from?: string;
  readonly to?: string;
  readonly report?: string;
  readonly expectNone?: true;
  readonly limit?: string;
};

const LIMIT_MAX = 1_000_000;

export type BacktestWish = {
  readonly candidate: string;
  readonly topic: string;
  readonly from: Place;
  readonly to: Place;
  readonly reportFile: string | null;
  readonly expectsNone: boolean;
  /** rows of each kind that are shown; null: all */
  readonly limit: number | null;
};

export function registerBacktest(flows: Command, context: CliContext): void {
  const verb = flows
    .command("backtest <CANDIDATE>")
    .description(
      "Decides a recorded span anew, in memory, with CANDIDATE (a file like NAME.flow.yaml) in the place of the flow that " +
        "is called like it, and tells what would have differed: outcomes, lines, final states of cases, money by account " +
        "and currency. Reports of providers, messages between lanes, timers, rates, parameters and settings are those that " +
        "the blocks of the span recorded. Nothing is written. Exit 1 when the candidate cannot decide an input, or when " +
        "anything differs and --expect-none is given.",
    )
    .requiredOption("--from-topic <TOPIC>", "the topic of intents that the ledger was made of")
    .option(
      "--from <PLACE>",
      "beginning, one offset for all partitions, offsets like 0:120,1:80 (partitions that are not named are left out), or " +
        "a time: whole blocks from there on (default: beginning)",
    )
    .option("--to <PLACE>", "the same; what is left out begins there (default: end, as of now)")
    .option("--report <FILE>", "write everything that was found into FILE, for `flows promote`")
    .option(
      "--expect-none",
      "end with 1 when anything differs, waits for an answer that nobody recorded, or is no more known",
    )
    .option("--limit <N>", "at most N rows of each kind, of money the largest (default: all)")
    .action((candidate: string, options: BacktestOptions) => run(context, candidate, options));
  withExamples(
    verb,
    "millrace flows backtest drafts/card.flow.yaml --from-topic payments.public.intents.v1 --from 2026-11-20",
    "millrace flows backtest drafts/card.flow.yaml --from-topic payments.public.intents.v1 --report card.report.json",
  );
}

async function run(context: CliContext, candidate: string, options: BacktestOptions): Promise<void> {
  const usage = usageCheck();
  const [from, to] = readPlaces(usage, options);
  // Said before the work, which may take minutes.
  const file = options.report === undefined ? null : resolve(context.io.workingDir, options.report);
  if (file !== null && !existsSync(dirname(file))) usage.fault(`--report: ${dirname(file)} does not exist`);
  else if (file !== null && existsSync(file) && noFile(file) !== null) usage.fault(`--report: ${file} is a folder`);
  const limit = usage.wholeNumber("--limit", options.limit, { default: 0, min: 1, max: LIMIT_MAX });
  const config = await context.config([], usage);
  const { runBacktest } = await import("./flows-backtest-run.ts");
  const { fromTopic: topic, report = null, expectNone = false } = options;
  await runBacktest(context, config, {
    candidate,
    topic,
    from,
    to,
    reportFile: report,
    expectsNone: expectNone,
    limit: options.limit === undefined ? null : limit,
  });
}

function readPlaces(usage: UsageCheck, options: BacktestOptions): readonly [Place, Place] {
  const read = (flag: "--from" | "--to", text: string): Place => {
    const place = parsePlace(text);
    if (place.kind !== "fault") return place;
    usage.fault(`${flag}: found "${text}", expected ${place.expected}`);
    return { kind: flag === "--from" ? "beginning" : "end" };
  };
  const from = read("--from", options.from ?? "beginning");
  const to = read("--to", options.to ?? "end");
  const wrong = contradiction(from, to);
  if (wrong !== null) usage.fault(wrong);
  return [from, to];
}
