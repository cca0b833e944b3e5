// The command line as a whole: global options, the list of verbs, and the way from an error to an exit code. A verb's
// module is loaded only when it is the one that runs, so that `--help` does not wait for clients of Kafka and Postgres.

import { Command, CommanderError } from "commander";
import { type CliContext, createContext, type Io } from "./context.ts";
import { EXIT, type ExitCode, endingOf, usageFailed } from "./exit.ts";
import { optionFaults } from "./usage.ts";
import { ownVersion } from "./version.ts";

/** What the module of a verb exports. */
export type VerbModule = { readonly register: (program: Command, context: CliContext) => void };

type Verb = { readonly name: string; readonly summary: string; readonly load: () => Promise<VerbModule> };

/** Every verb, a line each, in the order of `--help`. */
export const VERBS: readonly Verb[] = [
  {
    name: "stack",
    summary: "start, stop or ask the local Kafka, Postgres and registry",
    load: () => import("./stack.ts"),
  },
  {
    name: "migrate",
    summary: "database, topics and schemas, as their owner; safe to repeat",
    load: () => import("./migrate.ts"),
  },
  { name: "run", summary: "the service, until SIGTERM", load: () => import("./run.ts") },
  {
    name: "demo",
    summary: "a mixed day of payments on a stack of its own, start to end",
    load: () => import("./demo.ts"),
  },
  { name: "load", summary: "publish intents: JSON lines or generated ones", load: () => import("./load.ts") },
  {
    name: "replay",
    summary: "records of a topic again, as they are or as new payments; compare ledgers",
    load: () => import("./replay.ts"),
  },
  { name: "outcomes", summary: "what became of intents, as JSON lines", load: () => import("./outcomes.ts") },
  { name: "ledger", summary: "balances now and as of a cut, lines, trial balance", load: () => import("./ledger.ts") },
  {
    name: "rates",
    summary: "exchange rates: publish a feed's, list what is known, judge what was put aside",
    load: () => import("./rates.ts"),
  },
  { name: "fx", summary: "a rate between two currencies; positions and their result", load: () => import("./fx.ts") },
  { name: "case", summary: "a case: its states, inputs, outcomes and lines", load: () => import("./case.ts") },
  {
    name: "quarantine",
    summary: "what could not be understood, with reasons; publish it mended",
    load: () => import("./quarantine.ts"),
  },
  {
    name: "lane",
    summary: "who owns what, positions, lag; a halt and the way to go on after it",
    load: () => import("./lane.ts"),
  },
  {
    name: "events",
    summary: "how far providers' lists of events were read; read one again",
    load: () => import("./events.ts"),
  },
  {
    name: "partitions",
    summary: "time partitions: list them, detach old ones",
    load: () => import("./partitions.ts"),
  },
  {
    name: "verify",
    summary: "audit database and topics, invariant by invariant",
    load: () => import("./verify.ts"),
  },
  {
    name: "flows",
    summary: "flow files: check, test, draw and begin them; backtest and promote versions",
    load: () => import("./flows.ts"),
  },
  {
    name: "sandbox",
    summary: "the providers cardco and instanet, played by a server that misbehaves as it is told",
    load: () => import("./sandbox.ts"),
  },
  { name: "bench", summary: "measure throughput and latency", load: () => import("./bench.ts") },
  { name: "doctor", summary: "check every dependency and setting", load: () => import("./doctor.ts") },
  { name: "config", summary: "check and explain the settings", load: () => import("./config.ts") },
  {
    name: "completion",
    summary: "a script with which your shell completes commands",
    load: () => import("./completion.ts"),
  },
];

/** Runs one command line.
 *  @param argv the words after the program's name
 *  @returns the exit code; never throws */
export async function runCli(argv: readonly string[], io: Io): Promise<ExitCode> {
  try {
    const program = createProgram(io);
    await addVerbs(
      program,
      createContext(program, io, () => wholeProgram(io)),
      verbIn(argv),
    );
    const faults = optionFaults(program, argv);
    if (faults.length > 0) throw usageFailed(faults);
    await program.parseAsync([...argv], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return endOfCommander(error, io);
    const ending = endingOf(error);
    tell(io, ending.lines);
    return ending.exitCode;
  }
}

function createProgram(io: Io): Command {
  return new Command("millrace")
    .description(
      "Payment intents from Kafka into a double-entry ledger in Postgres, and outcomes back, each exactly once.",
    )
    .version(ownVersion(), "-V, --version", "print the version")
    .option("--json", "results as JSON, one object a line; everything else goes to stderr")
    .option("--config <FILE>", "settings from this file (default: ./millrace.yaml if there is one)")
    .option("--quiet", "results and failures only")
    .option("--no-color", "no colour (also: NO_COLOR)")
    .helpOption("-h, --help", "print what a command does, with an example")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => undefined, // told once, by `endOfCommander`
    })
    .addHelpText("after", "\nExample:\n  millrace stack up && millrace stack status --json")
    .exitOverride();
}

/** Every verb in full: what completion is made of. */
async function wholeProgram(io: Io): Promise<Command> {
  const program = createProgram(io);
  const context = createContext(program, io, async () => program);
  for (const verb of VERBS) (await verb.load()).register(program, context);
  return program;
}

/** The chosen verb in full; of the others the line that help and misspellings need. */
async function addVerbs(program: Command, context: CliContext, chosen: string | null): Promise<void> {
  for (const verb of VERBS) {
    if (verb.name === chosen) (await verb.load()).register(program, context);
    else program.command(verb.name).summary(verb.summary).description(verb.summary);
  }
}

/** The first word that is no option; the word after it when it is `help`. */
function verbIn(argv: readonly string[]): string | null {
  const words = argv.filter((word, index) => !word.startsWith("-") && argv[index - 1] !== "--config");
  return (words[0] === "help" ? words[1] : words[0]) ?? null;
}

/** Help and version come as errors too; what is wrong with the words comes with commander's own message. */
function endOfCommander(error: CommanderError, io: Io): ExitCode {
  if (error.exitCode === 0) return EXIT.ok;
  if (error.code !== "commander.help") tell(io, error.message.replace(/^error: /, "").split("\n"));
  return EXIT.usage;
}

function tell(io: Io, lines: readonly string[]): void {
  for (const line of lines) io.stderr.write(`millrace: ${line}\n`);
}
