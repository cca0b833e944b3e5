// millrace lane resume: closes a halt, if need be with the offset from which the operator lets the lane go on.

import { type Config, topicNames } from "../config/config.ts";
import { remedyText } from "../domain/halts.ts";
import { openAdmin } from "../kafka/admin.ts";
import type { KafkaSettings } from "../kafka/port.ts";
import { beginOutputsAnew } from "../store/outbox.ts";
import { type Resumed, resumeLane } from "../store/reads-lanes.ts";
import type { CliContext } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import { position } from "./rows.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

export type ResumeOptions = {
  readonly reason: string;
  readonly intentsAt?: string;
  readonly reportsAt?: string;
  readonly outputsAnew?: boolean;
};

const REASON_CHARS_MAX = 1_000;

/** @param readLane reads the lane's number from the command line */
export async function resumeHalted(
  context: CliContext,
  options: ResumeOptions,
  readLane: (usage: UsageCheck) => number,
): Promise<void> {
  const usage = usageCheck();
  const lane = readLane(usage);
  const reason = options.reason.trim();
  if (reason === "" || reason.length > REASON_CHARS_MAX)
    usage.fault(`--reason: expected 1 to ${REASON_CHARS_MAX} characters: why the lane may go on`);
  const intentsAt = readOffset(usage, "--intents-at", options.intentsAt);
  const reportsAt = readOffset(usage, "--reports-at", options.reportsAt);
  const config = await context.config([], usage);
  const offsets = offsetsOf(config, intentsAt, reportsAt);
  const addresses = await context.addresses(
    config,
    offsets.length > 0 ? ["kafkaBrokers", "databaseUrl"] : ["databaseUrl"],
  );
  await requireInLog(quietKafka(config, addresses.kafkaBrokers, "lane"), lane, offsets);
  const { databaseUrl } = addresses;
  const resumed = await withDatabase({ config, databaseUrl, verb: "lane", mode: "write" }, async (connection) => {
    const outputsAnew = options.outputsAnew === true;
    if (outputsAnew) await beginOutputsAnew(connection, lane);
    return resumeLane(connection, lane, { reason, intentsAt, reportsAt, outputsAnew });
  });
  if (resumed === null) throw new CommandFailed(EXIT.failed, `lane ${lane} is not halted; there is nothing to resume`);
  tell(context, lane, options, resumed);
}

function readOffset(usage: UsageCheck, flag: string, text: string | undefined): bigint | null {
  if (text === undefined) return null;
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  usage.fault(`${flag}: found "${text}", expected an offset: digits`);
  return null;
}

type LogOffset = { readonly flag: string; readonly topic: string; readonly offset: bigint };

function offsetsOf(config: Config, intentsAt: bigint | null, reportsAt: bigint | null): LogOffset[] {
  const { intents, reports } = topicNames(config);
  return [
    ...(intentsAt === null ? [] : [{ flag: "--intents-at", topic: intents, offset: intentsAt }]),
    ...(reportsAt === null ? [] : [{ flag: "--reports-at", topic: reports, offset: reportsAt }]),
  ];
}

/** An offset outside the log would halt the lane at once.
 *  @throws CommandFailed 1 with the log's bounds */
async function requireInLog(kafka: KafkaSettings, lane: number, offsets: readonly LogOffset[]): Promise<void> {
  if (offsets.length === 0) return;
  const admin = await openAdmin(kafka);
  try {
    for (const { flag, topic, offset } of offsets) {
      const { low, end } = await admin.bounds(topic, lane);
      if (offset >= low && offset <= end) continue;
      throw new CommandFailed(
        EXIT.failed,
        `${flag} ${offset}: ${topic} has offsets ${low} to ${end} in partition ${lane} (${end} is the next to come)`,
      );
    }
  } finally {
    await admin.close();
  }
}

function tell(
  { out }: CliContext,
  lane: number,
  { reason: given, outputsAnew }: ResumeOptions,
  resumed: Resumed,
): void {
  const reason = given.trim();
  const { cause, intentsAt, reportsAt } = resumed;
  const accepted = [
    ...(intentsAt === null ? [] : [`with its intents from offset ${intentsAt}`]),
    ...(reportsAt === null ? [] : [`with its reports from offset ${reportsAt}`]),
    ...(outputsAnew === true ? ["with output topics that begin anew"] : []),
  ];
  const from = accepted.length === 0 ? "where it stopped" : accepted.join(" and ");
  const fields = {
    lane,
    cause,
    reason,
    intentsAt: intentsAt === null ? null : position(intentsAt),
    reportsAt: reportsAt === null ? null : position(reportsAt),
  };
  out.row(fields, `lane ${lane} may be taken again: it was halted by ${cause} and goes on ${from}`);
  if (accepted.length === 0) out.note(remedyText(cause));
}
