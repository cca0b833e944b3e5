// Measures a load while it runs: what was due, sent, acknowledged and answered, and when.
//
// Every time counts from the moment at which an intent was *due*, never from the moment at which it was sent. So nothing
// that stands still can hide what it delays (coordinated omission): while the service is frozen the intents go on being
// due, and a generator that cannot keep up makes latencies longer, not shorter.

import type { PumpWatch, Sendable } from "../load/pump.ts";
import { hashIdentity } from "./identity.ts";
import { Intervals } from "./intervals.ts";
import { Latencies } from "./latency-histogram.ts";
import type { OutcomeCount, Totals } from "./report.ts";
import { Waiting } from "./waiting.ts";

export type MeterPlan = {
  /** when the first intent is due, milliseconds since the epoch */
  readonly startAtMs: number;
  /** intents that are due earlier after the start are in the course and the totals, but not in the percentiles */
  readonly warmUpMs: number;
  /** for tests: how many may wait */
  readonly waitingMax?: number;
};

/** Outcomes that were read together. */
export type Answers = {
  /** milliseconds since the epoch */
  readonly atMs: number;
  /** two words each */
  readonly hashes: Uint32Array;
  /** which of the kinds told so far each of them is */
  readonly kinds: Uint16Array;
};

export type AnswerKind = { readonly type: string; readonly code: string | null };

/** Finds in a record what its answer will be known by. */
export type Identify = (sendable: Sendable, into: Uint32Array) => boolean;

export function identifyIntent({ asked }: Sendable, into: Uint32Array): boolean {
  if (asked === undefined) return false;
  const { caseId = null, idempotencyKey = null } = asked;
  hashIdentity({ caseId, idempotencyKey }, into, 0);
  return true;
}

export class LoadMeter implements PumpWatch {
  readonly latency = Latencies.empty();
  readonly acknowledgement = Latencies.empty();
  readonly late = Latencies.empty();
  readonly intervals: Intervals;
  readonly plan: MeterPlan;
  readonly #identify: Identify;
  readonly #waiting: Waiting;
  readonly #hash = new Uint32Array(2);
  readonly #kinds: AnswerKind[] = [];
  readonly #counts: number[] = [];
  readonly #aside = new Map<string, number>();
  #sent = 0;
  #acknowledged = 0;
  #answered = 0;
  #refused = 0;
  #putAside = 0;
  #notMeasured = 0;
  /** records of which nobody expects an outcome: rubbish */
  #unanswerable = 0;
  #firstDueMs = Number.POSITIVE_INFINITY;
  #lastAnswerMs = 0;
  #measured = 0;

  constructor(plan: MeterPlan, identify: Identify = identifyIntent) {
    this.plan = plan;
    this.#identify = identify;
    this.#waiting = new Waiting(plan.waitingMax);
    this.intervals = new Intervals(plan.startAtMs);
  }

  taken(sendable: Sendable, dueMs: number): void {
    const hash = this.#hash;
    if (!this.#identify(sendable, hash)) this.#unanswerable += 1;
    else if (!this.#waiting.add(hash[0] ?? 0, hash[1] ?? 0, dueMs)) this.#notMeasured += 1;
  }

  sent(duesMs: readonly number[], nowMs: number): void {
    const course = this.intervals.at(nowMs);
    course.counts.sent += duesMs.length;
    this.#sent += duesMs.length;
    for (const dueMs of duesMs) {
      const lateMs = Math.max(0, nowMs - dueMs);
      course.lateMsMax = Math.max(course.lateMsMax, lateMs);
      if (this.#isMeasured(dueMs)) this.late.record(lateMs);
    }
  }

  acknowledged(duesMs: readonly number[], nowMs: number): void {
    this.intervals.at(nowMs).counts.acknowledged += duesMs.length;
    this.#acknowledged += duesMs.length;
    for (const dueMs of duesMs) {
      this.intervals.recordAcknowledgement(dueMs, nowMs - dueMs);
      if (this.#isMeasured(dueMs)) this.acknowledgement.record(nowMs - dueMs);
    }
  }

  /** Kinds of answers are told once, before the first answer of each. */
  learn(kinds: readonly AnswerKind[]): void {
    for (const kind of kinds) {
      this.#kinds.push(kind);
      this.#counts.push(0);
    }
  }

  /** @returns how many of them answer what this load has asked; others' outcomes are passed over */
  answered({ atMs, hashes, kinds }: Answers): number {
    let own = 0;
    let refused = 0;
    for (const [at, kind] of kinds.entries()) {
      const dueMs = this.#waiting.take(hashes[at * 2] ?? 0, hashes[at * 2 + 1] ?? 0);
      if (dueMs === null) continue;
      own += 1;
      if (this.#kinds[kind]?.code != null) refused += 1;
      this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
      this.#record(dueMs, atMs);
    }
    if (own === 0) return 0;
    const { counts } = this.intervals.at(atMs);
    counts.answered += own;
    counts.refused += refused;
    this.#answered += own;
    this.#refused += refused;
    return own;
  }

  /** Dead letters that were read together, by reason. */
  putAside(reasons: Readonly<Record<string, number>>, atMs: number): void {
    for (const [reason, count] of Object.entries(reasons)) {
      this.#aside.set(reason, (this.#aside.get(reason) ?? 0) + count);
      this.intervals.at(atMs).counts.putAside += count;
      this.#putAside += count;
    }
  }

  /** How many records may still be answered or put aside. */
  get open(): number {
    return Math.max(0, this.#waiting.count + this.#notMeasured + this.#unanswerable - this.#putAside);
  }

  get waiting(): number {
    return this.#waiting.count;
  }

  #isMeasured(dueMs: number): boolean {
    return dueMs >= this.plan.startAtMs + this.plan.warmUpMs;
  }

  #record(dueMs: number, atMs: number): void {
    this.intervals.recordLatency(dueMs, atMs - dueMs);
    if (!this.#isMeasured(dueMs)) return;
    this.latency.record(atMs - dueMs);
    this.#measured += 1;
    this.#firstDueMs = Math.min(this.#firstDueMs, dueMs);
    this.#lastAnswerMs = Math.max(this.#lastAnswerMs, atMs);
  }

  /** @param nowMs the end of the measurement */
  totals(nowMs: number): Totals {
    const firstDueMs = this.#waiting.firstDueMs();
    return {
      sent: this.#sent,
      acknowledged: this.#acknowledged,
      answered: this.#answered,
      refused: this.#refused,
      putAside: this.#putAside,
      unanswered: this.open,
      unansweredMsMax: firstDueMs === null || this.open === 0 ? 0 : Math.round(nowMs - firstDueMs),
      notMeasured: this.#notMeasured,
    };
  }

  /** What the percentiles are of: how many, and the seconds from the first due time to the last answer. */
  span(): { readonly count: number; readonly seconds: number } {
    const seconds = this.#measured === 0 ? 0 : (this.#lastAnswerMs - this.#firstDueMs) / 1000;
    return { count: this.#measured, seconds };
  }

  /** The most frequent first. */
  outcomes(): readonly OutcomeCount[] {
    const answers = this.#kinds.map((kind, at) => ({ ...kind, count: this.#counts[at] ?? 0 }));
    const aside = [...this.#aside].map(([code, count]) => ({ type: "quarantined", code, count }));
    return [...answers.filter(({ count }) => count > 0), ...aside].sort((a, b) => b.count - a.count);
  }
}
