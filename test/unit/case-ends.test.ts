// In which states cases have come to their end: what lets the partition of their day go.

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { caseEnds } from "../../src/declared/case-ends.ts";
import { FLOW_FILES } from "../support/second-audit.ts";
import { ROOT } from "../support/source.ts";

const kept = (file: string, number = 1) => ({ ref: basename(file), number, source: readFileSync(file, "utf8") });
const endsOf = (name: string): string[] =>
  caseEnds(FLOW_FILES.filter((file) => basename(file) === `${name}.flow.yaml`).map((file) => kept(file))).map(
    ({ state }) => state,
  );

test("a case that waits for an answer, a person, a timer or another lane has not come to its end", () => {
  expect(endsOf("card")).toEqual(["closed"]);
  expect(endsOf("refund")).toEqual(["closed"]);
  expect(endsOf("transfer")).toEqual(["completed", "failed"]);
});

test("every version that is kept has ends, each under its own number", () => {
  const folder = join(ROOT, "test/support/retired-flows");
  const files = [...FLOW_FILES, ...readdirSync(folder).map((name) => join(folder, name))];
  const ends = caseEnds(files.map(kept));
  expect(new Set(ends.map(({ flow }) => flow))).toEqual(new Set(files.keys()));
});

test("of a version that cannot be read nothing has", () => {
  expect(caseEnds([{ ref: "lost@1.0.0", number: 7, source: "spec: {" }])).toEqual([]);
});
