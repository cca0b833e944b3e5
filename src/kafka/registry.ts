// The schema registry, by the Confluent API. The client library registers our schemas, and is loaded when there is one to
// register: it brings readers of every format along, and a service that only asks would read them all at each start.
// Questions are requests of our own: the library sets no time limit, keeps a request that never ends for ever, and hides
// the registry's error code, by which "there is no such schema" differs from a proxy's "no such page". Intents are
// quarantined on the first and must wait on the second.

import type { SchemaRegistry } from "@kafkajs/confluent-schema-registry";
import type { FoundSchema, SchemaLookup } from "./codec.ts";

/** The registry cannot be reached, or what answers is not a registry. `remedy` is a sentence for people. */
export class RegistryUnreachable extends Error {
  override name = "RegistryUnreachable";
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

/** The registry understood and said no. `why` is in its own words, `remedy` a sentence for people. */
export class SchemaRefused extends Error {
  override name = "SchemaRefused";
  readonly subject: string;
  readonly why: string;
  readonly remedy: string;

  constructor(subject: string, why: string, remedy: string) {
    super(`the registry refuses the schema of ${subject}: ${why}`);
    this.subject = subject;
    this.why = why;
    this.remedy = remedy;
  }
}

/** A schema of ours is not registered yet. */
export class SchemaMissing extends Error {
  override name = "SchemaMissing";
  readonly subject: string;
  readonly remedy = "register the schemas with: millrace migrate";

  constructor(subject: string) {
    super(`the registry does not have the schema of ${subject}`);
    this.subject = subject;
  }
}

export type TopicSchema = { readonly topic: string; readonly schema: string };

export interface Registry extends SchemaLookup {
  /** without credentials */
  readonly url: string;
  /** Registers one schema a topic under FULL_TRANSITIVE; safe to repeat.
   *  @returns schema id by topic
   *  @throws SchemaRefused | RegistryUnreachable */
  registerSchemas(topics: readonly TopicSchema[]): Promise<Map<string, number>>;
  /** Ids of schemas that were registered before.
   *  @throws SchemaMissing | RegistryUnreachable */
  findSchemas(topics: readonly TopicSchema[]): Promise<Map<string, number>>;
  /** The level by which a new schema of the topic is judged, such as FULL_TRANSITIVE; the registry's own where the topic
   *  has none.
   *  @throws RegistryUnreachable */
  compatibilityOf(topic: string): Promise<string>;
}

export type RegistrySettings = {
  /** http or https, with a path prefix and `user:password@` as far as the registry needs them */
  readonly url: string;
  /** for one request, from its start to the last byte of its answer */
  readonly timeoutMs: number;
};

/** The default naming of Confluent's clients, TopicNameStrategy. */
export function subjectOf(topic: string): string {
  return `${topic}-value`;
}

const CLIENT_ID = "millrace";
const MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";
const SUBJECT_NOT_FOUND = 40401;
const SCHEMA_NOT_FOUND = 40403;
const CHECK_ADDRESS = "check that SCHEMA_REGISTRY_URL is the address of a schema registry and that it runs";

/** Opens nothing yet: the first request does.
 *  @throws RegistryUnreachable when the URL is not one */
export function openRegistry(settings: RegistrySettings): Registry {
  const site: Site = { ...addressOf(settings.url), timeoutMs: settings.timeoutMs };
  return {
    url: site.address,
    schemaById: (id) => schemaById(site, id),
    registerSchemas: (topics) => registerSchemas(site, topics),
    compatibilityOf: (topic) => compatibilityOf(site, subjectOf(topic)),
    findSchemas: (topics) => eachTopic(topics, (subject, schema) => find(site, subject, schema)),
  };
}

/** One after another: ids are then given in the order of the topics, and the first failure is the one that is told. */
async function eachTopic(
  topics: readonly TopicSchema[],
  ask: (subject: string, schema: string) => Promise<number>,
): Promise<Map<string, number>> {
  const ids = new Map<string, number>();
  for (const { topic, schema } of topics) {
    // Line breaks and blanks of the file are no part of the schema.
    ids.set(topic, await ask(subjectOf(topic), JSON.stringify(JSON.parse(schema))));
  }
  return ids;
}

/** `address` is without credentials and without a slash at its end. */
type Site = { readonly address: string; readonly login: Login | null; readonly timeoutMs: number };
type Login = { readonly username: string; readonly password: string };

function addressOf(url: string): { readonly address: string; readonly login: Login | null } {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new RegistryUnreachable("the schema registry's address is not an http or https URL", CHECK_ADDRESS);
  }
  const username = decodeURIComponent(parsed.username);
  return {
    address: `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`,
    login: username === "" ? null : { username, password: decodeURIComponent(parsed.password) },
  };
}

type Library = typeof import("@kafkajs/confluent-schema-registry");

async function registerSchemas(site: Site, topics: readonly TopicSchema[]): Promise<Map<string, number>> {
  const library = await import("@kafkajs/confluent-schema-registry");
  const client = clientOf(library, site);
  return eachTopic(topics, (subject, schema) => register(library, client, site, subject, schema));
}

