// Which kind of stack this machine can have: what the environment names, else native, else Docker.
import { postgresPackage } from "./binaries.ts";
import { engineObstacle } from "./containers.ts";
import { jarsAreCached } from "./jars.ts";
import type { StackState } from "./state.ts";
import { findJava, findMaven } from "./toolchain.ts";
import { StackUnavailable } from "./unavailable.ts";

const NAMES = ["KAFKA_BROKERS", "DATABASE_URL", "SCHEMA_REGISTRY_URL"] as const;

export type Addresses = {
  readonly kafkaBrokers: string;
  readonly databaseUrl: string;
  readonly schemaRegistryUrl: string;
};

/** @returns the three addresses when the environment names all of them, else null; naming only some is said */
export function namedByEnvironment(say: (line: string) => void): Addresses | null {
  const [kafkaBrokers, databaseUrl, schemaRegistryUrl] = NAMES.map((name) => process.env[name] || undefined);
  if (kafkaBrokers !== undefined && databaseUrl !== undefined && schemaRegistryUrl !== undefined) {
    return { kafkaBrokers, databaseUrl, schemaRegistryUrl };
  }
  const given = NAMES.filter((name) => process.env[name]);
  const missing = NAMES.filter((name) => !process.env[name]);
  if (given.length > 0) say(`${given.join(" and ")} in the environment is not used without ${missing.join(" and ")}`);
  return null;
}

/** The mode of a stack that does not exist yet.
 *  @throws StackUnavailable when this machine can have none, with what is missing for each */
export async function chooseMode(say: (line: string) => void): Promise<StackState["mode"]> {
  const native = nativeObstacle();
  if (native === null) {
    say("the stack is native: an Apache Kafka broker by Java, a Postgres server, a schema registry");
    return "native";
  }
  if ((await engineObstacle()) === null) {
    say(`the stack runs in Docker, since ${native.problem}`);
    return "docker";
  }
  throw new StackUnavailable(
    `no local stack can be started, since ${native.problem} and no Docker engine answers`,
    `${native.remedy}, or start Docker, or name ${NAMES.join(", ")} in the environment`,
  );
}

function nativeObstacle(): StackUnavailable | null {
  if (process.platform === "win32") {
    return new StackUnavailable("the native stack does not run on Windows", "use it in WSL");
  }
  try {
    findJava();
    if (!jarsAreCached()) findMaven();
    postgresPackage();
    return null;
  } catch (error) {
    if (error instanceof StackUnavailable) return error;
    throw error;
  }
}
