// The forms of a report: histograms and their text, the JSON, the page, and where they are written.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import hdr from "hdr-histogram-js";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { benchReport } from "../../src/workload/report/bench-report.ts";
import { buildReport, hostFacts } from "../../src/workload/report/build.ts";
import { shortNumber } from "../../src/workload/report/chart.ts";
import { prepareReport, readReport, reportJson, writeReport } from "../../src/workload/report/files.ts";
import { reportPage } from "../../src/workload/report/html.ts";
import { hashIdentity } from "../../src/workload/report/identity.ts";
import { Latencies, readHgrm } from "../../src/workload/report/latency-histogram.ts";
import { LoadMeter } from "../../src/workload/report/meter.ts";
import { noisy, runOf } from "../support/reports.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-report-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function filled(from: number, until: number): Latencies {
  const latencies = Latencies.empty();
  for (let ms = from; ms <= until; ms++) latencies.record(ms);
  return latencies;
}

describe("histograms", () => {
  test("keep three digits from a microsecond to an hour, and count what is beyond as an hour", () => {
    for (const ms of [0.001, 0.02, 1.234, 999.5, 60_000, 3_599_000]) {
      const latencies = Latencies.empty();
      latencies.record(ms);
      const { p50Ms = 0 } = latencies.percentiles() ?? {};
      expect(Math.abs(p50Ms - ms) / ms).toBeLessThanOrEqual(0.001);
    }
    const beyond = Latencies.empty();
    beyond.record(9_999_999);
    beyond.record(-5);
    expect(beyond.percentiles()?.maxMs).toBeCloseTo(3_600_000, -4);
    expect(beyond.count).toBe(2);
    expect(Latencies.empty().percentiles()).toBeNull();
  });

  test("merged are what one histogram of all values is", () => {
    const merged = filled(1, 500);
    merged.add(filled(501, 1_000));
    expect(merged.percentiles()).toEqual(filled(1, 1_000).percentiles());
    expect(merged.encode()).toBe(filled(1, 1_000).encode());
  });

  test("of two digits can be merged into one of three", () => {
    const [coarse, fine] = [Latencies.empty(2), Latencies.empty()];
    coarse.record(100);
    fine.add(coarse);
    expect(fine.percentiles()?.p50Ms).toBeCloseTo(100, -0.5);
  });

  test("come back from their compressed form, which other programs of HdrHistogram read too", () => {
    const latencies = filled(1, 1_000);
    const { maxMs: _exact, ...same } = latencies.percentiles() ?? { maxMs: 0 };
    const decoded = Latencies.decode(latencies.encode()).percentiles();
    expect(decoded).toMatchObject(same);
    expect(decoded?.maxMs).toBeCloseTo(1_000, -0.5); // to three digits
    const theirs = hdr.decodeFromCompressedBase64(latencies.encode());
    expect(theirs.totalCount).toBe(1_000);
    expect(theirs.getValueAtPercentile(50) / 1_000).toBeCloseTo(500, -1);
  });
});

