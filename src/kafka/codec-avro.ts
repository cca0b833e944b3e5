// Messages in Avro, as this system reads and writes them: 64-bit integers are bigint, unions with null are bare values,
// maps keep every key. A schema is compiled once; what another schema wrote is read through a resolver that is built
// once per writer: building one takes as long as reading a hundred messages.

import avro from "avsc";
import { assert } from "../domain/assert.ts";
import { bytesOfLong, longOfBytes } from "./codec-long.ts";
import type { ReadTap } from "./codec-read-tap.ts";
import type { WriteTap } from "./codec-write-tap.ts";

export type ReadPlan = (tap: ReadTap) => unknown;

/** What the library's types and resolvers have beside their public methods: the compiled functions themselves. Its public
 *  `decode` and `encode` call just these, with a tap that does not see the end of its buffer. */
type Compiled = { _read(tap: ReadTap): unknown; _write(tap: WriteTap, value: unknown): void };

type FieldJson = { readonly name: string; readonly type: unknown };
type RecordJson = { readonly fields: readonly FieldJson[] };

const LONG = avro.types.LongType.__with({
  fromBuffer: longOfBytes,
  toBuffer: bytesOfLong,
  fromJSON: (json: string | number) => BigInt(json),
  toJSON: String,
  isValid: (value: unknown) => typeof value === "bigint" && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

/** A map whose key may be `__proto__`, which the library's own would lose without a word. */
class EveryKeyMap extends avro.types.MapType {
  _read(tap: ReadTap): Record<string, unknown> {
    const values = this.valuesType as Compiled;
    const map: Record<string, unknown> = {};
    for (let count = blockCount(tap); count !== 0; count = blockCount(tap)) {
      for (; count > 0; count -= 1) {
        const key = tap.readString();
        const value = values._read(tap);
        if (key === "__proto__") Object.defineProperty(map, key, { value, ...OWN_PROPERTY });
        else map[key] = value;
      }
    }
    return map;
  }
}
const OWN_PROPERTY = { enumerable: true, configurable: true, writable: true };

/** Entries of the next block of a map; a negative count is followed by the block's size in bytes. */
function blockCount(tap: ReadTap): number {
  const count = tap.readLong();
  if (count >= 0) return count;
  tap.skipLong();
  return -count;
}

/** By `typeHook` and not by the library's registry of names: that one misses longs that carry a logical type. */
function typeHook(schema: avro.Schema, options: unknown): avro.Type | undefined {
  if (schema === "long") return LONG;
  const typeName = typeof schema === "object" && "type" in schema ? schema.type : null;
  if (typeName === "long") return LONG;
  return typeName === "map" ? new EveryKeyMap(schema, options) : undefined;
}

/** One schema of ours, compiled. */
export class MessageType {
  /** full name of the record: `millrace.Intent` */
  readonly name: string;
  readonly fieldNames: readonly string[];
  readonly readOwn: ReadPlan;
  readonly #type: avro.types.RecordType;
  readonly #json: RecordJson;

  /** @param schema text of a self-contained record schema
   *  @throws Error when it is not valid Avro (a mistake in schemas/messages) */
  constructor(schema: string) {
    this.#json = JSON.parse(schema) as RecordJson;
    // `never`: a union that could not be told apart bare fails here, not in the middle of a run.
    const type = parse(this.#json, "never");
    assert(avro.Type.isType(type, "record") && type.name !== undefined, "a message is a record with a name");
    this.#type = type as avro.types.RecordType;
    this.name = type.name;
    this.fieldNames = this.#type.fields.map((field) => field.name);
    this.readOwn = planOf(type);
  }

  /** How to read what `writerSchema` wrote as this type.
   *  @returns a sentence when that cannot be done */
  planFor(writerSchema: string): ReadPlan | { readonly why: string } {
    try {
      const json: unknown = JSON.parse(writerSchema);
      const writer = parse(json, "always");
      const why = this.#whyNot(writer, json as RecordJson);
      if (why !== null) return { why };
      // Equal but for docs and defaults: the bytes are the same, so our own reader takes them.
      return writer.equals(this.#type) ? this.readOwn : planOf(this.#type.createResolver(writer));
    } catch (error) {
      return { why: `cannot be read as ${this.name}: ${messageOf(error)}` };
    }
  }

  /** Writes all fields; one that is undefined takes its default.
   *  @throws Error when a value does not fit its field; some bytes may have been written by then */
  write(tap: WriteTap, value: unknown): void {
    (this.#type as unknown as Compiled)._write(tap, value);
  }

  /** Paths of the fields that do not fit, for the message of an error. */
  faultsOf(value: unknown): readonly string[] {
    const paths: string[] = [];
    this.#type.isValid(value, { errorHook: (path) => paths.push(path.join(".")) });
    return paths;
  }

  #whyNot(writer: avro.Type, json: RecordJson): string | null {
    if (writer.name !== this.name) return `is of ${writer.name ?? writer.typeName}, not of ${this.name}`;
    if (hasWeightlessItems(writer, new Set()))
      return "has an array whose items take no bytes, so its size has no bound";
    for (const field of this.#json.fields) {
      const ours = logicalTypeOf(field);
      const theirs = logicalTypeOf(json.fields.find((candidate) => candidate.name === field.name));
      // Registries do not compare these, and milliseconds read as microseconds would be wrong without a word.
      if (ours !== null && theirs !== null && ours !== theirs) return `has ${field.name} as ${theirs}, not as ${ours}`;
    }
    return null;
  }
}

function parse(json: unknown, wrapUnions: "never" | "always"): avro.Type {
  const options = { typeHook, wrapUnions, omitRecordMethods: true, registry: {} };
  return avro.Type.forSchema(json as avro.Schema, options as Partial<avro.ForSchemaOptions>);
}

function planOf(compiled: unknown): ReadPlan {
  const { _read } = compiled as Compiled;
  return (tap) => _read.call(compiled as Compiled, tap);
}

function logicalTypeOf(field: FieldJson | undefined): string | null {
  const type = field?.type;
  if (typeof type !== "object" || type === null || !("logicalType" in type)) return null;
  return typeof type.logicalType === "string" ? type.logicalType : null;
}

/** A field that we skip may still cost time: an array of a billion nulls is five bytes long. */
function hasWeightlessItems(type: avro.Type, seen: Set<avro.Type>): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  if (type instanceof avro.types.ArrayType && isWeightless(type.itemsType, new Set())) return true;
  return partsOf(type).some((part) => hasWeightlessItems(part, seen));
}

function isWeightless(type: avro.Type, seen: Set<avro.Type>): boolean {
  if (type instanceof avro.types.NullType) return true;
  if (type instanceof avro.types.FixedType) return type.size === 0;
  if (!(type instanceof avro.types.RecordType) || seen.has(type)) return false;
  seen.add(type);
  return partsOf(type).every((part) => isWeightless(part, seen));
}

function partsOf(type: avro.Type): readonly avro.Type[] {
  if (type instanceof avro.types.RecordType) return type.fields.map((field) => field.type);
  if (type instanceof avro.types.ArrayType) return [type.itemsType];
  if (type instanceof avro.types.MapType) return [type.valuesType as avro.Type];
  return "types" in type ? (type.types as readonly avro.Type[]) : [];
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
