// `run` in a thread of its own, because only a thread can be given a larger young generation than Node's 2 x 16 MB once
// the process has begun. A block's objects live from its first input to its acknowledgement, some 30 ms: in a small
// generation most of them are copied twice and then grow old, and collecting was a fifth of the service's time. So is `bench`,
// two of whose benchmarks do parts of the service's work themselves: they measure it with the memory that the service has.
//
// The main thread does nothing but hand signals over and end with the thread's exit code.

import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { EXIT } from "./exit.ts";

/** Three parts, two of which are the halves that objects are copied between: 128 MB each. */
const YOUNG_GENERATION_MB = 384;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @param argv as the process got it, without node and script */
export function wantsOwnThread(argv: readonly string[]): boolean {
  return (
    isMainThread && ["run", "bench"].includes(verbOf(argv) ?? "") && !argv.includes("--help") && !argv.includes("-h")
  );
}

function verbOf(argv: readonly string[]): string | undefined {
  const words = argv.filter((word, index) => !word.startsWith("-") && argv[index - 1] !== "--config");
  return words[0];
}

/** Runs `script` with the same arguments until it ends.
 *  @returns its exit code */
export function runInOwnThread(script: URL): Promise<number> {
  const thread = new Worker(script, {
    argv: process.argv.slice(2),
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  for (const name of SIGNALS) process.on(name, () => thread.postMessage(name));
  return new Promise((resolve) => {
    thread.once("error", (error) => {
      process.stderr.write(`bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      resolve(EXIT.failed);
    });
    thread.once("exit", resolve);
  });
}

/** Signals reach the main thread alone; in the service's thread they come as messages. */
export function onSignal(handle: () => void): void {
  if (parentPort === null) {
    for (const name of SIGNALS) process.on(name, handle);
    return;
  }
  parentPort.on("message", handle);
  parentPort.unref();
}
