// What every verb gets: where to print, its settings, the addresses, and the signal to stop.

import type { Command } from "commander";
import type { Config, FlagValue, SettingName } from "../config/config.ts";
import { type Addresses, type AddressName, resolveAddresses } from "./addresses.ts";
import { createOutput, type Output, type TextStream } from "./output.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

/** The process as the command line sees it; tests hand in their own. */
export type Io = {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDir: string;
  /** Asked for by a verb that cleans up: from then on Ctrl-C and SIGTERM abort it instead of ending the process. */
  readonly interruption: () => AbortSignal;
};

export type CliContext = {
  readonly io: Io;
  /** to be read inside an action only: before that the global options are not parsed yet */
  readonly out: Output;
  /** `--config FILE`, or null */
  readonly configFile: string | null;
  /** Settings of the command line (`flags`), environment, file and defaults. Ends `usage`, so that faults of options and
   *  of settings are told together.
   *  @throws CommandFailed 2 with every fault */
  config(flags?: readonly FlagValue[], usage?: UsageCheck): Promise<Config>;
  /** Where the dependencies are: as configured, else the running local stack; says on stderr which.
   *  @param need those that this verb uses; all three unless named
   *  @throws CommandFailed 2 when only some of them are configured, 3 when there is no stack either */
  addresses(config: Config, need?: readonly AddressName[]): Promise<Addresses>;
  /** every verb with all that is below it, where else only the one that runs is loaded */
  wholeProgram(): Promise<Command>;
};

export type GlobalOptions = {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color: boolean;
  readonly config?: string;
};

export function createContext(program: Command, io: Io, wholeProgram: () => Promise<Command>): CliContext {
  let made: Output | null = null;
  const context: CliContext = {
    io,
    get out() {
      const { json = false, quiet = false, color } = program.opts<GlobalOptions>();
      made ??= createOutput({ json, quiet, color, ...io });
      return made;
    },
    get configFile() {
      return program.opts<GlobalOptions>().config ?? null;
    },
    config: (flags = [], usage = usageCheck()) => readConfig(context, flags, usage),
    addresses: (config, need) => resolveAddresses(config, context.out, need),
    wholeProgram,
  };
  return context;
}

async function readConfig(context: CliContext, flags: readonly FlagValue[], usage: UsageCheck): Promise<Config> {
  // Loaded only now: the readers of YAML and schemas would double the time of `--help`.
  const { loadConfig, printConfigFault } = await import("../config/config.ts");
  const { io, configFile } = context;
  const loaded = loadConfig({ file: configFile, environment: io.environment, workingDir: io.workingDir, flags });
  for (const warning of loaded.warnings) context.out.warn(`warning: ${warning}`);
  if (loaded.kind === "invalid") {
    for (const fault of loaded.faults) usage.fault(printConfigFault(fault));
  }
  usage.done();
  if (loaded.kind === "valid") return loaded.config;
  throw new Error("an invalid configuration ends the usage check");
}

/** The options of a verb that set settings, as `config` takes them; those that were not given are left out.
 *  @param texts by setting: the flag's name and the text that commander read */
export function flagValues(
  texts: Readonly<Partial<Record<SettingName, readonly [flag: string, text: string | undefined]>>>,
): readonly FlagValue[] {
  return Object.entries(texts).flatMap(([setting, [flag, text]]) =>
    text === undefined ? [] : [{ setting: setting as SettingName, flag, text }],
  );
}

/** Adds `Example:` lines below a command's help. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText("after", `\nExample:\n${lines.map((line) => `  ${line}`).join("\n")}`);
}
