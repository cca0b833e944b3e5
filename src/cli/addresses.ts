// Where Kafka, Postgres and the registry are: as configured, or a local stack that runs.

import type { Config } from "../config/config.ts";
import { urlWithPassword } from "../config/secrets.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import type { Output } from "./output.ts";

export type AddressName = "kafkaBrokers" | "databaseUrl" | "schemaRegistryUrl";

/** One that is neither configured nor needed is empty. */
export type Addresses = {
  readonly kafkaBrokers: readonly string[];
  readonly databaseUrl: string;
  readonly schemaRegistryUrl: string;
};

type AddressSettings = Pick<Config, AddressName | "databasePasswordFile" | "schemaRegistryPasswordFile">;

const ENVIRONMENT: Record<AddressName, string> = {
  kafkaBrokers: "KAFKA_BROKERS",
  databaseUrl: "DATABASE_URL",
  schemaRegistryUrl: "SCHEMA_REGISTRY_URL",
};
const ALL = ["kafkaBrokers", "databaseUrl", "schemaRegistryUrl"] as const;

/** @param need those that the verb uses
 *  @throws CommandFailed 2 when some of them are configured and some are not, 3 when none is and no stack runs */
export async function resolveAddresses(
  config: AddressSettings,
  out: Output,
  need: readonly AddressName[] = ALL,
): Promise<Addresses> {
  const given: Addresses = {
    kafkaBrokers: config.kafkaBrokers,
    databaseUrl: urlWithPassword(config.databaseUrl ?? "", config.databasePasswordFile),
    schemaRegistryUrl: urlWithPassword(config.schemaRegistryUrl ?? "", config.schemaRegistryPasswordFile),
  };
  const missing = need.filter((name) => given[name].length === 0);
  if (missing.length === 0) {
    out.note(`using ${need.map((name) => printAddress(given[name])).join(", ")}`);
    return given;
  }
  const configured = ALL.filter((name) => given[name].length > 0);
  if (configured.length === 0) return runningStack(out, need);
  // Filling up from the local stack would join somebody's Kafka with a database on this machine.
  const message = `configured: ${named(configured)}; not configured: ${named(missing)}; configure all of them, or none to use the local stack`;
  throw new CommandFailed(EXIT.usage, message);
}

async function runningStack(out: Output, need: readonly AddressName[]): Promise<Addresses> {
  const { stackStatus } = await import("../stack/stack.ts");
  const { dir, mode, parts, info } = await stackStatus({});
  if (info !== null) {
    out.note(`using the local stack in ${dir} (${info.mode})`);
    return { ...info, kafkaBrokers: info.kafkaBrokers.split(",") };
  }
  const dead = Object.entries(parts).filter(([, part]) => !part.running);
  const found =
    mode === null || dead.length === Object.keys(parts).length
      ? `no local stack runs in ${dir}`
      : `the local stack in ${dir} is not whole: ${dead.map(([name]) => name).join(" and ")} does not answer`;
  const remedy = `start it with \`millrace stack up\`, or set ${need.map((name) => ENVIRONMENT[name]).join(", ")}`;
  throw new CommandFailed(EXIT.unreachable, `not configured: ${named(need)}; ${found}; ${remedy}`);
}

function named(names: readonly AddressName[]): string {
  return names.map((name) => `${name} (${ENVIRONMENT[name]})`).join(", ");
}

/** Without user and password. */
function printAddress(address: string | readonly string[]): string {
  if (typeof address !== "string") return address.join(",");
  const { protocol, host, pathname } = new URL(address);
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}
