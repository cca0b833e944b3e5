// The pure parts of `replay`: places as users write them, case ids of new payments, and where a record goes.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CaseId, formatCaseId, parseCaseId } from "../../src/domain/ids.ts";
import type { IntentMessage } from "../../src/kafka/codec-messages.ts";
import { OffsetMap } from "../../src/workload/compare/copy.ts";
import { makeRenewal, parseShift, renewCaseId, renewIntent } from "../../src/workload/replay/renew.ts";
import { targetPartition } from "../../src/workload/replay/source.ts";
import { contradiction, type Place, parsePlace } from "../../src/workload/replay/span.ts";

describe("places", () => {
  test("are read in each form", () => {
    expect(parsePlace("beginning")).toEqual({ kind: "beginning" });
    expect(parsePlace("end")).toEqual({ kind: "end" });
    expect(parsePlace("0")).toEqual({ kind: "offset", offset: 0n });
    const offsets = new Map([
      [0, 120n],
      [1, 80n],
    ]);
    expect(parsePlace("0:120,1:80")).toEqual({ kind: "offsets", offsets });
    expect(parsePlace("2026-11-20T10:00:00+01:00")).toEqual({ kind: "time", atMs: Date.UTC(2026, 10, 20, 9) });
    expect(parsePlace("2026-11-20")).toEqual({ kind: "time", atMs: Date.UTC(2026, 10, 20) });
    expect(parsePlace("2026-11-20T10:00:00.000001Z")).toEqual({ kind: "time", atMs: Date.UTC(2026, 10, 20, 10) + 1 });
  });

  test.each([
    "",
    "-1",
    "1.5",
    "0:",
    ":1",
    "0:1,",
    "0:1;1:2",
    "0x10",
    "2026-02-30T00:00:00Z",
    "2026-11-20T10:00",
    "x",
    "9".repeat(19),
  ])("%j is none, and the fault names every form", (text) => {
    expect(parsePlace(text)).toEqual({ kind: "fault", expected: expect.stringMatching(/0:120.*beginning.*time like/) });
  });

  test("a partition that is named twice is a fault", () => {
    expect(parsePlace("0:1,0:2")).toEqual({ kind: "fault", expected: "partition 0 to be named once" });
  });

  test.each([
    ["5", "4", "--from is behind --to (partition 0)"],
    ["0:1,3:9", "0:1,3:8", "--from is behind --to (partition 3)"],
    ["3:9", "8", "--from is behind --to (partition 3)"],
    ["9", "3:8", "--from is behind --to (partition 3)"],
    ["2026-11-21", "2026-11-20", "--from is behind --to"],
    ["end", "beginning", "--from is behind --to"],
    ["0:1", "1:2", "--from and --to name different partitions"],
  ])("--from %s --to %s contradict each other", (from, to, sentence) => {
    expect(contradiction(parsePlace(from) as Place, parsePlace(to) as Place)).toBe(sentence);
  });

  test.each([
    ["beginning", "end"],
    ["5", "5"],
    ["0:1", "5"],
    ["5", "end"],
    ["2026-11-20", "2026-11-20"],
    ["beginning", "beginning"],
  ])("--from %s --to %s do not", (from, to) => {
    expect(contradiction(parsePlace(from) as Place, parsePlace(to) as Place)).toBe(null);
  });
});

