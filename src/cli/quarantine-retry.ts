// millrace quarantine retry: publishes a mended copy of an intent that was put aside, to where it belongs. The case id
// stays, so sending it twice is one payment: the case absorbs the second.

import { type Config, topicNames } from "../config/config.ts";
import { compileFlow } from "../domain/flow/compile/compile.ts";
import { homeLane } from "../domain/holder.ts";
import { makeRules, type Rules } from "../domain/rules.ts";
import { Undecodable, Unencodable } from "../kafka/codec.ts";
import type { IntentMessage } from "../kafka/codec-messages.ts";
import type { KafkaSettings } from "../kafka/port.ts";
import { openProducer } from "../kafka/producer.ts";
import { takeIn } from "../processor/intake.ts";
import type { Connection } from "../store/database.ts";
import { noteRetried, type PutAsideRecord, readQuarantined } from "../store/reads-quarantine.ts";
import { countLanes } from "../store/setup.ts";
import { openMessages, type ToolMessages } from "./codec.ts";
import type { CliContext } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import { type Edit, mendIntent, parseEdit } from "./quarantine-mend.ts";
import { type QuarantineId, readQuarantineId } from "./quarantine-view.ts";
import { position, printable } from "./rows.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

const HOUR_MS = 3_600_000;

/** @throws CommandFailed 1 when there is nothing to send, or it would be put aside again */
export async function retryQuarantined(context: CliContext, text: string, sets: readonly string[]): Promise<void> {
  const usage = usageCheck();
  const id = readQuarantineId(usage, text);
  const edits = readEdits(usage, sets);
  const config = await context.config([], usage);
  const addresses = await context.addresses(config);
  const messages = await openMessages(config, addresses.schemaRegistryUrl);
  const access = { config, databaseUrl: addresses.databaseUrl, verb: "quarantine", mode: "write" } as const;
  await withDatabase(access, async (connection) => {
    const kafka = quietKafka(config, addresses.kafkaBrokers, "quarantine");
    await retry(context, { config, connection, messages, kafka, id, edits });
  });
}

function readEdits(usage: UsageCheck, sets: readonly string[]): Edit[] {
  return sets.flatMap((set) => {
    const edit = parseEdit(set);
    if (edit === null) usage.fault(`--set: found "${set}", expected FIELD=VALUE, or FIELD= to leave it out`);
    return edit ?? [];
  });
}

type Retrying = {
  readonly config: Config;
  readonly connection: Connection;
  readonly messages: ToolMessages;
  readonly kafka: KafkaSettings;
  readonly id: QuarantineId;
  readonly edits: readonly Edit[];
};

async function retry({ out }: CliContext, retrying: Retrying): Promise<void> {
  const { config, connection, messages, kafka, id } = retrying;
  const topic = topicNames(config).intents;
  const record = await readQuarantined(connection, id.lane, topic, id.offset);
  if (record === null) throw refused(`nothing was put aside at ${id.text}`);
  const lanes = await countLanes(connection);
  const intent = await mended(retrying, record);
  const sent = encoded(retrying, rulesOf(config, messages, lanes), intent);
  const producer = await openProducer(kafka);
  try {
    const { baseOffset } = await producer.send(topic, sent.lane, [{ key: sent.key, value: sent.value }]);
    // Published first: should this end in between, the intent is sent once more and absorbed, never lost.
    await noteRetried(connection, record, topic);
    const again = record.retriedAtMs === null ? "" : " once more";
    out.row(
      {
        id: id.text,
        topic,
        partition: sent.lane,
        offset: position(baseOffset),
        holderId: intent.holderId,
        caseId: intent.caseId,
      },
      `published${again} to ${topic}, partition ${sent.lane}, offset ${baseOffset}; its outcome will say what became of it`,
    );
  } finally {
    await producer.close();
  }
}

function refused(message: string): CommandFailed {
  return new CommandFailed(EXIT.failed, message);
}

async function mended({ messages, edits }: Retrying, record: PutAsideRecord): Promise<IntentMessage> {
  const { value, size, reason } = record;
  const source = "publish the intent again from where it came";
  if (value === null) throw refused(`the bytes of a record put aside as ${reason} are not kept; ${source}`);
  if (size > value.length) throw refused(`of its ${size} bytes only ${value.length} were kept; ${source}`);
  const decoded = await messages.codec.decoders.intent.read(value).catch((error: unknown) => {
    if (error instanceof Undecodable) throw refused(`it cannot be read as an intent (${error.detail}); ${source}`);
    throw error;
  });
  const { intent, faults } = mendIntent(decoded, edits, messages.declared.currencies);
  if (faults.length > 0) throw new CommandFailed(EXIT.usage, faults.join("\n"));
  return intent;
}

type Sent = { readonly lane: number; readonly key: Buffer; readonly value: Buffer };

/** @throws CommandFailed 1 when the intake would put it aside again */
function encoded({ config, messages }: Retrying, rules: Rules, intent: IntentMessage): Sent {
  const { encoders, decoders } = messages.codec;
  const key = Buffer.from(intent.holderId, "utf8");
  const lane = homeLane(intent.holderId, rules.lanes);
  const value = encode(() => encoders.intent.encode(intent));
  const limits = { recordBytesMax: config.intentBytesMax, futureMs: config.caseFutureHours * HOUR_MS };
  const record = { offset: 0n, appendedAtMs: Date.now(), key, value };
  const input = takeIn(record, lane, rules, decoders.intent, limits);
  if (input.kind === "intent") return { lane, key, value };
  throw refused(
    `it would be put aside again as ${input.reason}: ${printable(input.detail)}\nmend it with --set FIELD=VALUE`,
  );
}

function encode(write: () => Buffer): Buffer {
  try {
    return write();
  } catch (error) {
    if (error instanceof Unencodable) throw refused(error.message);
    throw error;
  }
}

/** As the service has them; a flow's number in the database plays no part in taking an intent in. */
function rulesOf(config: Config, { declared }: ToolMessages, lanes: number): Rules {
  return makeRules({
    chart: declared.chart,
    currencies: declared.currencies,
    lanes,
    flows: declared.flows.map((flow, index) => compileFlow(flow, index + 1)),
    retired: [],
    caseWindowMs: config.caseWindowDays * 24 * HOUR_MS,
    caseFutureMs: config.caseFutureHours * HOUR_MS,
  });
}
