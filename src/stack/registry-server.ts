// A small schema registry for local runs, speaking the part of the Confluent API that clients of Avro use.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { COMPATIBILITY_LEVELS, type CompatibilityLevel } from "../kafka/compatibility.ts";
import { REGISTRY_MODES, type Registered, type RegistryMode, RegistryRefusal, Subjects } from "./registry-subjects.ts";
import { textOf } from "./unavailable.ts";

const BODY_BYTES_MAX = 4 * 1024 * 1024;
const CONTENT_TYPE = "application/vnd.schemaregistry.v1+json";

type Call = { readonly subjects: Subjects; readonly words: readonly string[]; readonly body: Record<string, unknown> };
type Route = { readonly pattern: string; readonly answer: (call: Call) => unknown };

// In a pattern `*` is one word of the path; the words that it stands for are handed on in their order.
const ROUTES: readonly Route[] = [
  { pattern: "GET ", answer: () => ({}) },
  { pattern: "GET subjects", answer: ({ subjects }) => subjects.names() },
  { pattern: "POST subjects/*", answer: (call) => call.subjects.find(word(call, 0), schemaOf(call)) },
  { pattern: "GET subjects/*/versions", answer: (call) => call.subjects.versionsOf(word(call, 0)) },
  {
    pattern: "POST subjects/*/versions",
    answer: (call) => idOf(register(call)),
  },
  { pattern: "GET subjects/*/versions/*", answer: (call) => call.subjects.version(word(call, 0), word(call, 1)) },
  {
    pattern: "GET subjects/*/versions/*/schema",
    answer: (call) => JSON.parse(call.subjects.version(word(call, 0), word(call, 1)).schema),
  },
  { pattern: "GET schemas/types", answer: () => ["AVRO"] },
  { pattern: "GET schemas/ids/*", answer: (call) => ({ schema: call.subjects.schema(Number(word(call, 0))) }) },
  { pattern: "GET schemas/ids/*/schema", answer: (call) => JSON.parse(call.subjects.schema(Number(word(call, 0)))) },
  { pattern: "GET schemas/ids/*/versions", answer: (call) => call.subjects.usesOf(Number(word(call, 0))) },
  { pattern: "GET config", answer: ({ subjects }) => ({ compatibilityLevel: subjects.level() }) },
  { pattern: "PUT config", answer: (call) => setLevel(call, null) },
  { pattern: "GET config/*", answer: (call) => ({ compatibilityLevel: call.subjects.levelOf(word(call, 0)) }) },
  { pattern: "PUT config/*", answer: (call) => setLevel(call, word(call, 0)) },
  { pattern: "DELETE config/*", answer: (call) => dropLevel(call) },
  { pattern: "GET mode", answer: ({ subjects }) => ({ mode: subjects.mode() }) },
  { pattern: "PUT mode", answer: (call) => setMode(call) },
  { pattern: "POST compatibility/subjects/*/versions", answer: (call) => verdict(call, null) },
  { pattern: "POST compatibility/subjects/*/versions/*", answer: (call) => verdict(call, word(call, 1)) },
];

/** @param file where subjects and ids are kept; read if it exists
 *  @returns a server that does not listen yet */
export function openRegistry(file: string): Server {
  const subjects = new Subjects(file);
  return createServer((request, response) => {
    respond(subjects, request).then(
      (answer) => send(response, 200, answer),
      (error: unknown) => refuse(response, error),
    );
  });
}

async function respond(subjects: Subjects, request: IncomingMessage): Promise<unknown> {
  const path = (request.url ?? "/").replace(/\?.*$/, "").replace(/^\/+|\/+$/g, "");
  const body = await bodyOf(request);
  const asked = path.split("/");
  for (const { pattern, answer } of ROUTES) {
    const words = matchWords(pattern, `${request.method}`, asked);
    if (words !== null) return answer({ subjects, words, body });
  }
  throw new RegistryRefusal(404, 404, `${request.method} /${path} is not known to this registry`);
}

function matchWords(pattern: string, method: string, asked: readonly string[]): string[] | null {
  const [wantedMethod, wantedPath = ""] = pattern.split(" ");
  const wanted = wantedPath.split("/");
  if (method !== wantedMethod || wanted.length !== asked.length) return null;
  if (!wanted.every((part, at) => part === "*" || part === asked[at])) return null;
  return asked.filter((_, at) => wanted[at] === "*").map(decodeURIComponent);
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > BODY_BYTES_MAX) throw new RegistryRefusal(413, 413, "The body is too large");
  }
  if (text === "") return {};
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {
    // Falls through to the refusal.
  }
  throw new RegistryRefusal(422, 42201, "The body is not a JSON object");
}

function word(call: Call, at: number): string {
  return call.words[at] ?? "";
}

function schemaOf({ body }: Call): string {
  const { schema, schemaType, references } = body;
  if (schemaType !== undefined && schemaType !== null && schemaType !== "AVRO") {
    throw new RegistryRefusal(422, 42201, `This registry knows AVRO schemas only, not ${String(schemaType)}`);
  }
  if (Array.isArray(references) && references.length > 0) {
    throw new RegistryRefusal(422, 42201, "This registry takes self-contained schemas only, without references");
  }
  if (typeof schema !== "string") throw new RegistryRefusal(422, 42201, "Invalid schema: `schema` must be a string");
  return schema;
}

const idOf = ({ id }: Registered): { id: number } => ({ id });

/** With an id the body is what another registry holds under it; that takes mode IMPORT. */
function register(call: Call): Registered {
  const { id } = call.body;
  if (id === undefined || id === null) return call.subjects.register(word(call, 0), schemaOf(call));
  return call.subjects.import(word(call, 0), schemaOf(call), Number(id));
}

function setMode(call: Call): { mode: RegistryMode } {
  const asked = String(call.body["mode"]).toUpperCase();
  const mode = REGISTRY_MODES.find((one) => one === asked);
  if (mode === undefined) throw new RegistryRefusal(422, 42204, `Invalid mode ${asked}`);
  call.subjects.setMode(mode);
  return { mode };
}

function setLevel(call: Call, subject: string | null): { compatibility: CompatibilityLevel } {
  const asked = String(call.body["compatibility"]).toUpperCase();
  const compatibility = COMPATIBILITY_LEVELS.find((level) => level === asked);
  if (compatibility === undefined) throw new RegistryRefusal(422, 42203, `Invalid compatibility level ${asked}`);
  call.subjects.setLevel(subject, compatibility);
  return { compatibility };
}

function dropLevel(call: Call): { compatibilityLevel: CompatibilityLevel } {
  const compatibilityLevel = call.subjects.levelOf(word(call, 0));
  call.subjects.setLevel(word(call, 0), null);
  return { compatibilityLevel };
}

function verdict(call: Call, version: string | null): { is_compatible: boolean; messages: string[] } {
  const messages = call.subjects.problemsWith(word(call, 0), schemaOf(call), version);
  return { is_compatible: messages.length === 0, messages };
}

function refuse(response: ServerResponse, error: unknown): void {
  const refusal = error instanceof RegistryRefusal ? error : new RegistryRefusal(500, 50001, textOf(error));
  send(response, refusal.status, { error_code: refusal.code, message: refusal.message });
}

function send(response: ServerResponse, status: number, answer: unknown): void {
  response.writeHead(status, { "content-type": CONTENT_TYPE }).end(JSON.stringify(answer));
}
