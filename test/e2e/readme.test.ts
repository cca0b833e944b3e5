// README.md against the program: its commands and flags, its tables, its paths, and the examples that it shows.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { EXIT } from "../../src/cli/exit.ts";
import { ratesTopic, topicNames } from "../../src/config/config.ts";
import { environmentName, SETTING_NAMES, SETTINGS } from "../../src/config/settings.ts";
import { QUARANTINE_REASONS } from "../../src/domain/refusals.ts";
import { blocksOf, findCommands, helpFor, knowsFlag, proseOf, spansOf, unknownCommands } from "../support/commands.ts";
import { ROOT } from "../support/source.ts";

const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const file = (path: string): string => readFileSync(join(ROOT, path), "utf8");

const blocks = blocksOf(readme);
const prose = proseOf(readme);
const spans = spansOf(readme);

describe("the examples", () => {
  test.each([
    ["sh", "docs/examples/walk-through.sh"],
    ["js", "docs/examples/producer.mjs"],
    ["js", "docs/examples/consumer.mjs"],
  ])("a block of %s is the file %s", (language, path) => {
    expect(blocks).toContainEqual({ language, text: file(path) });
  });

  test("the Python block is the end of its file, the JSON lines are the beginning of theirs", () => {
    const python = blocks.find(({ language }) => language === "python")?.text ?? "none";
    const json = blocks.find(({ language }) => language === "json")?.text ?? "none";
    expect(file("docs/examples/producer_librdkafka.py").endsWith(`\n${python}`)).toBe(true);
    expect(file("docs/examples/intents.jsonl").startsWith(json)).toBe(true);
  });
});

describe("commands", () => {
  const commands = findCommands(readme);

  test("are found where they stand", () => {
    expect(commands.map(({ text }) => text)).toEqual(
      expect.arrayContaining(["millrace lane resume P --reason TEXT", "millrace migrate", "millrace verify --deep"]),
    );
  });

  test("exist, with every flag", async () => {
    expect(await unknownCommands(commands)).toEqual([]);
  });

  test("and flags that stand alone are those of some verb", async () => {
    const verbs = ["verify", "load", "load compare", "run", "outcomes", "migrate", "partitions detach"];
    const help = (await Promise.all(verbs.map((verb) => helpFor(verb.split(" "))))).join("\n");
    expect(spans.filter((text) => /^--\S+$/.test(text) && !knowsFlag(help, text))).toEqual([]);
  });

  test("of npm are scripts of the package", () => {
    const { scripts } = JSON.parse(file("package.json")) as { scripts: Record<string, string> };
    const named = [...readme.matchAll(/\bnpm (?:run (\w+)|(test))\b/g)].map(([, script, test]) => script ?? test ?? "");
    expect(named).toEqual(expect.arrayContaining(["demo", "test"]));
    expect(named.filter((script) => scripts[script] === undefined)).toEqual([]);
  });
});

describe("tables", () => {
  test("quarantine reasons are all there", () => {
    const table = prose.slice(prose.indexOf("| reason | means |"), prose.indexOf("## Operate"));
    const told = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = ""]) =>
      cell.replaceAll("`", "").split(", "),
    );
    expect([...told].sort()).toEqual([...QUARANTINE_REASONS].sort());
  });

  test("exit codes are those of the program", () => {
    const line = prose.split("\n").find((one) => one.startsWith("Exit codes:")) ?? "";
    expect([...line.matchAll(/\*\*(\d+)\*\*/g)].map(([, code]) => Number(code))).toEqual(Object.values(EXIT));
  });

  test("topics are those that are made", () => {
    const told = spans.filter((text) => /^payments\.\S+\.v1(-dlt)?$/.test(text));
    expect(new Set(told)).toEqual(
      new Set([...Object.values(topicNames({ topicPrefix: "" })), ratesTopic({ topicPrefix: "" })]),
    );
  });

  test("environment names are settings", () => {
    const known = new Set([...SETTING_NAMES.map(environmentName), "MILLRACE_"]);
    const told = [...readme.matchAll(/\bMILLRACE_[A-Z_]*/g)].map(([name]) => name);
    expect(told.filter((name) => !known.has(name))).toEqual([]);
  });
});

test("every path that is named is there", () => {
  const links = [...prose.matchAll(/\]\(([^)#]+)\)/g)].map(([, target = ""]) => target);
  const paths = spans.filter((text) => /^(test|src|schemas|docs|scripts)\/[\w./-]+$/.test(text));
  expect(paths.length).toBeGreaterThan(5);
  expect([...links, ...paths].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test("the defaults that it tells are the program's", () => {
  expect(prose).toContain(`\`millrace config explain caseWindowDays\`: ${SETTINGS.caseWindowDays.default} days`);
});
