// millrace load: publishes intents, from JSON lines or made up from a seed.

import type { Command } from "commander";
import { defaultHolders, type GeneratePlan, NOMINAL_RATE } from "../workload/generate/generate.ts";
import { PROFILES } from "../workload/generate/profiles.ts";
import { parseTime } from "../workload/intents-time.ts";
import { type CliContext, withExamples } from "./context.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

type LoadOptions = Readonly<
  Partial<
    Record<
      | "from"
      | "profile"
      | "count"
      | "rate"
      | "seed"
      | "holders"
      | "zipf"
      | "fxPercent"
      | "repeatLast"
      | "runAt"
      | "report"
      | "warmUp"
      | "wait",
      string
    >
  >
>;

const COUNT_MAX = 1_000_000_000;
const RATE_MAX = 1_000_000;
const HOLDERS_MAX = 10_000_000;
const REPEAT_MAX = 1_000_000;
const SEED_MAX = 999_999_999_999_999;
const ZIPF_MAX = 10;
const SECONDS_MAX = 86_400;
const WAIT_SECONDS = 10;
const PERCENT_MAX = 1_000;

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("load")
    .summary("publish intents: JSON lines or generated ones")
    .description("Publishes intents, in order per holder. Exit 0 when all of them are acknowledged by Kafka.")
    .option("--from <FILE>", "JSON lines, an intent each; - is stdin")
    .option("--repeat-last <K>", "send the last K lines again afterwards, the same bytes: a producer's retry")
    .option(
      "--profile <NAME>",
      `made-up intents instead: ${PROFILES.join(", ")}; cards needs the roles gateways (provider script) and rates`,
    )
    .option("--count <N>", "how many of them in all, openings of accounts included")
    .option("--seed <S>", "the same seed and run time give the same intents (default: 1)")
    .option("--holders <H>", "how many holders they belong to (default: a twentieth of the count, at most 10000)")
    .option("--zipf <Z>", "exponent of the holders' shares; 0 is all alike (default: 0)")
    .option(
      "--fx-percent <P>",
      "of p2p: so many of a hundred transfers are changed into another currency, which needs the role rates (default: 0)",
    )
    .option("--rate <N>", "intents a second, each at its time (default: as fast as they are acknowledged)")
    .option("--run-at <TIME>", "time in the case ids that are made here (default: now)")
    .option(
      "--report <PATH>",
      "also read the outcomes and measure: a table, and a file (.json, .hgrm, .html) or a folder with all of them",
    )
    .option("--warm-up <SECONDS>", "leave what is due in the first seconds out of the percentiles (default: 0)")
    .option("--wait <SECONDS>", `stop waiting for answers when none came for so long (default: ${WAIT_SECONDS})`)
    .action((options: LoadOptions) => load(context, options));
  withExamples(
    verb,
    "millrace load --from intents.jsonl --repeat-last 100",
    "millrace load --profile transfers --count 100000 --rate 5000 --seed 7 --report before",
    "millrace load compare before after",
  );
  registerCompare(verb, context);
}

function registerCompare(verb: Command, context: CliContext): void {
  const compare = verb
    .command("compare <A> <B>")
    .summary("two reports: what differs, and whether by more than chance")
    .description(
      "Compares two reports (their .json or their folders) row by row and says of each difference whether it is more than the runs' own seconds explain.",
    )
    .option("--fail-above <PERCENT>", "exit 1 when B is worse by more than this in some row, beyond the spread")
    .option("--html <FILE>", "both on one page, their charts on top of each other")
    .action((a: string, b: string, options: CompareOptions) => loadCompare(context, a, b, options));
  withExamples(compare, "millrace load compare before after", "millrace load compare a.json b.json --fail-above 10");
}

type CompareOptions = { readonly failAbove?: string; readonly html?: string };

async function loadCompare(context: CliContext, a: string, b: string, options: CompareOptions): Promise<void> {
  const usage = usageCheck();
  const percent = { default: 0, min: 0, max: PERCENT_MAX };
  const failAbovePercent =
    options.failAbove === undefined ? null : usage.wholeNumber("--fail-above", options.failAbove, percent);
  usage.done();
  const { runCompare } = await import("./load-compare.ts");
  runCompare(context, { a, b, failAbovePercent, html: options.html ?? null });
}

