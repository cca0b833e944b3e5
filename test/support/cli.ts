// Verbs run in this process against a test's own database and topics.
import { tmpdir } from "node:os";
import { runCli } from "../../src/cli/program.ts";
import type { TestService } from "./service.ts";
import { waitFor } from "./wait.ts";

export type CliRan = {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** the lines of stdout, when they are JSON */
  rows(): Record<string, unknown>[];
};

export type CliSystem = Pick<TestService, "addresses" | "config">;

/** @param environment settings beside the addresses and the prefix of the topics */
export function cli(
  { addresses, config }: CliSystem,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CliRan> {
  return runHere(argv, {
    KAFKA_BROKERS: addresses.kafkaBrokers.join(","),
    DATABASE_URL: addresses.databaseUrl,
    SCHEMA_REGISTRY_URL: addresses.schemaRegistryUrl,
    MILLRACE_TOPIC_PREFIX: config.topicPrefix,
    ...environment,
  });
}

/** @param environment the whole of it: nothing of this process's own is seen */
export async function runHere(argv: readonly string[], environment: Readonly<Record<string, string>>): Promise<CliRan> {
  const texts = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    isTTY: false,
    write: (text: string) => {
      texts[name] += text;
    },
  });
  const code = await runCli(argv, {
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    workingDir: tmpdir(),
    interruption: () => new AbortController().signal,
    environment,
  });
  const rows = (): Record<string, unknown>[] =>
    texts.stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, ...texts, rows };
}

/** The rows of a verb that must succeed.
 *  @throws Error with what it said on stderr */
export async function cliRows(system: CliSystem, argv: readonly string[]): Promise<Record<string, unknown>[]> {
  const ran = await cli(system, [...argv, "--json", "--quiet"]);
  if (ran.code !== 0) throw new Error(`millrace ${argv.join(" ")} ended with ${ran.code}: ${ran.stderr}`);
  return ran.rows();
}

/** Waits until a lane is halted. */
export function untilHalted(system: CliSystem, lane: number): Promise<void> {
  return waitFor(`lane ${lane} to halt`, async () => (await cli(system, ["lane", "show", String(lane)])).code === 4);
}
