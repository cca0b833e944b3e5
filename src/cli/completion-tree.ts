// What a shell may offer: verbs, actions, options and the few values that are names, read off the commander program.

import type { Command, Option } from "commander";
import { ROLES, SETTING_NAMES } from "../config/settings.ts";
import { PARTITIONED_TABLES } from "../store/partitions.ts";
import { BENCHMARKS } from "../workload/bench/list.ts";
import { PROFILES } from "../workload/generate/profiles.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What comes behind an option: nothing, a file, a folder, or a word that may be one of `names`. */
export type Takes = "nothing" | "file" | "folder" | "word";

export type OptionOffered = {
  readonly long: string;
  readonly description: string;
  readonly takes: Takes;
  readonly names: readonly string[];
};

export type CommandOffered = {
  /** `/lane/show`; the program itself is empty */
  readonly path: string;
  readonly children: readonly { readonly name: string; readonly summary: string }[];
  /** those of the program too */
  readonly options: readonly OptionOffered[];
  /** what its arguments may be, where they are names */
  readonly names: readonly string[];
};

/** Values that are names, by command and option or argument. */
export const NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ["/run --roles", ROLES],
  ["/load --profile", PROFILES],
  ["/partitions/list --table", PARTITIONED_TABLES],
  ["/partitions/detach --table", PARTITIONED_TABLES],
  ["/bench <NAME>", [...BENCHMARKS.keys()]],
  ["/config/explain <SETTING>", SETTING_NAMES],
  ["/completion <shell>", SHELLS],
]);

/** The program and everything below it, in the order of help. */
export function completionTree(program: Command): CommandOffered[] {
  const global = program.options.map((option) => optionOffered("", option));
  return commandsBelow(program, "", global);
}

function commandsBelow(command: Command, path: string, global: readonly OptionOffered[]): CommandOffered[] {
  const own = command.parent === null ? [] : command.options.map((option) => optionOffered(path, option));
  const help = { long: "--help", description: "what it does, with an example", takes: "nothing", names: [] } as const;
  const offered: CommandOffered = {
    path,
    children: command.commands.map((child) => ({ name: child.name(), summary: summaryOf(child) })),
    options: [...own, help, ...global],
    names: command.registeredArguments.flatMap((argument) => NAMES.get(`${path} <${argument.name()}>`) ?? []),
  };
  return [offered, ...command.commands.flatMap((child) => commandsBelow(child, `${path}/${child.name()}`, global))];
}

function optionOffered(path: string, option: Option): OptionOffered {
  const long = option.long ?? option.flags;
  return {
    long,
    description: firstLine(option.description),
    takes: takes(option),
    names: NAMES.get(`${path} ${long}`) ?? [],
  };
}

function takes({ flags, required, optional }: Option): Takes {
  if (!required && !optional) return "nothing";
  if (flags.includes("<FILE>")) return "file";
  return flags.includes("<DIR>") ? "folder" : "word";
}

function summaryOf(command: Command): string {
  return command.summary() || firstLine(command.description());
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
