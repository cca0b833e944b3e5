import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AddressName, resolveAddresses } from "../../src/cli/addresses.ts";
import { createContext, flagValues, type Io } from "../../src/cli/context.ts";
import { CommandFailed, endingOf, Interrupted } from "../../src/cli/exit.ts";
import { alignedTable, createOutput, type OutputSettings } from "../../src/cli/output.ts";
import { runCli, VERBS } from "../../src/cli/program.ts";
import { startProgress } from "../../src/cli/progress.ts";
import { optionFaults, usageCheck } from "../../src/cli/usage.ts";
import { KafkaUnreachable } from "../../src/kafka/port.ts";
import { StackUnavailable } from "../../src/stack/unavailable.ts";

let workingDir: string;
beforeEach(() => {
  workingDir = mkdtempSync(join(tmpdir(), "millrace-cli-"));
});
afterEach(() => rmSync(workingDir, { recursive: true, force: true }));

function captured(environment: Record<string, string> = {}) {
  const texts = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr", isTTY = false) => ({
    isTTY,
    write: (text: string) => {
      texts[name] += text;
    },
  });
  const interruption = () => new AbortController().signal;
  const io: Io = { stdout: stream("stdout"), stderr: stream("stderr"), environment, workingDir, interruption };
  return { texts, io };
}

async function run(argv: readonly string[], environment: Record<string, string> = {}) {
  const { texts, io } = captured(environment);
  return { exitCode: await runCli(argv, io), ...texts };
}

describe("exit codes", () => {
  test("help and version are 0 and go to stdout", async () => {
    for (const argv of [["--help"], ["help", "config"], ["config", "check", "--help"], ["--version"]]) {
      const { exitCode, stdout, stderr } = await run(argv);
      expect([exitCode, stderr, stdout.length > 5]).toEqual([0, "", true]);
    }
  });

  test("no verb, an unknown verb and a verb that lacks its action are usage, told on stderr", async () => {
    for (const argv of [[], ["confg"], ["config"], ["config", "chek"]]) {
      const { exitCode, stdout, stderr } = await run(argv);
      expect([argv, exitCode, stdout]).toEqual([argv, 2, ""]);
      expect(stderr).toMatch(/Usage:|Did you mean/);
    }
  });

  test("all unknown options are told at once, with the nearest name", async () => {
    const { exitCode, stderr } = await run(["config", "check", "--jsn", "--qiet", "--frobnicate"]);
    expect(exitCode).toBe(2);
    expect(stderr.split("\n")).toEqual([
      "millrace: --jsn: no such option; did you mean --json?",
      "millrace: --qiet: no such option; did you mean --quiet?",
      "millrace: --frobnicate: no such option",
      "",
    ]);
  });

  test("bad configuration is 2, with every fault and its place", async () => {
    writeFileSync(join(workingDir, "millrace.yaml"), "blockRowsMax: 0\nlogLevel: loud\n");
    const { exitCode, stdout, stderr } = await run(["config", "check"], { MILLRACE_HTTP_PORT: "x" });
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("millrace: millrace.yaml:1:15: blockRowsMax: found 0");
    expect(stderr).toContain("millrace: millrace.yaml:2:11: logLevel");
    expect(stderr).toContain('millrace: environment MILLRACE_HTTP_PORT: httpPort: found "x"');
  });

  test("each kind of error has its code and says the remedy once", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), {
      code: "ECONNREFUSED",
      address: "::1",
      port: 5432,
    });
    expect(endingOf(new CommandFailed(1, "a\nb"))).toEqual({ exitCode: 1, lines: ["a", "b"] });
    expect(endingOf(new CommandFailed(4, ""))).toEqual({ exitCode: 4, lines: [] });
    expect(endingOf(new Interrupted()).exitCode).toBe(130);
    expect(endingOf(new KafkaUnreachable("no broker at a:1", "start it"))).toEqual({
      exitCode: 3,
      lines: ["no broker at a:1", "start it"],
    });
    expect(endingOf(new StackUnavailable("no Java", "install Java 17"))).toEqual({
      exitCode: 3,
      lines: ["no Java: install Java 17"],
    });
    expect(endingOf(new Error("query failed", { cause: new AggregateError([refused]) }))).toMatchObject({
      exitCode: 3,
      lines: [expect.stringContaining("cannot reach ::1:5432 (ECONNREFUSED)")],
    });
    const file = Object.assign(new Error("ENOENT: …"), { code: "ENOENT", syscall: "open", path: "/no/card.svg" });
    expect(endingOf(file)).toEqual({ exitCode: 2, lines: ["/no/card.svg: cannot be opened (ENOENT)"] });
    expect(endingOf(Object.assign(file, { syscall: "spawn java" }))).toMatchObject({
      exitCode: 1,
      lines: expect.arrayContaining([expect.stringContaining("bug: ")]),
    });
    expect(endingOf(new TypeError("x is not a function"))).toMatchObject({
      exitCode: 1,
      lines: expect.arrayContaining([expect.stringContaining("bug: TypeError")]),
    });
  });
});

