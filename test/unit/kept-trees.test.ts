// The trees that the build keeps, against the files that they are of.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keptTree } from "../../src/declared/kept-trees.ts";
import { readAnew, readLocatedYaml } from "../../src/declared/yaml.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";

const FILES = readdirSync(SHIPPED_SCHEMAS, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => join(SHIPPED_SCHEMAS, name));

test.each(FILES)("%s is kept, and as it is read: else run `npm run build`", (file) => {
  const text = readFileSync(file, "utf8");
  expect(keptTree(file, text)).toEqual(readAnew(file, text).root);
});

test("a text that is one letter different is read anew", () => {
  const file = FILES[0] as string;
  const text = `${readFileSync(file, "utf8")}x: [`;
  expect(keptTree(file, text)).toBeNull();
  expect(readLocatedYaml(file, text).faults).not.toEqual([]);
});
