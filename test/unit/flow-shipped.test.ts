// What stands in the shipped files is read and typed without a fault; what the checker proves beyond is in flow-check.test.ts.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import { typeFlow } from "../../src/domain/flow/types/types.ts";
import { printFault } from "../../src/domain/located.ts";
import { SHIPPED_SCHEMAS, TEST_FLOWS, textOf } from "../support/faulty.ts";

const files = [join(SHIPPED_SCHEMAS, "flows"), TEST_FLOWS].flatMap((dir) =>
  readdirSync(dir).flatMap((name) => (name.endsWith(".flow.yaml") ? [join(dir, name)] : [])),
);

test.each(files)("every expression of %s has a type", (path) => {
  const file = readLocatedYaml(path, textOf(path));
  const { flow, faults } = parseFlow(file.root as never, parseExpression);
  const typed = flow === null ? [] : typeFlow(flow).faults;
  expect([...file.faults, ...faults, ...typed].map(printFault)).toEqual([]);
});
