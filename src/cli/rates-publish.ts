// millrace rates publish: the file of reference rates as messages of the topic of rates.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { type Config, ratesTopic } from "../config/config.ts";
import { loadDeclared } from "../declared/load.ts";
import { loadFeeds } from "../declared/load-rates.ts";
import { type RateMessage, rateKey } from "../kafka/codec-rate.ts";
import { openProducer } from "../kafka/producer.ts";
import { openRegistry } from "../kafka/registry.ts";
import { type EcbDay, EcbFileWrong, readEcbFile } from "../rates/ecb.ts";
import { ecbTicks } from "../rates/ecb-ticks.ts";
import { openRateCodec, REGISTRY_TIMEOUT_MS } from "../service/dependencies.ts";
import { parseTime } from "../workload/intents-time.ts";
import type { CliContext } from "./context.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import type { PublishOptions } from "./rates.ts";
import { position } from "./rows.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

const BATCH_TICKS = 1_000;
const FEED = "ecb";
const DAY = /^\d{4}-\d\d-\d\d$/;

/** @throws CommandFailed 1 when the file is wrong or has no such day, 2 for the options */
export async function publishRates(context: CliContext, options: PublishOptions): Promise<void> {
  const usage = usageCheck();
  const asOfMs = readAsOf(usage, options.asOf);
  if (options.onlyLatest === true && options.day !== undefined) usage.fault("--day: expected without --only-latest");
  if (options.day !== undefined && !DAY.test(options.day))
    usage.fault(`--day: found "${options.day}", expected YYYY-MM-DD`);
  if (asOfMs !== null && options.onlyLatest !== true && options.day === undefined)
    usage.fault("--as-of: expected with --only-latest or --day, because it is the time of one day's prices");
  const config = await context.config([], usage);
  const feed = options.feed ?? FEED;
  const { feeds } = loadFeeds(config.schemasDir);
  if (!feeds.has(feed)) {
    throw new CommandFailed(EXIT.usage, `--feed: found "${feed}", expected one of ${[...feeds.keys()].join(", ")}`);
  }
  const days = chosenDays(readFile(options.from), options);
  const { currencies } = loadDeclared(config.schemasDir, config.flowsDir);
  const isCurrency = (code: string): boolean => currencies.scaleOf(code) !== null;
  const { ticks, withdrawn, leftOut } = ecbTicks({ feed, days, isCurrency, asOfMs });
  const topic = ratesTopic(config);
  const nextOffset = await send(context, config, topic, ticks);
  const span = days.length === 1 ? `${days[0]?.day}` : `${days[0]?.day} to ${days.at(-1)?.day}`;
  if (leftOut.length > 0) context.out.note(`left out, no currencies here: ${leftOut.join(", ")}`);
  context.out.row(
    { topic, feed, from: days[0]?.day, until: days.at(-1)?.day, ticks: ticks.length, withdrawn, leftOut, nextOffset },
    `${ticks.length} ticks of ${feed} (${span}) published to ${topic}; ${withdrawn} of them withdraw a pair`,
  );
}

function readAsOf(usage: UsageCheck, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (text === "now") return Date.now();
  const micros = parseTime(text);
  if (micros !== null && micros >= 0n) return Number(micros / 1000n);
  usage.fault(`--as-of: found "${text}", expected \`now\` or a time such as 2026-11-20T10:00:00Z`);
  return null;
}

function readFile(path: string): EcbDay[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new CommandFailed(EXIT.usage, `--from: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    return readEcbFile(basename(path), text);
  } catch (error) {
    if (error instanceof EcbFileWrong) throw new CommandFailed(EXIT.failed, `${error.message}\nnothing was published`);
    throw error;
  }
}

function chosenDays(days: readonly EcbDay[], { day, onlyLatest }: PublishOptions): readonly EcbDay[] {
  if (onlyLatest === true) return days.slice(-1);
  if (day === undefined) return days;
  const chosen = days.filter((one) => one.day === day);
  if (chosen.length > 0) return chosen;
  const before = days.findLast((one) => one.day < day);
  const hint = before === undefined ? "" : `; the last one before it is ${before.day}`;
  throw new CommandFailed(EXIT.failed, `the file has no rates of ${day}, a closing day or outside of it${hint}`);
}

async function send(
  context: CliContext,
  config: Config,
  topic: string,
  ticks: readonly RateMessage[],
): Promise<number | null> {
  const { kafkaBrokers, schemaRegistryUrl } = await context.addresses(config, ["kafkaBrokers", "schemaRegistryUrl"]);
  const registry = openRegistry({ url: schemaRegistryUrl, timeoutMs: REGISTRY_TIMEOUT_MS });
  const { encoder } = await openRateCodec(config, loadDeclared(config.schemasDir, config.flowsDir), registry);
  const producer = await openProducer(quietKafka(config, kafkaBrokers, "rates"));
  try {
    let next: bigint | null = null;
    for (let from = 0; from < ticks.length; from += BATCH_TICKS) {
      const records = ticks
        .slice(from, from + BATCH_TICKS)
        .map((tick) => ({ key: rateKey(tick), value: encoder.encode(tick) }));
      const { baseOffset } = await producer.send(topic, 0, records);
      next = baseOffset + BigInt(records.length);
    }
    return next === null ? null : position(next);
  } finally {
    await producer.close();
  }
}
