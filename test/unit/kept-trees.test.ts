// The trees that the build keeps, against the files that they are of.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
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

test("a text whose kept tree is damaged is read anew", () => {
  const text = `a: ${process.pid}\n`;
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 32);
  const kept = join(SHIPPED_SCHEMAS, "..", "dist", "trees", `${digest}.json`);
  onTestFinished(() => rmSync(kept));
  writeFileSync(kept, "[1,1,7]");
  expect(keptTree("f", text)).toMatchObject({ kind: "scalar", value: 7 }); // it is looked for there
  writeFileSync(kept, "[1,1,{");
  expect(keptTree("f", text)).toBeNull();
  expect(readLocatedYaml("f", text)).toMatchObject({ root: { kind: "map" }, faults: [] });
});
