// The small registry, as a process of its own.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NativePart, Site } from "./part.ts";
import { claimFolder } from "./places.ts";
import { HOST } from "./ports.ts";
import { launch, type ProcessMark, processesNaming } from "./processes.ts";

const ANSWER_WITHIN_MS = 1_000;

const placeOf = (dir: string): string => join(dir, "registry");
const subjectsOf = (dir: string): string => join(placeOf(dir), "subjects.json");
const logOf = (dir: string): string => join(placeOf(dir), "registry.log");

// Node 20 runs JavaScript only: from the sources (tests) the built file is started, which is the one users get.
function program(): string {
  const fromSources = import.meta.url.endsWith(".ts");
  return fileURLToPath(
    new URL(fromSources ? "../../dist/stack/registry-main.js" : "./registry-main.js", import.meta.url),
  );
}

async function launchRegistry(site: Site, port: number): Promise<ProcessMark> {
  return launch({
    command: process.execPath,
    args: [program(), subjectsOf(site.dir), String(port)],
    cwd: placeOf(site.dir),
    // Not ours whole: NODE_OPTIONS of a test runner or a debugger must not reach a process that outlives it.
    env: { PATH: process.env["PATH"] },
    logFile: logOf(site.dir),
    as: null,
  });
}

async function answers(_site: Site, port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://${HOST}:${port}/subjects`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return response.ok;
  } catch {
    return false;
  }
}

export const REGISTRY: NativePart = {
  name: "registry",
  title: "the schema registry",
  stopSignal: "SIGTERM",
  stopGraceMs: 5_000,
  logFile: logOf,
  prepare: async (site) => claimFolder(placeOf(site.dir)),
  launch: launchRegistry,
  isReady: answers,
  strays: (dir) => processesNaming(subjectsOf(dir)),
};
