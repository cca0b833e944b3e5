// A broker of one's own that lets nobody in without a login or a certificate: what tests of encryption and SASL talk to.
// Made of the same jars as the local stack's, with certificates by `keytool`, which comes with Java.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brokerSettings, clusterId, STARTED } from "../../src/stack/broker.ts";
import { kafkaJars } from "../../src/stack/jars.ts";
import { freePort, HOST } from "../../src/stack/ports.ts";
import { endProcess, isAlive, launch, type ProcessMark, runToEnd } from "../../src/stack/processes.ts";
import { findJava } from "../../src/stack/toolchain.ts";
import { waitFor } from "./wait.ts";

export const USER = "ann";
export const PASSWORD = "ann's secret";
const STORE_PASSWORD = "keystore";
const START_DEADLINE_MS = 90_000;

export type SecureBroker = {
  readonly dir: string;
  /** TLS, and a login by any of the mechanisms */
  readonly saslTls: string;
  /** a login without TLS */
  readonly sasl: string;
  /** TLS, and a certificate of the client's that the broker knows; its name is `localhost` */
  readonly mutualTls: string;
  /** PEM: who vouches for the broker */
  readonly caFile: string;
  /** PEM: a certificate that the broker knows, and its key */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  stop(): Promise<void>;
};

export async function startSecureBroker(): Promise<SecureBroker> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-secure-broker-"));
  const certificates = await makeCertificates(dir);
  const [saslTls, sasl, mutualTls, inner] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const ports = { saslTls, sasl, mutualTls, inner, controller: await freePort() };
  writeFileSync(join(dir, "server.properties"), await properties(ports));
  const jars = ["-XX:+UseSerialGC", "-cp", join(await kafkaJars(dir, () => undefined), "*")];
  const user = `[name=${USER},password=${PASSWORD}]`;
  const scram = ["--add-scram", `SCRAM-SHA-256=${user}`, "--add-scram", `SCRAM-SHA-512=${user}`];
  await tool(dir, [
    ...jars,
    "kafka.tools.StorageTool",
    "format",
    "-t",
    clusterId(),
    "-c",
    "server.properties",
    ...scram,
  ]);
  const mark = await launch({
    command: findJava(),
    args: ["-Xms128m", "-Xmx384m", ...jars, "kafka.Kafka", "server.properties"],
    cwd: dir,
    env: process.env,
    logFile: join(dir, "kafka.log"),
    as: null,
  });
  process.once("exit", () => killAtOnce(mark, dir));
  const log = (): string => readFileSync(join(dir, "kafka.log"), "utf8");
  await waitFor(
    () => `the broker with logins to start; it said ${log().slice(-2000)}`,
    () => log().includes(STARTED) || !isAlive(mark),
    START_DEADLINE_MS,
  );
  return {
    dir,
    saslTls: `${HOST}:${saslTls}`,
    sasl: `${HOST}:${sasl}`,
    mutualTls: `localhost:${mutualTls}`,
    ...certificates,
    stop: async () => {
      await endProcess(mark, "SIGTERM", 20_000);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function killAtOnce(mark: ProcessMark, dir: string): void {
  if (!isAlive(mark)) return;
  process.kill(mark.pid, "SIGKILL");
  rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
}

type Ports = Readonly<Record<"saslTls" | "sasl" | "mutualTls" | "inner" | "controller", number>>;

async function properties(ports: Ports): Promise<string> {
  const places = { bindHost: HOST, port: ports.inner, controllerPort: ports.controller, dataDir: "data" };
  const login = (mechanism: string, module: string, options = ""): [string, string][] =>
    ["sasl_ssl", "sasl_plaintext"].map((listener) => [
      `listener.name.${listener}.${mechanism}.sasl.jaas.config`,
      `org.apache.kafka.common.security.${module} required${options};`,
    ]);
  const outer = [
    `SASL_SSL://${HOST}:${ports.saslTls}`,
    `SASL_PLAINTEXT://${HOST}:${ports.sasl}`,
    `SSL://${HOST}:${ports.mutualTls}`,
  ];
  const usual = brokerSettings(places);
  const settings: Record<string, string | number | boolean> = {
    ...usual,
    listeners: [usual["listeners"], ...outer].join(","),
    "advertised.listeners": [usual["advertised.listeners"], ...outer]
      .join(",")
      .replace(`SSL://${HOST}:${ports.mutualTls}`, `SSL://localhost:${ports.mutualTls}`),
    "listener.security.protocol.map": `${usual["listener.security.protocol.map"]},SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL`,
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    ...Object.fromEntries([
      ...login("plain", "plain.PlainLoginModule", ` user_${USER}="${PASSWORD}"`),
      ...login("scram-sha-256", "scram.ScramLoginModule"),
      ...login("scram-sha-512", "scram.ScramLoginModule"),
    ]),
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.location": "broker.p12",
    "ssl.keystore.password": STORE_PASSWORD,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": "client.pem",
    "listener.name.ssl.ssl.client.auth": "required",
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** A broker's certificate for 127.0.0.1 and localhost, and a client's, each vouching for itself. */
async function makeCertificates(dir: string) {
  const keytool = join(findJava(), "..", "keytool");
  const run = async (command: string, args: readonly string[]): Promise<void> => {
    const done = await runToEnd(command, args, { cwd: dir });
    if (done.status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${done.status}: ${done.output}`);
  };
  const store = ["-keystore", "broker.p12", "-storetype", "PKCS12", "-storepass", STORE_PASSWORD, "-alias", "broker"];
  const names = ["-dname", "CN=broker", "-ext", "SAN=dns:localhost,ip:127.0.0.1", "-ext", "BC=ca:true"];
  await run(keytool, ["-genkeypair", ...store, "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2", ...names]);
  await run(keytool, ["-exportcert", "-rfc", "-file", "broker.pem", ...store]);
  const subject = ["-subj", `/CN=${USER}`, "-days", "2", "-nodes"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  await run("openssl", ["req", "-x509", ...curve, "-keyout", "client.key", "-out", "client.pem", ...subject]);
  const at = (name: string): string => join(dir, name);
  return { caFile: at("broker.pem"), clientCertFile: at("client.pem"), clientKeyFile: at("client.key") };
}

async function tool(cwd: string, args: readonly string[]): Promise<void> {
  const done = await runToEnd(findJava(), ["-XX:TieredStopAtLevel=1", ...args], { cwd });
  if (done.status !== 0) throw new Error(`the log folder could not be formatted: ${done.output}`);
}
