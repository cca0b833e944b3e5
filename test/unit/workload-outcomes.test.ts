// What a reader of outcomes prints, and what it notices.
import { describe, expect, test } from "vitest";
import { cpuBetween, cpuSeconds } from "../../src/workload/bench/cpu.ts";
import { SequenceCheck } from "../../src/workload/outcomes.ts";
import { outcomeLine } from "../../src/workload/outcomes-json.ts";
import { OUTCOME } from "./codec-fixtures.ts";

describe("the line of an outcome", () => {
  test("has the fields of the contract in its order, then the additions", () => {
    const line = outcomeLine({
      ...OUTCOME,
      lane: 3,
      sequence: 17n,
      block: 4n,
      reason: { category: "funds", code: "insufficient_funds" },
      repeatOf: { lane: 3, sequence: 9n },
      amounts: { requested: { currency: "CZK", scale: 2, minor: "70000" } },
      occurredAt: BigInt(Date.UTC(1993, 0, 5)) * 1000n,
      recordedAt: BigInt(Date.UTC(2026, 10, 20)) * 1000n + 123_456n,
      blockDigest: Buffer.from("0011223344556677", "hex"),
    });
    const parsed = JSON.parse(line) as Record<string, unknown>;
    expect(Object.keys(parsed)).toEqual([
      "outcomeId",
      "lane",
      "sequence",
      "block",
      "type",
      "caseId",
      "sourceId",
      "holderId",
      "intentType",
      "idempotencyKey",
      "status",
      "reason",
      "repeatOf",
      "amounts",
      "lines",
      "occurredAt",
      "recordedAt",
      "correlationId",
      "causationId",
      "traceparent",
      "flow",
      "parentId",
      "blockDigest",
    ]);
    expect(parsed).toMatchObject({
      lane: 3,
      sequence: 17,
      block: 4,
      reason: { category: "funds", code: "insufficient_funds" },
      repeatOf: { lane: 3, sequence: 9 },
      amounts: { requested: { currency: "CZK", minor: "70000" } },
      occurredAt: "1993-01-05T00:00:00Z",
      recordedAt: "2026-11-20T00:00:00.123456Z",
      blockDigest: "0011223344556677",
    });
  });

  test("says null where there is no reason, no repeat and no source", () => {
    const line = outcomeLine({
      ...OUTCOME,
      sourceId: null,
      reason: null,
      repeatOf: null,
      blockDigest: Buffer.alloc(8),
    });
    expect(JSON.parse(line)).toMatchObject({ sourceId: null, reason: null, repeatOf: null });
  });
});

describe("the sequence of a lane", () => {
  test("goes up by one, lane by lane", () => {
    const check = new SequenceCheck(new Map([[0, 0n]]));
    const wrong = [
      check.check(0, 0n),
      check.check(1, 55n),
      check.check(0, 1n),
      check.check(1, 56n),
      check.check(0, 2n),
    ];
    expect(wrong).toEqual([null, null, null, null, null]);
  });

  test("with a gap is told once, and reading goes on behind it", () => {
    const check = new SequenceCheck(new Map([[0, 0n]]));
    const sentence = "lane 0: sequence 2 where 0 was expected: a gap of 2";
    expect(check.check(0, 2n)).toEqual({ isRepeat: false, sentence });
    expect(check.check(0, 3n)).toBeNull();
  });

  test("with a repeat is told, and what was read before is not expected again", () => {
    const check = new SequenceCheck();
    check.check(5, 10n);
    check.check(5, 11n);
    const sentence = "lane 5: sequence 10 where 12 was expected: a repeat";
    expect(check.check(5, 10n)).toEqual({ isRepeat: true, sentence });
    expect(check.check(5, 12n)).toBeNull();
  });
});

describe("figures of benchmarks", () => {
  test.skipIf(process.platform !== "linux")("CPU seconds go up while a process works; none there is null", () => {
    const pids = { node: process.pid, postgres: process.pid, kafka: null };
    const before = cpuSeconds(pids);
    // By CPU time, not by the clock: on a busy machine a moment may pass without any of it being ours.
    for (const from = process.cpuUsage(); process.cpuUsage(from).user < 120_000; );
    const used = cpuBetween(before, cpuSeconds(pids));
    expect(used.node).toBeGreaterThan(0.09);
    expect(used.postgres).toBeGreaterThan(0.09);
    expect(used.kafka).toBeNull();
    expect(cpuSeconds({ node: 2 ** 30, postgres: 2 ** 30, kafka: null })).toEqual({
      node: null,
      postgres: null,
      kafka: null,
    });
  });
});
