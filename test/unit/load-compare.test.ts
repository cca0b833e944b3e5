// `millrace load compare` and the flags of `--report`: what is printed, and the exit codes.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { reportJson } from "../../src/workload/report/files.ts";
import { noisy, runOf } from "../support/reports.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-compare-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "fast.json"), reportJson(runOf(noisy(1, 30))));
writeFileSync(
  join(folder, "slow.json"),
  reportJson(runOf(noisy(2, 45), { settings: { rate: 2_000, warmUpSeconds: 0 } })),
);

async function run(...argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
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
    environment: {},
    workingDir: folder,
    interruption: () => new AbortController().signal,
  });
  return { code, ...texts };
}

describe("compare", () => {
  test("prints a row for each figure with its verdict, and ends with 0 whatever they are", async () => {
    const { code, stdout, stderr } = await run("load", "compare", "fast.json", "slow.json");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^p50 +\S+ ms +\S+ ms +\+\d+\.\d % +\S+ ms +worse$/m);
    expect(stdout).toMatch(/^answered a second .* within the spread$/m);
    expect(stderr).toContain("not the same in A and B: rate: 1000 and 2000");
  });

  test("with --json every line of stdout is a row", async () => {
    const { code, stdout } = await run("load", "compare", "fast.json", "slow.json", "--json");
    expect(code).toBe(0);
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.find(({ what }) => what === "p99")).toMatchObject({ unit: "ms", verdict: "worse" });
  });

  test("with --fail-above it ends with 1 when B is worse by more, and names the rows", async () => {
    const { code, stderr } = await run("load", "compare", "fast.json", "slow.json", "--fail-above", "20");
    expect(code).toBe(1);
    expect(stderr).toMatch(/worse by more than 20 %, beyond the spread: p50, p90, p99/);
    expect((await run("load", "compare", "fast.json", "slow.json", "--fail-above", "90")).code).toBe(0);
    expect((await run("load", "compare", "slow.json", "fast.json", "--fail-above", "0")).code).toBe(0);
  });

  test("with --html it writes both on one page", async () => {
    const { code } = await run("load", "compare", "fast.json", "slow.json", "--html", "both.html");
    expect(code).toBe(0);
    expect(existsSync(join(folder, "both.html"))).toBe(true);
  });

  test("tells everything that is wrong at once", async () => {
    writeFileSync(join(folder, "other.json"), "{}");
    const { code, stderr } = await run("load", "compare", "absent", "other.json");
    expect(code).toBe(2);
    expect(stderr).toContain("absent does not exist");
    expect(stderr).toContain("other.json is no report");
    expect(await run("load", "compare", "fast.json", "slow.json", "--fail-above", "much")).toMatchObject({ code: 2 });
    expect(await run("load", "compare", "fast.json")).toMatchObject({ code: 2 });
  });
});

test("flags that only measure need --report, and are checked", async () => {
  const { code, stderr } = await run("load", "--profile", "transfers", "--count", "1", "--warm-up", "3", "--wait", "5");
  expect(code).toBe(2);
  expect(stderr).toContain("--warm-up: expected only with --report");
  expect(stderr).toContain("--wait: expected only with --report");
  const wrong = await run("load", "--profile", "transfers", "--count", "1", "--report", "r", "--warm-up", "x");
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--warm-up: found "x"') });
});
