// Checks of a command line that tell everything at once. Commander stops at the first unknown or missing option, so
// those are looked for before it parses; values are checked by the verb through `UsageCheck`.

import { statSync } from "node:fs";
import type { Command, Option } from "commander";
import { suggest } from "../config/suggest.ts";
import { usageFailed } from "./exit.ts";

/** Collects what is wrong with a verb's options. Each method returns a usable value even after a fault, so that a verb
 *  checks all its options before `done` ends it. */
export type UsageCheck = {
  /** @param line where, what was found, what was expected */
  fault(line: string): void;
  /** @param text the option's text, undefined when it was not given */
  wholeNumber(flag: string, text: string | undefined, range: NumberRange): number;
  oneOf(flag: string, text: string | undefined, choice: Choice): string;
  /** @returns null when it was not given */
  url(flag: string, text: string | undefined): string | null;
  /** @throws CommandFailed 2 with every fault, if there is one */
  done(): void;
};

export type NumberRange = { readonly default: number; readonly min: number; readonly max: number };
export type Choice = { readonly default: string; readonly names: readonly string[] };

export function usageCheck(): UsageCheck {
  const faults: string[] = [];
  const fault = (line: string): void => {
    faults.push(line);
  };
  return {
    fault,
    wholeNumber: (flag, text, range) => {
      if (text === undefined) return range.default;
      const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= range.min && value <= range.max) return value;
      fault(`${flag}: found "${text}", expected a whole number from ${range.min} to ${range.max}`);
      return range.default;
    },
    oneOf: (flag, text, choice) => {
      if (text === undefined || choice.names.includes(text)) return text ?? choice.default;
      fault(`${flag}: found "${text}", expected one of ${choice.names.join(", ")}${suggest(text, choice.names)}`);
      return choice.default;
    },
    url: (flag, text) => {
      if (text === undefined) return null;
      const isUrl = URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol);
      if (!isUrl) fault(`${flag}: found "${text}", expected a URL such as http://127.0.0.1:9600`);
      return text;
    },
    done: () => {
      if (faults.length > 0) throw usageFailed(faults);
    },
  };
}

/** @returns why a file cannot be read, behind its name; null when nothing speaks against it */
export function noFile(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "does not exist";
  return stat.isDirectory() ? "is a folder, expected a file" : null;
}

/** Unknown options and missing required ones of the verb that `argv` names, all of them. */
export function optionFaults(program: Command, argv: readonly string[]): readonly string[] {
  const walk = walkOptions(program, argv);
  if (walk.found.has("help")) return [];
  const flags = walk.options.flatMap((option) => (option.long === undefined ? [] : [option.long]));
  const unknown = walk.unknown.map((flag) => `${flag}: no such option${suggest(flag, flags)}`);
  const missing = walk.options.filter((option) => option.mandatory && !walk.found.has(option.attributeName()));
  return [...unknown, ...missing.map((option) => `${option.long ?? option.flags}: missing, expected ${option.flags}`)];
}

type Walk = {
  command: Command;
  options: readonly Option[];
  readonly found: Set<string>;
  readonly unknown: string[];
};

/** Goes through the words as commander does: a verb's options may stand before or after those of the program. */
function walkOptions(program: Command, argv: readonly string[]): Walk {
  const walk: Walk = { command: program, options: program.options, found: new Set(), unknown: [] };
  // Options before the verb's name may be the verb's own, so the verb is found first.
  for (const word of argv) descend(walk, word);
  for (let index = 0; index < argv.length && argv[index] !== "--"; index++) {
    const word = argv[index] ?? "";
    if (!word.startsWith("-") || word === "-" || /^-\d/.test(word)) continue;
    const [flag = word, inline] = word.split("=", 2);
    const option = walk.options.find(({ long, short }) => long === flag || short === flag);
    if (flag === "--help" || flag === "-h") walk.found.add("help");
    else if (option === undefined) walk.unknown.push(flag);
    else {
      walk.found.add(option.attributeName());
      if (option.required && inline === undefined) index++;
    }
  }
  return walk;
}

function descend(walk: Walk, word: string): void {
  const next = walk.command.commands.find((command) => command.name() === word);
  if (next === undefined) return;
  walk.command = next;
  walk.options = [...next.options, ...walk.options];
}
