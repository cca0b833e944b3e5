// The benchmarks on the stack of the test run, as small as they go: their lines and reports, not their figures.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Report } from "../../src/workload/report/report.ts";
import { openWorld, runVerb, type World } from "../support/processes.ts";

type Line = Record<string, unknown> & { readonly bench: string };

async function bench(...argv: readonly string[]): Promise<{ lines: Line[]; folder: string }> {
  return benchIn(await openWorld({ lanes: 1 }), ...argv);
}

async function benchIn(world: World, ...argv: readonly string[]): Promise<{ lines: Line[]; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-bench-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { stdout } = await runVerb(world, ["bench", ...argv, "--report", folder, "--json"]);
  const lines = stdout.trim().split("\n");
  return { lines: lines.map((line) => JSON.parse(line) as Line), folder };
}

const reportOf = (folder: string, name: string): Report =>
  JSON.parse(readFileSync(join(folder, name, "report.json"), "utf8")) as Report;

test("each prints one line of the contract's form and keeps a report of its course", async () => {
  const names = ["drain", "naive", "floor", "hot"];
  const { lines, folder } = await bench(...names, "--count", "400");
  expect(lines.map((line) => line.bench)).toEqual(names);
  for (const line of lines) {
    expect(line).toMatchObject({
      count: 400,
      settings: expect.any(Object),
      versions: { postgres: expect.any(String) },
    });
    expect(line["perSecond"]).toBeGreaterThan(0);
    expect(Object.keys(line["cpu"] as object)).toEqual(["node", "postgres", "kafka"]);
    expect(readdirSync(join(folder, line.bench)).sort()).toEqual(["report.html", "report.json"]);
  }
  expect(lines.find((line) => line.bench === "hot")?.["settings"]).toMatchObject({ holders: 1 });
  const answered = reportOf(folder, "drain").intervals.reduce((sum, one) => sum + one.answered, 0);
  expect(answered).toBe(400);
});

test("decide starts no stack and asks none, and gives the times of a block", async () => {
  const nowhere = { KAFKA_BROKERS: "127.0.0.1:1", DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" };
  const known = await openWorld({ lanes: 1 });
  const world = { ...known, environment: { ...known.environment, ...nowhere } };
  const { lines, folder } = await benchIn(world, "decide", "--count", "1500");
  expect(lines).toHaveLength(1);
  const [line] = lines;
  expect(line).toMatchObject({ bench: "decide", count: 2_000, settings: { blockEvents: 1_000, warmUp: 1_000 } });
  expect(line?.["versions"]).toEqual({ millrace: expect.any(String), node: process.versions.node });
  expect(line?.["maxMs"]).toBeGreaterThanOrEqual(line?.["p50Ms"] as number);
  expect(readdirSync(join(folder, "decide")).sort()).toEqual(["report.html", "report.json"]);
  expect(reportOf(folder, "decide").intervals.reduce((sum, one) => sum + one.answered, 0)).toBe(2_000);
});

test("echo and latency measure what is due after the warm-up, and all of it", async () => {
  const { lines, folder } = await bench("echo", "latency", "--rate", "200", "--seconds", "2");
  for (const line of lines) {
    expect(line).toMatchObject({ count: 400, settings: { rate: 200, sent: 2_400, warmUpSeconds: 10 } });
    expect(line["p99Ms"]).toBeGreaterThanOrEqual(line["p50Ms"] as number);
    const { totals, latency, intervals } = reportOf(folder, line.bench);
    expect(totals).toMatchObject({ sent: 2_400, acknowledged: 2_400, answered: 2_400, unanswered: 0 });
    expect(latency?.count).toBe(400);
    expect(intervals.length).toBeGreaterThanOrEqual(12);
    expect(readdirSync(join(folder, line.bench))).toContain("latency.hgrm");
  }
});

test("card payments over HTTP tell what the sandbox took beside the others", async () => {
  const { lines } = await bench("cards-http", "--count", "60");
  expect(lines).toMatchObject([{ bench: "cards-http", count: 60, settings: { warmUp: 30, outcomes: 180 } }]);
  expect(lines[0]?.["cpu"]).toMatchObject({ sandbox: expect.any(Number) });
});
