// docker-compose.yml and the Dockerfile against the program: no engine runs them here, so what can be read off is checked.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig, printConfigFault } from "../../src/config/config.ts";
import { environmentName, SETTING_NAMES } from "../../src/config/settings.ts";
import { unknownCommands } from "../support/commands.ts";
import { ROOT } from "../support/source.ts";

const file = (path: string): string => readFileSync(join(ROOT, path), "utf8");

type Service = {
  readonly image?: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
  readonly privileged?: boolean;
  readonly network_mode?: string;
};
const compose = parse(file("docker-compose.yml"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const own = services.filter(([, { build }]) => build !== undefined);
const others = services.filter(([, { build }]) => build === undefined);
const KNOWN = new Set(SETTING_NAMES.map(environmentName));

describe("docker-compose.yml", () => {
  test("has Kafka, Postgres, a registry, the migration and two instances", () => {
    expect(services.map(([name]) => name)).toEqual([
      "kafka",
      "postgres",
      "registry",
      "migrate",
      "millrace-1",
      "millrace-2",
    ]);
  });

  test.each(own)("%s: every setting exists and its value is valid", (_, { environment = {} }) => {
    expect(Object.keys(environment).filter((name) => !KNOWN.has(name))).toEqual([]);
    const loaded = loadConfig({ file: null, environment, flags: [], workingDir: "/" });
    expect(loaded.kind === "invalid" ? loaded.faults.map(printConfigFault) : loaded.warnings).toEqual([]);
  });

  test.each(own)("%s: its command exists, its ports are those that it listens on", async (name, service) => {
    const words = service.command ?? [];
    expect(await unknownCommands([{ text: `millrace ${words.join(" ")}`, words }])).toEqual([]);
    for (const port of service.ports ?? []) {
      expect(port.split(":").at(-1)).toBe(service.environment?.["MILLRACE_HTTP_PORT"]);
    }
    if (words[0] === "run") expect(words).toContain(name);
  });

  test.each(own)("%s: runs without rights, on a file system that it cannot write", (_, service) => {
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(["ALL"]);
    expect([service.privileged, service.network_mode]).toEqual([undefined, undefined]);
  });

  test("addresses lead to services under the ports that they listen on", () => {
    const [, { environment = {} }] = own[0] as [string, Service];
    expect(compose.services["kafka"]?.environment?.["KAFKA_ADVERTISED_LISTENERS"]).toContain(
      `://${environment["KAFKA_BROKERS"]}`,
    );
    const { hostname, port, username, password, pathname } = new URL(environment["DATABASE_URL"] as string);
    expect([hostname, port]).toEqual(["postgres", "5432"]);
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = compose.services[hostname]?.environment ?? {};
    expect([username, password, pathname]).toEqual([POSTGRES_USER, POSTGRES_PASSWORD, `/${POSTGRES_DB}`]);
    const registry = new URL(environment["SCHEMA_REGISTRY_URL"] as string);
    const listener = compose.services[registry.hostname]?.environment?.["SCHEMA_REGISTRY_LISTENERS"];
    expect(new URL(listener as string).port).toBe(registry.port);
  });

  test("images are pinned, and nothing is open to other machines", () => {
    for (const [, { image }] of others) expect(image).toMatch(/^[a-z0-9/.-]+:\d+\.\d+(\.\d+)?$/);
    for (const [, { ports = [] }] of services) for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    const published = services.flatMap(([, { ports = [] }]) => ports.map((port) => port.split(":")[1]));
    expect(new Set(published).size).toBe(published.length);
  });

  test("every service says whether it is well, or runs once; nobody starts before what it needs", () => {
    for (const [name, { healthcheck, depends_on = {} }] of services) {
      const isOnce = healthcheck?.disable === true;
      if (isOnce) expect(compose.services[name]?.restart).toBe("no");
      else expect(healthcheck?.test?.[0]).toBe("CMD");
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        const once = compose.services[needed]?.healthcheck?.disable === true;
        expect(condition).toBe(once ? "service_completed_successfully" : "service_healthy");
      }
    }
    for (const [name] of own.filter(([name]) => name !== "migrate")) {
      const needs = Object.keys(compose.services[name]?.depends_on ?? {}).sort();
      expect(needs).toEqual(["kafka", "migrate", "postgres", "registry"]);
    }
  });

  test("words of commands and health checks are text: an unquoted colon would make a map of one", () => {
    for (const [, { healthcheck, command = [] }] of services) {
      for (const word of [...(healthcheck?.test ?? []), ...command]) expect(typeof word).toBe("string");
    }
    for (const [, { environment = {} }] of services) {
      for (const value of Object.values(environment)) expect(typeof value).toBe("string");
    }
  });

  test("stopping is given longer than draining may take", () => {
    for (const [, { environment = {}, stop_grace_period }] of own) {
      if (stop_grace_period === undefined) continue;
      expect(Number.parseInt(stop_grace_period, 10) * 1000).toBeGreaterThan(
        Number(environment["MILLRACE_STOP_DEADLINE_MS"]),
      );
    }
    expect(own.filter(([, service]) => service.stop_grace_period !== undefined)).toHaveLength(2);
  });

  test("data lies in named volumes that are declared", () => {
    const used = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")[0] as string));
    expect(used.sort()).toEqual(Object.keys(compose.volumes).sort());
  });
});

describe("Dockerfile", () => {
  const lines = file("Dockerfile")
    .replace(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const all = (instruction: string) =>
    lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));

  test("builds in stages on a pinned Node that the package supports", () => {
    const images = all("FROM").map((from) => from.split(" ")[0] as string);
    expect(images.length).toBeGreaterThan(1);
    expect(new Set(images).size).toBe(1);
    const [, major, minor] = /^node:(\d+)\.(\d+)\.\d+-slim$/.exec(images[0] as string) ?? [];
    const { engines } = JSON.parse(file("package.json")) as { engines: { node: string } };
    expect(engines.node).toBe(">=20.19.0");
    expect(Number(major) * 100 + Number(minor)).toBeGreaterThanOrEqual(2019);
  });

  test("copies what there is, and .dockerignore lets it in", () => {
    const allowed = file(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const copied = all("COPY")
      .filter((copy) => !copy.startsWith("--from"))
      .flatMap((copy) => copy.split(" ").slice(0, -1));
    for (const path of copied) expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
    expect([...new Set(copied)].sort()).toEqual(allowed.sort());
  });

  test("starts the program that the package names, as a user without rights, without what only development needs", () => {
    const { bin } = JSON.parse(file("package.json")) as { bin: { millrace: string } };
    expect(JSON.parse(all("ENTRYPOINT")[0] as string)).toEqual(["node", `/app/${bin.millrace}`]);
    expect(JSON.parse(all("CMD")[0] as string)).toEqual(["run"]);
    expect(all("USER")).toEqual(["node"]);
    expect(lines.indexOf("USER node")).toBeGreaterThan(lines.findIndex((line) => line.startsWith("COPY schemas")));
    expect(all("RUN").some((run) => run.includes("--omit=dev --omit=optional"))).toBe(true);
    expect(all("STOPSIGNAL")).toEqual(["SIGTERM"]);
  });

  test("its variables are settings with valid values, and its health check asks the port that they name", () => {
    const pairs = all("ENV").flatMap((env) => env.split(" ").map((pair) => pair.split("=") as [string, string]));
    const settings = pairs.filter(([name]) => name !== "NODE_ENV");
    expect(settings.filter(([name]) => !KNOWN.has(name))).toEqual([]);
    const environment = Object.fromEntries(settings);
    expect(loadConfig({ file: null, environment, flags: [], workingDir: "/" }).kind).toBe("valid");
    expect(all("EXPOSE")).toEqual([environment["MILLRACE_HTTP_PORT"]]);
    expect(all("HEALTHCHECK")[0]).toContain("/livez");
  });
});
