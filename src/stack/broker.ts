// A real Apache Kafka broker in KRaft mode: one JVM that is broker and controller.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kafkaJars } from "./jars.ts";
import type { NativePart, Site } from "./part.ts";
import { claimFolder } from "./places.ts";
import { freePort, HOST } from "./ports.ts";
import { launch, type ProcessMark, processesNaming, runToEnd } from "./processes.ts";
import { findJava } from "./toolchain.ts";
import { StackUnavailable } from "./unavailable.ts";

const placeOf = (dir: string): string => join(dir, "kafka");
const logOf = (dir: string): string => join(placeOf(dir), "kafka.log");

// The JIT is left whole: stopping at its first tier starts faster, but then every load figure is of another broker.
const JVM_FLAGS = ["-Xms128m", "-Xmx512m", "-Xshare:auto", "-Djava.awt.headless=true"];
const LOG_FLAGS = [
  "-Dorg.slf4j.simpleLogger.showDateTime=true",
  "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
];

// All paths are relative to the working directory: the folder's own name may then hold commas, which separate log
// folders, and letters beyond Latin-1, which a properties file cannot. The locale lets Java find such a folder at all.
const PROPERTIES = "server.properties";
const DATA = "data";
const environment = (): NodeJS.ProcessEnv => ({ ...process.env, LC_ALL: "C.UTF-8" });

/** Means nothing to Java; it marks the processes of this folder. */
const markFlag = (dir: string): string => `-Dmillrace.stack=${dir}`;

export type BrokerPlaces = {
  /** the address that its sockets are bound to */
  readonly bindHost: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly dataDir: string;
};

/** The broker's settings, in Kafka's own names. */
export function brokerSettings(places: BrokerPlaces): Record<string, string | number | boolean> {
  const { bindHost, port, controllerPort, dataDir } = places;
  return {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@${HOST}:${controllerPort}`,
    listeners: `PLAINTEXT://${bindHost}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://${HOST}:${port}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": dataDir,
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
}

async function prepare(site: Site): Promise<void> {
  claimFolder(placeOf(site.dir));
  await kafkaJars(placeOf(site.dir), site.say);
}

async function launchBroker(site: Site, port: number): Promise<ProcessMark> {
  const cwd = placeOf(site.dir);
  const java = findJava();
  const common = [markFlag(site.dir), "-XX:+UseSerialGC", "-cp", join(await kafkaJars(cwd, site.say), "*")];
  const places = { bindHost: HOST, port, controllerPort: await freePort(), dataDir: DATA };
  const settings = Object.entries(brokerSettings(places)).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(cwd, PROPERTIES), settings.join(""));
  await format(cwd, java, common);
  return launch({
    command: java,
    args: [...JVM_FLAGS, ...LOG_FLAGS, ...common, "kafka.Kafka", PROPERTIES],
    cwd,
    env: environment(),
    logFile: logOf(site.dir),
    as: null,
  });
}

/** Writes the metadata of an empty log folder. A folder that was half formatted holds no records yet: it is redone. */
async function format(cwd: string, java: string, common: readonly string[]): Promise<void> {
  const formatted = join(cwd, "formatted");
  if (existsSync(formatted)) return;
  rmSync(join(cwd, DATA), { recursive: true, force: true });
  const tool = ["-XX:TieredStopAtLevel=1", ...common, "kafka.tools.StorageTool", "format", "-t", clusterId()];
  const done = await runToEnd(java, [...tool, "-c", PROPERTIES], { cwd, env: environment() });
  if (done.status !== 0) {
    throw new StackUnavailable(`Kafka could not format ${join(cwd, DATA)} (${done.output.trim()})`, "free that folder");
  }
  writeFileSync(formatted, "");
}

// As StorageTool's `random-uuid`, without the second it takes: 16 bytes in URL-safe base64, not beginning with a dash.
export function clusterId(): string {
  const id = randomBytes(16).toString("base64url");
  return id.startsWith("-") ? clusterId() : id;
}

// Said once the controller has let the broker in; an open port comes earlier, while it still answers with no leaders.
export const STARTED = "Kafka Server started";

export const BROKER: NativePart = {
  name: "kafka",
  title: "the Kafka broker",
  stopSignal: "SIGTERM",
  stopGraceMs: 20_000,
  logFile: logOf,
  prepare,
  launch: launchBroker,
  isReady: async (site) => readFileSync(logOf(site.dir), "utf8").includes(STARTED),
  strays: (dir) => processesNaming(markFlag(dir)),
};
