// The course of a run, interval by interval: a second each at first. A run may last for days, so when there are
// INTERVALS_MAX of them neighbours become one, twice as long.

import { Latencies } from "./latency-histogram.ts";

export const INTERVALS_MAX = 600;
const FIRST_MS = 1_000;

export type Counts = { sent: number; acknowledged: number; answered: number; refused: number; putAside: number };

export type Course = {
  readonly counts: Counts;
  lateMsMax: number;
  latency: Latencies | null;
  acknowledgement: Latencies | null;
};

export class Intervals {
  readonly #startMs: number;
  #widthMs = FIRST_MS;
  #all: Course[] = [];

  /** @param startMs milliseconds since the epoch; what is earlier counts to the first interval */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  get widthMs(): number {
    return this.#widthMs;
  }

  get all(): readonly Course[] {
    return this.#all;
  }

  /** The interval of a time. */
  at(ms: number): Course {
    let index = this.#indexOf(ms);
    while (index >= INTERVALS_MAX) {
      this.#halve();
      index = this.#indexOf(ms);
    }
    while (this.#all.length <= index) this.#all.push(newCourse());
    return this.#all[index] as Course;
  }

  recordLatency(dueMs: number, ms: number): void {
    const course = this.at(dueMs);
    course.latency ??= Latencies.empty(2);
    course.latency.record(ms);
  }

  recordAcknowledgement(dueMs: number, ms: number): void {
    const course = this.at(dueMs);
    course.acknowledgement ??= Latencies.empty(2);
    course.acknowledgement.record(ms);
  }

  #indexOf(ms: number): number {
    return Math.max(0, Math.floor((ms - this.#startMs) / this.#widthMs));
  }

  #halve(): void {
    const halved: Course[] = [];
    for (const [index, course] of this.#all.entries()) {
      const into = halved[index >> 1];
      if (into === undefined) halved.push(course);
      else merge(into, course);
    }
    this.#all = halved;
    this.#widthMs *= 2;
  }
}

function newCourse(): Course {
  const counts = { sent: 0, acknowledged: 0, answered: 0, refused: 0, putAside: 0 };
  return { counts, lateMsMax: 0, latency: null, acknowledgement: null };
}

function merge(into: Course, { counts, lateMsMax, latency, acknowledgement }: Course): void {
  for (const name of Object.keys(counts) as (keyof Counts)[]) into.counts[name] += counts[name];
  into.lateMsMax = Math.max(into.lateMsMax, lateMsMax);
  into.latency = merged(into.latency, latency);
  into.acknowledgement = merged(into.acknowledgement, acknowledgement);
}

function merged(one: Latencies | null, other: Latencies | null): Latencies | null {
  if (one === null || other === null) return one ?? other;
  one.add(other);
  return one;
}
