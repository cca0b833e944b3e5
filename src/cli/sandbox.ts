// millrace sandbox: the providers cardco and instanet, played by a server of our own, until SIGTERM.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { ScriptRule } from "../sandbox/choose.ts";
import { readScript } from "../sandbox/script.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

type SandboxOptions = Readonly<
  Partial<
    Record<
      | "dir"
      | "host"
      | "port"
      | "trouble"
      | "seed"
      | "script"
      | "cardcoWebhook"
      | "instanetCallback"
      | "soonMs"
      | "lateMs"
      | "slowMs"
      | "silentMs"
      | "tokenSeconds",
      string
    >
  >
>;

const DIR = ".millrace/sandbox";
const MS_MAX = 86_400_000;
const LOCK_WAIT_MS = 2_000;
/** Known to everybody, since nothing is behind them. */
const KEYS = {
  cardcoKey: "cardco-test-key",
  cardcoWebhookSecret: "cardco-test-webhook-secret",
  instanetClientId: "millrace",
  instanetClientSecret: "instanet-test-client-secret",
  instanetKeyId: "test-1",
  instanetCallbackSecret: "instanet-test-callback-secret",
};

export function register(program: Command, context: CliContext): void {
  const summary = "the providers cardco and instanet, played by a server that misbehaves as it is told";
  const verb = program
    .command("sandbox")
    .summary(summary)
    .description(
      [
        "Plays two payment providers over HTTP, with webhooks, until SIGTERM (docs/sandbox.md). No money moves. What it did is",
        "kept in a folder and known after a restart, whatever ended it. What goes wrong is chosen by amounts, tokens, a script,",
        "or drawn by a seed.",
      ].join(" "),
    )
    .option("--dir <DIR>", `folder of its journal; one sandbox at a time (default: ${DIR})`)
    .option("--host <HOST>", "address to listen on (default: 127.0.0.1)")
    .option("--port <N>", "port to listen on (default: a free one, printed)")
    .option("--trouble <SHARE>", "which share of all operations goes wrong in some way, 0 to 1 (default: 0)")
    .option("--seed <TEXT>", "what trouble is drawn from: the same seed and key, the same trouble (default: 0)")
    .option("--script <FILE>", "rules in JSON that say what goes wrong, see docs/sandbox.md")
    .option("--cardco-webhook <URL>", "where cardco's webhooks go (default: nowhere)")
    .option("--instanet-callback <URL>", "where instanet's callbacks go (default: nowhere)")
    .option("--soon-ms <N>", "after which customers and banks do their part (default: 100)")
    .option("--late-ms <N>", "after which comes what comes late (default: 2000)")
    .option("--slow-ms <N>", "after which a slow request is answered (default: 3000)")
    .option("--silent-ms <N>", "for how long a connection without an answer is held (default: 60000)")
    .option("--token-seconds <N>", "for how long instanet's access tokens are good (default: 3600)")
    .action((options: SandboxOptions) => sandbox(context, options));
  withExamples(
    verb,
    "millrace sandbox --port 9500 --json",
    "millrace sandbox --trouble 0.3 --seed 1 --cardco-webhook http://127.0.0.1:9600/webhooks/cardco",
  );
}

async function sandbox(context: CliContext, options: SandboxOptions): Promise<void> {
  const { out, io } = context;
  const settings = readOptions(options, io.workingDir);
  const { startSandbox } = await import("../sandbox/sandbox.ts");
  const { withLock } = await import("../stack/lock.ts");
  const interrupted = io.interruption();
  await withLock(join(settings.dir, "lock"), LOCK_WAIT_MS, async () => {
    const failed = new AbortController();
    let failure: Error | null = null;
    const onFailed = (error: Error): void => {
      failure = error;
      failed.abort();
    };
    const running = await startSandbox({ ...settings, onFailed });
    const { url, port, effects } = running;
    const told = { url, port, dir: settings.dir, effects, ...KEYS };
    out.row(told, `the sandbox serves cardco and instanet at ${url}; its journal is in ${settings.dir}`);
    await untilAborted(AbortSignal.any([interrupted, failed.signal]));
    if (failure !== null) throw new CommandFailed(EXIT.failed, `the journal cannot be written: ${String(failure)}`);
    await running.close();
  });
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function readOptions(options: SandboxOptions, workingDir: string) {
  const usage = usageCheck();
  const ms = (flag: string, text: string | undefined, whenNot: number): number =>
    usage.wholeNumber(flag, text, { default: whenNot, min: 1, max: MS_MAX });
  const settings = {
    host: options.host ?? "127.0.0.1",
    port: usage.wholeNumber("--port", options.port, { default: 0, min: 0, max: 65_535 }),
    dir: resolve(workingDir, options.dir ?? DIR),
    trouble: { perMille: readShare(usage, options.trouble), seed: readSeed(usage, options.seed) },
    script: readRules(usage, options.script, workingDir),
    times: {
      soonMs: ms("--soon-ms", options.soonMs, 100),
      lateMs: ms("--late-ms", options.lateMs, 2_000),
      slowMs: ms("--slow-ms", options.slowMs, 3_000),
      silentMs: ms("--silent-ms", options.silentMs, 60_000),
    },
    cardco: {
      key: KEYS.cardcoKey,
      webhookSecret: KEYS.cardcoWebhookSecret,
      webhookUrl: usage.url("--cardco-webhook", options.cardcoWebhook),
    },
    instanet: {
      clientId: KEYS.instanetClientId,
      clientSecret: KEYS.instanetClientSecret,
      keyId: KEYS.instanetKeyId,
      callbackSecret: KEYS.instanetCallbackSecret,
      callbackUrl: usage.url("--instanet-callback", options.instanetCallback),
      tokenSeconds: usage.wholeNumber("--token-seconds", options.tokenSeconds, { default: 3_600, min: 1, max: 86_400 }),
    },
  };
  usage.done();
  return settings;
}

function readRules(usage: UsageCheck, file: string | undefined, workingDir: string): readonly ScriptRule[] {
  if (file === undefined) return [];
  let text: string;
  try {
    text = readFileSync(resolve(workingDir, file), "utf8");
  } catch (error) {
    usage.fault(`--script: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return [];
  }
  const { rules, faults } = readScript(text);
  for (const fault of faults) usage.fault(`--script: ${file}: ${fault}`);
  return rules;
}

/** @returns of a thousand */
function readShare(usage: UsageCheck, text: string | undefined): number {
  if (text === undefined) return 0;
  const digits = /^(?:0(?:\.(\d{1,3}))?|1(?:\.0{1,3})?)$/.exec(text);
  if (digits === null) usage.fault(`--trouble: found "${text}", expected a share from 0 to 1 such as 0.3`);
  return text.startsWith("1") ? 1000 : Number((digits?.[1] ?? "0").padEnd(3, "0"));
}

function readSeed(usage: UsageCheck, text = "0"): string {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(text))
    usage.fault(`--seed: found "${text}", expected 1 to 64 letters, digits, dots, dashes or underscores`);
  return text;
}
