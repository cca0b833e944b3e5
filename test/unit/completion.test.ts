// The completion scripts, asked as the shells ask them: bash always, zsh and fish where they are installed.

import { spawnSync } from "node:child_process";
import { Command } from "commander";
import { beforeAll, describe, expect, test } from "vitest";
import { completionTree, NAMES, SHELLS, type Shell } from "../../src/cli/completion-tree.ts";
import { createContext, type Io } from "../../src/cli/context.ts";
import { runCli, VERBS } from "../../src/cli/program.ts";
import { SETTING_NAMES } from "../../src/config/settings.ts";
import { ROOT } from "../support/source.ts";

function io(write: (text: string) => void): Io {
  const stream = { isTTY: false, write };
  const interruption = () => new AbortController().signal;
  return { stdout: stream, stderr: stream, workingDir: ROOT, environment: {}, interruption };
}

const scripts = new Map<Shell, string>();
beforeAll(async () => {
  for (const shell of SHELLS) {
    let text = "";
    const code = await runCli(
      ["completion", shell],
      io((part) => void (text += part)),
    );
    expect([shell, code]).toEqual([shell, 0]);
    scripts.set(shell, text);
  }
});

function isInstalled(shell: Shell): boolean {
  return spawnSync(shell, ["--version"]).status === 0;
}

function ask(shell: Shell, args: readonly string[], input: string): string[] {
  const done = spawnSync(shell, args, { input, encoding: "utf8", cwd: ROOT });
  expect([done.status, done.stderr]).toEqual([0, ""]);
  return done.stdout.split("\n").filter((line) => line !== "");
}

/** @param words as readline splits them, the last one at the cursor */
function bash(...words: readonly string[]): string[] {
  const array = ["millrace", ...words].map((word) => `'${word}'`).join(" ");
  const script = `${scripts.get("bash")}\nCOMP_WORDS=(${array}); COMP_CWORD=${words.length}; _millrace; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return ask("bash", ["--norc"], script);
}

describe("bash", () => {
  test("offers verbs, then their actions", () => {
    expect(bash("")).toEqual(VERBS.map(({ name }) => name));
    expect(bash("par")).toEqual(["partitions"]);
    expect(bash("lane", "")).toEqual(["list", "show", "resume"]);
    expect(bash("--json", "--config", "lane", "qu")).toEqual(["quarantine"]);
  });

  test("offers the options of an action with those of the program", () => {
    expect(bash("lane", "resume", "--in")).toEqual(["--intents-at"]);
    expect(bash("migrate", "--")).toEqual(
      expect.arrayContaining(["--lanes", "--help", "--json", "--config", "--quiet", "--no-color"]),
    );
    expect(bash("doctor", "--lanes")).toEqual([]);
  });

  test("offers names where a value is one, and nothing where only the caller knows", () => {
    expect(bash("partitions", "list", "--table", "")).toEqual(["line", "block", "case_state", "outbox"]);
    expect(bash("partitions", "list", "--table", "=", "li")).toEqual(["line"]);
    expect(bash("config", "explain", "blockRowsMax", "blockC")).toEqual(["blockConnections"]);
    expect(bash("config", "explain", "")).toEqual(SETTING_NAMES);
    expect(bash("load", "--profile", "tr")).toEqual(["transfers"]);
    expect(bash("bench", "drain", "fl")).toEqual(["floor"]);
    expect(bash("lane", "resume", "3", "--reason", "")).toEqual([]);
  });

  test("offers files where a file is wanted", () => {
    expect(bash("config", "check", "--config", "package.j")).toEqual(["package.json"]);
    expect(bash("load", "--from", "docs/examples/intents")).toEqual(["docs/examples/intents.jsonl"]);
    expect(bash("demo", "--dir", "sch")).toEqual(["schemas"]);
  });
});

test.skipIf(!isInstalled("fish"))("fish offers the same, with what each does", () => {
  const fish = (line: string) => ask("fish", ["-N", "-c", `${scripts.get("fish")}\ncomplete -C '${line}'`], "");
  expect(fish("millrace lane ").map((entry) => entry.split("\t")[0])).toEqual(["list", "resume", "show"]);
  expect(fish("millrace lane resume --in")).toEqual([expect.stringMatching(/^--intents-at\tgo on from/)]);
  expect(fish("millrace config explain blockR")).toEqual(["blockRowsMax"]);
});

test.skipIf(!isInstalled("zsh"))("zsh offers the same, with what each does", () => {
  const stubs = 'compdef() {}; _describe() { print -rl -- "${(P@)2}"; }; compadd() { shift; print -rl -- "$@"; }';
  const zsh = (...words: readonly string[]) => {
    const array = ["millrace", ...words].map((word) => `'${word}'`).join(" ");
    return ask(
      "zsh",
      ["-f"],
      `${stubs}\n${scripts.get("zsh")}\nwords=(${array}); CURRENT=${words.length + 1}; _millrace`,
    );
  };
  expect(zsh("lane", "").map((entry) => entry.split(":")[0])).toEqual(["list", "show", "resume"]);
  expect(zsh("partitions", "list", "--table", "")).toEqual(["line", "block", "case_state", "outbox"]);
  expect(zsh("lane", "resume", "--in")[0]).toMatch(/^--reason:/);
});

describe("what is offered", () => {
  test("names belong to options and arguments that there are", async () => {
    const program = new Command("millrace");
    const context = createContext(
      program,
      io(() => undefined),
      async () => program,
    );
    for (const verb of VERBS) (await verb.load()).register(program, context);
    const tree = completionTree(program);
    const offered = tree.flatMap(({ names, options }) => [...options.map((one) => one.names), names]);
    for (const [place, names] of NAMES) expect(offered, place).toContainEqual([...names]);
  });

  test("another shell is refused, with those that there are", async () => {
    let text = "";
    expect(
      await runCli(
        ["completion", "csh"],
        io((part) => void (text += part)),
      ),
    ).toBe(2);
    expect(text).toContain("bash, zsh, fish");
  });
});