function clientOf(library: Library, { address, login, timeoutMs }: Site): SchemaRegistry {
  return new library.SchemaRegistry({
    host: address,
    clientId: CLIENT_ID,
    ...(login === null ? {} : { auth: login }),
    // Whoever called decides whether to come again; the library's own repeats would hide for seconds what is wrong.
    retry: { retries: 0 },
    middlewares: [() => ({ prepareRequest: async (next) => (await next()).enhance({ timeout: timeoutMs }) })],
  });
}

async function register(
  { COMPATIBILITY, SchemaType }: Library,
  client: SchemaRegistry,
  site: Site,
  subject: string,
  schema: string,
): Promise<number> {
  const compatibility = COMPATIBILITY.FULL_TRANSITIVE;
  try {
    const asked = client.register({ type: SchemaType.AVRO, schema }, { subject, compatibility });
    return (await within(site.timeoutMs, asked)).id;
  } catch (error) {
    throw translated(error, site, subject);
  }
}

function translated(error: unknown, site: Site, subject: string): Error {
  const text = wordsOf(error);
  if (nameOf(error) === "ConfluentSchemaRegistryCompatibilityError") {
    const remedy = `set the compatibility level of ${subject} to FULL_TRANSITIVE in the registry`;
    return new SchemaRefused(subject, text, remedy);
  }
  const status = typeof error === "object" && error !== null && "status" in error ? error.status : null;
  if (status === 409) {
    const remedy = "only add or remove fields that have a default; anything else needs a new topic";
    return new SchemaRefused(subject, text, remedy);
  }
  if (status === 422) return new SchemaRefused(subject, text, "mend the schema in schemas/messages");
  return unreachable(site, text);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** The library puts the client's id in front of what the registry said. */
function wordsOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.startsWith(`${CLIENT_ID} - `) ? text.slice(CLIENT_ID.length + 3) : text;
}

function unreachable({ address }: Site, what: string): RegistryUnreachable {
  return new RegistryUnreachable(`the schema registry at ${address} cannot be used: ${what}`, CHECK_ADDRESS);
}

/** The library's own time limit is for a silent connection; an answer that breaks off it awaits for ever. Registering is
 *  three requests. */
async function within<Result>(timeoutMs: number, asked: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs * 3);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function find(site: Site, subject: string, schema: string): Promise<number> {
  const { status, body } = await request(site, `/subjects/${encodeURIComponent(subject)}`, { schema });
  if (status === 200 && typeof body.id === "number") return body.id;
  if (status === 404 && (body.error_code === SUBJECT_NOT_FOUND || body.error_code === SCHEMA_NOT_FOUND)) {
    throw new SchemaMissing(subject);
  }
  throw unreachable(site, `it answers ${status} when asked for ${subject}`);
}

async function compatibilityOf(site: Site, subject: string): Promise<string> {
  const own = await request(site, `/config/${encodeURIComponent(subject)}`, null);
  const { status, body } = own.status === 404 ? await request(site, "/config", null) : own;
  if (status === 200 && typeof body.compatibilityLevel === "string") return body.compatibilityLevel;
  throw unreachable(site, `it answers ${status} when asked for the compatibility of ${subject}`);
}

async function schemaById(site: Site, id: number): Promise<FoundSchema | null> {
  const { status, body } = await request(site, `/schemas/ids/${id}`, null);
  const { schema, schemaType, references } = body;
  if (status === 200 && typeof schema === "string") {
    return {
      schema,
      schemaType: typeof schemaType === "string" ? schemaType : "AVRO",
      referenceCount: Array.isArray(references) ? references.length : 0,
    };
  }
  if (status === 404 && body.error_code === SCHEMA_NOT_FOUND) return null;
  throw unreachable(site, `it answers ${status} when asked for schema ${id}`);
}

type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

/** @param question sent as JSON; null is a GET
 *  @throws RegistryUnreachable when no answer arrives in time and whole */
async function request(site: Site, path: string, question: object | null): Promise<Answer> {
  const headers: Record<string, string> = { accept: MEDIA_TYPE, "content-type": MEDIA_TYPE };
  if (site.login !== null) {
    const { username, password } = site.login;
    headers.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  }
  const asks = question === null ? { method: "GET" } : { method: "POST", body: JSON.stringify(question) };
  try {
    const signal = AbortSignal.timeout(site.timeoutMs);
    const response = await fetch(`${site.address}${path}`, { ...asks, headers, signal });
    return { status: response.status, body: objectOf(await response.text()) };
  } catch (error) {
    throw unreachable(site, reasonOf(error, site.timeoutMs));
  }
}

/** @returns an empty object when the text is not a JSON object: then it is not a registry that answers */
function objectOf(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** `fetch` says only that it failed; the cause says why. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (nameOf(error) === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";
  return code !== "" ? code : wordsOf(cause);
}
