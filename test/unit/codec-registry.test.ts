// The registry client against a server that speaks, or fails to speak, the Confluent API.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  openRegistry,
  type Registry,
  RegistryUnreachable,
  SchemaMissing,
  SchemaRefused,
  subjectOf,
  type TopicSchema,
} from "../../src/kafka/registry.ts";
import { openRegistry as openLocalRegistry } from "../../src/stack/registry-server.ts";
import { CHANNEL, changed, codecWith, type Field, IDS, INTENT, SCHEMAS } from "./codec-fixtures.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Those of one test, and the one of all tests that register. */
const servers: Server[] = [];
const local: Server[] = [];
afterEach(() => close(servers));

function close(open: Server[]): void {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
}

async function listen(server: Server, among: Server[]): Promise<string> {
  among.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function serve(handler: Handler): Promise<string> {
  return listen(createServer(handler), servers);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/vnd.schemaregistry.v1+json" }).end(JSON.stringify(body));
}

const open = (url: string): Registry => openRegistry({ url, timeoutMs: 300 });

describe("registering with the registry of the local stack", () => {
  const prefix = (): string => `t${randomBytes(4).toString("hex")}.payments.public.`;
  const topicsBelow = (start: string): TopicSchema[] => [
    { topic: `${start}intents.v1`, schema: SCHEMAS.intent },
    { topic: `${start}outcomes.v1`, schema: SCHEMAS.outcome },
    { topic: `${start}intents.v1-dlt`, schema: SCHEMAS.deadLetter },
    { topic: `${start}commands.v1`, schema: SCHEMAS.command },
    { topic: `${start}reports.v1`, schema: SCHEMAS.report },
  ];
  let dir = "";
  let url = "";
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "millrace-codec-"));
    url = await listen(openLocalRegistry(join(dir, "subjects.json")), local);
  });
  afterAll(() => {
    close(local);
    rmSync(dir, { recursive: true });
  });

  test("gives an id by topic under FULL_TRANSITIVE, and the same ids again", async () => {
    const registry = open(url);
    const topics = topicsBelow(prefix());
    await expect(registry.findSchemas(topics)).rejects.toBeInstanceOf(SchemaMissing);
    const ids = await registry.registerSchemas(topics);
    expect([...ids.keys()]).toEqual(topics.map(({ topic }) => topic));
    expect(await registry.registerSchemas(topics)).toEqual(ids);
    expect(await registry.findSchemas(topics)).toEqual(ids);
    for (const { topic, schema } of topics) {
      const found = await registry.schemaById(ids.get(topic) ?? 0);
      expect(JSON.parse(found?.schema ?? "")).toEqual(JSON.parse(schema));
      const level = await fetch(`${url}/config/${subjectOf(topic)}`);
      expect(await level.json()).toEqual({ compatibilityLevel: "FULL_TRANSITIVE" });
    }
  });

  test("takes a new optional field, under another id that codecs of both ages read", async () => {
    const registry = open(url);
    const topic = `${prefix()}intents.v1`;
    const newerSchema = changed("intent", (schema) => schema.fields.push(CHANNEL));
    const [old] = (await registry.registerSchemas([{ topic, schema: SCHEMAS.intent }])).values();
    const [newer] = (await registry.registerSchemas([{ topic, schema: newerSchema }])).values();
    expect(newer).not.toBe(old);
    const oldCodec = codecWith(registry, {}, { ...IDS, intent: old ?? 0 });
    const newCodec = codecWith(registry, { intent: newerSchema }, { ...IDS, intent: newer ?? 0 });
    const value = newCodec.encoders.intent.encode({ ...INTENT, channel: "web" } as never);
    expect(await oldCodec.decoders.intent.read(value)).toEqual(INTENT);
    const oldValue = oldCodec.encoders.intent.encode(INTENT);
    expect(await newCodec.decoders.intent.read(oldValue)).toEqual({ ...INTENT, channel: null });
  });

  test.each([
    ["a required field is added", (fields: Field[]) => void fields.push({ name: "branch", type: "string" })],
    ["a required field is taken away", (fields: Field[]) => void fields.splice(0, 1)],
    ["a type changes", (fields: Field[]) => void fields.splice(1, 1, { name: "holderId", type: "long" })],
  ])("says which subject is refused, why, and what to do: %s", async (_name, change) => {
    const registry = open(url);
    const topic = `${prefix()}intents.v1`;
    await registry.registerSchemas([{ topic, schema: SCHEMAS.intent }]);
    const schema = changed("intent", ({ fields }) => change(fields));
    const refused = registry.registerSchemas([{ topic, schema }]);
    await expect(refused).rejects.toBeInstanceOf(SchemaRefused);
    const why = expect.stringMatching(/incompatible: .*(branch|type|long)/);
    await expect(refused).rejects.toMatchObject({
      subject: subjectOf(topic),
      why,
      remedy: expect.stringMatching(/default/),
    });
  });

  test("refuses a subject that somebody has given another level, and registers nothing", async () => {
    const registry = open(url);
    const topics = topicsBelow(prefix()).slice(0, 1);
    const subject = subjectOf(topics[0]?.topic ?? "");
    await fetch(`${url}/config/${subject}`, { method: "PUT", body: JSON.stringify({ compatibility: "BACKWARD" }) });
    const refused = registry.registerSchemas(topics);
    await expect(refused).rejects.toMatchObject({
      name: "SchemaRefused",
      subject,
      why: expect.stringMatching(/BACKWARD/),
    });
    await expect(registry.findSchemas(topics)).rejects.toBeInstanceOf(SchemaMissing);
  });

  test("a codec tells an id that does not exist from one that holds another record", async () => {
    const registry = open(url);
    const topics = topicsBelow(prefix());
    const ids = [...(await registry.registerSchemas(topics)).values()];
    const { intent } = codecWith(registry).decoders;
    const value = codecWith(registry).encoders.intent.encode(INTENT);
    value.writeInt32BE(999_999, 1);
    await expect(intent.read(value)).rejects.toMatchObject({ reason: "unknown_schema" });
    value.writeInt32BE(ids[1] ?? 0, 1);
    await expect(intent.read(value)).rejects.toMatchObject({ reason: "schema_mismatch" });
  });
});

