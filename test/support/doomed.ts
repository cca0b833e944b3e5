// An instance with an armed failpoint: it kills or stops itself where it is told to.
//
//     const doomed = startDoomed(world, { point: "block.sent", action: "kill", passes: 3 });
//     expect(await doomed.ended).toEqual({ code: null, signal: "SIGKILL" });
//     expect(doomed.reached()).toEqual(["block.sent"]);
import { once } from "node:events";
import type { FailpointName } from "../../src/failpoints.ts";
import { type LogLine, launch, readLog, type World } from "./processes.ts";
import { waitFor } from "./wait.ts";

export type Doom = {
  readonly point: FailpointName;
  readonly action: "kill" | "stop";
  /** how many times it comes there, this one counted */
  readonly passes: number;
  readonly environment?: Readonly<Record<string, string>>;
};

export type Doomed = {
  readonly name: string;
  readonly log: readonly LogLine[];
  /** failpoints that it said it has reached, just before it sent itself the signal */
  reached(): string[];
  /** how it ended, once its log is read to the end */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly isGone: () => boolean;
  /** the number that its leases carry; waits for it to run */
  process(): Promise<string>;
  send(signal: "SIGTERM" | "SIGCONT" | "SIGKILL"): void;
};

const RUNNING_DEADLINE_MS = 30_000;

/** Starts it and does not wait: it may be meant to end before it says that it is running. */
export function startDoomed(world: World, { point, action, passes, environment = {} }: Doom): Doomed {
  const armed = { MILLRACE_FAILPOINTS: `${point}=${action}@${passes}` };
  const child = launch({ ...world.environment, ...environment, ...armed }, ["run", "--instance", `at-${point}`]);
  const log = readLog(child);
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const running = (): LogLine | undefined => log.find(({ message }) => message === "running");
  return {
    name: point,
    log,
    reached: () => log.flatMap(({ failpoint }) => (typeof failpoint === "string" ? [failpoint] : [])),
    ended: once(child, "close").then(([code, signal]) => ({ code: code as number | null, signal: signal as string })),
    isGone,
    process: async () => {
      const told = (): string => `the instance at ${point} to run; it said ${JSON.stringify(log.slice(-5))}`;
      await waitFor(told, () => running() !== undefined || isGone(), RUNNING_DEADLINE_MS);
      const line = running();
      if (line === undefined) throw new Error(`the instance at ${point} ended: ${JSON.stringify(log)}`);
      return String(line["process"]);
    },
    send: (signal) => void child.kill(signal),
  };
}
