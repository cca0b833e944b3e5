// Latencies as a histogram with three digits. The only file that knows hdr-histogram-js.

import hdr from "hdr-histogram-js";
import type { LatencyFigures } from "./bench-reader.ts";

const MICROS_MAX = 600_000_000;

export class Latencies {
  readonly #histogram = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MICROS_MAX,
    numberOfSignificantValueDigits: 3,
  });
  #fromMicros = Number.POSITIVE_INFINITY;
  #untilMs = 0;

  /** @param intendedMicros when it was to be sent, microseconds since the epoch
   *  @param readAtMs       when it was read, milliseconds since the epoch */
  add(intendedMicros: number, readAtMs: number): void {
    const micros = Math.round(readAtMs * 1000 - intendedMicros);
    this.#histogram.recordValue(Math.min(MICROS_MAX, Math.max(1, micros)));
    this.#fromMicros = Math.min(this.#fromMicros, intendedMicros);
    this.#untilMs = Math.max(this.#untilMs, readAtMs);
  }

  /** null when nothing was added */
  figures(): LatencyFigures | null {
    const histogram = this.#histogram;
    if (histogram.totalCount === 0) return null;
    const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000;
    return {
      count: histogram.totalCount,
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: histogram.maxValue / 1000,
      fromMs: this.#fromMicros / 1000,
      untilMs: this.#untilMs,
    };
  }
}
