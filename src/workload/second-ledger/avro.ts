// Avro by its specification, without a library: a value is read as its writer's schema says, then resolved to ours, field
// by field. Every step is held against the end of the bytes, for they may be a stranger's.

import { isUtf8 } from "node:buffer";
import { once } from "./once.ts";

/** Bytes that are not what their schema says. */
export class NotAvro extends Error {
  override name = "NotAvro";
}

/** A schema that ours cannot be read from. */
export class OtherSchema extends Error {
  override name = "OtherSchema";
}

/** As its JSON has it: a name, a list of branches, or an object. */
export type Schema = string | readonly Schema[] | SchemaObject;
type SchemaObject = { readonly type: Schema; readonly name?: string; readonly namespace?: string } & {
  readonly fields?: readonly Field[];
  readonly items?: Schema;
  readonly values?: Schema;
  readonly size?: number;
  readonly symbols?: readonly string[];
  readonly logicalType?: string;
};
type Field = { readonly name: string; readonly type: Schema; readonly default?: unknown };

/** A type with its name in full, and the names that are known by then. */
type Type = {
  readonly kind: string;
  readonly name: string;
  readonly schema: SchemaObject;
  readonly branches: readonly Type[];
};

const PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
const WIDER: Readonly<Record<string, readonly string[]>> = {
  int: ["long", "float", "double"],
  long: ["float", "double"],
  float: ["double"],
  string: ["bytes"],
  bytes: ["string"],
};

/** One schema, its names looked up. */
export class AvroSchema {
  readonly root: Type;
  readonly #named = new Map<string, Type>();

  /** @throws OtherSchema when it is no schema at all */
  constructor(text: string) {
    try {
      this.root = this.type(JSON.parse(text) as Schema, "");
    } catch (error) {
      throw new OtherSchema(error instanceof Error ? error.message : String(error));
    }
  }

  type(schema: Schema, space: string): Type {
    if (typeof schema === "string") {
      if (PRIMITIVES.includes(schema)) return { kind: schema, name: schema, schema: { type: schema }, branches: [] };
      const known = this.#named.get(schema) ?? this.#named.get(`${space}.${schema}`);
      if (known === undefined) throw new OtherSchema(`${schema} is declared nowhere`);
      return known;
    }
    if (isBranches(schema)) {
      const branches = schema.map((branch) => this.type(branch, space));
      return { kind: "union", name: "union", schema: { type: "union" }, branches };
    }
    if (typeof schema.type !== "string") return this.type(schema.type, space);
    if (PRIMITIVES.includes(schema.type)) return { ...this.type(schema.type, space), schema };
    if (!["record", "error", "enum", "fixed", "array", "map"].includes(schema.type))
      return this.type(schema.type, space);
    return this.#complex(schema, space);
  }

  #complex(schema: SchemaObject, space: string): Type {
    const own = schema.namespace ?? space;
    const kind = typeof schema.type === "string" ? schema.type : "";
    const short = schema.name ?? kind;
    const name = short.includes(".") || own === "" ? short : `${own}.${short}`;
    const branches: Type[] = [];
    const type: Type = { kind: kind === "error" ? "record" : kind, name, schema, branches };
    if (schema.name !== undefined) this.#named.set(name, type);
    const inner = name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : "";
    for (const field of schema.fields ?? []) branches.push(this.type(field.type, inner));
    for (const part of [schema.items, schema.values]) if (part !== undefined) branches.push(this.type(part, space));
    return type;
  }
}

function isBranches(schema: Schema): schema is readonly Schema[] {
  return Array.isArray(schema);
}

const fieldsOf = (type: Type): readonly Field[] => type.schema.fields ?? [];
/** -1 when a record has no such field */
const indexOf = once((type: Type, field: string) => fieldsOf(type).findIndex(({ name }) => name === field));

/** Why a value of `writer` cannot be read as `reader`; null when it can. */
export function whyNot(writer: AvroSchema, reader: AvroSchema): string | null {
  if (writer.root.name !== reader.root.name) return `it is ${writer.root.name}`;
  if (hasWeightless(writer.root, new Set())) return "it has an array whose items take no bytes";
  for (const field of fieldsOf(reader.root)) {
    const theirs = fieldsOf(writer.root).find(({ name }) => name === field.name);
    const [ours, other] = [logicalOf(field.type), theirs === undefined ? null : logicalOf(theirs.type)];
    if (ours !== null && other !== null && ours !== other) return `its ${field.name} is ${other}`;
  }
  return canRead(writer.root, reader.root, new Set()) ? null : "its fields do not fit";
}