describe("the percentile distribution as text", () => {
  test("has the form that plotters of HdrHistogram read", () => {
    const lines = filled(1, 1_000).hgrm().split("\n");
    expect(lines[0]).toMatch(/^ +Value +Percentile TotalCount 1\/\(1-Percentile\)$/);
    expect(lines[1]).toBe("");
    expect(lines[2]).toMatch(/^ +1\.000 0\.000000000000 +1 +1\.00$/);
    const values = lines.filter((line) => /^ +\d/.test(line));
    for (const line of values.slice(0, -1)) expect(line).toMatch(/^ *\d+\.\d{3} [01]\.\d{12} +\d+ +\d+\.\d\d$/);
    expect(values.at(-1)).toMatch(/^ *\d+\.\d{3} 1\.000000000000 +1000$/);
    expect(lines.filter((line) => line.startsWith("#")).map((line) => line.slice(0, 10))).toEqual([
      "#[Mean    ",
      "#[Max     ",
      "#[Buckets ",
    ]);
  });

  test("is read back as it was written, rising to all values at the highest", () => {
    const latencies = filled(1, 1_000);
    const curve = readHgrm(latencies.hgrm());
    expect(curve[0]).toEqual({ valueMs: 1, fraction: 0, count: 1 });
    expect(curve.at(-1)).toMatchObject({ fraction: 1, count: 1_000 });
    expect(curve.at(-1)?.valueMs).toBeCloseTo(1_000, -1);
    for (const [at, point] of curve.entries()) {
      const before = curve[at - 1];
      if (before === undefined) continue;
      expect(point.valueMs).toBeGreaterThanOrEqual(before.valueMs);
      expect(point.count).toBeGreaterThanOrEqual(before.count);
    }
    const half = curve.find(({ fraction }) => fraction >= 0.5);
    expect(half).toMatchObject({ count: expect.closeTo(500, -1), valueMs: expect.closeTo(500, -1) });
  });

  test("is read from other programs' files, and anything else is told", () => {
    const theirs =
      "       Value     Percentile TotalCount 1/(1-Percentile)\n\n  0.500 0.5 10 2.00\n  2.000 1.0 20\n#[Mean = 1]\n";
    expect(readHgrm(theirs)).toEqual([
      { valueMs: 0.5, fraction: 0.5, count: 10 },
      { valueMs: 2, fraction: 1, count: 20 },
    ]);
    expect(() => readHgrm("p50 is fine")).toThrow("not a line");
  });
});

describe("the JSON", () => {
  const count = z.number().int().min(0);
  const figures = z.strictObject({
    count,
    meanMs: z.number(),
    p50Ms: z.number(),
    p90Ms: z.number(),
    p99Ms: z.number(),
    p999Ms: z.number(),
    maxMs: z.number(),
  });
  const schema = z.strictObject({
    format: z.literal("millrace-report/1"),
    name: z.string(),
    startedAt: z.iso.datetime(),
    seconds: z.number(),
    perSecond: z.number(),
    settings: z.record(z.string(), z.unknown()),
    versions: z.record(z.string(), z.unknown()),
    host: z.strictObject({
      cores: count,
      cpu: z.string(),
      memoryMb: count,
      platform: z.string(),
      arch: z.string(),
      loadAverageBefore: z.number(),
    }),
    cpu: z.record(z.string(), z.number().nullable()).nullable(),
    totals: z
      .strictObject({
        sent: count,
        acknowledged: count,
        answered: count,
        refused: count,
        putAside: count,
        unanswered: count,
        unansweredMsMax: count,
        notMeasured: count,
      })
      .nullable(),
    latency: figures.nullable(),
    acknowledgement: figures.nullable(),
    late: figures.nullable(),
    outcomes: z.array(z.strictObject({ type: z.string(), code: z.string().nullable(), count })),
    intervalSeconds: z.number(),
    intervals: z.array(
      z.strictObject({
        fromSecond: z.number(),
        sent: count.nullable(),
        acknowledged: count.nullable(),
        answered: count,
        refused: count.nullable(),
        lag: count.nullable(),
        unsent: count.nullable(),
        lateMsMax: z.number().nullable(),
        latency: figures.nullable(),
        acknowledgement: figures.nullable(),
      }),
    ),
    histograms: z.strictObject({ latency: z.string().nullable(), acknowledgement: z.string().nullable() }),
    notes: z.array(z.string()),
  });

  test("of a load has exactly these fields", () => {
    const meter = new LoadMeter({ startAtMs: 1_000, warmUpMs: 0 });
    meter.learn([{ type: "transfer.rejected", code: "insufficient_funds" }]);
    const asked = { caseId: "trf_1", idempotencyKey: null };
    meter.taken({ partition: 0, record: { key: null, value: Buffer.alloc(1) }, asked }, 1_001);
    meter.sent([1_001], 1_002);
    meter.acknowledged([1_001], 1_003);
    const hashes = new Uint32Array(2);
    hashIdentity(asked, hashes, 0);
    meter.answered({ atMs: 1_011, hashes, kinds: new Uint16Array(1) });
    const frame = { name: "load", settings: {}, versions: {}, host: hostFacts(), rate: 10, endedAtMs: 2_000 };
    const written = JSON.parse(reportJson(buildReport(meter, frame))) as unknown;
    expect(schema.parse(written)).toMatchObject({ totals: { answered: 1, refused: 1 }, latency: { count: 1 } });
  });

  test("of a benchmark that only counts has them too", () => {
    const figuresOf = { count: 1, seconds: 1, perSecond: 1, settings: {}, cpu: { node: 1, postgres: 1, kafka: null } };
    const frame = { name: "floor", settings: {}, versions: {}, host: hostFacts() };
    expect(schema.parse(JSON.parse(reportJson(benchReport(figuresOf, frame))))).toMatchObject({ intervals: [] });
  });
});

