import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type ConfigSources,
  type LoadedConfig,
  loadConfig,
  printConfigFault,
  topicNames,
} from "../../src/config/config.ts";
import type { Setting } from "../../src/config/kinds.ts";
import { environmentName, SETTING_NAMES, SETTINGS } from "../../src/config/settings.ts";
import { nearestName } from "../../src/config/suggest.ts";
import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX, bytesInBatch } from "../../src/kafka/appender.ts";

let workingDir: string;
beforeEach(() => {
  workingDir = mkdtempSync(join(tmpdir(), "millrace-config-"));
});
afterEach(() => rmSync(workingDir, { recursive: true, force: true }));

function load(over: Partial<ConfigSources> = {}): LoadedConfig {
  return loadConfig({ file: null, environment: {}, flags: [], workingDir, ...over });
}

function valid(over: Partial<ConfigSources> = {}) {
  const loaded = load(over);
  if (loaded.kind === "invalid") throw new Error(loaded.faults.map(printConfigFault).join("\n"));
  return loaded;
}

function faults(over: Partial<ConfigSources> = {}): readonly string[] {
  const loaded = load(over);
  return loaded.kind === "invalid" ? loaded.faults.map(printConfigFault) : [];
}

function writeConfig(...lines: readonly string[]): void {
  writeFileSync(join(workingDir, "millrace.yaml"), `${lines.join("\n")}\n`);
}

describe("what is wrong is told at once", () => {
  test("a file with five errors shows all five with line and column", () => {
    writeConfig(
      "topicPrefix: shop.",
      "blockRowMax: 10",
      "blockWaitMs: soon",
      "leaseTtlMs: 5",
      "logLevel: loud",
      "fetchWaitMs: 50",
      "fetchWaitMs: 60",
    );
    expect(faults()).toEqual([
      "millrace.yaml:2:1: found blockRowMax, expected a setting; did you mean blockRowsMax?",
      'millrace.yaml:3:14: blockWaitMs: found "soon", expected a whole number of milliseconds from 0 to 1000',
      "millrace.yaml:4:13: leaseTtlMs: found 5, expected a whole number of milliseconds from 500 to 60000",
      'millrace.yaml:5:11: logLevel: found "loud", expected one of error, warn, info, debug',
      expect.stringMatching(/^millrace\.yaml:7:1: .*fetchWaitMs.* twice.*line 6/),
    ]);
  });

  test("faults of file, environment and flags come together, each with its place", () => {
    writeConfig("blockRowsMax: 0");
    const told = faults({
      environment: { MILLRACE_BLOCK_WAIT_MS: "-1", KAFKA_BROKERS: "localhost" },
      flags: [{ setting: "httpPort", flag: "--http-port", text: "70000" }],
    });
    expect(told).toEqual([
      "millrace.yaml:1:15: blockRowsMax: found 0, expected a whole number of inputs from 1 to 20000",
      "environment MILLRACE_BLOCK_WAIT_MS: blockWaitMs: found -1, expected a whole number of milliseconds from 0 to 1000",
      'environment KAFKA_BROKERS: kafkaBrokers: found "localhost", expected host:port, or several separated by commas',
      "--http-port: httpPort: found 70000, expected a whole number from 0 to 65535",
    ]);
  });

  test("every kind of fault of every source is told in one go, those of the file in reading order", () => {
    writeConfig(
      "$schema: ./config.schema.json",
      "blockRowMax: 10",
      "logPretty: yes",
      "roles: [lanes, cooks]",
      "blockBytesMax: 1",
      "leaseTtlMs: 500",
      "leaseTickMs: 200",
      "kafkaTlsCaFile: ca.pem",
      "kafkaUser: ann",
      "topicPrefix: a",
      "topicPrefix: b",
    );
    const told = faults({
      environment: { MILLRACE_LOG_LEVEL: "loud", MILLRACE_KAFKA_SASL: "kerberos" },
      flags: [{ setting: "httpPort", flag: "--http-port", text: "x" }],
    });
    expect(told.map((line) => line.split(": ")[0])).toEqual([
      "millrace.yaml:2:1", // unknown
      "millrace.yaml:3:12", // doubtful YAML
      "millrace.yaml:4:8", // not one of the names
      "millrace.yaml:5:16", // out of bounds
      "millrace.yaml:6:13", // a rule between two settings
      "millrace.yaml:8:17", // a file that is not there
      "millrace.yaml:11:1", // given twice
      "environment MILLRACE_LOG_LEVEL",
      "environment MILLRACE_KAFKA_SASL",
      "--http-port",
    ]);
  });

  test("a value that a stronger source hides is checked all the same", () => {
    writeConfig("blockRowsMax: many");
    expect(faults({ environment: { MILLRACE_BLOCK_ROWS_MAX: "5" } })).toHaveLength(1);
  });

  test("a password in an address is never repeated", () => {
    const told = faults({ environment: { DATABASE_URL: "mysql://root:hunter2@db" } });
    expect(told).toHaveLength(1);
    expect(told.join()).not.toContain("hunter2");
  });

  test("settings that contradict each other are told with both values and origins", () => {
    writeConfig("leaseTtlMs: 500", "leaseTickMs: 200");
    expect(faults()).toEqual([
      "millrace.yaml:1:13: found leaseTtlMs 500 (millrace.yaml:1:13) and leaseTickMs 200 (millrace.yaml:2:14), expected " +
        "leaseTtlMs to be at least five times leaseTickMs, or one slow tick loses the lanes",
    ]);
  });

  test("a value of the wrong shape, an empty one and text for a number are refused", () => {
    writeConfig("blockRowsMax: [1]", "topicPrefix:", 'blockWaitMs: "5"', "roles: []");
    expect(faults()).toEqual([
      "millrace.yaml:1:15: blockRowsMax: found a list, expected a whole number of inputs from 1 to 20000",
      expect.stringContaining("topicPrefix: found nothing, expected at most 64"),
      'millrace.yaml:3:14: blockWaitMs: found "5", expected a whole number of milliseconds from 0 to 1000',
      expect.stringContaining("expected one or more of lanes"),
    ]);
  });

  test("a value that YAML itself calls doubtful is told once", () => {
    writeConfig("logPretty: yes");
    expect(faults()).toHaveLength(1);
  });

  test("broken syntax has its place; what else is wrong in the environment is told with it", () => {
    writeConfig("blockRowsMax: [1");
    const told = faults({ environment: { MILLRACE_LOG_LEVEL: "loud" } });
    expect(told.length).toBeGreaterThanOrEqual(2);
    expect(told[0]).toMatch(/^millrace\.yaml:\d+:\d+: /);
  });

  test("a named file that is not there is a fault; no millrace.yaml is none", () => {
    expect(faults({ file: "other.yaml" })).toEqual(["other.yaml: cannot be read (ENOENT), expected a readable file"]);
    expect(faults()).toEqual([]);
  });

  test("a file that is no map says so", () => {
    writeConfig("- blockRowsMax");
    expect(faults()).toEqual([expect.stringContaining('expected one "setting: value" a line')]);
  });
});

