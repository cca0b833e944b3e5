// millrace bench: how fast this is, here.

import type { Command } from "commander";
import type { BenchWishes } from "../workload/bench/bench.ts";
import { BENCHMARKS } from "../workload/bench/list.ts";
import { type CliContext, withExamples } from "./context.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

type BenchOptions = Readonly<Partial<Record<"seconds" | "count" | "rate" | "report", string>>> & {
  readonly write?: boolean;
};

const NAMES = [...BENCHMARKS.keys()];
const SECONDS_MAX = 86_400;
const COUNT_MAX = 100_000_000;
const RATE_MAX = 1_000_000;

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("bench [NAME...]")
    .summary("measure throughput and latency")
    .description(
      `Runs benchmarks (${NAMES.join(", ")}) against one fresh stack, with the defaults of \`run\`, and prints a JSON ` +
        "object for each; without names all of them. The environment may name a stack instead; each benchmark has a " +
        "database and topics of its own. `decide` needs no stack, and alone it starts none.",
    )
    .option("--seconds <N>", "how long to measure: latency, echo, naive")
    .option(
      "--count <N>",
      "how many events: decide; how many intents: drain, hot, skew, floor, naive, cards, cards-http, p2p",
    )
    .option("--rate <N>", "intents a second: latency, echo")
    .option("--report <DIR>", "keep a report of each in a folder of its own: .json, .html and, of latencies, .hgrm")
    .option("--write", "write the figures into docs/benchmarks.md and docs/benchmarks.json of the repository")
    .action((names: readonly string[], options: BenchOptions) => bench(context, names, options));
  withExamples(verb, "millrace bench drain naive", "millrace bench latency --rate 5000 --seconds 30");
}

async function bench(context: CliContext, names: readonly string[], options: BenchOptions): Promise<void> {
  const usage = usageCheck();
  const chosen = names.length === 0 ? NAMES : [...new Set(names)];
  for (const name of chosen) usage.oneOf("NAME", name, { default: "", names: NAMES });
  const wishes: BenchWishes = {
    seconds: wish(usage, "--seconds", options.seconds, SECONDS_MAX),
    count: wish(usage, "--count", options.count, COUNT_MAX),
    rate: wish(usage, "--rate", options.rate, RATE_MAX),
  };
  const config = await context.config([], usage);
  const { runBenchmarks } = await import("./bench-run.ts");
  await runBenchmarks(context, config, {
    names: chosen,
    wishes,
    report: options.report ?? null,
    isWritten: options.write === true,
  });
}

function wish(usage: UsageCheck, flag: string, text: string | undefined, max: number): number | null {
  return text === undefined ? null : usage.wholeNumber(flag, text, { default: 1, min: 1, max });
}
