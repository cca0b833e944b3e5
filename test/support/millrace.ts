// The command line as a user runs it, for end-to-end tests: child processes of dist/main.js against one stack.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const MAIN = join(
  process.env["MILLRACE_DIST"] ?? fileURLToPath(new URL("../../dist", import.meta.url)),
  "main.js",
);

export type Environment = Readonly<Record<string, string>>;

/** What the tested machine's own environment must not leak into a test. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(MILLRACE_|KAFKA_BROKERS|DATABASE_URL|SCHEMA_REGISTRY_URL)/.test(name),
  );
  return Object.fromEntries(kept);
}

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs one verb to its end. */
export async function millrace(environment: Environment, args: readonly string[], input?: string): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...cleanEnvironment(), ...environment } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

/** Runs a verb that must succeed and returns its JSON lines. */
export async function millraceJson(
  environment: Environment,
  args: readonly string[],
  input?: string,
): Promise<Record<string, unknown>[]> {
  const ran = await millrace(environment, [...args, "--json"], input);
  if (ran.code !== 0) throw new Error(`millrace ${args.join(" ")} ended with ${ran.code}: ${ran.stderr.slice(-2000)}`);
  return ran.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export type Instance = {
  readonly child: ChildProcess;
  readonly log: () => string;
  stop(signal: NodeJS.Signals): Promise<number | null>;
};

/** Starts `millrace run`; resolves when it says that it runs. */
export async function startInstance(environment: Environment, name: string): Promise<Instance> {
  const child = spawn(process.execPath, [MAIN, "run", "--instance", name], {
    env: { ...cleanEnvironment(), ...environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  const running = new Promise<void>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('"message":"running"')) resolve();
    });
    child.on("exit", (code) =>
      reject(new Error(`instance ${name} ended with ${code} before it ran: ${log.slice(-2000)}`)),
    );
  });
  await running;
  return {
    child,
    log: () => log,
    stop: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const ended = once(child, "exit") as Promise<[number | null]>;
      child.kill(signal);
      return (await ended)[0];
    },
  };
}
