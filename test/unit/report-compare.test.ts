// Two reports: what is told as a difference, and what is not.
import { describe, expect, test } from "vitest";
import { compareReports, settingsApart, worsened } from "../../src/workload/report/compare.ts";
import { comparePage } from "../../src/workload/report/compare-html.ts";
import type { OutcomeCount, Report } from "../../src/workload/report/report.ts";
import { noisy, percentiles, runOf } from "../support/reports.ts";

const verdictOf = (a: Report, b: Report, what: string): string | undefined =>
  compareReports(a, b).find((row) => row.what === what)?.verdict;

describe("the verdict", () => {
  test("of runs that differ by chance alone is hardly ever that they differ", () => {
    let wrong = 0;
    for (let seed = 1; seed <= 200; seed++) {
      if (verdictOf(runOf(noisy(seed, 30)), runOf(noisy(seed + 1_000, 30)), "p50") !== "within the spread") wrong += 1;
    }
    expect(wrong).toBeLessThanOrEqual(10);
  });

  test("of runs that are a third apart is always that they differ, with the right sign", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const [fast, slow] = [runOf(noisy(seed, 30)), runOf(noisy(seed + 1_000, 40))];
      expect(verdictOf(fast, slow, "p50")).toBe("worse");
      expect(verdictOf(slow, fast, "p50")).toBe("better");
    }
  });

  test("of a pause is not excused by the pause's own spread", () => {
    const paused = noisy(2, 30, 10);
    paused.splice(4, 3, 2_000, 1_500, 1_000);
    const [quiet, stalled] = [runOf(noisy(1, 30, 10)), runOf(paused)];
    expect(verdictOf(quiet, stalled, "highest")).toBe("worse");
    expect(verdictOf(quiet, stalled, "p99.9")).toBe("worse");
  });

  test("of a difference below one per cent is that it is none, however sure it is", () => {
    const flat = (p50Ms: number): Report => runOf(Array.from({ length: 30 }, () => p50Ms));
    expect(verdictOf(flat(30), flat(30.2), "p50")).toBe("within the spread");
    expect(verdictOf(flat(30), flat(31), "p50")).toBe("worse");
  });

  test("of runs of a few seconds is that they are too short", () => {
    expect(verdictOf(runOf([30, 31, 29]), runOf([60, 61, 59]), "p50")).toBe("too short to tell");
  });

  test("leaves the warm-up out", () => {
    const cold = [...Array.from({ length: 10 }, (_, at) => 500 + at * 50), ...noisy(3, 30)];
    const settings = { rate: 1_000, warmUpSeconds: 10 };
    const warm = runOf(cold, { settings, latency: percentiles(30) });
    expect(verdictOf(runOf(noisy(4, 30)), warm, "p50")).toBe("within the spread");
    expect(compareReports(warm, warm).find(({ what }) => what === "p50")?.spread).toBeLessThan(3);
  });
});

describe("outcomes", () => {
  const outcomes = (refused: number): OutcomeCount[] => [
    { type: "transfer.completed", code: null, count: 10_000 - refused },
    { type: "transfer.rejected", code: "insufficient_funds", count: refused },
  ];
  const refusals = (a: number, b: number) =>
    compareReports(runOf(noisy(1, 30), { outcomes: outcomes(a) }), runOf(noisy(2, 30), { outcomes: outcomes(b) })).find(
      ({ what }) => what === "transfer.rejected (insufficient_funds)",
    );

  test("are compared by their shares", () => {
    expect(refusals(200, 215)).toMatchObject({ a: 2, b: 2.15, verdict: "within the spread" });
    expect(refusals(200, 400)).toMatchObject({ a: 2, b: 4, changePercent: 100, verdict: "differs" });
    expect(refusals(0, 50)).toMatchObject({ a: 0, changePercent: null, verdict: "differs" });
  });
});

describe("what fails a build", () => {
  test("is what is worse by more than asked and beyond the spread, nothing else", () => {
    const rows = compareReports(runOf(noisy(1, 30)), runOf(noisy(2, 40)));
    expect(worsened(rows, 20).map(({ what }) => what)).toEqual(expect.arrayContaining(["p50", "p90", "p99"]));
    expect(worsened(rows, 200)).toEqual([]);
    expect(worsened(compareReports(runOf(noisy(2, 40)), runOf(noisy(1, 30))), 0)).toEqual([]);
  });

  test("tells settings that are not the same, but not what belongs to a single run", () => {
    const settings = { rate: 2_000, warmUpSeconds: 0, runAt: "2026-01-01T00:00:00Z" };
    expect(settingsApart(runOf([1]), runOf([1], { settings }))).toEqual(["rate: 1000 and 2000"]);
  });
});

test("the page of both is one document that fetches nothing", () => {
  const [a, b] = [runOf(noisy(1, 30)), runOf(noisy(2, 40))];
  const html = comparePage({ a, b, rows: compareReports(a, b), apart: ["rate: 1 and <b>2</b>"] });
  expect(html).not.toMatch(/https?:|src=|@import|url\(/);
  expect(html).toContain("&lt;b&gt;2&lt;/b&gt;");
  expect(html).toContain("B: p50");
});
