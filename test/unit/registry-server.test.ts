import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRegistry } from "../../src/stack/registry-server.ts";

const SUBJECT = "payments.public.intents.v1-value";
const record = (...fields: object[]): string =>
  JSON.stringify({ type: "record", name: "Intent", namespace: "m", fields });
const FIRST = record({ name: "id", type: "string" });
const SECOND = record({ name: "id", type: "string" }, { name: "note", type: ["null", "string"], default: null });
const INCOMPATIBLE = record({ name: "id", type: "int" });

let dir: string;
let server: Server;
let url: string;

async function open(): Promise<void> {
  server = openRegistry(join(dir, "subjects.json"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

async function close(): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

async function call(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(url + path, init);
  return { status: response.status, body: await response.json() };
}

const register = (schema: string, subject = SUBJECT) => call("POST", `/subjects/${subject}/versions`, { schema });

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "millrace-registry-"));
  await open();
});

afterEach(async () => {
  await close();
  rmSync(dir, { recursive: true, force: true });
});

test("refuses an incompatible schema with 409 and keeps the versions as they were", async () => {
  await register(FIRST);
  await call("PUT", `/config/${SUBJECT}`, { compatibility: "FULL_TRANSITIVE" });
  expect(await register(INCOMPATIBLE)).toMatchObject({ status: 409, body: { error_code: 409 } });
  expect(await call("GET", `/subjects/${SUBJECT}/versions`)).toEqual({ status: 200, body: [1] });
  expect(await register(SECOND)).toMatchObject({ status: 200 });
  expect(await call("GET", `/subjects/${SUBJECT}/versions`)).toEqual({ status: 200, body: [1, 2] });
});

test("gives one id to one schema: in every spelling, under every subject, and after a restart", async () => {
  const first = await register(FIRST);
  expect(first).toEqual({ status: 200, body: { id: 1 } });
  const respelled = JSON.stringify(
    { fields: [{ type: "string", name: "id" }], namespace: "m", name: "Intent", type: "record" },
    null,
    2,
  );
  expect(await register(respelled)).toEqual(first);
  expect(await register(FIRST, "other-value")).toEqual(first);
  await close();
  await open();
  expect(await register(FIRST)).toEqual(first);
  expect(await register(SECOND)).toEqual({ status: 200, body: { id: 2 } });
  expect(await call("GET", "/schemas/ids/1/versions")).toMatchObject({
    body: [
      { subject: SUBJECT, version: 1 },
      { subject: "other-value", version: 1 },
    ],
  });
});

test("says what it does not know with the codes of Confluent's registry", async () => {
  expect(await call("GET", "/schemas/ids/7")).toMatchObject({ status: 404, body: { error_code: 40403 } });
  expect(await call("GET", "/subjects/none/versions/latest")).toMatchObject({
    status: 404,
    body: { error_code: 40401 },
  });
  expect(await call("GET", "/config/none")).toMatchObject({ status: 404, body: { error_code: 40408 } });
  await register(FIRST);
  expect(await call("GET", `/subjects/${SUBJECT}/versions/9`)).toMatchObject({
    status: 404,
    body: { error_code: 40402 },
  });
  expect(await call("POST", `/subjects/${SUBJECT}`, { schema: SECOND })).toMatchObject({
    status: 404,
    body: { error_code: 40403 },
  });
  expect(await call("GET", "/nothing")).toMatchObject({ status: 404, body: { error_code: 404 } });
});

test("refuses what is not an Avro schema, has references, or is no JSON", async () => {
  expect(await register('{"type":"recrod"}')).toMatchObject({ status: 422, body: { error_code: 42201 } });
  const withReferences = { schema: FIRST, references: [{ name: "a", subject: "b", version: 1 }] };
  expect(await call("POST", `/subjects/${SUBJECT}/versions`, withReferences)).toMatchObject({ status: 422 });
  expect(await call("POST", `/subjects/${SUBJECT}/versions`, { schema: "{}", schemaType: "PROTOBUF" })).toMatchObject({
    status: 422,
  });
  const response = await fetch(`${url}/subjects/x/versions`, { method: "POST", body: "no JSON" });
  expect(response.status).toBe(422);
  expect(await call("PUT", "/config", { compatibility: "SOMETIMES" })).toMatchObject({
    status: 422,
    body: { error_code: 42203 },
  });
});

