// millrace doctor: every dependency and setting, and what to do about each. It looks and changes nothing.

import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { type CliContext, withExamples } from "./context.ts";
import { Doctor } from "./doctor-report.ts";
import { CommandFailed, EXIT } from "./exit.ts";

/** `engines` of package.json. */
const NODE_MIN = [20, 19] as const;

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("doctor")
    .summary("check every dependency and setting")
    .description(
      [
        "Checks Node, settings, Postgres with what `migrate` and `run` keep in it, Kafka with its topics, the schema registry,",
        "clocks and halted lanes, and says what to do about each that is not well. Changes nothing. Exit 1 when something is",
        "not well, 3 when something cannot be reached.",
      ].join(" "),
    )
    .action(() => examine(context));
  withExamples(verb, "millrace doctor", "millrace doctor --json");
}

async function examine(context: CliContext): Promise<void> {
  const doctor = new Doctor(context.out);
  await checkNode(doctor);
  const config = await doctor.check("settings", async () => {
    const read = await context.config();
    return { value: read, found: "all valid; see them with: millrace config explain" };
  });
  if (config?.providers.includes("script") === true) await warnOfScript(doctor);
  if (config?.providers.some((name) => name !== "script") === true) await checkProviders(doctor, config);
  if (config !== null) await checkDependencies(context, doctor, config);
  if (doctor.worst !== EXIT.ok) throw new CommandFailed(doctor.worst, "");
}

/** Nothing is wrong with it where it is meant, so it is said and not judged. */
async function warnOfScript(doctor: Doctor): Promise<void> {
  const found = "the provider script answers for payment providers: no money moves, so never in production";
  await doctor.check("providers", async () => ({ value: true, found }));
}

/** That they are told of, and where their secrets are: whether those are right only they can say. */
async function checkProviders(doctor: Doctor, config: Config): Promise<void> {
  await doctor.check("over http", async () => {
    const { describeProviders } = await import("../service/providers.ts");
    return { value: true, found: describeProviders(config).join("; ") };
  });
}

async function checkNode(doctor: Doctor): Promise<void> {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const isEnough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  const old = { found: `Node ${node}`, remedy: `install Node ${NODE_MIN.join(".")} or newer` };
  await doctor.judge("node", node, isEnough ? null : old);
}

async function checkDependencies(context: CliContext, doctor: Doctor, config: Config): Promise<void> {
  const addresses = await doctor.check("addresses", async () => {
    const picked = await context.addresses(config);
    return { value: picked, found: picked.kafkaBrokers.join(",") };
  });
  if (addresses === null || (await usesNativeStack(config))) await checkLocalTools(doctor);
  if (addresses === null) return;
  // Loaded only now: a doctor who needs every client to say that Node is too old would not get to say it.
  const { checkDatabase } = await import("./doctor-database.ts");
  const { checkKafka, checkRegistry } = await import("./doctor-kafka.ts");
  const lanes = await checkDatabase(doctor, config, addresses.databaseUrl);
  await checkKafka(doctor, config, addresses.kafkaBrokers, lanes);
  await checkRegistry(doctor, config, addresses.schemaRegistryUrl);
}

async function usesNativeStack({ kafkaBrokers, databaseUrl, schemaRegistryUrl }: Config): Promise<boolean> {
  if (kafkaBrokers.length > 0 || databaseUrl !== null || schemaRegistryUrl !== null) return false;
  const { stackStatus } = await import("../stack/stack.ts");
  return (await stackStatus({})).mode === "native";
}

/** What `millrace stack up` needs. Once the broker's jars are here, Maven has done its part. */
async function checkLocalTools(doctor: Doctor): Promise<void> {
  const { findJava, findMaven } = await import("../stack/toolchain.ts");
  const { jarsAreCached } = await import("../stack/jars.ts");
  await doctor.check("java", async () => ({ value: true, found: findJava() }));
  const cached = "not needed any more, the broker's jars are here";
  await doctor.check("maven", async () => ({ value: true, found: jarsAreCached() ? cached : findMaven() }));
}
