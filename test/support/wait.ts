// Waiting in tests: always for something that can be named, and never for ever.
import { setTimeout as sleep } from "node:timers/promises";

/** Waits until `predicate` holds.
 *  @param what  what is waited for, for the error; a function is asked at the deadline
 *  @throws Error naming it after `deadlineMs` */
export async function waitFor(
  what: string | (() => string),
  predicate: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await predicate())) {
    if (performance.now() > deadline) {
      throw new Error(`waited ${deadlineMs} ms for ${typeof what === "string" ? what : what()}`);
    }
    await sleep(10);
  }
}