describe("a registry that cannot be used", () => {
  const topics = [{ topic: "payments.public.intents.v1", schema: SCHEMAS.intent }];

  test.each<[string, Handler]>([
    ["answers 500", (_request, response) => json(response, 500, { error_code: 50001, message: "store" })],
    ["is some other web server", (_request, response) => void response.writeHead(404).end("<html>no</html>")],
    ["never answers", () => undefined],
    [
      "breaks off in the middle",
      (_request, response) => void response.writeHead(200, { "content-length": "99" }).write("{"),
    ],
  ])("is unreachable when it %s", async (_name, handler) => {
    const registry = open(await serve(handler));
    await expect(registry.registerSchemas(topics)).rejects.toBeInstanceOf(RegistryUnreachable);
    await expect(registry.findSchemas(topics)).rejects.toBeInstanceOf(RegistryUnreachable);
  });

  test("nobody at the address is unreachable, at once", async () => {
    const registry = open("http://127.0.0.1:1");
    const started = performance.now();
    await expect(registry.registerSchemas(topics)).rejects.toBeInstanceOf(RegistryUnreachable);
    expect(performance.now() - started).toBeLessThan(300);
  });
});

describe("a schema by its id", () => {
  test("comes with its type and references", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/schemas/ids/7") json(response, 200, { schema: SCHEMAS.intent });
      else json(response, 200, { schema: "syntax", schemaType: "PROTOBUF", references: [{}, {}] });
    });
    expect(await open(url).schemaById(7)).toEqual({ schema: SCHEMAS.intent, schemaType: "AVRO", referenceCount: 0 });
    expect(await open(url).schemaById(8)).toEqual({ schema: "syntax", schemaType: "PROTOBUF", referenceCount: 2 });
  });

  test("is not there when the registry itself says so", async () => {
    const url = await serve((_request, response) => {
      json(response, 404, { error_code: 40403, message: "Schema 7 not found" });
    });
    expect(await open(url).schemaById(7)).toBeNull();
  });

  test.each<[string, Handler]>([
    ["a proxy's 404", (_request, response) => void response.writeHead(404).end("<html>no such page</html>")],
    ["a 404 for the path", (_request, response) => json(response, 404, { error_code: 404, message: "no" })],
    ["a 500", (_request, response) => json(response, 500, { error_code: 50001, message: "store" })],
    ["a 401", (_request, response) => json(response, 401, { error_code: 40101, message: "who" })],
    ["a page with 200", (_request, response) => void response.writeHead(200).end("<html>login</html>")],
    ["silence", () => undefined],
    ["half an answer", (_request, response) => void response.writeHead(200, { "content-length": "99" }).write("{")],
    ["a closed connection", (request) => void request.socket.destroy()],
  ])("%s says nothing about the id", async (_name, handler) => {
    const url = await serve(handler);
    const asked = open(url).schemaById(7);
    await expect(asked).rejects.toBeInstanceOf(RegistryUnreachable);
    await expect(asked).rejects.toThrow(url);
  });

  test("is asked for below the URL's path and with its login, which no error shows", async () => {
    const seen: string[] = [];
    const url = await serve((request, response) => {
      seen.push(request.url ?? "", request.headers.authorization ?? "");
      json(response, 500, {});
    });
    const registry = open(`${url.replace("http://", "http://reader:p%40ss@")}/apis/ccompat/v7/`);
    expect(registry.url).toBe(`${url}/apis/ccompat/v7`);
    const failed = registry.schemaById(7);
    await expect(failed).rejects.toThrow(expect.objectContaining({ message: expect.not.stringContaining("p%40ss") }));
    expect(seen).toEqual(["/apis/ccompat/v7/schemas/ids/7", `Basic ${Buffer.from("reader:p@ss").toString("base64")}`]);
  });

  test("an address that is no URL is said at once", () => {
    expect(() => open("registry:8081")).toThrow(RegistryUnreachable);
    expect(() => open("ftp://registry")).toThrow(RegistryUnreachable);
  });
});
