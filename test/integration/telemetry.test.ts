import { afterEach, describe, expect, test } from "vitest";
import { type Health, type HealthServer, HealthServerFailed, startHealthServer } from "../../src/telemetry/health.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { METRICS } from "../../src/telemetry/metric-table.ts";
import { createMetrics, type LaneFigures, type SystemFigures } from "../../src/telemetry/metrics.ts";
import { BlockPhases, processorEvents } from "../../src/telemetry/service-events.ts";

const WELL: Health = { ok: true, reasons: [] };
const CALM: SystemFigures = {
  halted: [],
  lanesFree: 0,
  clockSkewSeconds: 0,
  partitionsAheadSeconds: null,
  hasStandby: null,
  attention: [],
};
const servers: HealthServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(health: { live?: () => Health; ready?: () => Health } = {}) {
  const metrics = createMetrics({ instance: "test", version: "0.0.0" });
  const ask = { live: () => WELL, ready: () => WELL, ...health };
  const server = await startHealthServer({ host: "127.0.0.1", port: 0, metrics, ...ask });
  servers.push(server);
  return { metrics, server, base: `http://127.0.0.1:${server.port}` };
}

async function scrape(base: string): Promise<string> {
  return (await fetch(`${base}/metrics`)).text();
}

describe("metrics over HTTP", () => {
  test("one block is counted by result, size and phase", async () => {
    const { metrics, base } = await start();
    metrics.block({
      inputs: 7,
      accepted: 4,
      refused: 1,
      repeated: 1,
      quarantined: 1,
      phaseMs: { decide: 2, commit: 7 },
    });
    metrics.quarantined("undecodable");
    const page = await scrape(base);
    expect(page).toContain("millrace_blocks_total 1");
    expect(page).toContain('millrace_intents_total{result="accepted"} 4');
    expect(page).toContain('millrace_intents_total{result="quarantined"} 1');
    expect(page).toContain("millrace_block_inputs_sum 7");
    expect(page).toContain('millrace_block_seconds_sum{phase="commit"} 0.007');
    expect(page).toContain('millrace_block_seconds_count{phase="read"} 0');
    expect(page).toContain('millrace_quarantined_total{reason="undecodable"} 1');
  });

  test("each call for a person is counted by flow and code, from 0 on where its code is known", async () => {
    const { metrics, base } = await start();
    metrics.expectAttention("card", ["void_rejected", "capture_not_expected"]);
    const logger = createLogger({ logLevel: "info", logPretty: false, instance: "a" }, { write: () => {} });
    const events = processorEvents(logger, metrics, new BlockPhases(), async () => null);
    const raised = { flow: "card", code: "capture_not_expected", waits: false };
    const counts = { accepted: 0, refused: 0, repeated: 0, quarantined: new Map(), attention: [raised, raised] };
    events.committed(3, 1, counts, { inputs: 2, lines: 0, messages: 2, bytes: 90, ms: 1, nowMs: 0 });
    const page = await scrape(base);
    const name = "millrace_attention_outcomes_total";
    expect(page).toContain(`${name}{flow="card",code="capture_not_expected",waits="no"} 2`);
    expect(page).toContain(`${name}{flow="card",code="capture_not_expected",waits="yes"} 0`);
    expect(page).toContain(`${name}{flow="card",code="void_rejected",waits="no"} 0`);
  });

  test("what never happened is shown as 0, so that the first time counts as an increase", async () => {
    const { base } = await start();
    const page = await scrape(base);
    expect(page).toContain('millrace_fenced_total{at="append"} 0');
    expect(page).toContain('millrace_unknown_commits_total{resolution="halted"} 0');
    expect(page).toContain('millrace_intents_total{result="repeated"} 0');
  });

  test("lanes are read at the scrape, and a lane that was given up leaves nothing behind", async () => {
    const { metrics, base } = await start();
    const calm = { expireSeconds: null, schemaWaitSeconds: null };
    let lanes: readonly LaneFigures[] = [
      { lane: 3, lagRecords: 12, lagSeconds: 0.5, expireSeconds: 3600, schemaWaitSeconds: 2 },
      { lane: 4, lagRecords: 0, lagSeconds: 0, ...calm },
    ];
    metrics.watchLanes(() => lanes);
    metrics.watchRelay(() => [{ lane: 3, backlogMessages: 9, ageSeconds: 0.25 }]);
    const first = await scrape(base);
    expect(first).toContain('millrace_lag_records{lane="3"} 12');
    expect(first).toContain('millrace_lag_seconds{lane="3"} 0.5');
    expect(first).toContain('millrace_inputs_expire_seconds{lane="3"} 3600');
    expect(first).toContain('millrace_schema_wait_seconds{lane="3"} 2');
    expect(first).not.toContain('_seconds{lane="4"} null');
    expect(first).toContain("millrace_lanes_held 2");
    expect(first).toContain('millrace_relay_backlog_messages{lane="3"} 9');
    lanes = [];
    const second = await scrape(base);
    expect(second).toContain("millrace_lanes_held 0");
    expect(second).not.toContain('millrace_lag_records{lane="3"}');
    expect(second).not.toContain('millrace_inputs_expire_seconds{lane="3"}');
  });

  test("halted lanes are told with cause and the time that is left, and are gone when resumed", async () => {
    const { metrics, base } = await start();
    const seen = { ...CALM, lanesFree: 1, clockSkewSeconds: -0.25, partitionsAheadSeconds: 7200, hasStandby: false };
    let halted = [{ lane: 4, cause: "inputs_expired", expireSeconds: 0 as number | null }];
    metrics.watchSystem(() => ({ ...seen, halted }));
    const first = await scrape(base);
    expect(first).toContain("millrace_lanes_halted 1");
    expect(first).toContain('millrace_lane_halted{lane="4",cause="inputs_expired"} 1');
    expect(first).toContain('millrace_inputs_expire_seconds{lane="4"} 0');
    expect(first).toContain("millrace_lanes_free 1");
    expect(first).toContain("millrace_clock_skew_seconds -0.25");
    expect(first).toContain("millrace_partitions_ahead_seconds 7200");
    expect(first).toContain("millrace_synchronous_standby 0");
    halted = [];
    const second = await scrape(base);
    expect(second).toContain("millrace_lanes_halted 0");
    expect(second).not.toContain("millrace_lane_halted{");
  });

  test("cases that wait for a person are told by lane, and a lane without any is not", async () => {
    const { metrics, base } = await start();
    let attention = [{ lane: 2, cases: 3, oldestSeconds: 7200.5 }];
    metrics.watchSystem(() => ({ ...CALM, attention }));
    const first = await scrape(base);
    expect(first).toContain('millrace_attention_cases{lane="2"} 3');
    expect(first).toContain('millrace_attention_oldest_seconds{lane="2"} 7200.5');
    attention = [];
    expect(await scrape(base)).not.toContain("millrace_attention_cases{");
  });

  test("what an auditor came to is told where one runs, and nowhere else: no figure of it is an alarm", async () => {
    const { metrics, base } = await start();
    expect(await scrape(base)).not.toMatch(/^millrace_audit_(ok|age)/m);
    const auditedTo = new Map([[3, 17n]]);
    metrics.watchAudit(() => ({ ageSeconds: 2.5, seconds: 0.5, isGood: false, auditedTo }));
    metrics.audited({ decided: 4, notDecided: 1 });
    metrics.auditFound("floors_held", 2);
    const page = await scrape(base);
    expect(page).toContain("millrace_audit_age_seconds 2.5");
    expect(page).toContain("millrace_audit_seconds 0.5");
    expect(page).toContain("millrace_audit_ok 0");
    expect(page).toContain('millrace_audit_lane_block{lane="3"} 17');
    expect(page).toContain('millrace_audit_blocks_total{how="not_decided"} 1');
    expect(page).toContain('millrace_audit_findings_total{invariant="floors_held"} 2');
  });

  test("gateways are told by provider, where they run", async () => {
    const { metrics, base } = await start();
    metrics.watchGateways(() => [
      { provider: "script", inFlight: 2, oldestSeconds: 1.5, listBehindSeconds: null },
      { provider: "cardco", inFlight: 0, oldestSeconds: 0, listBehindSeconds: 61 },
    ]);
    metrics.missedEvent("cardco", "taken");
    metrics.watchCircuits(() => [{ provider: "cardco", state: "open" }]);
    metrics.providerCalled("cardco", "broken", 0.2);
    metrics.webhook("cardco", "refused", 0);
    metrics.gatewayTook("script");
    metrics.gatewayAnswered("script", "approved");
    const page = await scrape(base);
    expect(page).toContain('millrace_gateway_commands_total{provider="script"} 1');
    expect(page).toContain('millrace_gateway_answers_total{provider="script",result="approved"} 1');
    expect(page).toContain('millrace_gateway_in_flight_commands{provider="script"} 2');
    expect(page).toContain('millrace_gateway_oldest_seconds{provider="script"} 1.5');
    expect(page).toContain('millrace_provider_circuit{provider="cardco",state="open"} 1');
    expect(page).toContain('millrace_provider_circuit{provider="cardco",state="closed"} 0');
    expect(page).toContain('millrace_provider_calls_total{provider="cardco",result="broken"} 1');
    expect(page).toContain('millrace_webhooks_total{provider="cardco",result="refused"} 0');
    expect(page).toContain('millrace_missed_events_total{provider="cardco",result="taken"} 1');
    expect(page.match(/^millrace_event_list_behind_seconds.*$/gm)).toEqual([
      'millrace_event_list_behind_seconds{provider="cardco"} 61',
    ]);
  });

  test("every declared metric is on the page with its meaning, and no other of ours", async () => {
    const { metrics, base } = await start();
    metrics.watchAudit(() => ({ ageSeconds: 0, seconds: 0, isGood: true, auditedTo: new Map() }));
    metrics.watchCircuits(() => []);
    metrics.watchRates(() => 3n);
    metrics.watchGateways(() => []);
    const declared = Object.values(METRICS).map(({ name, meaning }) => `# HELP ${name} ${meaning}`);
    const shown = (await scrape(base)).split("\n").filter((line) => line.startsWith("# HELP millrace_"));
    expect(shown.toSorted()).toEqual(declared.toSorted());
  });

  test("two services in one process do not share figures", async () => {
    const one = await start();
    const other = await start();
    one.metrics.relayed(5);
    expect(await scrape(other.base)).toContain("millrace_relayed_messages_total 0");
  });
});

