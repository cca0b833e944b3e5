// millrace doctor: every dependency and setting, and what to do about each. It looks and changes nothing.

import type { Command } from "commander";
import { type Config, topicNames } from "../config.ts";
import type { Addresses } from "./addresses.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT, type ExitCode, endingOf } from "./exit.ts";
import type { Output } from "./output.ts";

/** `found` says what is there; `remedy` what to do about it, empty when all is well. */
type Finding = { readonly check: string; readonly ok: boolean; readonly found: string; readonly remedy: string };

const MIGRATE = "run `millrace migrate`";
const UNDEFINED_TABLE = "42P01";

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("doctor")
    .summary("check every dependency and setting")
    .description("Checks settings, Kafka, Postgres and registry, and says what to do about each that is not well.")
    .action(() => examine(context));
  withExamples(verb, "millrace doctor", "millrace doctor --json");
}

async function examine(context: CliContext): Promise<void> {
  const { out } = context;
  const doctor = new Doctor(out);
  const config = await doctor.check("settings", async () => {
    const read = await context.config();
    return { value: read, found: "all valid; see them with: millrace config explain" };
  });
  const addresses =
    config &&
    (await doctor.check("addresses", async () => {
      const picked = await context.addresses(config);
      return { value: picked, found: picked.kafkaBrokers.join(",") };
    }));
  if (config && addresses) {
    const lanes = await checkPostgres(doctor, config, addresses);
    await checkKafka(doctor, config, addresses, lanes);
    await checkRegistry(doctor, config, addresses);
  } else if (config) await checkLocalTools(doctor);
  if (doctor.worst !== EXIT.ok) throw new CommandFailed(doctor.worst, "");
}

/** Runs checks one after another, prints each finding, remembers how bad it is. */
class Doctor {
  worst: ExitCode = EXIT.ok;
  readonly #out: Output;

  constructor(out: Output) {
    this.#out = out;
  }

  /** @returns what the check found out, or null when it failed */
  async check<T>(name: string, look: () => Promise<{ readonly value: T; readonly found: string }>): Promise<T | null> {
    try {
      const { value, found } = await look();
      this.#print({ check: name, ok: true, found, remedy: "" });
      return value;
    } catch (error) {
      const { exitCode, lines } = endingOf(error);
      // The first failure names the exit code: what comes after it is often its consequence.
      if (this.worst === EXIT.ok) this.worst = exitCode;
      const [found = "failed", ...remedies] = lines;
      this.#print({ check: name, ok: false, found, remedy: remedies.join("\n") });
      return null;
    }
  }

  #print(finding: Finding): void {
    const mark = finding.ok ? this.#out.paint("green", "ok  ") : this.#out.paint("red", "bad ");
    const remedy = finding.remedy.split("\n").map((line) => (line === "" ? "" : `\n          ${line}`));
    this.#out.row(finding, `${mark} ${finding.check.padEnd(10)} ${finding.found}${remedy.join("")}`);
  }
}

async function checkPostgres(doctor: Doctor, config: Config, { databaseUrl }: Addresses): Promise<number | null> {
  const { connect, sqlState } = await import("../store/database.ts");
  const { countLanes } = await import("../store/setup.ts");
  return doctor.check("postgres", async () => {
    const { connectTimeoutMs, statementTimeoutMs, lockTimeoutMs } = config;
    const limits = { connectTimeoutMs, statementTimeoutMs, lockTimeoutMs };
    const connection = await connect(
      { url: databaseUrl, role: null, applicationName: "millrace doctor", ...limits },
      "tool",
    );
    try {
      const lanes = await countLanes(connection);
      if (lanes === 0) throw new CommandFailed(EXIT.failed, `there are no lanes yet\n${MIGRATE}`);
      return { value: lanes, found: `reached, ${lanes} lanes` };
    } catch (error) {
      if (sqlState(error) !== UNDEFINED_TABLE) throw error;
      throw new CommandFailed(EXIT.failed, `reached, but it has no ledger yet\n${MIGRATE}`);
    } finally {
      await connection.close();
    }
  });
}

/** @param lanes as the database has them, null when that could not be asked */
async function checkKafka(doctor: Doctor, config: Config, addresses: Addresses, lanes: number | null): Promise<void> {
  const { openAdmin } = await import("../kafka/admin.ts");
  const { quietKafka } = await import("./kafka-settings.ts");
  const topics = topicNames(config);
  await doctor.check("kafka", async () => {
    const admin = await openAdmin(quietKafka(addresses.kafkaBrokers, "doctor"));
    try {
      const counts = await admin.partitionCounts(Object.values(topics));
      const missing = Object.values(topics).filter((topic) => !counts.has(topic));
      if (missing.length > 0)
        throw new CommandFailed(EXIT.failed, `reached, without ${missing.join(", ")}\n${MIGRATE}`);
      const odd = [...counts].filter(([, partitions]) => lanes !== null && partitions !== lanes);
      if (odd.length > 0) {
        const found = odd.map(([topic, partitions]) => `${topic} has ${partitions} partitions`).join(", ");
        throw new CommandFailed(
          EXIT.failed,
          `${found}, expected ${lanes}, one a lane\nrestore the number of partitions`,
        );
      }
      const clock = (await admin.topicSettings(topics.intents)).get("message.timestamp.type");
      if (clock !== "LogAppendTime") {
        const remedy = `set message.timestamp.type=LogAppendTime on ${topics.intents}`;
        throw new CommandFailed(EXIT.failed, `${topics.intents} stamps records with ${clock}\n${remedy}`);
      }
      return { value: counts, found: `reached, ${counts.size} topics` };
    } finally {
      await admin.close();
    }
  });
}

async function checkRegistry(doctor: Doctor, config: Config, { schemaRegistryUrl }: Addresses): Promise<void> {
  const { openRegistry } = await import("../kafka/registry.ts");
  await doctor.check("registry", async () => {
    // Whether it knows the first schema does not matter: only an answer does.
    const registry = openRegistry({ url: schemaRegistryUrl, timeoutMs: config.connectTimeoutMs });
    const first = await registry.schemaById(1);
    return { value: first, found: first === null ? "reached, without any schema" : "reached" };
  });
}

/** What `millrace stack up` would need: asked only when nothing else is configured. */
async function checkLocalTools(doctor: Doctor): Promise<void> {
  const { findJava, findMaven } = await import("../stack/toolchain.ts");
  await doctor.check("java", async () => ({ value: true, found: findJava() }));
  await doctor.check("maven", async () => ({ value: true, found: findMaven() }));
}
