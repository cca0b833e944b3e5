// docs/flow-checker.md shows what the checker says, word by word. With `-u` behind the command of this test the page gets
// what it says now.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { DeclaredFaults, loadKept, loadSurroundings } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { readFlow } from "../../src/domain/flow/check/check.ts";
import { printFault } from "../../src/domain/located.ts";
import { replaceOnce, SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { DECLARED } from "../support/ledger.ts";
import { ROOT } from "../support/source.ts";
import { BASES } from "./flows/wrong/wrong.ts";

const PAGE = join(ROOT, "docs", "flow-checker.md");

/** A transfer that gives back a unit less than was refused. */
function unsound(): string {
  const text = replaceOnce(BASES.transfer, "post: P17c, x: data.amount", 'post: P17c, x: "data.amount - 1"');
  const { faults } = readFlow(
    readLocatedYaml("transfer.flow.yaml", text),
    loadSurroundings(SHIPPED_SCHEMAS),
    parseExpression,
  );
  return faults.map(printFault).join("\n");
}

/** A version that sent no account along, beside a receiver that takes one. */
function unfit(): string {
  const aged = replaceOnce(BASES.transfer, "version: 1.1.0", "version: 0.9.0");
  const source = replaceOnce(aged, "account: intent.to, amount", "amount");
  try {
    loadKept(DECLARED, [{ name: "transfer", version: "0.9.0", source }]);
  } catch (error) {
    if (error instanceof DeclaredFaults) return error.message.replaceAll(`${SHIPPED_SCHEMAS}/flows/`, "");
    throw error;
  }
  return "nothing";
}

test("the page shows what the checker says", async () => {
  const said = [unsound(), unfit()];
  const page = readFileSync(PAGE, "utf8");
  const shown = page.replace(/^```\n[^`]*\n```$/gm, () => `\`\`\`\n${said.shift()}\n\`\`\``);
  expect(said).toEqual([]);
  await expect(shown).toMatchFileSnapshot(PAGE);
});
