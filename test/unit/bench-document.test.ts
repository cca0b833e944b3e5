// docs/benchmarks.md is what its template makes of the figures stored beside it; nobody edits a figure by hand.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type BenchLine, type BenchRecord, renderBenchmarks, renderReadme } from "../../src/workload/bench/document.ts";
import { BENCHMARKS } from "../../src/workload/bench/list.ts";
import { ROOT } from "../support/source.ts";

const file = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const template = file("docs/benchmarks.template.md");
const stored = JSON.parse(file("docs/benchmarks.json")) as BenchRecord;

describe("the documents in the repository", () => {
  test("docs/benchmarks.md is what its template makes of docs/benchmarks.json", () => {
    expect(file("docs/benchmarks.md")).toBe(renderBenchmarks(template, stored));
  });

  test("README.md has the figures of docs/benchmarks.json between its marks", () => {
    const readme = file("README.md");
    expect(readme).toContain("<!-- figures of docs/benchmarks.json -->");
    expect(renderReadme(readme, stored)).toBe(readme);
  });

  test("the template tells of every benchmark, and what is not measured", () => {
    for (const name of BENCHMARKS.keys()) expect(template).toContain(`| \`${name}\` |`);
    expect(template).toContain(`npx millrace bench ${[...BENCHMARKS.keys()].join(" ")}\``);
    expect(template).toContain("## What is not measured");
    expect(template.indexOf("## Ratios")).toBeLessThan(template.indexOf("## Figures"));
  });

  test("docs/benchmarks.json has a figure of every benchmark", () => {
    const measured = new Set(stored.results.map(({ bench }) => bench));
    expect([...BENCHMARKS.keys()].filter((name) => !measured.has(name))).toEqual([]);
  });

  test("name neither hosts nor paths of the machine that they were measured on", () => {
    expect(file("docs/benchmarks.json")).not.toMatch(
      /\/(home|root|tmp|work|Users)\b|hostname|localhost|\d+\.\d+\.\d+\.\d+/,
    );
  });
});

const MARKS = "<!-- figures of docs/benchmarks.json -->\n<!-- end of figures -->";

const line = (bench: string, perSecond: number, over: Partial<BenchLine> = {}): BenchLine => ({
  bench,
  count: 200_000,
  seconds: 8,
  perSecond,
  settings: { loadAverageBefore: 0.1 },
  versions: { millrace: "0.1.0", kafka: null },
  cpu: { node: 4, postgres: 6, kafka: null },
  ...over,
});
const RECORD: BenchRecord = {
  format: "millrace-benchmarks/1",
  date: "2026-01-02",
  command: "millrace bench",
  tookSeconds: 200,
  host: { cores: 2, cpu: "a processor", memoryMb: 24_000, platform: "linux", arch: "x64" },
  results: [
    line("drain", 25_000),
    line("naive", 125),
    line("latency", 5_000, {
      count: 75_000,
      p50Ms: 30,
      p99Ms: 120,
      settings: { rate: 5_000, sent: 125_000, overrides: { MILLRACE_BLOCK_ROWS_MAX: "5" } },
      cpu: { node: 5, postgres: 2.5, kafka: 1 },
    }),
    line("echo", 5_000, { p50Ms: 5, p99Ms: 20 }),
  ],
};

describe("figures", () => {
  const page = renderBenchmarks("{{ratios}}\n---\n{{figures}}\n---\n{{cpu}}\n---\n{{run}}\n", RECORD);

  test("ratios are of what was run; those of what was not are left out", () => {
    expect(page).toContain("| `drain` / `naive` | 200 |");
    expect(page).toContain("| `latency` p50 / `echo` p50 | 6.00 |");
    expect(page).not.toContain("`floor`");
  });

  test("CPU is told per hundred thousand of all that was sent, the warm-up too", () => {
    expect(page).toContain("| `drain` | 2.00 | 3.00 |  |");
    expect(page).toContain("| `latency` | 4.00 | 2.00 | 0.80 |");
  });

  test("a figure of card payments says how many of them were converted", () => {
    const record = { ...RECORD, results: [line("cards", 2_000)] };
    expect(renderBenchmarks("{{figures}}", record)).toContain("| `cards`, three in ten converted | 200,000 |");
    expect(renderReadme(MARKS, record)).toContain("| `cards`, three in ten converted | 2,000 a second");
  });

  test("what the sandbox took has a column of its own", () => {
    const record = {
      ...RECORD,
      results: [line("cards-http", 1_000, { cpu: { ...line("cards", 1).cpu, sandbox: 8 } })],
    };
    expect(renderBenchmarks("{{cpu}}", record)).toContain("| `cards-http` | 2.00 | 3.00 |  | 4.00 |");
  });

  test("settings that are not the shipped ones are told", () => {
    expect(page).toContain("MILLRACE_BLOCK_ROWS_MAX=5");
  });

  test("without a run there is a sentence instead, and a placeholder that nobody knows is an error", () => {
    const none = { ...RECORD, results: [] };
    expect(renderBenchmarks("a {{ratios}} b", none)).toBe("a *No run is stored: `npm run bench` makes one.* b");
    expect(() => renderBenchmarks("{{wishes}}", RECORD)).toThrow("wishes");
  });

  test("the README gets the short form between its marks, and nothing else changes", () => {
    const readme = "before\n<!-- figures of docs/benchmarks.json -->\nold\n<!-- end of figures -->\nafter\n";
    const made = renderReadme(readme, RECORD);
    expect(made).toMatch(/^before\n<!-- figures .*<!-- end of figures -->\nafter\n$/s);
    expect(made).toContain("| `drain` | 25,000 a second over 200,000, 200 times `naive` |");
    expect(made).toContain("| `latency` at 5,000 a second | p50 30.0 ms, p99 120.0 ms |");
    expect(renderReadme(made, RECORD)).toBe(made);
    expect(renderReadme(readme, { ...RECORD, results: [] })).toBe(readme);
  });
});
