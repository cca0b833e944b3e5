// Waiting in tests: always for something that can be named, and never for ever.
import { setTimeout as sleep } from "node:timers/promises";

/** The longer it has taken, the less it matters to hear of it at once: who asks a database or a verb takes part of the
 *  machine from what is waited for. */
const pauseMs = (waitedMs: number): number => Math.min(100, 10 + waitedMs / 10);

/** Waits until `predicate` holds.
 *  @param what  what is waited for, for the error; a function is asked at the deadline
 *  @throws Error naming it after `deadlineMs` */
export async function waitFor(
  what: string | (() => string),
  predicate: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const began = performance.now();
  while (!(await predicate())) {
    const waitedMs = performance.now() - began;
    if (waitedMs > deadlineMs) {
      throw new Error(`waited ${deadlineMs} ms for ${typeof what === "string" ? what : what()}`);
    }
    await sleep(pauseMs(waitedMs));
  }
}
