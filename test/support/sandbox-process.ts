// The sandbox as a process of its own, as a user has it: for tests that kill it.

import { randomInt } from "node:crypto";
import { once } from "node:events";
import { isFree } from "../../src/stack/ports.ts";
import { launch } from "./processes.ts";
import { waitFor } from "./wait.ts";

const START_DEADLINE_MS = 30_000;

export type RunningSandbox = {
  readonly url: string;
  /** SIGKILL; resolves when it is gone */
  kill(): Promise<void>;
};

/** Waits until it says where it is. It is ended when the test is over. */
export async function startSandboxProcess(args: readonly string[]): Promise<RunningSandbox> {
  const child = launch({}, ["sandbox", ...args, "--json"]);
  const texts = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream]?.setEncoding("utf8").on("data", (chunk: string) => {
      texts[stream] += chunk;
    });
  }
  const gone = once(child, "exit");
  await waitFor(
    () => `a sandbox to start; it said ${texts.stderr}`,
    () => texts.stdout.endsWith("\n") || child.exitCode !== null,
    START_DEADLINE_MS,
  );
  if (child.exitCode !== null) throw new Error(`the sandbox ended with ${child.exitCode}: ${texts.stderr}`);
  const { url } = JSON.parse(texts.stdout) as { url: string };
  return {
    url,
    kill: async () => {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
}