describe("precedence", () => {
  test("command line before environment before file before default", () => {
    writeConfig("blockRowsMax: 10", "blockWaitMs: 20", "fetchWaitMs: 30");
    const { config, origins } = valid({
      environment: { MILLRACE_BLOCK_ROWS_MAX: "11", MILLRACE_BLOCK_WAIT_MS: "21" },
      flags: [{ setting: "blockRowsMax", flag: "--rows", text: "12" }],
    });
    expect([config.blockRowsMax, config.blockWaitMs, config.fetchWaitMs, config.leaseTtlMs]).toEqual([
      12, 21, 30, 6000,
    ]);
    expect(
      ["blockRowsMax", "blockWaitMs", "fetchWaitMs", "leaseTtlMs"].map((name) => origins.get(name as never)?.kind),
    ).toEqual(["flag", "environment", "file", "default"]);
  });

  test("an empty environment variable counts as unset", () => {
    expect(valid({ environment: { DATABASE_URL: "", KAFKA_BROKERS: "" } }).config.databaseUrl).toBeNull();
  });

  test("an unknown MILLRACE_ name is a warning with the nearest name", () => {
    const { warnings } = valid({ environment: { MILLRACE_BLOCKROWS_MAX: "1", OTHER: "x" } });
    expect(warnings).toEqual([
      "environment MILLRACE_BLOCKROWS_MAX: no such setting; did you mean MILLRACE_BLOCK_ROWS_MAX?",
    ]);
  });
});

