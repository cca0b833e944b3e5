// SECURITY.md against the program: its commands, settings and paths are those that there are.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SETTINGS } from "../../src/config/settings.ts";
import { findCommands, spansOf, unknownCommands } from "../support/commands.ts";
import { ROOT } from "../support/source.ts";

const text = readFileSync(join(ROOT, "SECURITY.md"), "utf8");
const spans = spansOf(text);

test("its commands exist", async () => {
  const commands = findCommands(text);
  expect(commands.length).toBeGreaterThan(5);
  expect(await unknownCommands(commands)).toEqual([]);
});

test("the files and tests that it names are there", () => {
  const paths = spans.filter((span) =>
    /^(test|src|docs)\/\S+$|^(Dockerfile|docker-compose\.yml|package-lock\.json)$/.test(span),
  );
  expect(paths.length).toBeGreaterThan(4);
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test("the settings that it names are there", () => {
  const named = spans.filter((span) => /^(kafka|database|schemaRegistry|http)[A-Z]\w+$/.test(span));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !Object.hasOwn(SETTINGS, name))).toEqual([]);
});