describe("global options", () => {
  test("count before and after the verb", async () => {
    writeFileSync(join(workingDir, "other.yaml"), "blockRowsMax: 7\n");
    for (const argv of [
      ["--json", "--config", "other.yaml", "config", "explain", "blockRowsMax"],
      ["config", "explain", "blockRowsMax", "--config=other.yaml", "--json"],
      ["config", "--json", "explain", "--config", "other.yaml", "blockRowsMax"],
    ]) {
      const { exitCode, stdout } = await run(argv);
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { setting: "blockRowsMax", value: 7 }]);
    }
  });

  test("--json leaves nothing on stdout but JSON lines, faults included", async () => {
    writeFileSync(join(workingDir, "millrace.yaml"), "blockRowsMax: 0\nlogLevel: loud\n");
    const { exitCode, stdout } = await run(["config", "check", "--json"], { MILLRACE_NONE: "1" });
    const lines = stdout.trimEnd().split("\n");
    expect([exitCode, lines.map((line) => JSON.parse(line).where)]).toEqual([
      2,
      ["millrace.yaml:1:15", "millrace.yaml:2:11"],
    ]);
  });
});

describe("every verb", () => {
  test.each(VERBS)("$name and what is below it have help with an example", async ({ load }) => {
    const program = new Command("millrace");
    (await load()).register(
      program,
      createContext(program, captured().io, async () => program),
    );
    const pending = [...program.commands];
    for (let command = pending.pop(); command !== undefined; command = pending.pop()) {
      const path: string[] = [];
      for (let at: Command | null = command; at !== null && at !== program; at = at.parent) path.unshift(at.name());
      const { exitCode, stdout } = await run([...path, "--help"]);
      expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/\n {2}millrace /)]);
      expect(command.description(), path.join(" ")).not.toBe("");
      pending.push(...command.commands);
    }
  });

  test.each(VERBS)(
    "$name registers itself under its name with the summary of the list",
    async ({ name, summary, load }) => {
      const program = new Command("millrace");
      (await load()).register(
        program,
        createContext(program, captured().io, async () => program),
      );
      expect(program.commands.map((command) => [command.name(), command.summary()])).toEqual([[name, summary]]);
    },
  );
});

describe("usage checks", () => {
  test("values of all options are told at once", () => {
    const usage = usageCheck();
    usage.wholeNumber("--count", "x", { default: 1, min: 1, max: 9 });
    usage.wholeNumber("--rate", "10", { default: 1, min: 1, max: 9 });
    usage.oneOf("--profile", "transfer", { default: "mixed", names: ["transfers", "mixed"] });
    expect(() => usage.done()).toThrow(
      '--count: found "x", expected a whole number from 1 to 9\n' +
        '--rate: found "10", expected a whole number from 1 to 9\n' +
        '--profile: found "transfer", expected one of transfers, mixed; did you mean transfers?',
    );
    expect(usageCheck().wholeNumber("--count", undefined, { default: 5, min: 1, max: 9 })).toBe(5);
  });

  test("missing and unknown options of a command are found together; values are not taken for options", () => {
    const program = new Command("p").option("--json").option("--config <FILE>");
    const load = program.command("load").requiredOption("--from <FILE>", "").requiredOption("--rate <N>", "");
    load.option("--note [TEXT]", "");
    expect(optionFaults(program, ["--config", "--odd", "load", "--rote=5", "--from", "--x", "-"])).toEqual([
      "--rote: no such option; did you mean --rate?",
      "--rate: missing, expected --rate <N>",
    ]);
    expect(optionFaults(program, ["load", "--help"])).toEqual([]);
  });

  test("faults of options and of settings end a verb together", async () => {
    const { io } = captured({ MILLRACE_LOG_LEVEL: "loud" });
    const usage = usageCheck();
    usage.fault("--from: missing");
    const context = createContext(new Command("p"), io, async () => new Command("p"));
    const flags = flagValues({ httpPort: ["--http-port", "x"], roles: ["--roles", undefined] });
    await expect(context.config(flags, usage)).rejects.toThrow(
      /^--from: missing\nenvironment MILLRACE_LOG_LEVEL: .*\n--http-port: httpPort: found "x"/,
    );
  });
});

