// A real Apache Kafka broker in KRaft mode: one JVM that is broker and controller.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kafkaJars } from "./jars.ts";
import type { NativePart, Site } from "./part.ts";
import { freePort, HOST } from "./ports.ts";
import { launch, type ProcessMark, processesNaming, runToEnd } from "./processes.ts";
import { findJava } from "./toolchain.ts";
import { StackUnavailable } from "./unavailable.ts";

const placeOf = (dir: string): string => join(dir, "kafka");
const propertiesOf = (dir: string): string => join(placeOf(dir), "server.properties");
const dataOf = (dir: string): string => join(placeOf(dir), "data");
const logOf = (dir: string): string => join(placeOf(dir), "kafka.log");

// The JIT is left whole: stopping at its first tier starts faster, but then every load figure is of another broker.
const JVM_FLAGS = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto", "-Djava.awt.headless=true"];
const LOG_FLAGS = [
  "-Dorg.slf4j.simpleLogger.showDateTime=true",
  "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
];

function properties(dir: string, port: number, controllerPort: number): string {
  const settings: Record<string, string | number | boolean> = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@${HOST}:${controllerPort}`,
    listeners: `PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://${HOST}:${port}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": dataOf(dir),
    "auto.create.topics.enable": false,
    // One node: internal topics cannot have more replicas. One partition each, since fifty are the slow part of the
    // first use of a coordinator.
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "num.network.threads": 2,
    "num.io.threads": 4,
    // The default takes 128 MB of a 512 MB heap; the broker asks for more than 1 MiB per cleaner thread.
    "log.cleaner.dedupe.buffer.size": 2_097_153,
    "log.retention.check.interval.ms": 60_000,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    // With the default session of 9 s a broker that was killed is refused until its old session has run out.
    "broker.session.timeout.ms": 2_000,
    "broker.heartbeat.interval.ms": 500,
  };
  return `${Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join("\n")}\n`;
}

async function prepare(site: Site): Promise<void> {
  findJava();
  await kafkaJars(placeOf(site.dir), site.say);
}

async function launchBroker(site: Site, port: number): Promise<ProcessMark> {
  const java = findJava();
  const classPath = join(await kafkaJars(placeOf(site.dir), site.say), "*");
  mkdirSync(placeOf(site.dir), { recursive: true });
  writeFileSync(propertiesOf(site.dir), properties(site.dir, port, await freePort()));
  await format(site.dir, java, classPath);
  return launch({
    command: java,
    args: [...JVM_FLAGS, ...LOG_FLAGS, "-cp", classPath, "kafka.Kafka", propertiesOf(site.dir)],
    cwd: placeOf(site.dir),
    env: process.env,
    logFile: logOf(site.dir),
    as: null,
  });
}

/** Writes the metadata of an empty log folder. A folder that was half formatted holds no records yet: it is redone. */
async function format(dir: string, java: string, classPath: string): Promise<void> {
  const formatted = join(placeOf(dir), "formatted");
  if (existsSync(formatted)) return;
  rmSync(dataOf(dir), { recursive: true, force: true });
  const tool = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classPath, "kafka.tools.StorageTool"];
  const done = await runToEnd(java, [...tool, "format", "-t", clusterId(), "-c", propertiesOf(dir)], {});
  if (done.status !== 0) {
    throw new StackUnavailable(`Kafka could not format ${dataOf(dir)} (${done.output.trim()})`, "free that folder");
  }
  writeFileSync(formatted, "");
}

// As StorageTool's `random-uuid`, without the second it takes: 16 bytes in URL-safe base64, not beginning with a dash.
function clusterId(): string {
  const id = randomBytes(16).toString("base64url");
  return id.startsWith("-") ? clusterId() : id;
}

// Said once the controller has let the broker in; an open port comes earlier, while it still answers with no leaders.
const STARTED = "Kafka Server started";

export const BROKER: NativePart = {
  name: "kafka",
  title: "the Kafka broker",
  portOption: "--kafka-port",
  stopSignal: "SIGTERM",
  stopGraceMs: 20_000,
  logFile: logOf,
  prepare,
  launch: launchBroker,
  isReady: async (site) => readFileSync(logOf(site.dir), "utf8").includes(STARTED),
  strays: (dir) => processesNaming(propertiesOf(dir)),
};
