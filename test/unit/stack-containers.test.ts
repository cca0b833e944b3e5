import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Site } from "../../src/stack/part.ts";
import { crashPart, endPart, ensurePart } from "../../src/stack/parts.ts";
import { freePort } from "../../src/stack/ports.ts";
import { freshState, readState } from "../../src/stack/state.ts";
import { type FakeContainer, type FakeDocker, fakeDocker } from "../support/fake-docker.ts";

const dir = mkdtempSync(join(tmpdir(), "millrace-containers-"));
const site: Site = { dir, state: freshState("docker"), say: () => undefined };
let docker: FakeDocker;

beforeAll(async () => {
  docker = await fakeDocker();
  vi.stubEnv("DOCKER_HOST", docker.url);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await docker.close();
  rmSync(dir, { recursive: true, force: true });
});

function containerOf(name: "kafka" | "postgres"): FakeContainer {
  const container = docker.containers.get(site.state.parts[name]?.containerId ?? "");
  if (container === undefined) throw new Error(`no container of ${name}`);
  return container;
}

test("a part is one container, seen from this machine alone, and without testcontainers' reaper", async () => {
  const port = await freePort();
  expect(await ensurePart(site, "kafka", port)).toBe("started");
  expect(await ensurePart(site, "kafka", port)).toBe("kept");
  expect(docker.containers.size).toBe(1);
  const { asked } = containerOf("kafka");
  expect(asked.Image).toBe("apache/kafka:4.1.1");
  expect(asked.HostConfig.PortBindings).toEqual({ [`${port}/tcp`]: [{ HostIp: "127.0.0.1", HostPort: String(port) }] });
  expect(asked.Env).toContain(`KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:${port}`);
  expect(asked.Env).toContain("KAFKA_AUTO_CREATE_TOPICS_ENABLE=false");
  expect(asked.Labels).toMatchObject({ "millrace.stack": dir, "millrace.part": "kafka" });
  expect(asked.HostConfig.AutoRemove).toBe(false);
});

test("the database gets our password and is durable", async () => {
  await ensurePart(site, "postgres", null);
  const { asked } = containerOf("postgres");
  expect(asked.Env).toContain(`POSTGRES_PASSWORD=${site.state.databasePassword}`);
  expect(asked.Cmd).toEqual(expect.arrayContaining(["fsync=on", "synchronous_commit=on", "listen_addresses=*"]));
});

test("the end of a part stops its container and keeps it; the next start is the same container, on its port", async () => {
  const { id } = containerOf("postgres");
  const port = readState(dir)?.parts.postgres?.port;
  await endPart(site, "postgres");
  expect(containerOf("postgres").running).toBe(false);
  expect(await ensurePart(site, "postgres", null)).toBe("started");
  expect(containerOf("postgres")).toMatchObject({ id, running: true, starts: 2 });
  expect(readState(dir)?.parts.postgres).toEqual({ port, process: null, containerId: id });
});

test("a crash is a kill", async () => {
  await crashPart(site, "kafka");
  expect(containerOf("kafka").running).toBe(false);
  expect(docker.calls).toContain(`POST /containers/${containerOf("kafka").id}/kill`);
});

test("a container that somebody removed is made anew", async () => {
  const { id } = containerOf("kafka");
  docker.containers.delete(id);
  expect(await ensurePart(site, "kafka", null)).toBe("started");
  expect(containerOf("kafka").id).not.toBe(id);
});