describe("health over HTTP", () => {
  test("says why in JSON, with 503 when something is wrong", async () => {
    let ready: Health = { ok: false, reasons: ["lane 4 is halted: position_missing"] };
    const { base } = await start({ ready: () => ready });
    const bad = await fetch(`${base}/readyz`);
    expect([bad.status, await bad.json()]).toEqual([503, { status: "failing", reasons: ready.reasons }]);
    ready = WELL;
    const good = await fetch(`${base}/readyz`);
    expect([good.status, await good.json()]).toEqual([200, { status: "ok", reasons: [] }]);
    expect((await fetch(`${base}/livez`)).status).toBe(200);
    expect((await fetch(`${base}/other`)).status).toBe(404);
  });

  test("a check that throws counts as failing", async () => {
    const { base } = await start({
      live: () => {
        throw new Error("no");
      },
    });
    expect((await fetch(`${base}/livez`)).status).toBe(500);
  });

  test("a port that is taken is an error with the option to change", async () => {
    const { server, metrics } = await start();
    const again = startHealthServer({
      host: "127.0.0.1",
      port: server.port,
      metrics,
      live: () => WELL,
      ready: () => WELL,
    });
    await expect(again).rejects.toThrow(HealthServerFailed);
    await expect(again).rejects.toThrow(/EADDRINUSE.*--http-port/);
  });

  test("close does not wait for a client that keeps its connection", async () => {
    const { server, base } = await start();
    await fetch(`${base}/livez`); // fetch keeps the connection open
    const startedAtMs = performance.now();
    await server.close();
    servers.length = 0;
    expect(performance.now() - startedAtMs).toBeLessThan(2000);
  });
});

