// What the small registry knows, kept in one file: ids are given once and never again, also after a restart. In mode
// IMPORT they are given by whoever registers, so that a registry can hold what another one has under the same ids.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { type CompatibilityLevel, flawOf, incompatibilities } from "../kafka/compatibility.ts";

type Subject = {
  /** null: the registry's own level holds */
  level: CompatibilityLevel | null;
  /** version 1 first */
  schemaIds: number[];
};

/** The form of the file. */
type Contents = {
  level: CompatibilityLevel;
  mode?: RegistryMode;
  /** by id; the same text has one id under all subjects, unless it was imported under several. Files of earlier releases
   *  have a list, with the schema of id 1 first. */
  schemas: Record<string, string> | string[];
  subjects: Record<string, Subject>;
};

export const REGISTRY_MODES = ["READWRITE", "IMPORT"] as const;
export type RegistryMode = (typeof REGISTRY_MODES)[number];

const ID_MAX = 2 ** 31 - 1;

export type Registered = {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly schema: string;
};

/** Why a request is refused: HTTP status, the code of Confluent's registry, and a sentence. */
export class RegistryRefusal extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class Subjects {
  private readonly file: string;
  private ownLevel: CompatibilityLevel;
  private readonly schemas: Map<number, string>;
  private ownMode: RegistryMode;
  private readonly subjects: Map<string, Subject>;

