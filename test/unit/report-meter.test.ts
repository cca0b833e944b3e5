// Latency from the intended time: what stands still shows in everything that had to wait for it, and nothing is left out.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { OutgoingRecord, Producer } from "../../src/kafka/port.ts";
import { type Outbound, pump, type Source } from "../../src/workload/load/pump.ts";
import { buildReport, hostFacts } from "../../src/workload/report/build.ts";
import { hashIdentity } from "../../src/workload/report/identity.ts";
import { INTERVALS_MAX, Intervals } from "../../src/workload/report/intervals.ts";
import { LoadMeter } from "../../src/workload/report/meter.ts";
import { Waiting } from "../../src/workload/report/waiting.ts";
import { seeded } from "../support/workload.ts";

const START_MS = 1_700_000_000_000;
const FRAME = { name: "load", settings: {}, versions: {}, host: hostFacts() };

const intent = (number: number): Outbound => ({
  partition: 0,
  record: { key: null, value: Buffer.from(String(number)) },
  asked: { caseId: `trf_${number}`, idempotencyKey: null },
});

/** Answers to intents, read together. */
function answers(numbers: readonly number[], atMs: number, kind = 0) {
  const hashes = new Uint32Array(numbers.length * 2);
  for (const [at, number] of numbers.entries()) {
    hashIdentity({ caseId: `trf_${number}`, idempotencyKey: null }, hashes, at * 2);
  }
  return { atMs, hashes, kinds: new Uint16Array(numbers.length).fill(kind) };
}

const KINDS = [
  { type: "transfer.completed", code: null },
  { type: "transfer.rejected", code: "insufficient_funds" },
];

/** A service that takes `serviceMs` per intent and stands still from `fromMs` to `untilMs`, asked at a rate for ten
 *  seconds: an event for each intent, in time order, without a clock. */
function simulate(stall: { readonly fromMs: number; readonly untilMs: number }, rate = 1_000): LoadMeter {
  const meter = new LoadMeter({ startAtMs: START_MS, warmUpMs: 0 });
  meter.learn(KINDS);
  const serviceMs = 0.1;
  let freeAtMs = 0;
  for (let number = 0; number < rate * 10; number++) {
    const dueMs = (number / rate) * 1_000;
    meter.taken(intent(number), START_MS + dueMs);
    meter.sent([START_MS + dueMs], START_MS + dueMs);
    meter.acknowledged([START_MS + dueMs], START_MS + dueMs + 2);
    let doneMs = Math.max(freeAtMs, dueMs) + serviceMs;
    if (doneMs > stall.fromMs && doneMs < stall.untilMs) doneMs = stall.untilMs + serviceMs;
    freeAtMs = doneMs;
    meter.answered(answers([number], START_MS + doneMs));
  }
  return meter;
}

describe("a service that stands still for two seconds", () => {
  const rate = 1_000;
  const meter = simulate({ fromMs: 4_000, untilMs: 6_000 }, rate);
  const report = buildReport(meter, { ...FRAME, rate, endedAtMs: START_MS + 10_000 });

  test("shows in the percentiles as it does for all that were due meanwhile", () => {
    // A fifth of the intents was due in the pause, waiting from 2 s down to nothing, and a few more queued behind them.
    // By percentile p of all, the slowest (1 - p) waited: at p90 half of the pause is left.
    const { p50Ms = 0, p90Ms = 0, p99Ms = 0, maxMs = 0, count } = report.latency ?? {};
    expect(count).toBe(10_000);
    expect(p50Ms).toBeLessThan(1);
    expect(p90Ms).toBeGreaterThan(950);
    expect(p90Ms).toBeLessThan(1_300);
    expect(p99Ms).toBeGreaterThan(1_850);
    expect(maxMs).toBeGreaterThan(1_990);
  });

  test("shows in the course in the seconds in which they were due, and as lag until they were answered", () => {
    const highestMs = report.intervals.map(({ latency }) => latency?.maxMs ?? 0);
    expect(highestMs[3]).toBeLessThan(5);
    expect(highestMs[4]).toBeGreaterThan(1_950);
    expect(highestMs[5]).toBeGreaterThan(950);
    expect(highestMs[7]).toBeLessThan(5);
    const lags = report.intervals.map(({ lag }) => lag ?? 0);
    expect(lags[3]).toBeLessThan(5);
    expect(lags[4]).toBeGreaterThan(950);
    expect(lags[5]).toBeGreaterThan(1_950);
    expect(lags[6]).toBeLessThan(5);
    expect(report.intervals[5]?.answered).toBe(0);
    expect(report.intervals[6]?.answered).toBeGreaterThan(2_900);
  });
});

