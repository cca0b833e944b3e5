// Passwords and certificates among the settings, and the schema of the file.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endingOf } from "../../src/cli/exit.ts";
import { runCli } from "../../src/cli/program.ts";
import { loadConfig, printConfigFault } from "../../src/config/config.ts";
import { configSchema } from "../../src/config/schema.ts";
import { kafkaAccess, SecretUnreadable, shownValue, urlWithPassword } from "../../src/config/secrets.ts";
import { type Config, SETTING_NAMES, SETTINGS } from "../../src/config/settings.ts";
import { needsStandby } from "../../src/config/standby.ts";
import { ROOT } from "../support/source.ts";

let workingDir: string;
beforeEach(() => {
  workingDir = mkdtempSync(join(tmpdir(), "millrace-security-"));
});
afterEach(() => rmSync(workingDir, { recursive: true, force: true }));

type Environment = Readonly<Record<string, string>>;

function load(environment: Environment, file: string | null = null) {
  return loadConfig({ file, environment, flags: [], workingDir });
}

function valid(environment: Environment, file: string | null = null): Config {
  const loaded = load(environment, file);
  if (loaded.kind === "invalid") throw new Error(loaded.faults.map(printConfigFault).join("\n"));
  return loaded.config;
}

function faults(environment: Environment): readonly string[] {
  const loaded = load(environment);
  return loaded.kind === "invalid" ? loaded.faults.map(printConfigFault) : [];
}

function write(name: string, text: string): string {
  writeFileSync(join(workingDir, name), text);
  return join(workingDir, name);
}

const LOGIN = { MILLRACE_KAFKA_SASL: "plain", MILLRACE_KAFKA_USER: "ann" };

describe("what belongs together is asked for together", () => {
  test.each<[string, Environment]>([
    ["kafkaTls to be true", { MILLRACE_KAFKA_TLS_CA_FILE: import.meta.filename }],
    [
      "both of them or neither: a certificate is of use only with its key",
      { MILLRACE_KAFKA_TLS: "true", MILLRACE_KAFKA_TLS_CERT_FILE: import.meta.filename },
    ],
    ["kafkaUser with every kafkaSasl", { MILLRACE_KAFKA_SASL: "plain", MILLRACE_KAFKA_PASSWORD: "hunter2" }],
    ["one of kafkaPassword and kafkaPasswordFile", LOGIN],
    [
      "one of kafkaPassword and kafkaPasswordFile",
      { ...LOGIN, MILLRACE_KAFKA_PASSWORD: "hunter2", MILLRACE_KAFKA_PASSWORD_FILE: import.meta.filename },
    ],
    ["one of kafkaPassword and kafkaPasswordFile", { MILLRACE_KAFKA_PASSWORD: "hunter2" }],
    [
      "databasePasswordFile only with",
      { DATABASE_URL: "postgres://a:hunter2@h/d", MILLRACE_DATABASE_PASSWORD_FILE: import.meta.filename },
    ],
    ["databasePasswordFile only with", { MILLRACE_DATABASE_PASSWORD_FILE: import.meta.filename }],
    [
      "schemaRegistryPasswordFile only with",
      { SCHEMA_REGISTRY_URL: "http://r:8081", MILLRACE_SCHEMA_REGISTRY_PASSWORD_FILE: import.meta.filename },
    ],
    ["a databaseUrl without `options`", { DATABASE_URL: "postgres://a:hunter2@h/d?options=-c%20fsync%3Doff" }],
  ])("%s: refused otherwise, and no password is told", (expected, environment) => {
    const told = faults(environment);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(`expected ${expected}`);
    expect(told.join()).not.toContain("hunter2");
  });

  test("files that are not there are told at once, with what is wrong with each", () => {
    mkdirSync(join(workingDir, "folder"));
    expect(faults({ ...LOGIN, MILLRACE_KAFKA_PASSWORD_FILE: "none", MILLRACE_KAFKA_TLS_CA_FILE: "folder" })).toEqual([
      `environment MILLRACE_KAFKA_PASSWORD_FILE: kafkaPasswordFile: found ${join(workingDir, "none")} (ENOENT), expected the path of a readable file`,
      `environment MILLRACE_KAFKA_TLS_CA_FILE: kafkaTlsCaFile: found ${join(workingDir, "folder")} (a folder), expected the path of a readable file`,
    ]);
  });
});

