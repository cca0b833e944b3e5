// The benchmarks by name. Each is loaded when it is run, so that help does not wait for clients of Kafka and Postgres.

import type { Benchmark, CoreBenchmark } from "./bench.ts";

export type Listed =
  | { readonly needs: "stack"; readonly load: () => Promise<Benchmark> }
  | { readonly needs: "nothing"; readonly load: () => Promise<CoreBenchmark> };

/** In the order in which all of them run: those that want no stack, or a fresh one's warmth least, come first, because a broker that has
 *  just started compiles as much as it serves. */
export const BENCHMARKS: ReadonlyMap<string, Listed> = new Map<string, Listed>([
  ["decide", { needs: "nothing", load: async () => (await import("./decide.ts")).decide }],
  ["floor", { needs: "stack", load: async () => (await import("./floor.ts")).floor }],
  ["naive", { needs: "stack", load: async () => (await import("./naive.ts")).naive }],
  ["drain", { needs: "stack", load: async () => (await import("./drain.ts")).drain }],
  ["hot", { needs: "stack", load: async () => (await import("./drain.ts")).hot }],
  ["skew", { needs: "stack", load: async () => (await import("./drain.ts")).skew }],
  ["cards", { needs: "stack", load: async () => (await import("./payments.ts")).cards }],
  ["cards-http", { needs: "stack", load: async () => (await import("./payments.ts")).cardsHttp }],
  ["p2p", { needs: "stack", load: async () => (await import("./payments.ts")).p2p }],
  ["echo", { needs: "stack", load: async () => (await import("./latency-echo.ts")).echo }],
  ["latency", { needs: "stack", load: async () => (await import("./latency.ts")).latency }],
]);
