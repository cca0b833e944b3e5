// millrace replay: records of a topic again, as they are or as new payments, or into a ledger of their own to compare.

import type { Command } from "commander";
import { parseShift } from "../workload/replay/renew.ts";
import { contradiction, type Place, parsePlace } from "../workload/replay/span.ts";
import { type CliContext, withExamples } from "./context.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

type ReplayOptions = {
  readonly fromTopic: string;
  readonly from?: string;
  readonly to?: string;
  readonly toTopic?: string;
  readonly rate?: string;
  readonly asNew?: string;
  readonly shift?: string;
  readonly compare?: boolean;
  readonly wait?: string;
};

const RATE_MAX = 1_000_000;
const WAIT_SECONDS = 60;
const WAIT_MAX_SECONDS = 86_400;
const RUN = /^[^\p{Cc}]{1,128}$/u;

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("replay")
    .summary("records of a topic again, as they are or as new payments; compare ledgers")
    .description(
      "Sends records of a topic again: key, value and headers byte for byte, order kept, each to the partition that it " +
        "came from (to that of its key, when the topics differ in their number of partitions). The same stack absorbs " +
        "them as repeats. The span is fixed when it begins, so a topic can be replayed into itself.",
    )
    .requiredOption("--from-topic <TOPIC>", "the topic to be read")
    .option(
      "--from <PLACE>",
      "beginning, end, one offset for all partitions, offsets like 0:120,1:80 (partitions that are not named are left " +
        "out), or a time: the first record appended then or later (default: beginning)",
    )
    .option("--to <PLACE>", "the same; the first record that is left out (default: end, as of now)")
    .option("--to-topic <TOPIC>", "where they go (default: the topic they come from)")
    .option(
      "--rate <N>",
      "records a second over all partitions, in the order in which they were appended (default: as fast as they are acknowledged)",
    )
    .option(
      "--as-new <RUN>",
      "as new payments: case ids and times are shifted by the run's name. The same name again is absorbed as repeats, another is new",
    )
    .option(
      "--shift <TIME>",
      "with --as-new: move times by this too, such as 400d or -90m; now: so that the last record lies at this moment",
    )
    .option(
      "--compare",
      "instead: decide the topic again in a fresh stack of its own and compare both ledgers; ends in equal (0) or the first difference (1)",
    )
    .option(
      "--wait <SECONDS>",
      `with --compare: how long the ledger may take to come to the end (default: ${WAIT_SECONDS})`,
    )
    .action((options: ReplayOptions) => replay(context, options));
  withExamples(
    verb,
    "millrace replay --from-topic payments.public.intents.v1 --from 2026-11-20T00:00:00Z --rate 2000",
    "millrace replay --from-topic payments.public.intents.v1 --as-new monday --shift now",
    "millrace replay --from-topic payments.public.intents.v1 --compare",
  );
}

/** `shiftMs`: null is `now`, the shift that puts the last record of the span at the moment of the replay. */
export type NewPayments = { readonly run: string; readonly shiftMs: number | null; readonly isShiftGiven: boolean };

export type ReplayWish = {
  readonly fromTopic: string;
  readonly toTopic: string;
  readonly from: Place;
  readonly to: Place;
  readonly rate: number | null;
  /** null: byte for byte */
  readonly asNew: NewPayments | null;
  readonly waitMs: number;
};

async function replay(context: CliContext, options: ReplayOptions): Promise<void> {
  const usage = usageCheck();
  const wish = readWish(usage, options);
  const config = await context.config([], usage);
  if (options.compare === true) {
    const { runCompare } = await import("./replay-compare.ts");
    await runCompare(context, config, wish);
  } else {
    const { runReplay } = await import("./replay-send.ts");
    await runReplay(context, config, wish);
  }
}

function readWish(usage: UsageCheck, options: ReplayOptions): ReplayWish {
  const { fromTopic, toTopic = fromTopic } = options;
  readTopic(usage, "--from-topic", fromTopic);
  readTopic(usage, "--to-topic", toTopic);
  const [from, to] = readPlaces(usage, options);
  const rate = usage.wholeNumber("--rate", options.rate, { default: 0, min: 1, max: RATE_MAX });
  const wait = usage.wholeNumber("--wait", options.wait, { default: WAIT_SECONDS, min: 0, max: WAIT_MAX_SECONDS });
  if (options.compare === true) {
    const idle = { "--to-topic": options.toTopic, "--rate": options.rate, "--as-new": options.asNew };
    for (const [flag, text] of Object.entries(idle)) {
      if (text !== undefined) usage.fault(`${flag}: cannot go with --compare, which has a stack of its own`);
    }
  } else if (options.wait !== undefined) usage.fault("--wait: expected only with --compare");
  const asNew = readAsNew(usage, options);
  return { fromTopic, toTopic, from, to, rate: rate === 0 ? null : rate, asNew, waitMs: wait * 1_000 };
}

function readTopic(usage: UsageCheck, flag: string, text: string): void {
  if (/^[A-Za-z0-9._-]{1,249}$/.test(text) && text !== "." && text !== "..") return;
  usage.fault(`${flag}: found "${text}", expected the name of a topic: letters, digits, dots, dashes, underscores`);
}

function readPlaces(usage: UsageCheck, options: ReplayOptions): readonly [Place, Place] {
  const read = (flag: string, text: string): Place | null => {
    const place = parsePlace(text);
    if (place.kind !== "fault") return place;
    usage.fault(`${flag}: found "${text}", expected ${place.expected}`);
    return null;
  };
  const from = read("--from", options.from ?? "beginning");
  const to = read("--to", options.to ?? "end");
  const wrong = from === null || to === null ? null : contradiction(from, to);
  if (wrong !== null) usage.fault(`${wrong}: found --from ${options.from ?? "beginning"} --to ${options.to ?? "end"}`);
  return [from ?? { kind: "beginning" }, to ?? { kind: "end" }];
}

function readAsNew(usage: UsageCheck, { asNew: run, shift }: ReplayOptions): NewPayments | null {
  if (run === undefined) {
    if (shift !== undefined) usage.fault("--shift: expected only with --as-new");
    return null;
  }
  if (!RUN.test(run)) usage.fault("--as-new: expected a name of 1 to 128 characters");
  const shiftMs = shift === "now" ? null : parseShift(shift ?? "0ms");
  if (shift !== undefined && shift !== "now" && shiftMs === null) {
    usage.fault(`--shift: found "${shift}", expected now, or a duration like 400d, 1h30m or -90m, at most 200 years`);
  }
  return { run, shiftMs, isShiftGiven: shift !== undefined };
}