function logicalOf(schema: Schema): string | null {
  return typeof schema === "object" && !isBranches(schema) ? (schema.logicalType ?? null) : null;
}

function hasWeightless(type: Type, seen: Set<Type>): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  if (type.kind === "array" && isWeightless(type.branches[0] as Type, new Set())) return true;
  return type.branches.some((part) => hasWeightless(part, seen));
}

function isWeightless(type: Type, seen: Set<Type>): boolean {
  if (type.kind === "null") return true;
  if (type.kind === "fixed") return type.schema.size === 0;
  if (type.kind !== "record" || seen.has(type)) return false;
  seen.add(type);
  return type.branches.every((part) => isWeightless(part, seen));
}

function canRead(writer: Type, reader: Type, seen: Set<string>): boolean {
  const pair = `${writer.name} ${reader.name}`;
  if (writer.kind === "record" && seen.has(pair)) return true;
  if (writer.kind === "union") return writer.branches.every((branch) => canRead(branch, reader, seen));
  if (reader.kind === "union") return reader.branches.some((branch) => canRead(writer, branch, seen));
  if (writer.kind !== reader.kind) return WIDER[writer.kind]?.includes(reader.kind) ?? false;
  if (["record", "fixed", "enum"].includes(writer.kind) && writer.name !== reader.name) return false;
  if (writer.kind === "fixed") return writer.schema.size === reader.schema.size;
  if (writer.kind !== "record")
    return writer.branches.every((part, at) => canRead(part, reader.branches[at] as Type, seen));
  const within = new Set([...seen, pair]);
  return fieldsOf(reader).every((field, at) => {
    const from = indexOf(writer, field.name);
    if (from === -1) return "default" in field;
    return canRead(writer.branches[from] as Type, reader.branches[at] as Type, within);
  });
}

/** @param bytes the value behind its header
 *  @throws NotAvro */
export function readAvro(bytes: Buffer, writer: AvroSchema, reader: AvroSchema): unknown {
  const cursor = new Cursor(bytes);
  const value = read(cursor, writer.root, reader.root);
  if (cursor.at !== bytes.length) throw new NotAvro(`${bytes.length - cursor.at} bytes are left over`);
  return value;
}

class Cursor {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(size: bigint): Buffer {
    if (size < 0n || BigInt(this.at) + size > BigInt(this.#bytes.length))
      throw new NotAvro(`the bytes end at ${this.at}`);
    const from = this.at;
    this.at += Number(size);
    return this.#bytes.subarray(from, this.at);
  }

  byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw new NotAvro(`the bytes end at ${this.at}`);
    this.at += 1;
    return byte;
  }

  /** A zigzag integer of 64 bits. */
  long(): bigint {
    let bits = 0n;
    for (let group = 0n; ; group++) {
      const byte = this.byte();
      bits |= BigInt(byte & 0x7f) << (7n * group);
      if (byte < 0x80) break;
      if (group === 9n) throw new NotAvro("an integer does not end");
    }
    if (bits >= 1n << 64n) throw new NotAvro("an integer is beyond 64 bits");
    return (bits >> 1n) ^ -(bits & 1n);
  }

  text(): string {
    const bytes = this.take(this.long());
    if (!isUtf8(bytes)) throw new NotAvro("a text is not UTF-8");
    return bytes.toString("utf8");
  }
}

function read(cursor: Cursor, writer: Type, reader: Type): unknown {
  if (writer.kind === "union") {
    const branch = writer.branches[Number(cursor.long())];
    if (branch === undefined) throw new NotAvro("a branch that there is not");
    return read(cursor, branch, reader);
  }
  if (reader.kind === "union") {
    const same = reader.branches.find((branch) => branch.kind === writer.kind && canRead(writer, branch, new Set()));
    const chosen = same ?? reader.branches.find((branch) => canRead(writer, branch, new Set()));
    return read(cursor, writer, chosen as Type);
  }
  if (writer.kind === "record") return readRecord(cursor, writer, reader);
  if (writer.kind === "map") return readMap(cursor, writer, reader);
  if (writer.kind === "array") {
    const items: unknown[] = [];
    eachItem(cursor, () => items.push(read(cursor, writer.branches[0] as Type, reader.branches[0] as Type)));
    return items;
  }
  return promoted(readPlain(cursor, writer), reader.kind);
}

function readRecord(cursor: Cursor, writer: Type, reader: Type): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  fieldsOf(writer).forEach((field, at) => {
    const to = indexOf(reader, field.name);
    if (to === -1) skip(cursor, writer.branches[at] as Type);
    else found[field.name] = read(cursor, writer.branches[at] as Type, reader.branches[to] as Type);
  });
  fieldsOf(reader).forEach((field, at) => {
    if (!Object.hasOwn(found, field.name)) found[field.name] = defaultOf(field.default, reader.branches[at] as Type);
  });
  return found;
}

