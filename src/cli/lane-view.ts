// How a lane is shown: its fields for --json, and the same for people.

import type { TopicNames } from "../config/config.ts";
import { haltAdvice, haltRunbook, remedyText, suggestedOffset } from "../domain/halts.ts";
import { hoursUntil } from "../kafka/expiry.ts";
import type { PartitionBounds } from "../kafka/port.ts";
import type { HaltShown, LaneShown, Outgoing, PastHalt } from "../store/reads-lanes.ts";
import type { LaneLog } from "./lane-logs.ts";
import { type Column, type Fields, jsonLine, type Output } from "./output.ts";
import { isoTime, position } from "./rows.ts";

export const LANE_COLUMNS: readonly Column[] = [
  { key: "lane", title: "Lane", align: "right" },
  { key: "state", title: "State" },
  { key: "instance", title: "Instance" },
  { key: "process", title: "Process", align: "right" },
  { key: "epoch", title: "Epoch", align: "right" },
  { key: "block", title: "Block", align: "right" },
  { key: "recordedAt", title: "Last block at" },
  { key: "intentsNext", title: "Intents next", align: "right" },
  { key: "intentsLag", title: "Lag", align: "right" },
  { key: "reportsNext", title: "Reports next", align: "right" },
  { key: "reportsLag", title: "Lag", align: "right" },
  { key: "unpublished", title: "To publish", align: "right" },
  { key: "haltedBy", title: "Halted by" },
];

/** `unpublished` counts messages that are not known to be published; the hint is at most a second behind.
 *  Lags are null when Kafka could not be asked. */
export function laneFields(lane: LaneShown, log: LaneLog): Fields {
  const { owner, halt } = lane;
  return {
    lane: lane.lane,
    state: stateOf(lane),
    instance: owner?.label ?? null,
    process: owner === null ? null : position(owner.process),
    epoch: position(lane.epoch),
    block: position(lane.block),
    recordedAt: lane.nowMs === null ? null : isoTime(lane.nowMs),
    intentsNext: position(lane.intentsNext),
    intentsEnd: log.intents === null ? null : position(log.intents.end),
    intentsLag: lag(lane.intentsNext, log.intents),
    reportsNext: position(lane.reportsNext),
    reportsEnd: log.reports === null ? null : position(log.reports.end),
    reportsLag: lag(lane.reportsNext, log.reports),
    outcomesNext: position(lane.outcomes.next),
    outcomesPublished: position(lane.outcomes.published),
    commandsNext: position(lane.commands.next),
    deadLettersNext: position(lane.deadLetters.next),
    unpublished: [lane.outcomes, lane.commands, lane.deadLetters].reduce((sum, topic) => sum + waiting(topic), 0),
    accounts: position(lane.accounts),
    hoursUntilInputsExpire: log.expireAtMs === null ? null : hoursUntil(log.expireAtMs, Date.now()),
    haltedBy: halt?.cause ?? null,
  };
}

function stateOf({ halt, owner }: LaneShown): "halted" | "owned" | "free" {
  if (halt !== null) return "halted";
  return owner === null ? "free" : "owned";
}

function lag(next: bigint, bounds: PartitionBounds | null): number | null {
  return bounds === null ? null : position(bounds.end - next);
}

function waiting({ next, published }: Outgoing): number {
  return position(next - 1n - published);
}

export function haltFields({ halt, haltedAtMs, cause, evidence }: HaltShown): Fields {
  const { meaning, remedy, next } = haltAdvice(cause);
  return {
    halt: position(halt),
    haltedAt: isoTime(haltedAtMs),
    cause,
    evidence,
    meaning,
    remedy,
    resuming: remedyText(cause),
    next,
    runbook: haltRunbook(cause),
  };
}

export function pastHaltFields(past: PastHalt): Fields {
  const { halt, cause, reason, applied } = past;
  return {
    halt: position(halt),
    cause,
    haltedAt: isoTime(past.haltedAtMs),
    resumedAt: isoTime(past.resumedAtMs),
    reason,
    intentsAt: past.intentsAt === null ? null : position(past.intentsAt),
    reportsAt: past.reportsAt === null ? null : position(past.reportsAt),
    applied,
  };
}

