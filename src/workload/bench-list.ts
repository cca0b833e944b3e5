// The benchmarks by name.

import type { Benchmark } from "./bench.ts";
import { drain } from "./bench-drain.ts";
import { latency } from "./latency.ts";
import { echo } from "./latency-echo.ts";

export const BENCHMARKS: ReadonlyMap<string, Benchmark> = new Map([
  ["drain", drain],
  ["latency", latency],
  ["echo", echo],
]);