function readMap(cursor: Cursor, writer: Type, reader: Type): Record<string, unknown> {
  const entries = new Map<string, unknown>();
  eachItem(cursor, () => {
    const key = cursor.text();
    entries.set(key, read(cursor, writer.branches[0] as Type, reader.branches[0] as Type));
  });
  return Object.fromEntries(entries);
}

/** Blocks of items; a negative count is followed by the block's size. */
function eachItem(cursor: Cursor, item: () => void): void {
  for (let count = cursor.long(); count !== 0n; count = cursor.long()) {
    if (count < 0n) cursor.long();
    for (let left = count < 0n ? -count : count; left > 0n; left--) item();
  }
}

function readPlain(cursor: Cursor, { kind, schema }: Type): unknown {
  switch (kind) {
    case "null":
      return null;
    case "boolean": {
      const byte = cursor.byte();
      if (byte > 1) throw new NotAvro("a boolean is neither 0 nor 1");
      return byte === 1;
    }
    case "int": {
      const value = cursor.long();
      if (BigInt.asIntN(32, value) !== value) throw new NotAvro("an int is beyond 32 bits");
      return Number(value);
    }
    case "long":
      return cursor.long();
    case "float":
      return cursor.take(4n).readFloatLE();
    case "double":
      return cursor.take(8n).readDoubleLE();
    case "bytes":
      return Buffer.from(cursor.take(cursor.long()));
    case "string":
      return cursor.text();
    case "fixed":
      return Buffer.from(cursor.take(BigInt(schema.size ?? 0)));
    case "enum":
      return schema.symbols?.[Number(cursor.long())] ?? refuse("an enum's symbol that there is not");
    default:
      throw new NotAvro(`nobody can read ${kind}`);
  }
}

function refuse(what: string): never {
  throw new NotAvro(what);
}

function promoted(value: unknown, kind: string): unknown {
  if (kind === "long" && typeof value === "number") return BigInt(value);
  if ((kind === "double" || kind === "float") && typeof value === "bigint") return Number(value);
  if (kind === "bytes" && typeof value === "string") return Buffer.from(value);
  if (kind === "string" && Buffer.isBuffer(value))
    return isUtf8(value) ? value.toString() : refuse("a text is not UTF-8");
  return value;
}

/** What of the writer's we do not know is stepped over, by its lengths alone. */
function skip(cursor: Cursor, type: Type): void {
  if (type.kind === "union") skip(cursor, type.branches[Number(cursor.long())] ?? refuse("a branch that there is not"));
  else if (type.kind === "record") for (const part of type.branches) skip(cursor, part);
  else if (type.kind === "map" || type.kind === "array") skipItems(cursor, type);
  else if (type.kind === "string" || type.kind === "bytes") cursor.take(cursor.long());
  else if (type.kind === "int" || type.kind === "long" || type.kind === "enum") cursor.long();
  else if (type.kind === "boolean") cursor.byte();
  else readPlain(cursor, type);
}

function skipItems(cursor: Cursor, type: Type): void {
  for (let count = cursor.long(); count !== 0n; count = cursor.long()) {
    if (count < 0n) cursor.take(cursor.long());
    for (let left = count; left > 0n; left--) {
      if (type.kind === "map") cursor.take(cursor.long());
      skip(cursor, type.branches[0] as Type);
    }
  }
}

/** The default in a schema is JSON, of a union's first branch. */
function defaultOf(json: unknown, type: Type): unknown {
  const plain = type.kind === "union" ? (type.branches[0] as Type) : type;
  if (plain.kind === "long") return BigInt(json as number);
  if (plain.kind === "fixed" || plain.kind === "bytes") return Buffer.from(json as string, "latin1");
  if (plain.kind !== "record") return json;
  const given = json as Record<string, unknown>;
  return Object.fromEntries(
    fieldsOf(plain).map(({ name, default: own }, at) => [
      name,
      defaultOf(given[name] ?? own, plain.branches[at] as Type),
    ]),
  );
}