describe("values", () => {
  test("lists may be a YAML list or text with commas", () => {
    writeConfig("kafkaBrokers:", "  - a:9092", "  - b:9092");
    expect(valid().config.kafkaBrokers).toEqual(["a:9092", "b:9092"]);
    writeConfig("kafkaBrokers: a:9092, b:9092");
    expect(valid().config.kafkaBrokers).toEqual(["a:9092", "b:9092"]);
    expect(valid({ environment: { KAFKA_BROKERS: "c:1,[::1]:2" } }).config.kafkaBrokers).toEqual(["c:1", "[::1]:2"]);
  });

  test("paths start from the file that names them, flows follow schemas", () => {
    mkdirSync(join(workingDir, "etc"));
    writeFileSync(join(workingDir, "etc", "m.yaml"), "schemasDir: declared\n");
    const { config } = valid({ file: "etc/m.yaml" });
    expect(config.schemasDir).toBe(join(workingDir, "etc", "declared"));
    expect(config.flowsDir).toBe(join(workingDir, "etc", "declared", "flows"));
    const own = valid().config;
    expect(own.schemasDir).toBe(join(import.meta.dirname, "..", "..", "schemas"));
  });

  test("booleans, and a config that nobody can change afterwards", () => {
    const { config } = valid({ environment: { MILLRACE_LOG_PRETTY: "1" } });
    expect(config.logPretty).toBe(true);
    expect(Object.isFrozen(config) && Object.isFrozen(config.roles) && Object.isFrozen(config.kafkaBrokers)).toBe(true);
  });

  test("a truth is one of its words, and no name that every object has", () => {
    for (const text of ["constructor", "__proto__", "yes"])
      expect(faults({ environment: { MILLRACE_LOG_PRETTY: text } })).toEqual([expect.stringMatching(/true or false/)]);
  });

  test("topic names carry the prefix", () => {
    expect(topicNames({ topicPrefix: "a." })).toEqual({
      intents: "a.payments.public.intents.v1",
      outcomes: "a.payments.public.outcomes.v1",
      deadLetters: "a.payments.public.intents.v1-dlt",
      commands: "a.payments.internal.commands.v1",
      reports: "a.payments.internal.reports.v1",
    });
  });
});

describe("the table of settings", () => {
  test.each(SETTING_NAMES)("%s: the default passes, the reason is a sentence, a wrong value is refused", (name) => {
    const setting: Setting<unknown> = SETTINGS[name];
    const unset = setting.default === null || setting.default === "" || String(setting.default) === "";
    if (!unset) expect(setting.check.safeParse(setting.default).success).toBe(true);
    expect(setting.reason).toMatch(/^[A-Z].*\.$/s);
    expect(setting.check.safeParse({ a: 1 }).success).toBe(false);
  });

  test.each(SETTING_NAMES.filter((name) => typeof SETTINGS[name].default === "number"))(
    "%s keeps its bounds",
    (name) => {
      const [, min, max] = /from (\d+) to (\d+)$/.exec(SETTINGS[name].expected) ?? [];
      const accepts = (value: number) => SETTINGS[name].check.safeParse(value).success;
      expect([Number(min) - 1, Number(min), Number(max), Number(max) + 1, Number(min) + 0.5].map(accepts)).toEqual([
        false,
        true,
        true,
        false,
        false,
      ]);
    },
  );

  test("no batch of the relay is larger than what an append takes: it would stop the process", () => {
    expect(SETTINGS.relayBatchRecordsMax.json["maximum"]).toBeLessThanOrEqual(BATCH_RECORDS_MAX);
    const header = bytesInBatch([]);
    expect(SETTINGS.relayBatchBytesMax.json["maximum"]).toBeLessThanOrEqual(BATCH_BYTES_MAX - header);
  });

  test("environment names follow from the names", () => {
    expect(environmentName("blockRowsMax")).toBe("MILLRACE_BLOCK_ROWS_MAX");
    expect(environmentName("databaseUrl")).toBe("DATABASE_URL");
    expect(new Set(SETTING_NAMES.map(environmentName)).size).toBe(SETTING_NAMES.length);
  });

  test("a name too far from all others gets no suggestion", () => {
    expect(nearestName("blockrowsmax", SETTING_NAMES)).toBe("blockRowsMax");
    expect(nearestName("frobnicate", SETTING_NAMES)).toBeNull();
  });
});
