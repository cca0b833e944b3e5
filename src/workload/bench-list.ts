// The benchmarks by name.

import type { Benchmark } from "./bench.ts";
import { drain } from "./bench-drain.ts";
import { floor } from "./floor.ts";
import { latency } from "./latency.ts";
import { echo } from "./latency-echo.ts";
import { naive } from "./naive.ts";

export const BENCHMARKS: ReadonlyMap<string, Benchmark> = new Map([
  ["drain", drain],
  ["naive", naive],
  ["floor", floor],
  ["latency", latency],
  ["echo", echo],
]);
