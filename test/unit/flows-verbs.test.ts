// The verbs about flow files, as a user runs them, on a folder of its own.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { copyFlow, copyScenarios } from "../../src/declared/flow-copy.ts";
import { flowFile, flowNames, readFlowFile, scenarioFile } from "../../src/declared/flow-files.ts";
import { loadDeclared } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { printFault } from "../../src/domain/located.ts";
import { readScenarioFiles } from "../../src/workload/scenarios/files.ts";
import type { ScenarioFile } from "../../src/workload/scenarios/scenario.ts";
import { parseScenarios } from "../../src/workload/scenarios/scenario-parse.ts";
import { runSuite } from "../../src/workload/scenarios/suite.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { DECLARED } from "../support/ledger.ts";

const SHIPPED = flowNames(join(SHIPPED_SCHEMAS, "flows"));
const OPENED_BY_FLOWS = [
  "bank_recall",
  "bank_refund",
  "bank_return",
  "bnpl_refund",
  "crypto_return",
  "refund",
  "transfer_in",
  "wallet_in",
  "wallet_refund",
];
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
  test("writes a flow that passes the checker, and its scenarios", async () => {
    const made = await millrace("flows", "new", "zoo", "--like", "transfer");
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toContain("zoo.flow.yaml written");
    const tested = await millrace("flows", "test", "zoo", "--json");
    const result = JSON.parse(tested.stdout.trim().split("\n").at(-1) as string) as Record<string, unknown>;
    expect({ code: tested.code, ...result }).toMatchObject({ code: 0, flow: "zoo", failed: 0, untaken: [] });
  });

  test("makes of every shipped flow one that passes the checker, with scenarios that come out as before", () => {
    const caseKinds = SHIPPED.map((name) => readFlowFile(flows, name)?.flow?.caseKind ?? "");
    for (const like of SHIPPED) {
      const [name, file] = [`zoo_${like}`, flowFile(flows, like)];
      const { text, renamed } = copyFlow({ file, text: readFileSync(file, "utf8"), name, caseKinds });
      writeFileSync(flowFile(flows, name), text);
      caseKinds.push(readFlowFile(flows, name)?.flow?.caseKind ?? "");
      const beside = scenarioFile(flows, like);
      writeFileSync(scenarioFile(flows, name), copyScenarios(beside, readFileSync(beside, "utf8"), renamed));
    }
    const declared = loadDeclared(schemas, flows);
    const copies = SHIPPED.map((like) => `zoo_${like}`);
    const { files, faults } = readScenarioFiles(flows, copies);
    expect(faults.map(printFault)).toEqual([]);
    const results = runSuite(declared, files).filter(({ flow }) => copies.includes(flow));
    expect(results.flatMap((result) => result.faults.map(printFault))).toEqual([]);
    // Nobody opens the copy of a flow that other flows open.
    for (const { flow, scenarios, untaken } of results) {
      const isOpened = !OPENED_BY_FLOWS.includes(flow.slice("zoo_".length));
      expect([flow, scenarios > 0, untaken.length === 0]).toEqual([flow, isOpened, isOpened]);
    }
  });

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
    expect(stdout).toContain("no scenarios, though a case of it is opened by intent.account_open, 0 of ");
    rmSync(join(flows, "refund.scenarios.yaml"));
    expect((await millrace("flows", "test", "refund")).stdout).toContain(
      "though a case of it is opened by card, 0 of ",
    );
    rmSync(join(flows, "transfer_in.scenarios.yaml"));
    const asked = await millrace("flows", "test", "transfer_in");
    expect(asked.stdout).toContain("though a case of it is opened by transfer, wallet_refund, 0 of ");
  });

  test("says of a copy that no flow opens why it has no scenarios", async () => {
    const made = await millrace("flows", "new", "rebate", "--like", "refund");
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining("no flow opens a case of rebate yet") });
    const { stdout } = await millrace("flows", "test", "rebate");
    expect(stdout).toMatch(/^rebate: no scenarios, as no flow opens a case of it yet, 0 of \d+ ways taken$/m);
  });

  test("says where a file of scenarios cannot be read", async () => {
    writeFileSync(join(flows, "transfer.scenarios.yaml"), "apiVersion: scenarios/v1\nflow: transfer\nscenarios: 1\n");
    const { code, stderr } = await millrace("flows", "test", "transfer");
    expect(code).toBe(2);
    expect(stderr).toMatch(/transfer\.scenarios\.yaml:3:12: scenarios must be a list/);
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

describe("a file of scenarios", () => {
  const parsed = (scenarios: string) =>
    parseScenarios(readLocatedYaml("x", `apiVersion: scenarios/v1\nflow: transfer\nscenarios: [${scenarios}]\n`));

  test.each([
    ["{ name: a, steps: [{ intent: a, timer: b }] }", "a step has one of"],
    ["{ name: a, steps: [{ after: soon }] }", "after must be a duration"],
    ["{ name: a, steps: [{ report: authorize }] }", "report must be a call and a result"],
    ["{ name: a, from: b, steps: [] }", 'no scenario above is called "b"'],
    ["{ name: a, steps: [] }, { name: a, steps: [] }", '"a" is told twice'],
    ["{ name: a, steps: [{ intent: a, expekt: {} }] }", 'unknown key "expekt"'],
    ["{ name: a, given: { rates: { EUR: '1' } }, steps: [] }", "a pair must be two currencies"],
    ["{ name: a, given: { accounts: [{ path: p, holds: 1 EUR }] }, steps: [] }", "holds must be a currency and minor"],
  ])("with %s is refused at its place", (scenarios, why) => {
    const { file, faults } = parsed(scenarios);
    expect(file).toBe(null);
    expect(faults.map(printFault).join("\n")).toMatch(/^x:3:\d+: /);
    expect(faults.map(({ message }) => message).join("\n")).toContain(why);
  });

  test.each([
    ["{ accounts: [{ path: nowhere, holds: EUR 1 }] }", "the chart has no account nowhere"],
    ["{ parameters: { speed: 1 } }", 'the flow transfer has no parameter "speed"'],
    ["{ parameters: { spread_bps: 1 } }", "must be of the type amounts"],
  ])("that is given %s fails by what there is not", (given, why) => {
    const { file } = parsed(`{ name: a, given: ${given}, steps: [] }`);
    const results = runSuite(DECLARED, new Map([["transfer", file as ScenarioFile]]));
    expect(results.flatMap(({ faults }) => faults.map(({ message }) => message)).join("\n")).toContain(why);
  });
});

test("files that are folders, and folders that are not there, are said so in one line", async () => {
  const report = ["--report", schemas, "--reason", "x"];
  const card = join(flows, "card.flow.yaml");
  const backtest = ["flows", "backtest", card, "--from-topic", "payments.public.intents.v1", "--report", schemas];
  const missing = join(schemas, "no", "card.svg");
  const said: readonly (readonly [argv: readonly string[], line: string])[] = [
    [["flows", "check", flows], `${flows}: is a folder, expected a file`],
    [["flows", "promote", card, ...report], `--report: ${schemas} is a folder, expected a file`],
    [backtest, `--report: ${schemas} is a folder`],
    [["flows", "diagram", "card", "--out", missing], `${missing}: cannot be opened (ENOENT)`],
    [["flows", "diagram", "--out-dir", join(card, "x")], `${join(card, "x")}: cannot be made (ENOTDIR)`],
  ];
  for (const [argv, line] of said)
    expect(await millrace(...argv)).toEqual({ code: 2, stdout: "", stderr: `millrace: ${line}\n` });
});
