// `millrace load --report` against a real service, and one that is frozen for two seconds meanwhile.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Latencies, readHgrm } from "../../src/workload/report/latency-histogram.ts";
import type { Report } from "../../src/workload/report/report.ts";
import { openWorld, runVerb, startInstance, startVerb, type World } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";
import { openLine, transferLine } from "../support/workload.ts";

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-load-report-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const reportIn = (folder: string): Report => JSON.parse(readFileSync(join(folder, "report.json"), "utf8")) as Report;

async function outcomesIn(world: World): Promise<number> {
  const [row] = await world.query("select coalesce(sum(outcomes_next), 0)::int as count from lane");
  return Number(row?.["count"]);
}

test("a service frozen for two seconds shows in the percentiles as in all intents that were due meanwhile", async () => {
  const world = await openWorld({ lanes: 4 });
  const service = await startInstance(world, "one");
  const folder = tempFolder();
  const rate = 500;
  const seconds = 12;
  const what = ["--profile", "transfers", "--count", `${rate * seconds}`, "--rate", `${rate}`];
  const loading = startVerb(world, ["load", ...what, "--report", folder, "--json"]);
  await waitFor("a quarter of the load to be answered", async () => (await outcomesIn(world)) > (rate * seconds) / 4);
  service.freeze();
  await sleep(2_000);
  service.thaw();
  const { code, stdout, stderr } = await loading.ended;
  expect(code, stderr).toBe(0);
  const report = reportIn(folder);
  expect(report.totals).toMatchObject({ sent: 6_000, acknowledged: 6_000, answered: 6_000, unanswered: 0, refused: 0 });
  expect(report.latency?.maxMs).toBeGreaterThan(1_900);
  // A sixth was due in the pause. Half of those waited for more than half of it: a loop that waits for its answers would
  // have sent one of them.
  const curve = Latencies.decode(report.histograms.latency ?? "").curve();
  const within = curve.findLast(({ valueMs }) => valueMs <= 1_000)?.count ?? 0;
  expect(6_000 - within).toBeGreaterThan(rate * 0.9);
  expect(report.latency?.p90Ms).toBeGreaterThan(700);
  // Kafka was not frozen, and the generator did not wait.
  expect(report.acknowledgement?.p90Ms).toBeLessThan(500);
  const lags = report.intervals.map(({ lag }) => lag ?? 0);
  expect(Math.max(...lags)).toBeGreaterThan(rate);
  expect(lags.at(-1)).toBe(0);
  expect(report.intervals.reduce((sum, { answered }) => sum + answered, 0)).toBe(6_000);
  // What --json prints is what is in the file.
  expect(JSON.parse(stdout)).toMatchObject({ sent: 6_000, answered: 6_000, latency: report.latency });
  expect(readHgrm(readFileSync(join(folder, "latency.hgrm"), "utf8")).at(-1)).toMatchObject({
    fraction: 1,
    count: 6_000,
  });
  expect(stderr).toMatch(/to the outcome read +[\d.]+ +[\d.]+/);
});

test("everything that was sent is accounted for: answered, refused, repeated or put aside, by what it is", async () => {
  const world = await openWorld({ lanes: 4 });
  await startInstance(world, "one");
  const folder = tempFolder();
  const argv = ["load", "--profile", "mixed", "--count", "6000", "--seed", "7", "--rate", "3000", "--report", folder];
  const startedMs = performance.now();
  await runVerb(world, [...argv, "--warm-up", "1", "--wait", "60"]);
  expect(performance.now() - startedMs).toBeLessThan(50_000); // It does not wait for answers that cannot come.
  const { totals, outcomes, latency, acknowledgement, notes } = reportIn(folder);
  const [aside] = await world.query("select count(*)::int as count from quarantine");
  expect(totals).toMatchObject({ sent: 6_000, unanswered: 0, putAside: aside?.["count"] });
  expect((totals?.answered ?? 0) + (totals?.putAside ?? 0)).toBe(6_000);
  const codes = await world.query("select reason, count(*)::int as count from quarantine group by reason");
  for (const { reason, count } of codes) expect(outcomes).toContainEqual({ type: "quarantined", code: reason, count });
  const named = outcomes.map(({ type, code }) => `${type} ${code}`);
  expect(named).toEqual(expect.arrayContaining(["intent.repeated null", "transfer.rejected insufficient_funds"]));
  expect(latency?.count).toBeLessThan(totals?.answered ?? 0);
  expect(acknowledgement?.count).toBeGreaterThan(latency?.count ?? 0);
  expect(notes.join()).toContain("due in the first 1 s");
});

test("lines of a file and their repeats are matched, and a service that is away is told instead of measured", async () => {
  const world = await openWorld({ lanes: 2 });
  const service = await startInstance(world, "one");
  const folder = tempFolder();
  const lines = [openLine("h1"), transferLine("h1", 500, "in"), transferLine("h1", 900, "out")];
  const load = async (name: string, wait: string): Promise<Report> => {
    const argv = ["load", "--from", "-", "--repeat-last", "2", "--report", join(folder, name), "--wait", wait];
    const verb = startVerb(world, argv);
    verb.stdin.end(`${lines.join("\n")}\n`);
    const { code, stderr } = await verb.ended;
    expect(code, stderr).toBe(0);
    return reportIn(join(folder, name));
  };
  const { totals, outcomes } = await load("answered", "30");
  expect(totals).toMatchObject({ sent: 5, answered: 5, refused: 1, unanswered: 0 });
  expect(outcomes).toContainEqual({ type: "intent.repeated", code: null, count: 2 });
  await service.stop();
  const away = await load("away", "1");
  expect(away.totals).toMatchObject({ sent: 5, acknowledged: 5, answered: 0, unanswered: 5 });
  expect(away.latency).toBeNull();
  expect(away.notes[0]).toMatch(/^5 intents were not answered/);
});

test("interrupted it reports what was sent until then, and ends with 130", async () => {
  const world = await openWorld({ lanes: 2 });
  await startInstance(world, "one");
  const folder = tempFolder();
  const argv = ["load", "--profile", "transfers", "--count", "100000", "--rate", "200", "--report", folder];
  const loading = startVerb(world, argv);
  await waitFor("some of the load to be answered", async () => (await outcomesIn(world)) > 300);
  loading.interrupt();
  const { code } = await loading.ended;
  expect(code).toBe(130);
  const { totals, latency } = reportIn(folder);
  expect(totals?.sent).toBeGreaterThan(300);
  expect(totals?.acknowledged).toBe(totals?.sent);
  expect(totals?.answered).toBe((totals?.sent ?? 0) - (totals?.unanswered ?? 0));
  expect(latency?.count).toBe(totals?.answered);
});
