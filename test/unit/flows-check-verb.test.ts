// `flows check`, as a user runs it, on a folder of its own.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { flowNames } from "../../src/declared/flow-files.ts";
import { leaveOnly, placeOf, replaceOnce, SHIPPED_SCHEMAS, textOf } from "../support/faulty.ts";

let schemas: string;
beforeEach(() => {
  schemas = mkdtempSync(join(tmpdir(), "millrace-check-"));
  cpSync(SHIPPED_SCHEMAS, schemas, { recursive: true });
  mkdirSync(join(schemas, "drafts"));
});
afterEach(() => rmSync(schemas, { recursive: true }));

async function check(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const texts = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({ isTTY: false, write: (text: string) => void (texts[name] += text) });
  const code = await runCli(["flows", "check", ...argv], {
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    workingDir: schemas,
    interruption: () => new AbortController().signal,
    environment: { MILLRACE_SCHEMAS_DIR: schemas },
  });
  return { code, ...texts };
}

/** Writes a shipped file with a change. @returns the text */
function change(from: string, to: string, old: string, by: string): string {
  const text = replaceOnce(textOf(join(SHIPPED_SCHEMAS, from)), old, by);
  writeFileSync(join(schemas, to), text);
  return text;
}

test("finds everything that is shipped sound, and says so of each flow", async () => {
  const { code, stdout } = await check();
  expect(code, stdout).toBe(0);
  for (const name of flowNames(join(SHIPPED_SCHEMAS, "flows")))
    expect(stdout).toMatch(new RegExp(`^${name}@.*: sound$`, "m"));
});

test("tells every fault of flows and parameters with file, line and column, and exits 1", async () => {
  leaveOnly(schemas, "payout");
  const text = change("parameters/payout.yaml", "parameters/payout.yaml", "silence: P2D", "silence: long");
  const file = join(schemas, "parameters", "payout.yaml");
  const { code, stdout, stderr } = await check();
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("1 fault found") });
  expect(stdout).toContain(`${file}:${placeOf(text, "long")}: parameter silence must be`);
  const rows = (await check("--json")).stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  const line = Number(placeOf(text, "long").split(":")[0]);
  expect(rows).toEqual([expect.objectContaining({ file, line, ok: false, message: expect.any(String) })]);
});

test("checks files that are given in the place of the declared ones of their names, and tells of these alone", async () => {
  change("flows/card.flow.yaml", "flows/card.flow.yaml", "data.held + event.approved", "data.held + event.nothing");
  change("flows/card.flow.yaml", "drafts/card.flow.yaml", "version: 1.0.0", "version: 1.1.0");
  const good = await check("drafts/card.flow.yaml");
  expect(good.stdout, good.stderr).toContain("card.flow.yaml: sound");
  change("flows/card.flow.yaml", "drafts/card.flow.yaml", "data.held + event.approved", "data.held + event.nought");
  const bad = await check("drafts/card.flow.yaml");
  expect(bad.code).toBe(1);
  expect(bad.stdout).toContain("event.nought is not listed");
  expect(bad.stdout).not.toContain(join(schemas, "flows"));
});

test("checks a file of parameters beside the declared flows", async () => {
  const text = change("parameters/card.yaml", "drafts/card.yaml", "overcapture_bps", "overcaptur_bps");
  const { code, stdout } = await check("drafts/card.yaml");
  expect(code).toBe(1);
  const place = `${join(schemas, "drafts", "card.yaml")}:${placeOf(text, "overcaptur_bps")}`;
  expect(stdout).toContain(`${place}: card has no parameter "overcaptur_bps"; it has: auth_validity`);
});

test("does not pass where nothing is declared", async () => {
  for (const name of flowNames(join(schemas, "flows"))) rmSync(join(schemas, "flows", `${name}.flow.yaml`));
  for (const argv of [[], ["--keep"]])
    expect(await check(...argv)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`no *.flow.yaml in ${join(schemas, "flows")}`),
    });
});

test("asks for files that are there", async () => {
  expect(await check("nothing.flow.yaml")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("nothing.flow.yaml: does not exist"),
  });
});