describe("new payments", () => {
  const NOW_MS = Date.UTC(2026, 10, 20);
  const anyUuid = fc.uint8Array({ minLength: 10, maxLength: 10 }).map((bytes) => Buffer.from(bytes).toString("hex"));
  const anyId = fc
    .record({ timeMs: fc.integer({ min: 10_000, max: NOW_MS }), chance: anyUuid, version: fc.boolean() })
    .map(({ timeMs, chance, version }): CaseId => {
      const random = version ? `7${chance.slice(1, 4)}8${chance.slice(5)}` : chance;
      return { kind: "trf", timeMs, uuid: timeMs.toString(16).padStart(12, "0") + random };
    });

  test("the same run gives the same id, another run or shift another, in both spellings the same 16 bytes", () => {
    fc.assert(
      fc.property(anyId, fc.integer({ min: -1000, max: 86_400_000 }), (id, shiftMs) => {
        const renewed = renewCaseId(id, makeRenewal("monday", shiftMs));
        expect(renewCaseId(id, makeRenewal("monday", shiftMs))).toEqual(renewed);
        expect(renewCaseId({ ...id, kind: "" }, makeRenewal("monday", shiftMs)).uuid).toBe(renewed.uuid);
        expect(renewed.uuid).not.toBe(id.uuid);
        expect(renewCaseId(id, makeRenewal("tuesday", shiftMs)).uuid).not.toBe(renewed.uuid);
        expect(renewCaseId(id, makeRenewal("monday", shiftMs + 1)).uuid).not.toBe(renewed.uuid);
        expect(parseCaseId(formatCaseId(renewed))).toEqual(renewed);
      }),
    );
  });

  test("a UUIDv7 stays one, and ids keep the order of their times", () => {
    const id = parseCaseId("0191f3a2-7b1c-7def-8abc-0123456789ab") as CaseId;
    const text = formatCaseId(renewCaseId(id, makeRenewal("r", 5_000)));
    expect(text).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(parseCaseId(text)?.timeMs).toBeGreaterThan(id.timeMs + 5_000);
    const later = renewCaseId({ ...id, timeMs: id.timeMs + 1 }, makeRenewal("r", 5_000));
    expect(later.timeMs).toBe((parseCaseId(text)?.timeMs ?? 0) + 1);
  });

  test("a run over what the same run made gives others again: nothing leads back to an earlier payment", () => {
    const id = parseCaseId("trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C") as CaseId;
    const renewal = makeRenewal("again", 0);
    const once = renewCaseId(id, renewal);
    expect(new Set([id.uuid, once.uuid, renewCaseId(once, renewal).uuid]).size).toBe(3);
  });

  test("what is no case id stays; the time of the world moves along; all else stays", () => {
    const intent = { type: "transfer_create", holderId: "h", caseId: "rubbish", sourceId: "s", occurredAt: 1_000n };
    const renewal = makeRenewal("r", 1_000);
    expect(renewIntent(intent as IntentMessage, renewal)).toEqual({
      ...intent,
      occurredAt: 1_000n + BigInt(renewal.shiftMs) * 1000n,
    });
    expect(renewal.shiftMs).toBeGreaterThan(1_000);
    expect(renewal.shiftMs).toBeLessThanOrEqual(2_000);
  });

  test("shifts are durations", () => {
    expect(parseShift("400d")).toBe(400 * 86_400_000);
    expect(parseShift("-1h30m")).toBe(-5_400_000);
    expect(parseShift("15ms")).toBe(15);
    for (const text of ["", "5", "1y", "now", "1.5h", "h", "99999999d", "--1d"]) expect(parseShift(text)).toBe(null);
  });
});

describe("partitions", () => {
  test("stay where the topics have as many, and go by the key where they do not", () => {
    const key = Buffer.from("cust_1");
    expect(targetPartition(3, key, { from: 4, to: 4 })).toBe(3);
    const elsewhere = targetPartition(3, key, { from: 4, to: 6 });
    expect([0, 1, 2].map((partition) => targetPartition(partition, key, { from: 4, to: 6 }))).toEqual(
      Array(3).fill(elsewhere),
    );
    expect(targetPartition(7, null, { from: 8, to: 4 })).toBe(3);
  });
});

test("offsets of a copy are those of the recorded topic without its holes", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 60 }), (steps) => {
      const map = new OffsetMap();
      let offset = -1n;
      const recorded = steps.map((step) => {
        offset += BigInt(step);
        map.copied(3, offset);
        return offset;
      });
      expect(recorded.map((one) => map.inCopy(3, one))).toEqual(recorded.map((_, at) => BigInt(at)));
      expect(map.inCopy(2, 17n)).toBe(17n);
    }),
  );
});
