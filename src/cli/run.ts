// millrace run: the service, until SIGTERM.

import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import { type CliContext, flagValues, withExamples } from "./context.ts";

type RunOptions = { readonly roles?: string; readonly instance?: string; readonly httpPort?: string };

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("run")
    .summary("the service, until SIGTERM")
    .description(
      "Runs the service until SIGTERM. Several instances share the lanes; a killed one's lanes go to the others.",
    )
    .option(
      "--roles <ROLES>",
      "what this process does, separated by commas: lanes, gateways, rates, auditor (default: lanes)",
    )
    .option("--instance <NAME>", "a label for logs and metrics; ownership does not depend on it")
    .option("--http-port <N>", "port of /metrics, /livez and /readyz (default: a free one, logged)")
    .action((options: RunOptions) => run(context, options));
  withExamples(verb, "millrace run", "millrace run --instance a --http-port 9400", "millrace run --roles auditor");
}

/** By how much the heap may grow over what is alive before old garbage is collected. V8's own answer is a multiple, and a
 *  backlog of a million intents, of which a few thousand are alive at a time, then takes twice the memory; half of this
 *  saved no more and marked all the time. */
const HEAP_GROWTH_PERCENT = 100;

async function run(context: CliContext, options: RunOptions): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const config = await context.config(
    flagValues({
      roles: ["--roles", options.roles],
      instance: ["--instance", options.instance],
      httpPort: ["--http-port", options.httpPort],
    }),
  );
  const addresses = await context.addresses(config);
  const { startService } = await import("../service/service.ts");
  const { kafkaAccess } = await import("../config/secrets.ts");
  const { createLogger } = await import("../telemetry/logger.ts");
  const { createMetrics } = await import("../telemetry/metrics.ts");
  const { ownVersion } = await import("./version.ts");
  const logger = createLogger(config);
  const metrics = createMetrics({ instance: config.instance, version: ownVersion() });
  const interrupted = context.io.interruption();
  const crash = (error: unknown): void => {
    logger.error({ error }, "an assertion of our own failed; the process stops and writes nothing more");
    process.exit(1);
  };
  const kafka = {
    brokers: addresses.kafkaBrokers,
    clientId: `millrace-${config.instance}`,
    access: kafkaAccess(config),
    log: (level: "error" | "warn" | "info" | "debug", fields: Record<string, unknown>, message: string) => {
      metrics.kafkaLogLine(level);
      logger[level](fields, message);
    },
  };
  const service = await startService({ config, addresses, kafka, logger, metrics, crash });
  if (!interrupted.aborted)
    await new Promise<void>((resolve) => interrupted.addEventListener("abort", () => resolve(), { once: true }));
  logger.info({}, "stopping");
  const deadline = setTimeout(() => {
    logger.error(
      { stopDeadlineMs: config.stopDeadlineMs },
      "not stopped within the deadline; what is committed stays, the rest is read again",
    );
    process.exit(1);
  }, config.stopDeadlineMs);
  await service.stop();
  clearTimeout(deadline);
  logger.info({}, "stopped");
}
