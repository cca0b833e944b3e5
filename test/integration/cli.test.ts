// The built command line as a process of its own: what scripts and shells see.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const SIGNALS = new URL("../../dist/cli/signals.js", import.meta.url).href;
const ADDRESSES = ["KAFKA_BROKERS", "DATABASE_URL", "SCHEMA_REGISTRY_URL"];

let workingDir: string;
beforeEach(() => {
  workingDir = mkdtempSync(join(tmpdir(), "millrace-cli-"));
});
afterEach(() => rmSync(workingDir, { recursive: true, force: true }));

type Ended = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
};

function start(argv: readonly string[]): ChildProcess {
  const kept = Object.entries(process.env).filter(
    ([name]) => !ADDRESSES.includes(name) && !name.startsWith("MILLRACE_"),
  );
  return spawn(process.execPath, argv, { cwd: workingDir, env: Object.fromEntries(kept), stdio: "pipe" });
}

async function ended(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk) => {
    texts.stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    texts.stderr += chunk;
  });
  return new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal, ...texts })));
}

const cli = (...argv: readonly string[]) => ended(start([MAIN, ...argv]));

describe("exit codes of the process", () => {
  test("0 with help, 2 with a misspelt verb, 3 without a stack", async () => {
    expect(await cli("--help")).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining("Usage: millrace"),
    });
    expect(await cli("stak", "up")).toMatchObject({ code: 2, stdout: "" });
    const status = await cli("stack", "status", "--json");
    expect(status).toMatchObject({ code: 3, stderr: expect.stringContaining("millrace stack up") });
    expect(JSON.parse(status.stdout)).toMatchObject({ running: false, mode: null });
  });

  test("0 when the reader of a pipe has seen enough", async () => {
    const child = start([MAIN, "config", "explain", "--json"]);
    child.stdout?.once("data", () => child.stdout?.destroy());
    expect(await ended(child)).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("signals", () => {
  const script = (body: string) => `import { watchSignals } from ${JSON.stringify(SIGNALS)};
    const interruption = watchSignals(); ${body}; setInterval(() => {}, 1000); console.log("ready");`;
  const startScript = async (body: string) => {
    const child = start(["--input-type=module", "--eval", script(body)]);
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    return child;
  };

  test("a verb that holds nothing ends with 130 at once", async () => {
    const child = await startScript("");
    child.kill("SIGINT");
    expect(await ended(child)).toMatchObject({ code: 130, signal: null });
  });

  test("a verb that asked cleans up first", async () => {
    const child = await startScript(`interruption().addEventListener("abort", () => process.exit(7))`);
    child.kill("SIGTERM");
    expect(await ended(child)).toMatchObject({ code: 7 });
  });

  test("a second one ends a clean-up that hangs", async () => {
    const child = await startScript(`interruption().addEventListener("abort", () => console.log("stopping"))`);
    child.kill("SIGINT");
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    child.kill("SIGINT");
    expect(await ended(child)).toMatchObject({ code: 130 });
  });
});

describe("stack", () => {
  test("status of a running stack, found in the working directory, has its addresses", async () => {
    const stack = inject("stack");
    mkdirSync(join(workingDir, ".millrace"));
    symlinkSync(stack.dir, join(workingDir, ".millrace", "stack"));
    const { code, stdout } = await cli("stack", "status", "--json");
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { running: true, databaseUrl: stack.databaseUrl }]);
  });

  test("`up` on a running stack is that stack, and its last line with --json is exactly its addresses", async () => {
    const { kafkaBrokers, databaseUrl, schemaRegistryUrl, dir, mode } = inject("stack");
    const { code, stdout } = await cli("stack", "up", "--dir", dir, "--json");
    expect(code).toBe(0);
    const last = stdout.trimEnd().split("\n").at(-1) ?? "";
    expect(last).toBe(JSON.stringify({ kafkaBrokers, databaseUrl, schemaRegistryUrl, dir, mode }));
  });
});

describe("doctor", () => {
  test("names each dependency that cannot be reached, with a remedy, and ends with 3", async () => {
    writeFileSync(
      join(workingDir, "millrace.yaml"),
      "kafkaBrokers: 127.0.0.1:1\ndatabaseUrl: postgres://me:hunter2@127.0.0.1:1/none\nschemaRegistryUrl: http://127.0.0.1:1\nconnectTimeoutMs: 500\n",
    );
    const { code, stdout } = await cli("doctor", "--json");
    expect(code).toBe(3);
    const findings = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(findings.map(({ check, ok }) => `${check} ${ok}`)).toEqual([
      "node true",
      "settings true",
      "addresses true",
      "postgres false",
      "kafka false",
      "registry false",
    ]);
    for (const { check, ok, found } of findings) if (!ok) expect(found, check).toContain("127.0.0.1:1");
    expect(stdout).not.toContain("hunter2");
  });
});