describe("secrets", () => {
  test("come from files as they were typed, without the line feed behind them", () => {
    const passwordFile = write("password", "p ä%s:s/w@rd\n");
    const caFile = write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
    const config = valid({
      ...LOGIN,
      MILLRACE_KAFKA_TLS: "true",
      MILLRACE_KAFKA_TLS_CA_FILE: caFile,
      MILLRACE_KAFKA_PASSWORD_FILE: passwordFile,
    });
    expect(kafkaAccess(config)).toEqual({
      tls: { ca: "-----BEGIN CERTIFICATE-----", cert: null, key: null },
      login: { mechanism: "plain", user: "ann", password: "p ä%s:s/w@rd" },
    });
    const url = new URL(urlWithPassword("postgres://ann@db:5432/ledger?sslmode=verify-full", passwordFile));
    expect(decodeURIComponent(url.password)).toBe("p ä%s:s/w@rd");
    expect(url.searchParams.get("sslmode")).toBe("verify-full");
    expect(kafkaAccess(valid({}))).toEqual({ tls: null, login: null });
  });

  test("are not shown by config explain, wherever they stand", async () => {
    let shown = "";
    const stream = { isTTY: false, write: (text: string) => void (shown += text) };
    const code = await runCli(["config", "explain"], {
      stdout: stream,
      stderr: stream,
      workingDir,
      interruption: () => new AbortController().signal,
      environment: {
        ...LOGIN,
        MILLRACE_KAFKA_PASSWORD: "hunter2",
        DATABASE_URL: "postgres://a:hunter2@db/d?sslmode=verify-full&sslpassword=hunter2",
        SCHEMA_REGISTRY_URL: "https://a:hunter2@registry",
      },
    });
    expect([code, shown.includes("hunter2")]).toEqual([0, false]);
    expect(shown).toContain("kafkaPassword = ***");
    expect(shown).toContain("postgres://a:***@db/d?sslmode=verify-full&sslpassword=***");
  });

  test("a file that is empty, or gone since the settings were checked, is a fault of the settings with its name", () => {
    const empty = write("empty", "\n");
    const config = valid({ ...LOGIN, MILLRACE_KAFKA_PASSWORD_FILE: empty });
    expect(() => kafkaAccess(config)).toThrow(`${empty} is empty`);
    rmSync(empty);
    expect(() => kafkaAccess(config)).toThrow(`${empty} cannot be read (ENOENT)`);
    expect(endingOf(new SecretUnreadable("x")).exitCode).toBe(2);
  });

  test("a password that looks like a URL is hidden all the same", () => {
    expect(shownValue("kafkaPassword", "https://example.com")).toBe("***");
    expect(shownValue("kafkaUser", "ann")).toBe("ann");
  });
});

describe("the schema of the file", () => {
  const schema = configSchema() as { properties: Record<string, Record<string, unknown>> };

  test("is the file in schemas", () => {
    const file = readFileSync(join(ROOT, "schemas", "config.schema.json"), "utf8");
    expect(JSON.parse(file), "make it anew: millrace config schema > schemas/config.schema.json").toEqual(
      JSON.parse(JSON.stringify(schema)),
    );
  });

  test("has every setting with its reason, environment name, bounds and default, and lets nothing else in", () => {
    expect(Object.keys(schema.properties)).toEqual(["$schema", ...SETTING_NAMES]);
    expect(schema).toMatchObject({ additionalProperties: false });
    expect(schema.properties["blockWaitMs"]).toMatchObject({ type: "integer", minimum: 0, maximum: 1000, default: 5 });
    for (const name of SETTING_NAMES) {
      expect(schema.properties[name]?.["description"]).toContain(SETTINGS[name].reason);
      expect(schema.properties[name]?.["description"]).toMatch(/Environment: [A-Z_]+\.$/);
    }
    // What depends on the machine would make the file another one on each.
    expect(schema.properties["instance"]).not.toHaveProperty("default");
  });

  test("$schema may stand in the file, as text", () => {
    write("millrace.yaml", "$schema: ./config.schema.json\nblockWaitMs: 7\n");
    expect(valid({}).blockWaitMs).toBe(7);
    write("millrace.yaml", "$schema: [1]\n");
    expect(faults({})).toEqual(["millrace.yaml:1:10: $schema: expected the address of a JSON Schema"]);
  });
});

describe("docs/examples/millrace.yaml", () => {
  const path = join(ROOT, "docs", "examples", "millrace.yaml");
  const text = readFileSync(path, "utf8");

  test("passes the check as it stands, with the password from the environment", () => {
    expect(valid({ MILLRACE_KAFKA_PASSWORD: "x" }, path)).toMatchObject({ kafkaSasl: "scram-sha-512", httpPort: 9400 });
  });

  test("and with every line that is commented out put in", () => {
    const there = (value: string): string => (value.startsWith("/") ? write(value.replaceAll("/", "_"), "x") : value);
    const whole = text.replace(/^# ([a-zA-Z]+): (\[.*?\]|\S+).*$/gm, (line, key: string, value: string) =>
      Object.hasOwn(SETTINGS, key) ? `${key}: ${there(value)}` : line,
    );
    expect(whole).not.toBe(text);
    expect(valid({}, write("whole.yaml", whole)).kafkaPasswordFile).toContain("kafka-password");
  });

  test("points to the schema that is there", () => {
    const [, target = ""] = /^\$schema: (\S+)$/m.exec(text) ?? [];
    expect(readFileSync(join(path, "..", target), "utf8")).toContain("millrace");
  });
});

test.each([
  ["auto", "postgres://a@localhost:5432/d", false],
  ["auto", "postgres://a@127.0.0.1/d", false],
  ["auto", "postgres://a@[::1]/d", false],
  ["auto", "postgres:///d?host=/run/postgresql", false],
  ["auto", "postgres://a@db.example.com/d", true],
  ["auto", "postgres://a@localhost/d?host=db", true],
  ["required", "postgres://a@localhost/d", true],
  ["optional", "postgres://a@db.example.com/d", false],
] as const)("standby %s and %s: a standby is asked for: %s", (standby, url, expected) => {
  expect(needsStandby(standby, url)).toBe(expected);
});