/** A producer whose intents are answered as soon as they are acknowledged. */
class AnsweringProducer implements Producer {
  readonly #ack: () => Promise<void>;
  readonly #answer: (values: readonly number[]) => void;

  constructor(ack: () => Promise<void>, answer: (values: readonly number[]) => void) {
    this.#ack = ack;
    this.#answer = answer;
  }

  async send(_topic: string, _partition: number, records: readonly OutgoingRecord[]) {
    await this.#ack();
    this.#answer(records.map(({ value }) => Number(String(value))));
    return { baseOffset: 0n };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function sourceOf(count: number, before: (number: number) => void = () => undefined): Source {
  let made = 0;
  return {
    next: async () => {
      if (made === count) return null;
      before(made);
      return [intent(made++)];
    },
  };
}

describe("with the real pump", () => {
  test("a generator that falls behind makes latencies longer, not shorter", async () => {
    const startAtMs = Date.now();
    const meter = new LoadMeter({ startAtMs, warmUpMs: 0 });
    meter.learn(KINDS);
    const now = (): number => performance.timeOrigin + performance.now();
    const producer = new AnsweringProducer(
      () => Promise.resolve(),
      (numbers) => void meter.answered(answers(numbers, now())),
    );
    // Half a second in which the generator does nothing, in the middle of a second of 1,000 intents.
    const source = sourceOf(1_000, (number) => {
      const until = performance.now() + (number === 300 ? 500 : 0);
      while (performance.now() < until);
    });
    const options = { topic: "t", partitions: 1, rate: 1_000, startAtMs, stop: null, progress: () => undefined };
    await pump(producer, source, { ...options, watch: meter });
    const report = buildReport(meter, { ...FRAME, rate: 1_000, endedAtMs: now() });
    expect(report.totals).toMatchObject({ sent: 1_000, acknowledged: 1_000, answered: 1_000, unanswered: 0 });
    expect(report.late?.maxMs).toBeGreaterThan(480);
    expect(report.latency?.p90Ms).toBeGreaterThan(350);
    expect(report.latency?.maxMs).toBeGreaterThan(480);
    expect(report.acknowledgement?.maxMs).toBeGreaterThan(480);
  });

  test("an acknowledgement that is late keeps nothing from being due", async () => {
    const startAtMs = Date.now();
    const meter = new LoadMeter({ startAtMs, warmUpMs: 0 });
    meter.learn(KINDS);
    let sends = 0;
    const producer = new AnsweringProducer(
      () => sleep(sends++ === 0 ? 400 : 1),
      (numbers) => void meter.answered(answers(numbers, performance.timeOrigin + performance.now())),
    );
    const options = { topic: "t", partitions: 1, rate: 1_000, startAtMs, stop: null, progress: () => undefined };
    await pump(producer, sourceOf(500), { ...options, watch: meter });
    // Everything that was due while the first batch hung waited behind it: four fifths, from 400 ms down.
    expect(meter.latency.percentiles()?.p50Ms).toBeGreaterThan(120);
    expect(meter.acknowledgement.percentiles()?.count).toBe(500);
  });
});

describe("matching", () => {
  const open = (waitingMax = 1_000): LoadMeter => {
    const meter = new LoadMeter({ startAtMs: START_MS, warmUpMs: 0, waitingMax });
    meter.learn(KINDS);
    return meter;
  };

  test("a repeat is answered in the order in which it was asked", () => {
    const meter = open();
    meter.taken(intent(1), START_MS);
    meter.taken(intent(1), START_MS + 500);
    meter.answered(answers([1], START_MS + 600));
    expect(meter.latency.percentiles()?.maxMs).toBeCloseTo(600, -1);
    meter.answered(answers([1], START_MS + 700));
    expect(meter.latency.percentiles()?.p50Ms).toBeCloseTo(200, -1);
    expect(meter.waiting).toBe(0);
  });

  test("others' outcomes, and an answer too many, are passed over", () => {
    const meter = open();
    meter.taken(intent(1), START_MS);
    expect(meter.answered(answers([7, 8], START_MS + 1))).toBe(0);
    expect(meter.answered(answers([1, 1], START_MS + 1))).toBe(1);
    expect(meter.totals(START_MS + 10)).toMatchObject({ answered: 1, unanswered: 0 });
  });

  test("the key within the case tells two intents of one case apart", () => {
    const hashes = new Uint32Array(8);
    const all = [
      { caseId: "pay_1", idempotencyKey: "a" },
      { caseId: "pay_1", idempotencyKey: "b" },
      { caseId: "pay_1a", idempotencyKey: null },
      { caseId: null, idempotencyKey: "pay_1a" },
    ];
    for (const [at, one] of all.entries()) hashIdentity(one, hashes, at * 2);
    expect(new Set(all.map((_, at) => `${hashes[at * 2]} ${hashes[at * 2 + 1]}`)).size).toBe(4);
  });

  test("more than it keeps track of are told, not forgotten", () => {
    const meter = open(3);
    for (let number = 0; number < 5; number++) meter.taken(intent(number), START_MS + number);
    meter.answered(answers([0, 1, 2, 3, 4], START_MS + 50));
    const report = buildReport(meter, { ...FRAME, rate: 10, endedAtMs: START_MS + 100 });
    expect(report.totals).toMatchObject({ answered: 3, notMeasured: 2 });
    expect(report.notes.join(" ")).toContain("2 intents were sent while");
  });

  test("what is never answered is told with how long it has waited", () => {
    const meter = open();
    for (let number = 0; number < 5; number++) meter.taken(intent(number), START_MS + number);
    meter.answered(answers([1, 3], START_MS + 50));
    const report = buildReport(meter, { ...FRAME, rate: 10, endedAtMs: START_MS + 2_000 });
    expect(report.totals).toMatchObject({ unanswered: 3, unansweredMsMax: 2_000 });
    expect(report.notes[0]).toMatch(/^3 intents were not answered .* waited 2\.0 s/);
  });

  test("records that were put aside are not waited for", () => {
    const meter = open();
    meter.taken(intent(1), START_MS);
    meter.taken({ partition: 0, record: { key: null, value: Buffer.from("rubbish") } }, START_MS);
    expect(meter.open).toBe(2);
    meter.putAside({ undecodable: 1 }, START_MS + 5);
    meter.answered(answers([1], START_MS + 5, 1));
    expect(meter.open).toBe(0);
    expect(meter.outcomes()).toEqual([
      { type: "transfer.rejected", code: "insufficient_funds", count: 1 },
      { type: "quarantined", code: "undecodable", count: 1 },
    ]);
  });

  test("the warm-up is in the course and the totals, not in the percentiles", () => {
    const meter = new LoadMeter({ startAtMs: START_MS, warmUpMs: 1_000 });
    meter.learn(KINDS);
    meter.taken(intent(1), START_MS + 999);
    meter.taken(intent(2), START_MS + 1_000);
    meter.answered(answers([1, 2], START_MS + 1_100));
    expect(meter.latency.count).toBe(1);
    expect(meter.span().count).toBe(1);
    expect(meter.totals(START_MS + 1_100).answered).toBe(2);
    expect(meter.intervals.all[0]?.latency?.count).toBe(1);
  });
});

describe("what waits", () => {
  test("is found whatever else came and went: compared with a plain map over 200,000 random steps", () => {
    const random = seeded(3);
    const waiting = new Waiting(5_000);
    const plain = new Map<string, number[]>();
    let count = 0;
    for (let step = 1; step <= 200_000; step++) {
      // Few low words, so that places collide all the time.
      const [low, high] = [Math.floor(random() * 64) * 4_096, Math.floor(random() * 200)];
      const dues = plain.get(`${low} ${high}`) ?? [];
      plain.set(`${low} ${high}`, dues);
      if (random() < 0.5) {
        const isTaken = waiting.add(low, high, step);
        if (isTaken !== count < 5_000) throw new Error(`step ${step}: ${count} wait`);
        if (isTaken) dues.push(step);
        count = Math.min(5_000, count + 1);
      } else {
        const first = dues.shift() ?? null;
        if (waiting.take(low, high) !== first) throw new Error(`step ${step}: not the first of ${low} ${high}`);
        if (first !== null) count -= 1;
      }
    }
    expect(waiting.count).toBe(count);
    expect(waiting.firstDueMs()).toBe(Math.min(...[...plain.values()].flat()));
  });
});

test("a run of days has no more intervals than one of minutes, and the same sums", () => {
  const intervals = new Intervals(START_MS);
  const seconds = 100_000;
  for (let second = 0; second < seconds; second += 10) {
    const atMs = START_MS + second * 1_000;
    intervals.at(atMs).counts.sent += 1;
    intervals.recordLatency(atMs, 5);
  }
  expect(intervals.all.length).toBeLessThanOrEqual(INTERVALS_MAX);
  expect(intervals.widthMs).toBe(256_000);
  expect(intervals.all.reduce((sum, { counts }) => sum + counts.sent, 0)).toBe(seconds / 10);
  expect(intervals.all.reduce((sum, { latency }) => sum + (latency?.count ?? 0), 0)).toBe(seconds / 10);
});
