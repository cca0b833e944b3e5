// millrace stack up | down | status: the local Kafka, Postgres and schema registry.

import type { Command } from "commander";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

type UpOptions = { readonly dir?: string; readonly kafkaPort?: string; readonly pgPort?: string };
type DirOptions = { readonly dir?: string };

const DIR = ["--dir <DIR>", "folder of the stack (default: .millrace/stack)"] as const;

export function register(program: Command, context: CliContext): void {
  const summary = "start, stop or ask the local Kafka, Postgres and registry";
  const verb = program.command("stack").summary(summary).description(`${summary}.`);
  withExamples(verb, "millrace stack up", "millrace stack status --json", "millrace stack down");
  const up = verb
    .command("up")
    .description("Starts what is not running yet, in the background, and prints where it is.")
    .option(...DIR)
    .option("--kafka-port <N>", "port of the Kafka broker (default: a free one)")
    .option("--pg-port <N>", "port of Postgres (default: a free one)")
    .action((options: UpOptions) => stackUp(context, options));
  withExamples(
    up,
    "millrace stack up --dir /tmp/millrace --json",
    "millrace stack up --kafka-port 9092 --pg-port 5432",
  );
  const down = verb
    .command("down")
    .description("Ends exactly what `up` started. The data stays.")
    .option(...DIR)
    .action((options: DirOptions) => stackDown(context, options));
  withExamples(down, "millrace stack down --dir /tmp/millrace");
  const status = verb
    .command("status")
    .description("Says which parts run and where. Exit 3 unless all do.")
    .option(...DIR)
    .action((options: DirOptions) => stackStatus(context, options));
  withExamples(status, "millrace stack status");
}

function port(usage: UsageCheck, flag: string, text: string): number {
  return usage.wholeNumber(flag, text, { default: 1, min: 1, max: 65_535 });
}

async function stackUp(context: CliContext, { dir, kafkaPort, pgPort }: UpOptions): Promise<void> {
  const { out } = context;
  const usage = usageCheck();
  const ports = {
    ...(kafkaPort === undefined ? {} : { kafkaPort: port(usage, "--kafka-port", kafkaPort) }),
    ...(pgPort === undefined ? {} : { pgPort: port(usage, "--pg-port", pgPort) }),
  };
  usage.done();
  const stack = await import("../stack/stack.ts");
  const info = await stack.stackUp({ ...folder(dir), ...ports, say: out.note });
  const { kafkaBrokers, databaseUrl, schemaRegistryUrl, mode } = info;
  const lines = [
    `export KAFKA_BROKERS=${kafkaBrokers}`,
    `export DATABASE_URL=${databaseUrl}`,
    `export SCHEMA_REGISTRY_URL=${schemaRegistryUrl}`,
  ];
  out.note(mode === "environment" ? "using what the environment names" : `the stack in ${info.dir} serves (${mode})`);
  out.row({ kafkaBrokers, databaseUrl, schemaRegistryUrl, dir: info.dir, mode }, lines.join("\n"));
}

async function stackDown({ out }: CliContext, { dir }: DirOptions): Promise<void> {
  const stack = await import("../stack/stack.ts");
  await stack.stackDown({ ...folder(dir), say: out.note });
}

async function stackStatus({ out }: CliContext, { dir }: DirOptions): Promise<void> {
  const stack = await import("../stack/stack.ts");
  const status = await stack.stackStatus(folder(dir));
  const parts = Object.entries(status.parts);
  const words = parts.map(([name, { running, port: at, pid }]) => {
    const how = running ? out.paint("green", "running") : out.paint("red", "not running");
    return `${name.padEnd(9)} ${how}${running && at !== null ? `  port ${at}` : ""}${pid === null ? "" : `  pid ${pid}`}`;
  });
  const { info, ...rest } = status;
  const running = info !== null;
  out.row({ running, ...rest, ...info }, [`stack in ${status.dir}`, ...words].join("\n"));
  if (!running) throw new CommandFailed(EXIT.unreachable, "the stack is not running; start it with: millrace stack up");
}

function folder(dir: string | undefined): { readonly dir?: string } {
  return dir === undefined ? {} : { dir };
}