test("checks compatibility without registering", async () => {
  await register(FIRST);
  const verdict = await call("POST", `/compatibility/subjects/${SUBJECT}/versions/latest`, { schema: INCOMPATIBLE });
  expect(verdict).toMatchObject({ status: 200, body: { is_compatible: false } });
  expect(await call("GET", "/subjects")).toEqual({ status: 200, body: [SUBJECT] });
  expect(await call("GET", `/subjects/${SUBJECT}/versions`)).toEqual({ status: 200, body: [1] });
});

test("a subject named like a built-in property is an ordinary one", async () => {
  expect(await call("GET", "/subjects/constructor/versions")).toMatchObject({ status: 404 });
  expect(await register(FIRST, "__proto__")).toEqual({ status: 200, body: { id: 1 } });
  expect(await call("GET", "/subjects/__proto__/versions")).toEqual({ status: 200, body: [1] });
});

test("serves the client library: registers, finds and reads a schema back", async () => {
  const client = new SchemaRegistry({ host: url });
  const options = { subject: SUBJECT, compatibility: "FULL_TRANSITIVE" as never };
  const { id } = await client.register({ type: SchemaType.AVRO, schema: FIRST }, options);
  expect(await client.getLatestSchemaId(SUBJECT)).toBe(id);
  expect(await client.getRegistryIdBySchema(SUBJECT, { type: SchemaType.AVRO, schema: FIRST })).toBe(id);
  await expect(client.register({ type: SchemaType.AVRO, schema: INCOMPATIBLE }, options)).rejects.toThrow(
    /incompatible/,
  );
  const reader = new SchemaRegistry({ host: url });
  expect(await reader.decode(await client.encode(id, { id: "x" }))).toEqual({ id: "x" });
});

test("takes schemas of another registry under the ids that they have there, in mode IMPORT alone", async () => {
  const importing = (schema: string, id: number, subject = SUBJECT) =>
    call("POST", `/subjects/${subject}/versions`, { schema, id });
  expect(await importing(FIRST, 40)).toMatchObject({ status: 422, body: { error_code: 42205 } });
  expect(await call("PUT", "/mode", { mode: "IMPORT" })).toEqual({ status: 200, body: { mode: "IMPORT" } });
  expect(await importing(FIRST, 40)).toEqual({ status: 200, body: { id: 40 } });
  expect(await importing(FIRST, 40)).toEqual({ status: 200, body: { id: 40 } });
  expect(await importing(INCOMPATIBLE, 7)).toEqual({ status: 200, body: { id: 7 } });
  expect(await importing(SECOND, 40)).toMatchObject({ status: 422, body: { error_code: 42205 } });
  expect(await importing(SECOND, 0)).toMatchObject({ status: 422 });
  await call("PUT", "/mode", { mode: "READWRITE" });
  await close();
  await open();
  expect(await register(FIRST)).toEqual({ status: 200, body: { id: 40 } });
  expect(await register(SECOND, "other-value")).toEqual({ status: 200, body: { id: 41 } });
  expect(await call("GET", "/schemas/ids/7/schema")).toEqual({ status: 200, body: JSON.parse(INCOMPATIBLE) });
  expect(await call("GET", "/schemas/ids/8")).toMatchObject({ status: 404, body: { error_code: 40403 } });
});

test("reads the file of an earlier release, in which schemas were a list", async () => {
  await close();
  const contents = { level: "BACKWARD", schemas: [JSON.stringify(JSON.parse(FIRST))], subjects: {} };
  writeFileSync(join(dir, "subjects.json"), JSON.stringify(contents));
  await open();
  expect(await call("GET", "/schemas/ids/1/schema")).toEqual({ status: 200, body: JSON.parse(FIRST) });
  expect(await register(SECOND)).toEqual({ status: 200, body: { id: 2 } });
});
