#!/usr/bin/env node
// Entry of the command line.

import { runInOwnThread, wantsOwnThread } from "./cli/service-thread.ts";

// `millrace outcomes | head` closes our stdout: the reader has what it wanted, so there is nothing to complain about.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const argv = process.argv.slice(2);
process.exitCode = wantsOwnThread(argv) ? await runInOwnThread(new URL(import.meta.url)) : await runHere();

/** Loaded only here: a thread that does nothing but wait for another would load all of it for nothing. */
async function runHere(): Promise<number> {
  const { runCli } = await import("./cli/program.ts");
  const { watchSignals } = await import("./cli/signals.ts");
  return await runCli(argv, {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    workingDir: process.cwd(),
    interruption: watchSignals(),
  });
}

// A socket that a client library left open must not keep a finished command from ending.
setTimeout(() => process.exit(), 1000).unref();
