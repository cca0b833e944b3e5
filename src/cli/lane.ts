// millrace lane: who owns what, where each lane stands and why it stopped; and the way to go on after a halt.

import type { Command } from "commander";
import { topicNames } from "../config/config.ts";
import { type LaneShown, readLanes, readPastHalts } from "../store/reads-lanes.ts";
import { type CliContext, withExamples } from "./context.ts";
import { requireLanes, withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { readLogs, UNKNOWN_LOG } from "./lane-logs.ts";
import { type ResumeOptions, resumeHalted } from "./lane-resume.ts";
import { haltFields, haltText, LANE_COLUMNS, laneFields, laneText, pastHaltFields, pastText } from "./lane-view.ts";
import { LIMIT, readLimit } from "./rows.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

const LANE_MAX = 4095;

export function register(program: Command, context: CliContext): void {
  const summary = "who owns what, positions, lag; a halt and the way to go on after it";
  const verb = program.command("lane").summary(summary).description(`${summary}.`);
  withExamples(verb, "millrace lane list", "millrace lane show 3", 'millrace lane resume 3 --reason "clocks set"');
  const list = verb
    .command("list")
    .summary("every lane in a line")
    .description("Every lane: owner, head, positions, lag, and the cause when it is halted.")
    .option(LIMIT, "the first N lanes only")
    .action((options: { limit?: string }) => listLanes(context, options));
  withExamples(list, "millrace lane list", "millrace lane list --json");
  const show = verb
    .command("show <LANE>")
    .summary("one lane in full, and its halt")
    .description("One lane in full; when it is halted, with cause, evidence and what to do. Exit 4 then.")
    .action((text: string) => showLane(context, text));
  withExamples(show, "millrace lane show 3");
  const resume = verb
    .command("resume <LANE>")
    .summary("let a halted lane go on")
    .description(
      [
        "Closes a lane's halt, so that an instance takes the lane again. Everything is checked anew then: what was not mended",
        "halts it again. Where `lane show` says that a position is to be accepted, --intents-at or --reports-at names the",
        "offset from which to go on; records before it that no block has taken stay out of the ledger for good. Where an",
        "output topic is lost for good, --outputs-anew lets it begin with the next message. Exit 1 when the lane is not",
        "halted.",
      ].join(" "),
    )
    .requiredOption("--reason <TEXT>", "why the lane may go on; kept with the halt for ever")
    .option("--intents-at <OFFSET>", "go on from this offset of the lane's intents")
    .option("--reports-at <OFFSET>", "go on from this offset of the lane's reports")
    .option("--outputs-anew", "the lane's output topics are new: go on with the next message, publish none again")
    .action((text: string, options: ResumeOptions) =>
      resumeHalted(context, options, (usage) => readLaneNumber(usage, text)),
    );
  withExamples(
    resume,
    'millrace lane resume 3 --reason "clocks set"',
    'millrace lane resume 3 --reason "lost span published again" --intents-at 4711',
  );
}

function readLaneNumber(usage: UsageCheck, text: string): number {
  return usage.wholeNumber("LANE", text, { default: 0, min: 0, max: LANE_MAX });
}

async function listLanes(context: CliContext, options: { limit?: string }): Promise<void> {
  const { out } = context;
  const usage = usageCheck();
  const limit = readLimit(usage, options.limit);
  const config = await context.config([], usage);
  const { databaseUrl, kafkaBrokers } = await context.addresses(config, ["kafkaBrokers", "databaseUrl"]);
  const lanes = await withDatabase({ config, databaseUrl, verb: "lane", mode: "read" }, (connection) =>
    readLanes(connection, null),
  );
  requireLanes(lanes.length);
  const shown = lanes.slice(0, limit ?? lanes.length);
  const { byLane, failure } = await readLogs(config, kafkaBrokers, shown);
  out.table(
    LANE_COLUMNS,
    shown.map((lane) => laneFields(lane, byLane.get(lane.lane) ?? UNKNOWN_LOG)),
  );
  const halted = lanes.filter(({ halt }) => halt !== null).map(({ lane }) => lane);
  if (halted.length > 0) out.warn(`halted: ${halted.join(", ")}; see \`millrace lane show ${halted[0]}\``);
  if (failure !== null) throw failure;
}

async function showLane(context: CliContext, text: string): Promise<void> {
  const { out } = context;
  const usage = usageCheck();
  const number = readLaneNumber(usage, text);
  const config = await context.config([], usage);
  const { databaseUrl, kafkaBrokers } = await context.addresses(config, ["kafkaBrokers", "databaseUrl"]);
  const { lane, past } = await withDatabase(
    { config, databaseUrl, verb: "lane", mode: "read" },
    async (connection) => ({
      lane: laneOf(await readLanes(connection, null), number),
      past: await readPastHalts(connection, number),
    }),
  );
  const { byLane, failure } = await readLogs(config, kafkaBrokers, [lane]);
  const log = byLane.get(number) ?? UNKNOWN_LOG;
  const fields = laneFields(lane, log);
  const halt = lane.halt === null ? null : haltFields(lane.halt);
  const told = [
    ...laneText(out, fields, log),
    ...(lane.halt === null ? [] : haltText(out, number, lane.halt, topicNames(config))),
    ...pastText(past),
  ];
  out.row({ ...fields, halt, pastHalts: past.map(pastHaltFields) }, told.join("\n"));
  if (lane.halt !== null) throw new CommandFailed(EXIT.halted, `lane ${number} is halted: ${lane.halt.cause}`);
  if (failure !== null) throw failure;
}

/** @throws CommandFailed 1 when there is no such lane */
function laneOf(lanes: readonly LaneShown[], number: number): LaneShown {
  const count = requireLanes(lanes.length);
  const lane = lanes.find((one) => one.lane === number);
  if (lane === undefined)
    throw new CommandFailed(EXIT.failed, `there is no lane ${number}; they are 0 to ${count - 1}`);
  return lane;
}
