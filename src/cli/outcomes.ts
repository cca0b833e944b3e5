// millrace outcomes: what the service answered, as JSON lines.

import type { Command } from "commander";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT, Interrupted } from "./exit.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

type OutcomesOptions = { readonly fromBeginning?: boolean; readonly untilIdle?: string };

const IDLE_MAX_SECONDS = 86_400;

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("outcomes")
    .summary("what became of intents, as JSON lines")
    .description(
      "Prints outcomes as JSON lines, in lane order, each once. A gap or repeat in a lane's sequence is told on stderr; exit 1 then.",
    )
    .option("--from-beginning", "all that the topic still has (default: only what comes from now on)")
    .option("--until-idle <SECONDS>", "exit 0 once this long nothing has come (default: until Ctrl-C)")
    .action((options: OutcomesOptions) => outcomes(context, options));
  withExamples(verb, "millrace outcomes --from-beginning --until-idle 2", "millrace outcomes | grep rejected");
}

async function outcomes(context: CliContext, options: OutcomesOptions): Promise<void> {
  const usage = usageCheck();
  const untilIdleMs = readIdle(usage, options.untilIdle);
  const config = await context.config([], usage);
  const addresses = await context.addresses(config, ["kafkaBrokers", "schemaRegistryUrl"]);
  const { openMessages } = await import("./codec.ts");
  const { openAdmin } = await import("../kafka/admin.ts");
  const { quietKafka } = await import("./kafka-settings.ts");
  const { readOutcomes } = await import("../workload/outcomes.ts");
  const { outcomeLine } = await import("../workload/outcomes-json.ts");
  const { codec, topics } = await openMessages(config, addresses.schemaRegistryUrl);
  const kafka = quietKafka(config, addresses.kafkaBrokers, "outcomes");
  const admin = await openAdmin(kafka);
  const stop = context.io.interruption();
  try {
    if (!(await admin.partitionCounts([topics.outcomes])).has(topics.outcomes)) {
      throw new CommandFailed(EXIT.failed, `topic ${topics.outcomes} does not exist; run \`millrace migrate\``);
    }
    const { faults } = await readOutcomes({
      kafka,
      admin,
      topic: topics.outcomes,
      decoder: codec.decoders.outcome,
      untilIdleMs,
      stop,
      from: options.fromBeginning === true ? "beginning" : "end",
      take: (taken) => context.io.stdout.write(`${taken.map(outcomeLine).join("\n")}\n`),
      fault: context.out.warn,
    });
    if (faults > 0) throw new CommandFailed(EXIT.failed, `${faults} faults in ${topics.outcomes}`);
  } finally {
    await admin.close();
  }
  if (stop.aborted) throw new Interrupted();
}

function readIdle(usage: UsageCheck, text: string | undefined): number | null {
  if (text === undefined) return null;
  const seconds = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds > 0 && seconds <= IDLE_MAX_SECONDS) return seconds * 1000;
  usage.fault(`--until-idle: found "${text}", expected seconds, more than 0 and at most ${IDLE_MAX_SECONDS}`);
  return null;
}
