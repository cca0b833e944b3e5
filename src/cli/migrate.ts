// millrace migrate: everything that must exist before the first intent.

import type { Command } from "commander";
import { type CliContext, withExamples } from "./context.ts";
import { usageCheck } from "./usage.ts";

type MigrateOptions = { readonly lanes?: string };

const LANES_DEFAULT = 16;
const LANES_MAX = 4096;

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("migrate")
    .summary("database, topics and schemas, as their owner; safe to repeat")
    .description(
      "Brings database, topics and schemas to what this release needs. Safe to repeat; it changes nothing that is there.",
    )
    .option(
      "--lanes <N>",
      `number of lanes and of partitions, on first use only; a power of two (default: ${LANES_DEFAULT})`,
    )
    .action((options: MigrateOptions) => migrate(context, options));
  withExamples(verb, "millrace migrate", "millrace migrate --lanes 32");
}

async function migrate(context: CliContext, options: MigrateOptions): Promise<void> {
  const usage = usageCheck();
  const lanes = usage.wholeNumber("--lanes", options.lanes, { default: LANES_DEFAULT, min: 1, max: LANES_MAX });
  if ((lanes & (lanes - 1)) !== 0) usage.fault(`--lanes: found ${lanes}, expected a power of two`);
  const config = await context.config([], usage);
  const addresses = await context.addresses(config);
  const { setUp } = await import("../service/set-up.ts");
  const { quietKafka } = await import("./kafka-settings.ts");
  const done = await setUp(config, addresses, lanes, quietKafka(config, addresses.kafkaBrokers, "migrate"));
  if (options.lanes !== undefined && done.lanes !== lanes) {
    context.out.warn(`there are ${done.lanes} lanes already; changing their number is an operation of its own`);
  }
  const { migrations, topics } = done;
  const text = `${done.lanes} lanes, ${migrations.length} migrations applied, ${done.partitionsMade} partitions made, ${topics.length} topics and their schemas in place`;
  context.out.row({ lanes: done.lanes, migrations, partitionsMade: done.partitionsMade, topics }, text);
}
