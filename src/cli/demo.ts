// millrace demo: a day of payments on a stack of its own, with everything that the command line offers, step by step as
// a user would type it. It ends by itself and leaves nothing running.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { type CliContext, withExamples } from "./context.ts";
import { publishRates, showCardPayment } from "./demo-card.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import type { Output } from "./output.ts";

type DemoOptions = { readonly dir?: string };

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));
const COUNT = 20_000;
const RATE = 2_500;
const KILL_AFTER_MS = 2_500;
const READY_MS = 30_000;

export function register(program: Command, context: CliContext): void {
  const summary = "a mixed day of payments on a stack of its own, start to end";
  const verb = program
    .command("demo")
    .summary(summary)
    .description(`${summary}; prints what happened and where to look, and leaves nothing running.`)
    .option("--dir <DIR>", "folder of its stack, emptied first (default: .millrace/demo)")
    .action((options: DemoOptions) => demo(context, options));
  withExamples(verb, "millrace demo");
}

type Line = Readonly<Record<string, unknown>>;

/** Verbs as child processes on the demo's own stack: what works here works for the reader who types it. */
class Stage {
  readonly #out: Output;
  readonly #dir: string;
  environment: Record<string, string> = {};
  readonly instances: ChildProcess[] = [];

  constructor(out: Output, dir: string) {
    this.#out = out;
    this.#dir = dir;
  }

  get dir(): string {
    return this.#dir;
  }

  /** Runs a verb to its end; its JSON lines. */
  verb(args: readonly string[], allowed: readonly number[] = [0]): Promise<readonly Line[]> {
    this.#out.say(this.#out.paint("dim", `$ millrace ${args.join(" ")}`));
    return this.ask(args, allowed);
  }

  /** The same without a word, for what is asked again and again. */
  async ask(args: readonly string[], allowed: readonly number[] = [0]): Promise<readonly Line[]> {
    const child = this.#start([...args, "--json", "--quiet"]);
    let text = "";
    let complaints = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      complaints += chunk.toString();
    });
    const [code] = (await once(child, "close")) as [number | null];
    if (code === null || !allowed.includes(code)) {
      throw new CommandFailed(EXIT.failed, `millrace ${args.join(" ")} ended with ${code}\n${complaints.trimEnd()}`);
    }
    return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));
  }

  /** Starts an instance and waits until it runs. */
  async instance(name: string): Promise<ChildProcess> {
    this.#out.say(this.#out.paint("dim", `$ millrace run --instance ${name} &`));
    const child = this.#start(["run", "--instance", name]);
    this.instances.push(child);
    let log = "";
    const fault = (why: string): CommandFailed =>
      new CommandFailed(EXIT.failed, `instance ${name} ${why}\n${log.slice(-2_000)}`);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(fault(`does not run after ${READY_MS / 1_000} s`)), READY_MS);
      child.stderr?.on("data", (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-20_000);
        if (!log.includes('"message":"running"')) return;
        clearTimeout(timer);
        resolve();
      });
      child.once("exit", () => {
        clearTimeout(timer);
        reject(fault("has ended"));
      });
    });
    return child;
  }

  #start(args: readonly string[]): ChildProcess {
    const environment = { ...process.env, ...this.environment };
    return spawn(process.execPath, [MAIN, ...args], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  }
}

async function demo(context: CliContext, options: DemoOptions): Promise<void> {
  const { out, io } = context;
  const dir = options.dir ?? join(io.workingDir, ".millrace", "demo");
  rmSync(dir, { recursive: true, force: true });
  const stage = new Stage(out, dir);
  const interrupted = io.interruption();
  const began = performance.now();
  try {
    await perform(stage, out, interrupted);
  } finally {
    for (const child of stage.instances) child.kill("SIGTERM");
    await Promise.all(
      stage.instances.map((child) =>
        child.exitCode === null && child.signalCode === null ? once(child, "exit") : null,
      ),
    );
    await stage.verb(["stack", "down", "--dir", dir]);
  }
  if (interrupted.aborted) throw new CommandFailed(EXIT.interrupted, "interrupted");
  whereToLook(out, dir, (performance.now() - began) / 1_000);
}

