// Whether records written under one Avro schema can be read under another: the check that a schema registry makes.
import avro from "avsc";

/** The levels of the Confluent registry. The transitive ones look at every earlier version, the others at the last. */
export const COMPATIBILITY_LEVELS = [
  "NONE",
  "BACKWARD",
  "BACKWARD_TRANSITIVE",
  "FORWARD",
  "FORWARD_TRANSITIVE",
  "FULL",
  "FULL_TRANSITIVE",
] as const;
export type CompatibilityLevel = (typeof COMPATIBILITY_LEVELS)[number];

type Check = { readonly newReadsOld: "checked" | "free"; readonly oldReadsNew: "checked" | "free" };

const FREE: Check = { newReadsOld: "free", oldReadsNew: "free" };
const BACKWARD: Check = { newReadsOld: "checked", oldReadsNew: "free" };
const FORWARD: Check = { newReadsOld: "free", oldReadsNew: "checked" };
const FULL: Check = { newReadsOld: "checked", oldReadsNew: "checked" };

const CHECKS: Readonly<Record<CompatibilityLevel, Check>> = {
  NONE: FREE,
  BACKWARD,
  BACKWARD_TRANSITIVE: BACKWARD,
  FORWARD,
  FORWARD_TRANSITIVE: FORWARD,
  FULL,
  FULL_TRANSITIVE: FULL,
};

// To Avro a logical type is an annotation, and a reader with another scale or another unit of time would silently read
// amounts a power of ten off. Here the annotations must be equal; values themselves are never converted.
class Annotated extends avro.types.LogicalType {
  private readonly annotation: string;

  constructor(schema: avro.Schema, options?: unknown) {
    super(schema, options);
    const { logicalType, precision, scale } = schema as unknown as Record<string, unknown>;
    this.annotation = JSON.stringify([logicalType, precision ?? null, logicalType === "decimal" ? (scale ?? 0) : null]);
  }

  protected override _fromValue(value: unknown): unknown {
    return value;
  }

  protected override _toValue(value: unknown): unknown {
    return value;
  }

  protected override _resolve(writer: avro.Type): ((value: unknown) => unknown) | undefined {
    const isSame = writer instanceof Annotated && writer.annotation === this.annotation;
    return isSame ? (value) => value : undefined;
  }
}

const UNITS_OF_TIME = ["millis", "micros", "nanos"];
const ANNOTATIONS = [
  "decimal",
  "date",
  ...UNITS_OF_TIME.flatMap((unit) => [`time-${unit}`, `timestamp-${unit}`, `local-timestamp-${unit}`]),
];
const logicalTypes = Object.fromEntries(ANNOTATIONS.map((name) => [name, Annotated]));

/** @returns why `text` is not an Avro schema in JSON, or null when it is one */
export function flawOf(text: string): string | null {
  try {
    parse(text);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function parse(text: string): avro.Type {
  // A registry of names of its own: by default a second version of a record would be a duplicate name.
  return avro.Type.forSchema(JSON.parse(text) as avro.Schema, { registry: {}, logicalTypes, wrapUnions: "always" });
}

/** @param candidate an Avro schema in JSON, without a flaw
 *  @param earlier   the registered versions, oldest first
 *  @returns         one sentence for each version and direction that `level` demands and that fails; empty: compatible */
export function incompatibilities(level: CompatibilityLevel, candidate: string, earlier: readonly string[]): string[] {
  const newer = parse(candidate);
  const from = level.endsWith("_TRANSITIVE") ? 0 : Math.max(0, earlier.length - 1);
  const { newReadsOld, oldReadsNew } = CHECKS[level];
  return earlier.slice(from).flatMap((text, at) => {
    const older = parse(text);
    const version = `version ${from + at + 1}`;
    return [
      ...(newReadsOld === "checked" ? cannotRead(newer, older, `the new schema cannot read ${version}`) : []),
      ...(oldReadsNew === "checked" ? cannotRead(older, newer, `${version} cannot read the new schema`) : []),
    ];
  });
}

function cannotRead(reader: avro.Type, writer: avro.Type, what: string): string[] {
  try {
    reader.createResolver(writer);
    return [];
  } catch (error) {
    return [`${what}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
