import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { DeclaredFaults, loadDeclared, proveDeclared } from "../../src/declared/load.ts";
import { PROVEN_FILE, printProven } from "../../src/declared/proven.ts";
import { leaveOnly, replaceOnce, SHIPPED_SCHEMAS, textOf } from "../support/faulty.ts";

const FLOWS = join(SHIPPED_SCHEMAS, "flows");

test("the shipped flows are sound, and what is kept of that is of today: else run `millrace flows check --keep`", () => {
  expect(textOf(join(FLOWS, PROVEN_FILE))).toBe(printProven(proveDeclared(SHIPPED_SCHEMAS, FLOWS)));
}, 60_000);

describe("a flow that was found sound", () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
  const copyOf = (change: (schemas: string) => void): string => {
    const schemas = mkdtempSync(join(tmpdir(), "proven-"));
    folders.push(schemas);
    cpSync(SHIPPED_SCHEMAS, schemas, { recursive: true });
    change(schemas);
    return schemas;
  };
  const edit = (file: string, old: string, by: string): void => {
    writeFileSync(file, replaceOnce(readFileSync(file, "utf8"), old, by));
  };

  test("is proven again when its text has changed", () => {
    const schemas = copyOf((dir) => {
      edit(join(dir, "flows", "transfer.flow.yaml"), "- { post: P17c, x: data.amount }", "- { post: P17c, x: 0 }");
    });
    expect(() => loadDeclared(schemas)).toThrow(/messages: not proven: what was refused is posted back/);
  });

  test("is proven again when the chart or the catalogue has changed", () => {
    const chart = copyOf((dir) => {
      leaveOnly(dir, "transfer", "transfer_in");
      edit(join(dir, "outcomes", "catalogue.yaml"), "transfer.submitted: {", "transfer.sent: {");
    });
    expect(() => loadDeclared(chart)).toThrow(/"transfer.submitted" is not in the catalogue/);
  }, 60_000);

  test("is looked at by its names and types all the same", () => {
    const schemas = copyOf((dir) => {
      edit(join(dir, "flows", "account_open.flow.yaml"), "account: own,", "account: mine,");
    });
    expect(() => loadDeclared(schemas)).toThrow(DeclaredFaults);
  });
});