describe("log lines", () => {
  function logged(over: { logPretty?: boolean; logLevel?: "info" | "debug" } = {}) {
    const lines: string[] = [];
    const settings = { logLevel: "info", logPretty: false, instance: "a", ...over } as const;
    return { lines, logger: createLogger(settings, { write: (line) => lines.push(line) }) };
  }

  test("are JSON with time, level, label, fields and digits for bigints", () => {
    const { lines, logger } = logged();
    logger.child({ lane: 3 }).info({ offset: 9_007_199_254_740_993n, error: new Error("x") }, "lane taken");
    const line = JSON.parse(lines[0] ?? "");
    expect(line).toMatchObject({
      level: "info",
      instance: "a",
      lane: 3,
      offset: "9007199254740993",
      message: "lane taken",
    });
    expect(line.error.message).toBe("x");
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  test("below the level are not made", () => {
    const { lines, logger } = logged();
    logger.debug({}, "block committed");
    expect([lines.length, logger.isLevelEnabled("debug"), logger.isLevelEnabled("warn")]).toEqual([0, false, true]);
  });

  test("can be read by people", () => {
    const { lines, logger } = logged({ logPretty: true });
    logger.warn({ lane: 3, cause: "beyond the end" }, "lane halted");
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}lane halted {2}lane=3 {2}cause="beyond the end"\n$/);
  });
});
