// One local stack for a whole test run: started before the first test that needs one, ended and removed after the last.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { type StackInfo, stackUp } from "../../src/stack/stack.ts";
import { ownerOf, removeStack, stackDir } from "./stack-dir.ts";

declare module "vitest" {
  interface ProvidedContext {
    stack: StackInfo;
  }
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const say = (line: string): void => void process.stderr.write(`stack: ${line}\n`);

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeLeftovers();
  build();
  const dir = stackDir();
  const startedMs = Date.now();
  const stack = await withoutQuickJava(() => stackUp({ dir, say }));
  say(`${stack.mode}, up after ${((Date.now() - startedMs) / 1_000).toFixed(1)} s in ${stack.dir}`);
  project.provide("stack", stack);
  return () => removeStack(dir);
}

const QUICK_JAVA = { name: "JAVA_TOOL_OPTIONS", value: "-XX:TieredStopAtLevel=1" };

/** Brokers that tests start, or start again, are gone within a minute, before Java's second compiler has paid for itself:
 *  they begin in two thirds of the time without it. The one that is shared lives long enough. */
async function withoutQuickJava<T>(work: () => Promise<T>): Promise<T> {
  const { name, value } = QUICK_JAVA;
  if (process.env[name] === value) delete process.env[name]; // Another project has set it.
  const done = await work();
  process.env[name] ??= value;
  return done;
}

/** Stacks of test runs that were killed: the folder's name tells the process that should have ended them. */
async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const pid = ownerOf(name);
    if (pid !== null && !isProcess(pid)) await removeStack(join(tmpdir(), name));
  }
}

function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // Alive, and somebody else's.
  }
}

/** Processes that tests start run the built program. `npm test` has built it; `npx vitest` after an edit has not. */
function build(): void {
  const done = spawnSync(process.execPath, [join(root, "scripts", "ready.mjs"), "--build-only"], { encoding: "utf8" });
  if (done.stderr !== "") say(done.stderr.trimEnd());
  if (done.status === 0) return;
  say(`the build reports errors; \`npm run check\` shows them:\n${done.stdout.split("\n").slice(0, 5).join("\n")}`);
  if (!existsSync(join(root, "dist", "stack", "registry-main.js"))) {
    throw new Error("nothing was built: run `npm run build`");
  }
}
