// The schema that editors underline by says the same of a file's form as the parser does.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@cfworker/json-schema";
import { describe, expect, test } from "vitest";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import type { Located } from "../../src/domain/located.ts";
import { plain } from "../support/declared.ts";
import { replaceOnce, SHIPPED_SCHEMAS, TEST_FLOWS, textOf } from "../support/faulty.ts";
import { FORM_CASES, WHOLE } from "./flow-language-cases.ts";

const FLOWS = join(SHIPPED_SCHEMAS, "flows");
const schema = new Validator(JSON.parse(readFileSync(join(FLOWS, "flow.schema.json"), "utf8")), "2020-12");

/** What an editor underlines. */
function faultsOf(text: string): string[] {
  const { root } = readLocatedYaml("f", text);
  return schema
    .validate(plain(root as Located))
    .errors.map(({ instanceLocation, error }) => `${instanceLocation} ${error}`);
}

const files = [FLOWS, TEST_FLOWS].flatMap((dir) =>
  readdirSync(dir).flatMap((name) => (name.endsWith(".flow.yaml") ? [join(dir, name)] : [])),
);

test.each(files)("finds nothing wrong with %s", (file) => {
  expect(faultsOf(textOf(file))).toEqual([]);
});

test("knows every part of the language", () => {
  expect(faultsOf(WHOLE)).toEqual([]);
});

describe("refuses what the parser refuses for its form:", () => {
  test.each(FORM_CASES.filter(([, seenBy]) => seenBy === "form"))("%s", (_what, _seenBy, old, by) => {
    expect(faultsOf(replaceOnce(WHOLE, old, by))).not.toEqual([]);
  });
});

test("leaves to the parser what takes reading a text", () => {
  for (const [what, seenBy, old, by] of FORM_CASES)
    if (seenBy === "text") expect(faultsOf(replaceOnce(WHOLE, old, by)), what).toEqual([]);
});
