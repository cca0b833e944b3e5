// The benchmarks by name. Each is loaded when it is run, so that help does not wait for clients of Kafka and Postgres.

import type { Benchmark } from "./bench.ts";

export const BENCHMARKS: ReadonlyMap<string, () => Promise<Benchmark>> = new Map([
  ["drain", async () => (await import("./bench-drain.ts")).drain],
  ["naive", async () => (await import("./naive.ts")).naive],
  ["floor", async () => (await import("./floor.ts")).floor],
  ["latency", async () => (await import("./latency.ts")).latency],
  ["echo", async () => (await import("./latency-echo.ts")).echo],
]);