describe("the page", () => {
  const report = runOf(noisy(1, 30), {
    outcomes: [{ type: "transfer.rejected", code: "<script>alert(1)</script>", count: 3 }],
    settings: { rate: 1_000, from: '"><img src=x>' },
    notes: ["17 intents were not answered & waited"],
    totals: {
      sent: 20,
      acknowledged: 20,
      answered: 3,
      refused: 3,
      putAside: 0,
      unanswered: 17,
      unansweredMsMax: 5_000,
      notMeasured: 0,
    },
  });
  const html = reportPage(report);

  test("fetches nothing", () => {
    expect(html).not.toMatch(
      /https?:|\/\/[a-z]|@import|url\(|<link|<iframe|<img|<[a-z][^>]* (src|href)=|fetch\(|XMLHttp/,
    );
  });

  test("is one well-formed document: every element is closed in its turn", () => {
    expect(html.startsWith("<!doctype html>")).toBe(true);
    expect(unclosed(html)).toEqual([]);
  });

  test("shows what people gave as text, never as markup", () => {
    expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(html.match(/<script>/g)).toHaveLength(1);
  });

  test("draws latency over time, percentiles, throughput and lag", () => {
    const titles = [...html.matchAll(/<figcaption><h2>(.*?)<\/h2>/g)].map(([, title]) => title);
    expect(titles).toEqual(["Latency over time", "Latency by percentile", "Throughput", "Lag"]);
    expect(html).toContain(">99 %</text>");
    for (const points of html.matchAll(/points="([^"]*)"/g)) {
      expect(points[1]).toMatch(/^(-?[\d.]+,-?[\d.]+ ?)+$/);
    }
  });

  test("has colours for light and for dark", () => {
    expect(html).toContain("prefers-color-scheme:dark");
    expect(html).toContain('content="light dark"');
  });

  test("of a benchmark that only counts leaves out what was not measured", () => {
    const cpu = { node: 1, postgres: 2, kafka: null };
    const course = {
      kind: "counted",
      startedAtMs: 1_000_500,
      bySecond: [
        [1_001, 40],
        [1_003, 60],
      ],
    } as const;
    const figures = { count: 100, seconds: 3, perSecond: 33, settings: {}, cpu, course };
    const counted = benchReport(figures, { name: "drain", settings: {}, versions: {}, host: report.host });
    expect(counted.intervals.map(({ answered }) => answered)).toEqual([0, 40, 0, 60]);
    const page = reportPage(counted);
    expect(page).toContain("<h2>Throughput</h2>");
    expect(page).not.toContain("<h2>Lag</h2>");
    expect(unclosed(page)).toEqual([]);
  });

  test("of nothing at all is still a page", () => {
    const empty = runOf([], {
      latency: null,
      acknowledgement: null,
      late: null,
      histograms: { latency: null, acknowledgement: null },
    });
    expect(unclosed(reportPage(empty))).toEqual([]);
  });
});

const VOID = new Set(["meta", "br", "hr"]);

/** Names of elements that are not closed, or closed out of turn. */
function unclosed(html: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  const markup = html.replace(/<(script|style)>.*?<\/\1>/gs, "").replace("<!doctype html>", "");
  for (const [, slash, name = "", self] of markup.matchAll(
    /<(\/?)([a-zA-Z][\w-]*)(?:\s(?:[^"<>]|"[^"<>]*")*?)?(\/?)>/g,
  )) {
    if (VOID.has(name) || self === "/") continue;
    if (slash === "") open.push(name);
    else if (open.pop() !== name) wrong.push(name);
  }
  return [...wrong, ...open, ...(markup.replace(/<(?:[^"<>]|"[^"<>]*")*>/g, "").includes("<") ? ["<"] : [])];
}

describe("files", () => {
  const report = runOf(noisy(1, 30));

  test("a folder gets all forms, a name with an ending that one", () => {
    const all = join(folder, "deep", "all");
    expect(prepareReport(all)).toBeNull();
    expect(writeReport(all, report)).toHaveLength(3);
    expect(readdirSync(all).sort()).toEqual(["latency.hgrm", "report.html", "report.json"]);
    for (const form of [".json", ".html", ".hgrm"]) {
      const path = join(folder, `one${form}`);
      expect(prepareReport(path)).toBeNull();
      expect(writeReport(path, report)).toEqual([path]);
      expect(existsSync(path)).toBe(true);
    }
    expect(readHgrm(readFileSync(join(folder, "one.hgrm"), "utf8")).length).toBeGreaterThan(10);
  });

  test("what is written is read back the same, from the file or its folder", () => {
    const path = join(folder, "same");
    prepareReport(path);
    writeReport(path, report);
    expect(readReport(path)).toEqual({ kind: "report", report: JSON.parse(reportJson(report)) });
    expect(readReport(join(path, "report.json"))).toEqual({ kind: "report", report });
  });

  test("paths that cannot be are told before anything is sent", () => {
    const file = join(folder, "plain");
    writeFileSync(file, "");
    expect(prepareReport(file)).toMatch(/is a file, expected a folder, or a name that ends in \.json, \.hgrm, \.html/);
    expect(prepareReport(join(file, "below"))).toMatch(/cannot be made \(ENOTDIR\)/);
    prepareReport(join(folder, "x.json", "y"));
    expect(prepareReport(join(folder, "x.json"))).toMatch(/is a folder, expected a file/);
  });

  test("what is no report is told, with what was found", () => {
    const fault = (name: string, text: string): string => {
      const path = join(folder, name);
      writeFileSync(path, text);
      const read = readReport(path);
      return read.kind === "fault" ? read.why : "a report";
    };
    expect(fault("a.json", "{")).toMatch(/is no JSON/);
    expect(fault("utf16.json", Buffer.from("{}", "utf16le").toString())).toMatch(
      /is no JSON: found a NUL, which no text/,
    );
    expect(fault("b.json", "{}")).toMatch(/is no report: found format undefined, expected "millrace-report\/1"/);
    expect(fault("c.json", "null")).toMatch(/is no report/);
    expect(readReport(join(folder, "absent"))).toMatchObject({ why: expect.stringContaining("does not exist") });
    expect(fault("d.json", '{"format":"millrace-report/1","settings":{}}')).toMatch(/no whole report: versions, host/);
    expect(readReport(folder)).toMatchObject({ why: expect.stringMatching(/report\.json does not exist/) });
    expect(readReport(join(folder, "a.json", "b"))).toMatchObject({ why: expect.stringContaining("ENOTDIR") });
  });
});

test("numbers on axes are short", () => {
  expect([0, 5, 1_500, 12_345, 250_000, 0.25, 1234.5].map(shortNumber)).toEqual([
    "0",
    "5",
    "1500",
    "12.3k",
    "250k",
    "0.25",
    "1230",
  ]);
});