  /** @param file is made by the first change; an existing one is read */
  constructor(file: string) {
    const nothing: Contents = { level: "BACKWARD", schemas: {}, subjects: {} };
    const contents = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Contents) : nothing;
    this.file = file;
    this.ownLevel = contents.level;
    this.ownMode = contents.mode ?? "READWRITE";
    const { schemas } = contents;
    this.schemas = Array.isArray(schemas)
      ? new Map(schemas.map((text, at) => [at + 1, text]))
      : new Map(Object.entries(schemas).map(([id, text]) => [Number(id), text]));
    this.subjects = new Map(Object.entries(contents.subjects));
  }

  /** Registers a schema as the subject's next version. One that it has already keeps its version and id.
   *  @throws RegistryRefusal 422 when it is not an Avro schema, 409 when it is not compatible */
  register(subject: string, schema: string): Registered {
    const text = canonical(schema);
    const known = this.versionWith(subject, text);
    if (known !== null) return known;
    const problems = this.problemsOf(subject, text, this.textsOf(subject));
    if (problems.length > 0) {
      throw new RegistryRefusal(409, 409, `Schema being registered is incompatible: ${problems.join("; ")}`);
    }
    this.entry(subject).schemaIds.push(this.idFor(text));
    this.save();
    return this.version(subject, "latest");
  }

  /** Registers a schema under a given id, without a look at earlier versions. Safe to repeat.
   *  @throws RegistryRefusal 422 when it is not an Avro schema, the mode is another, or the id is another schema's */
  import(subject: string, schema: string, id: number): Registered {
    if (this.ownMode !== "IMPORT") {
      throw new RegistryRefusal(422, 42205, `Subject ${subject} is not in import mode`);
    }
    if (!Number.isInteger(id) || id < 1 || id > ID_MAX)
      throw new RegistryRefusal(422, 42201, `Invalid schema id ${id}`);
    const text = canonical(schema);
    const known = this.schemas.get(id);
    if (known !== undefined && known !== text) {
      throw new RegistryRefusal(422, 42205, `Overwrite new schema with id ${id} is not permitted.`);
    }
    this.schemas.set(id, text);
    const { schemaIds } = this.entry(subject);
    if (!schemaIds.includes(id)) schemaIds.push(id);
    this.save();
    return this.version(subject, String(schemaIds.indexOf(id) + 1));
  }

  /** @returns sentences why the schema does not fit the given earlier versions; empty when it does */
  problemsWith(subject: string, schema: string, version: string | null): string[] {
    const text = canonical(schema);
    return this.problemsOf(
      subject,
      text,
      version === null ? this.textsOf(subject) : [this.version(subject, version).schema],
    );
  }

  private problemsOf(subject: string, text: string, earlier: readonly string[]): string[] {
    return incompatibilities(this.subjects.get(subject)?.level ?? this.ownLevel, text, earlier);
  }

  /** @throws RegistryRefusal 40401 | 40403 */
  find(subject: string, schema: string): Registered {
    this.need(subject);
    const found = this.versionWith(subject, canonical(schema));
    if (found === null) throw new RegistryRefusal(404, 40403, "Schema not found");
    return found;
  }

  /** @param version a number from 1, or "latest"
   *  @throws RegistryRefusal 40401 | 40402 */
  version(subject: string, version: string): Registered {
    const { schemaIds } = this.need(subject);
    const number = version === "latest" || version === "-1" ? schemaIds.length : Number(version);
    const id = schemaIds[number - 1];
    if (id === undefined) throw new RegistryRefusal(404, 40402, `Version ${version} not found.`);
    return { subject, version: number, id, schema: this.schema(id) };
  }

  /** @throws RegistryRefusal 40403 */
  schema(id: number): string {
    const schema = this.schemas.get(id);
    if (schema === undefined) throw new RegistryRefusal(404, 40403, `Schema ${id} not found`);
    return schema;
  }

  versionsOf(subject: string): number[] {
    return this.need(subject).schemaIds.map((_, at) => at + 1);
  }

  usesOf(id: number): { subject: string; version: number }[] {
    this.schema(id);
    return this.names().flatMap((subject) => {
      const at = this.need(subject).schemaIds.indexOf(id);
      return at < 0 ? [] : [{ subject, version: at + 1 }];
    });
  }

  names(): string[] {
    return [...this.subjects.keys()].filter((name) => this.textsOf(name).length > 0);
  }

  mode(): RegistryMode {
    return this.ownMode;
  }

  setMode(mode: RegistryMode): void {
    this.ownMode = mode;
    this.save();
  }

  level(): CompatibilityLevel {
    return this.ownLevel;
  }

  /** @throws RegistryRefusal 40408 when the subject has none of its own */
  levelOf(subject: string): CompatibilityLevel {
    const level = this.subjects.get(subject)?.level ?? null;
    if (level !== null) return level;
    throw new RegistryRefusal(404, 40408, `Subject '${subject}' does not have subject-level compatibility configured`);
  }

  /** @param subject null sets the level of all subjects that have none of their own
   *  @param level   null takes the subject's own away */
  setLevel(subject: string | null, level: CompatibilityLevel | null): void {
    if (subject === null) this.ownLevel = level ?? "BACKWARD";
    else this.entry(subject).level = level;
    this.save();
  }

  private entry(subject: string): Subject {
    const entry = this.subjects.get(subject) ?? { level: null, schemaIds: [] };
    this.subjects.set(subject, entry);
    return entry;
  }

  private need(subject: string): Subject {
    const entry = this.subjects.get(subject);
    if (entry !== undefined && entry.schemaIds.length > 0) return entry;
    throw new RegistryRefusal(404, 40401, `Subject '${subject}' not found.`);
  }

  private textsOf(subject: string): string[] {
    return (this.subjects.get(subject)?.schemaIds ?? []).map((id) => this.schema(id));
  }

  private versionWith(subject: string, text: string): Registered | null {
    const at = this.textsOf(subject).indexOf(text);
    return at < 0 ? null : this.version(subject, String(at + 1));
  }

  private idFor(text: string): number {
    let highest = 0;
    for (const [id, known] of this.schemas) {
      if (known === text) return id;
      highest = Math.max(highest, id);
    }
    if (highest === ID_MAX) throw new RegistryRefusal(500, 50001, "every schema id is given");
    this.schemas.set(highest + 1, text);
    return highest + 1;
  }

  // An id that a producer has written into messages must not be forgotten: on disk before it is answered.
  private save(): void {
    const subjects = Object.fromEntries(this.subjects);
    const schemas = Object.fromEntries(this.schemas);
    const contents: Contents = { level: this.ownLevel, mode: this.ownMode, schemas, subjects };
    const next = `${this.file}.next`;
    const descriptor = openSync(next, "w");
    writeSync(descriptor, `${JSON.stringify(contents, null, 2)}\n`);
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(next, this.file);
  }
}

/** One spelling for all texts of the same schema: without blanks, and the attributes in one order.
 *  @throws RegistryRefusal 42201 when it is not an Avro schema */
function canonical(schema: string): string {
  const flaw = flawOf(schema);
  if (flaw !== null) throw new RegistryRefusal(422, 42201, `Invalid schema: ${flaw}`);
  return JSON.stringify(JSON.parse(schema), (_key, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
