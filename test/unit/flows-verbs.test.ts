// The verbs about flow files, as a user runs them, on a folder of its own.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { flowNames } from "../../src/declared/flow-files.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";

const SHIPPED = flowNames(join(SHIPPED_SCHEMAS, "flows"));
const OPENED_BY_FLOWS = ["refund", "transfer_in"];
let schemas: string;
let flows: string;

beforeEach(() => {
  schemas = mkdtempSync(join(tmpdir(), "millrace-flows-"));
  cpSync(SHIPPED_SCHEMAS, schemas, { recursive: true });
  flows = join(schemas, "flows");
});
afterEach(() => rmSync(schemas, { recursive: true }));

async function millrace(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const texts = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    isTTY: false,
    write: (text: string) => {
      texts[name] += text;
    },
  });
  const code = await runCli(argv, {
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    workingDir: schemas,
    interruption: () => new AbortController().signal,
    environment: { MILLRACE_SCHEMAS_DIR: schemas },
  });
  return { code, ...texts };
}

describe("flows new", () => {
  test.each(SHIPPED)(
    "makes of %s a flow that passes the checker, with scenarios that come out as before",
    async (like) => {
      const made = await millrace("flows", "new", "zoo", "--like", like);
      expect(made).toMatchObject({ code: 0, stderr: "" });
      expect(made.stdout).toContain("zoo.flow.yaml written");
      const tested = await millrace("flows", "test", "zoo", "--json");
      const result = JSON.parse(tested.stdout.trim().split("\n").at(-1) as string) as Record<string, unknown>;
      expect({ code: tested.code, ...result }).toMatchObject({ code: 0, flow: "zoo", failed: 0 });
      // Nobody opens the copy of a flow that other flows open.
      const isOpened = !OPENED_BY_FLOWS.includes(like);
      expect([result["scenarios"] !== 0, (result["untaken"] as string[]).length === 0]).toEqual([isOpened, isOpened]);
    },
  );

  test("overwrites nothing", async () => {
    writeFileSync(join(flows, "zoo.scenarios.yaml"), "mine");
    const again = await millrace("flows", "new", "zoo", "--like", "card");
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("zoo.scenarios.yaml is there already") });
    expect(readFileSync(join(flows, "zoo.scenarios.yaml"), "utf8")).toBe("mine");
    expect(existsSync(join(flows, "zoo.flow.yaml"))).toBe(false);
  });

  test("says what is wrong with a name, and which flows there are", async () => {
    expect(await millrace("flows", "new", "Zoo-1", "--like", "card")).toMatchObject({ code: 2 });
    const unknown = await millrace("flows", "new", "zoo", "--like", "cards");
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining("card") });
  });
});

describe("flows test", () => {
  test("tells which line came out otherwise, with what happened beside what was expected", async () => {
    const file = join(flows, "transfer.scenarios.yaml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("P17 source -> target EUR 2500", "P17 source -> target EUR 2501"));
    const { code, stdout, stderr } = await millrace("flows", "test", "transfer");
    expect(code).toBe(1);
    expect(stderr).toContain("1 scenarios failed");
    expect(stdout).toMatch(
      /transfer\.scenarios\.yaml:\d+:\d+: money moves at once .*: step 1: other lines than expected/,
    );
    expect(stdout).toContain("    - P17 source -> target EUR 2501\n    + P17 ");
  });

  test("lists the ways that no scenario takes", async () => {
    rmSync(join(flows, "account_open.scenarios.yaml"));
    const { stdout } = await millrace("flows", "test", "account_open");
    expect(stdout).toContain("0 of 0 scenarios");
  });

  test.each([
    ["scenarios: 1", "scenarios must be a list"],
    ["scenarios: [{ name: a, steps: [{ intent: a, timer: b }] }]", "a step has one of"],
    ["scenarios: [{ name: a, steps: [{ after: soon }] }]", "after must be a duration"],
    ["scenarios: [{ name: a, from: b, steps: [] }]", 'no scenario above is called "b"'],
    ["scenarios: [{ name: a, steps: [] }, { name: a, steps: [] }]", '"a" is told twice'],
    ["scenarios: [{ name: a, steps: [{ intent: a, expekt: {} }] }]", 'unknown key "expekt"'],
  ])("says of %s where and why it cannot be read", async (scenarios, why) => {
    writeFileSync(join(flows, "transfer.scenarios.yaml"), `apiVersion: scenarios/v1\nflow: transfer\n${scenarios}\n`);
    const { code, stderr } = await millrace("flows", "test", "transfer");
    expect(code).toBe(2);
    expect(stderr).toMatch(/transfer\.scenarios\.yaml:\d+:\d+: /);
    expect(stderr).toContain(why);
  });

  test.each([
    ["given: { accounts: [{ path: nowhere, holds: EUR 1 }] }", "the chart has no account nowhere"],
    ["given: { parameters: { speed: 1 } }", 'the flow transfer has no parameter "speed"'],
    ["given: { parameters: { spread_bps: 1 } }", "must be of the type amounts"],
  ])("says of %s what there is not", async (given, why) => {
    const scenarios = `scenarios: [{ name: a, ${given}, steps: [] }]`;
    writeFileSync(join(flows, "transfer.scenarios.yaml"), `apiVersion: scenarios/v1\nflow: transfer\n${scenarios}\n`);
    const { code, stdout } = await millrace("flows", "test", "transfer");
    expect(code).toBe(1);
    expect(stdout).toContain(why);
  });
});

describe("flows diagram", () => {
  test("prints Mermaid, and SVG into a file", async () => {
    const printed = await millrace("flows", "diagram", "transfer");
    expect(printed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^stateDiagram-v2\n/) });
    const file = join(schemas, "transfer.svg");
    expect(await millrace("flows", "diagram", "transfer", "--format", "svg", "--out", file)).toMatchObject({ code: 0 });
    expect(readFileSync(file, "utf8")).toMatch(/^<svg /);
  });

  test("draws a flow that does not pass the checker, and says where one cannot be read", async () => {
    const file = join(flows, "transfer.flow.yaml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("kind: final", "kind: quiescent"));
    expect(await millrace("flows", "diagram", "transfer")).toMatchObject({ code: 0 });
    writeFileSync(file, text.replace("kind: final", "kind: finl"));
    const { code, stderr } = await millrace("flows", "diagram", "transfer");
    expect(code).toBe(1);
    expect(stderr).toMatch(/transfer\.flow\.yaml:\d+:\d+: /);
  });
});
