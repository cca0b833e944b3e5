// Latencies as histograms of logarithmic buckets. The only file that knows hdr-histogram-js.

import hdr from "hdr-histogram-js";
import type { CurvePoint, Percentiles } from "./report.ts";

/** An hour: what waits longer counts as an hour. */
const MICROS_MAX = 3_600_000_000;
const MICROS_PER_MS = 1_000;
const TICKS_PER_HALF = 5;

/** 3 for the figures of a run; 2 where there are hundreds of histograms and 1 % is close enough. */
export type Digits = 2 | 3;

export class Latencies {
  readonly #histogram: hdr.Histogram;

  private constructor(histogram: hdr.Histogram) {
    this.#histogram = histogram;
  }

  static empty(digits: Digits = 3): Latencies {
    return new Latencies(
      hdr.build({
        lowestDiscernibleValue: 1,
        highestTrackableValue: MICROS_MAX,
        numberOfSignificantValueDigits: digits,
      }),
    );
  }

  /** @throws Error when the text is no histogram in the format of HdrHistogram, compressed, in base 64 */
  static decode(text: string): Latencies {
    return new Latencies(hdr.decodeFromCompressedBase64(text));
  }

  encode(): string {
    return hdr.encodeIntoCompressedBase64(this.#histogram);
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** @param ms below a microsecond, as when two processes' clocks differ by less, it counts as one */
  record(ms: number): void {
    this.#histogram.recordValue(Math.min(MICROS_MAX, Math.max(1, Math.round(ms * MICROS_PER_MS))));
  }

  add(other: Latencies): void {
    this.#histogram.add(other.#histogram);
  }

  /** null when nothing was recorded */
  percentiles(): Percentiles | null {
    const histogram = this.#histogram;
    if (histogram.totalCount === 0) return null;
    const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / MICROS_PER_MS;
    return {
      count: histogram.totalCount,
      meanMs: Math.round(histogram.mean) / MICROS_PER_MS,
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: histogram.maxValue / MICROS_PER_MS,
    };
  }

  /** The percentile distribution as text, in milliseconds, as plotters of HdrHistogram read it. */
  hgrm(): string {
    return this.#histogram.outputPercentileDistribution(TICKS_PER_HALF, MICROS_PER_MS);
  }

  curve(): readonly CurvePoint[] {
    return this.count === 0 ? [] : readHgrm(this.hgrm());
  }
}

/** Reads what `hgrm` writes: value, percentile as a fraction, how many are at most that. Comments and the heading are
 *  passed over.
 *  @throws Error for a line that is neither */
export function readHgrm(text: string): readonly CurvePoint[] {
  const points: CurvePoint[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "" || line.startsWith("#") || /^\s*Value\s+Percentile/.test(line)) continue;
    const [valueMs, fraction, count] = line.trim().split(/\s+/).map(Number);
    if (valueMs === undefined || fraction === undefined || count === undefined || Number.isNaN(valueMs + fraction)) {
      throw new Error(`not a line of a percentile distribution: ${line}`);
    }
    points.push({ valueMs, fraction, count });
  }
  return points;
}