describe("output", () => {
  function output(over: Partial<OutputSettings> = {}) {
    const { texts, io } = captured();
    return { texts, out: createOutput({ json: false, quiet: false, color: true, ...io, ...over }) };
  }

  test("with --json amounts are digits and people's text goes to stderr", () => {
    const { texts, out } = output({ json: true });
    out.say("balances");
    out.row({ account: "asset:bank:main", balanceMinor: 10n ** 30n }, "human");
    expect(texts).toEqual({
      stdout: '{"account":"asset:bank:main","balanceMinor":"1000000000000000000000000000000"}\n',
      stderr: "balances\n",
    });
  });

  test("--quiet leaves results and warnings", () => {
    const { texts, out } = output({ quiet: true });
    out.say("a");
    out.note("b");
    out.warn("c");
    out.row({}, "d");
    expect(texts).toEqual({ stdout: "d\n", stderr: "c\n" });
  });

  test("colour only on a terminal, and never after --no-color, NO_COLOR or TERM=dumb", () => {
    const stdout = { isTTY: true, write: () => undefined };
    const painted = (over: Partial<OutputSettings>) => output({ stdout, ...over }).out.paint("red", "x");
    expect(painted({})).toBe("\u001b[31mx\u001b[0m");
    expect(painted({ color: false })).toBe("x");
    expect(painted({ environment: { NO_COLOR: "1" } })).toBe("x");
    expect(painted({ environment: { NO_COLOR: "" } })).not.toBe("x");
    expect(painted({ environment: { TERM: "dumb" } })).toBe("x");
    expect(output().out.paint("red", "x")).toBe("x");
  });

  test("tables are aligned, numbers to the right", () => {
    const columns = [
      { key: "account", title: "account" },
      { key: "minor", title: "balance", align: "right" },
    ] as const;
    expect(alignedTable(columns, [{ account: "asset:bank:main", minor: -5n }, { account: "x" }])).toEqual([
      "account          balance",
      "asset:bank:main       -5",
      "x                      -",
    ]);
  });

  test("a bar is drawn on a terminal only", async () => {
    const { texts, out } = output();
    const plan = { title: "load", total: 10, unit: "intents" };
    const progress = await startProgress(out, captured().io.stderr, plan);
    progress.update(5, 2);
    progress.stop();
    expect(texts).toEqual({ stdout: "", stderr: "" });
  });
});

describe("addresses", () => {
  const NONE = {
    kafkaBrokers: [],
    databaseUrl: null,
    schemaRegistryUrl: null,
    databasePasswordFile: "",
    schemaRegistryPasswordFile: "",
  };
  const resolve = (config: Partial<Record<AddressName, unknown>>, need?: readonly AddressName[]) => {
    const { texts, io } = captured();
    const out = createOutput({ json: false, quiet: false, color: false, ...io });
    return { texts, done: resolveAddresses({ ...NONE, ...config } as typeof NONE, out, need) };
  };

  test("as configured, and stderr says which, without the password", async () => {
    const databaseUrl = "postgres://me:hunter2@db:5432/ledger";
    const { texts, done } = resolve({ databaseUrl }, ["databaseUrl"]);
    expect(await done).toEqual({ kafkaBrokers: [], databaseUrl, schemaRegistryUrl: "" });
    expect(texts.stderr).toBe("using postgres://db:5432/ledger\n");
  });

  test("some of them configured is a usage error: a local stack must not fill up a remote one", async () => {
    await expect(resolve({ kafkaBrokers: ["a:1"] }).done).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(
        "not configured: databaseUrl (DATABASE_URL), schemaRegistryUrl (SCHEMA_REGISTRY_URL);",
      ),
    });
  });
});