export type LoadPlan = {
  readonly from: string | null;
  readonly profile: string | null;
  readonly generate: Omit<GeneratePlan, "runAtMs">;
  readonly rate: number | null;
  readonly repeatLast: number;
  /** null: the moment at which sending begins */
  readonly runAtMs: number | null;
  /** null: nothing is measured */
  readonly report: ReportPlan | null;
};

export type ReportPlan = { readonly path: string; readonly warmUpSeconds: number; readonly waitSeconds: number };

async function load(context: CliContext, options: LoadOptions): Promise<void> {
  const usage = usageCheck();
  const plan = readPlan(usage, options);
  const config = await context.config([], usage);
  const { runLoad } = await import("./load-send.ts");
  await runLoad(context, config, plan);
}

function readPlan(usage: UsageCheck, options: LoadOptions): LoadPlan {
  const { from = null, profile = null } = options;
  if ((from === null) === (profile === null)) usage.fault("load: expected either --from FILE or --profile NAME");
  if (profile !== null) usage.oneOf("--profile", profile, { default: "transfers", names: PROFILES });
  if (profile !== null && options.count === undefined) usage.fault("--count: missing, expected with --profile");
  const idle = (flag: string, text: string | undefined, partner: string): void => {
    if (text !== undefined) usage.fault(`${flag}: expected only with ${partner}`);
  };
  if (profile === null) {
    for (const name of ["count", "seed", "holders", "zipf"] as const) idle(`--${name}`, options[name], "--profile");
  } else {
    idle("--repeat-last", options.repeatLast, "--from");
  }
  if (profile !== "p2p") idle("--fx-percent", options.fxPercent, "--profile p2p");
  const count = usage.wholeNumber("--count", options.count, { default: 1, min: 1, max: COUNT_MAX });
  const rate = usage.wholeNumber("--rate", options.rate, { default: 0, min: 1, max: RATE_MAX });
  const holders = { default: defaultHolders(count), min: 1, max: HOLDERS_MAX };
  return {
    from,
    profile,
    generate: {
      count,
      rate: rate === 0 ? NOMINAL_RATE : rate,
      seed: usage.wholeNumber("--seed", options.seed, { default: 1, min: 0, max: SEED_MAX }),
      holders: usage.wholeNumber("--holders", options.holders, holders),
      zipf: readZipf(usage, options.zipf),
      fxPercent: usage.wholeNumber("--fx-percent", options.fxPercent, { default: 0, min: 0, max: 100 }),
    },
    rate: rate === 0 ? null : rate,
    repeatLast: usage.wholeNumber("--repeat-last", options.repeatLast, { default: 0, min: 0, max: REPEAT_MAX }),
    runAtMs: readRunAt(usage, options.runAt),
    report: readReportPlan(usage, options),
  };
}

function readReportPlan(usage: UsageCheck, { report, warmUp, wait }: LoadOptions): ReportPlan | null {
  const warmUpSeconds = usage.wholeNumber("--warm-up", warmUp, { default: 0, min: 0, max: SECONDS_MAX });
  const waitSeconds = usage.wholeNumber("--wait", wait, { default: WAIT_SECONDS, min: 1, max: SECONDS_MAX });
  if (report !== undefined) return { path: report, warmUpSeconds, waitSeconds };
  if (warmUp !== undefined) usage.fault("--warm-up: expected only with --report");
  if (wait !== undefined) usage.fault("--wait: expected only with --report");
  return null;
}

function readZipf(usage: UsageCheck, text: string | undefined): number {
  const value = text === undefined ? 0 : /^\d{1,2}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= ZIPF_MAX) return value;
  usage.fault(`--zipf: found "${text}", expected a number from 0 to ${ZIPF_MAX}`);
  return 0;
}

function readRunAt(usage: UsageCheck, text: string | undefined): number | null {
  if (text === undefined) return null;
  const micros = parseTime(text);
  if (micros !== null && micros >= 0n) return Number(micros / 1000n);
  usage.fault(`--run-at: found "${text}", expected a time from 1970 on, such as 2026-11-20T10:00:00Z`);
  return null;
}