// For people --------------------------------------------------------------------------------------------------------------

export function laneText(out: Output, fields: Fields, log: LaneLog): string[] {
  const { lane, state, instance, process, epoch, block, recordedAt } = fields;
  const owner = state === "owned" ? `by ${instance ?? "?"} (process ${process})` : "";
  const logText = (bounds: PartitionBounds | null): string =>
    bounds === null ? "the log could not be asked" : `log from ${bounds.low} to ${bounds.end}`;
  return [
    `${out.paint("bold", `lane ${lane}`)}  ${out.paint(state === "halted" ? "red" : "bold", String(state))} ${owner}`.trimEnd(),
    `  head      block ${block}, epoch ${epoch}, ${recordedAt === null ? "none yet" : `recorded ${recordedAt}`}`,
    `  intents   next ${fields["intentsNext"]}, lag ${fields["intentsLag"] ?? "?"}; ${logText(log.intents)}`,
    `  reports   next ${fields["reportsNext"]}, lag ${fields["reportsLag"] ?? "?"}; ${logText(log.reports)}`,
    `  outcomes  next ${fields["outcomesNext"]}, published up to ${fields["outcomesPublished"]}`,
    `  accounts  ${fields["accounts"]}`,
    ...expiryText(fields["hoursUntilInputsExpire"]),
  ];
}

/** Said only where something waits: a lane without a backlog has nothing to lose. */
function expiryText(hours: unknown): string[] {
  if (typeof hours !== "number") return [];
  return [
    `  expiring  ${hours === 0 ? "inputs that wait may leave their log now" : `${hours} hours until the first input that waits may leave its log`}`,
  ];
}

export function haltText(out: Output, lane: number, shown: HaltShown, topics: TopicNames): string[] {
  const { meaning, next } = haltAdvice(shown.cause);
  const evidence = Object.entries(shown.evidence).map(([name, value]) => `      ${name}: ${textOf(value)}`);
  return [
    "",
    `${out.paint("red", "halted")}  ${shown.cause} since ${isoTime(shown.haltedAtMs)}`,
    `  ${meaning}`,
    "  evidence:",
    ...evidence,
    `  ${next}`,
    `  ${remedyText(shown.cause)}`,
    `  go on with: ${resumeCommand(lane, shown, topics)}`,
    `  step by step: ${haltRunbook(shown.cause)}`,
  ];
}

function textOf(value: unknown): string {
  return typeof value === "object" && value !== null ? jsonLine(value as Fields) : String(value);
}

/** The command with the offset that the evidence speaks for; `OFFSET` where only the operator can tell. */
function resumeCommand(lane: number, { cause, evidence }: HaltShown, topics: TopicNames): string {
  const plain = `millrace lane resume ${lane} --reason "…"`;
  const { remedy } = haltAdvice(cause);
  if (remedy === "anew") return `${plain} --outputs-anew`;
  if (remedy !== "accept") return plain;
  const flag = evidence["topic"] === topics.reports ? "--reports-at" : "--intents-at";
  return `${plain} ${flag} ${suggestedOffset(cause, evidence) ?? "OFFSET"}`;
}

export function pastText(past: readonly PastHalt[]): string[] {
  if (past.length === 0) return [];
  return ["", "earlier halts:", ...past.map(pastLine)];
}

function pastLine(past: PastHalt): string {
  const { cause, reason, intentsAt, reportsAt, applied } = past;
  const accepted = [
    ...(intentsAt === null ? [] : [`intents from ${intentsAt}`]),
    ...(reportsAt === null ? [] : [`reports from ${reportsAt}`]),
  ];
  const taken =
    accepted.length === 0 ? "" : `; accepted ${accepted.join(", ")}${applied ? "" : " (not taken over yet)"}`;
  return `  ${isoTime(past.haltedAtMs)}  ${cause}, resumed ${isoTime(past.resumedAtMs)}: ${reason}${taken}`;
}