async function perform(stage: Stage, out: Output, interrupted: AbortSignal): Promise<void> {
  heading(out, "A broker, a database and a registry of its own");
  const [stack] = await stage.verb(["stack", "up", "--dir", stage.dir]);
  stage.environment = {
    KAFKA_BROKERS: String(stack?.["kafkaBrokers"]),
    DATABASE_URL: String(stack?.["databaseUrl"]),
    SCHEMA_REGISTRY_URL: String(stack?.["schemaRegistryUrl"]),
    MILLRACE_ROLES: "lanes,gateways,rates",
    MILLRACE_PROVIDERS: "script",
  };
  await stage.verb(["migrate"]);
  heading(out, "Two instances share the lanes; one is killed while a day of payments runs through");
  const [victim] = await Promise.all([stage.instance("one"), stage.instance("two")]);
  const loading = stage.verb([
    "load",
    "--profile",
    "mixed",
    "--count",
    String(COUNT),
    "--rate",
    String(RATE),
    "--seed",
    "7",
  ]);
  await Promise.race([loading, new Promise((resolve) => setTimeout(resolve, KILL_AFTER_MS))]);
  out.say(out.paint("dim", `$ kill -9 ${victim.pid}    # instance one, in mid-run`));
  victim.kill("SIGKILL");
  await stage.instance("one-again");
  const [loaded] = await loading;
  out.say(`${loaded?.["sent"] ?? COUNT} intents acknowledged by Kafka`);
  if (interrupted.aborted) return;
  heading(out, "One card payment's life: EUR 100.00 of a customer, for a merchant who is paid in dollars");
  await publishRates(stage);
  await showCardPayment(stage, out);
  heading(out, "What subscribers read");
  const outcomes = await stage.verb(["outcomes", "--from-beginning", "--until-idle", "2"]);
  tellOutcomes(out, outcomes);
  tellQuarantine(out, await stage.verb(["quarantine", "list"]));
  heading(out, "The ledger");
  tellTrialBalance(out, await stage.verb(["ledger", "trial-balance"]));
  heading(out, "The audit: every invariant over database and topics");
  tellAudit(out, await stage.verb(["verify"], [0, 1]));
}

function heading(out: Output, text: string): void {
  out.say(`\n${out.paint("bold", text)}`);
}

function tellOutcomes(out: Output, outcomes: readonly Line[]): void {
  const counts = new Map<string, number>();
  for (const outcome of outcomes) {
    const reason = outcome["reason"] as { readonly code: string } | null;
    const name = reason === null ? String(outcome["type"]) : `${outcome["type"]} (${reason.code})`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const rows = [...counts].sort((a, b) => b[1] - a[1]).map(([outcome, count]) => ({ outcome, count }));
  table(out, rows, ["outcome", "count"]);
  const settled = outcomes.find((one) => one["type"] === "transfer.completed");
  const refused = outcomes.find((one) => one["reason"] !== null);
  out.say("one that was settled, and one that was refused with its reason:");
  for (const one of [settled, refused]) if (one !== undefined) out.say(`  ${JSON.stringify(one)}`);
  out.row(
    { outcomes: outcomes.length, counts: Object.fromEntries(counts) },
    `${outcomes.length} outcomes, each lane's sequence without gap or repeat`,
  );
}

function tellQuarantine(out: Output, quarantined: readonly Line[]): void {
  const [first] = quarantined;
  if (first === undefined) return;
  out.say(`${quarantined.length} records could not be understood and were put aside, none lost; the first:`);
  out.say(`  ${JSON.stringify(first)}`);
}

function tellTrialBalance(out: Output, rows: readonly Line[]): void {
  table(out, rows.slice(0, 12), Object.keys(rows[0] ?? {}));
}

function tellAudit(out: Output, rows: readonly Line[]): void {
  const checks = rows.filter((row) => typeof row["invariant"] === "string");
  const failed = checks.filter((row) => row["ok"] !== true);
  for (const row of checks) out.say(`  ${row["ok"] === true ? "ok  " : "FAIL"} ${row["invariant"]}`);
  out.row(
    { invariants: checks.length, failed: failed.length },
    failed.length === 0
      ? `${checks.length} invariants hold`
      : `${failed.length} of ${checks.length} invariants do not hold`,
  );
  if (failed.length > 0) throw new CommandFailed(EXIT.failed, JSON.stringify(failed));
}

function table(out: Output, rows: readonly Line[], keys: readonly string[]): void {
  if (out.json) return;
  const columns = keys.map((key) => ({
    key,
    title: key,
    align: isNumeric(rows, key) ? ("right" as const) : ("left" as const),
  }));
  out.table(columns, rows);
}

function isNumeric(rows: readonly Line[], key: string): boolean {
  return rows.every((row) => /^-?[0-9]*$/.test(String(row[key] ?? "")));
}

function whereToLook(out: Output, dir: string, seconds: number): void {
  out.say(`\n${out.paint("bold", `Done in ${seconds.toFixed(0)} s; nothing is left running.`)}`);
  out.say(
    [
      "The data is still there. To look around:",
      `  npx millrace stack up --dir ${dir}      # prints three exports; paste them`,
      "  npx millrace ledger balances --prefix liability: --limit 5",
      "  npx millrace case <caseId of an outcome above>",
      "  npx millrace quarantine list --limit 3",
      "  npx millrace lane list",
      `  npx millrace stack down --dir ${dir}`,
      "How it works: README.md, then ARCHITECTURE.md. How fast it is: `npx millrace bench drain naive latency`.",
    ].join("\n"),
  );
}
