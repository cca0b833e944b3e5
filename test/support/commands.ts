// Commands in documents against the program: that each verb, action and flag exists.

import { EXIT } from "../../src/cli/exit.ts";
import { runCli } from "../../src/cli/program.ts";
import { ROOT } from "./source.ts";

export type Block = { readonly language: string; readonly text: string };
export type Named = { readonly text: string; readonly words: readonly string[] };

/** The fenced blocks of a page; such as stand in lists, indented, too. */
export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^ *```(\w*)\n(.*?)^ *```$/gms)].map(([, language = "", text = ""]) => ({
    language,
    text,
  }));
}

export function proseOf(markdown: string): string {
  return markdown.replace(/^ *```.*?^ *```$/gms, "");
}

/** The cells of the first table with this heading, a row each. */
export function tableOf(markdown: string, heading: string): string[][] {
  const [, below = ""] = markdown.split(`\n${heading}\n`);
  const lines = below.split("\n").slice(1);
  const end = lines.findIndex((line) => !line.startsWith("|"));
  return lines.slice(0, end).map((row) => {
    const cells = row.slice(1, -1).split("|");
    return cells.map((cell) => cell.trim());
  });
}

/** What stands between backticks in the prose. */
export function spansOf(markdown: string): string[] {
  return [...proseOf(markdown).matchAll(/`([^`\n]+)`/g)].map(([, text = ""]) => text);
}

/** `millrace …` in code spans, in blocks of shell, and behind the `$` of what was printed; up to a comment, a pipe or
 *  the next command. */
export function findCommands(markdown: string): Named[] {
  const lines = blocksOf(markdown).flatMap(({ language, text }) =>
    text.split("\n").filter((line) => language === "sh" || line.startsWith("$ ")),
  );
  return [...spansOf(markdown), ...lines].flatMap((line) =>
    [...line.matchAll(/\bmillrace ([a-z][^#|;&>)`]*)/g)].map(([, rest = ""]) => {
      const words = rest
        .replace(/ \d$/, "")
        .replace(/"[^"]*"?/g, "TEXT")
        .trim()
        .split(/\s+/);
      return { text: `millrace ${words.join(" ")}`, words };
    }),
  );
}

/** @returns a sentence for each command or flag that the program does not have */
export async function unknownCommands(commands: readonly Named[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const { text, words } of commands) {
    const help = await helpFor(words);
    const flags = words.filter((word) => word.startsWith("--"));
    if (help === null) wrong.push(`${text}: no such command`);
    else wrong.push(...flags.filter((flag) => !knowsFlag(help, flag)).map((flag) => `${text}: no ${flag}`));
  }
  return wrong;
}

/** The help of the command that the words begin with; null when there is none. */
export async function helpFor(words: readonly string[]): Promise<string | null> {
  const [verb = "", action] = words;
  const help = await helpOf([verb]);
  const hasActions = help?.includes("\nCommands:") === true && action !== undefined && !action.startsWith("-");
  if (help === null || !hasActions) return help;
  // `case ID` shows a case and `case decide ID` does something to it: what is no action is the verb's own argument.
  const takesArgument = /^Usage: .*<[A-Z]+>/.test(help);
  return (await helpOf([verb, action])) ?? (takesArgument && !/^[a-z]+$/.test(action) ? help : null);
}

const asked = new Map<string, Promise<string | null>>();

function helpOf(words: readonly string[]): Promise<string | null> {
  const name = words.join(" ");
  const help = asked.get(name) ?? askHelp(words);
  asked.set(name, help);
  return help;
}

async function askHelp(words: readonly string[]): Promise<string | null> {
  let text = "";
  const write = (part: string): void => {
    text += part;
  };
  const stream = { isTTY: false, write };
  const code = await runCli([...words, "--help"], {
    stdout: stream,
    stderr: stream,
    workingDir: ROOT,
    interruption: () => new AbortController().signal,
    environment: {},
  });
  return code === EXIT.ok && text.includes(`Usage: millrace ${words.join(" ")} `) ? text : null;
}

export function knowsFlag(help: string, flag: string): boolean {
  return new RegExp(`${flag}(?![\\w-])`).test(help);
}
