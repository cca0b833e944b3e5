// The benchmarks by name. Each is loaded when it is run, so that help does not wait for clients of Kafka and Postgres.

import type { Benchmark } from "./bench.ts";

/** In the order in which all of them run: those that want a fresh stack's warmth least come first, because a broker that has
 *  just started compiles as much as it serves. */
export const BENCHMARKS: ReadonlyMap<string, () => Promise<Benchmark>> = new Map([
  ["floor", async () => (await import("./floor.ts")).floor],
  ["naive", async () => (await import("./naive.ts")).naive],
  ["drain", async () => (await import("./drain.ts")).drain],
  ["hot", async () => (await import("./drain.ts")).hot],
  ["skew", async () => (await import("./drain.ts")).skew],
  ["cards", async () => (await import("./payments.ts")).cards],
  ["cards-http", async () => (await import("./payments.ts")).cardsHttp],
  ["p2p", async () => (await import("./payments.ts")).p2p],
  ["echo", async () => (await import("./latency-echo.ts")).echo],
  ["latency", async () => (await import("./latency.ts")).latency],
]);
