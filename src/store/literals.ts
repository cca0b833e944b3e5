// Array parameters as Postgres array literals. The driver's own serializer costs as much as the whole decision; numbers,
// uuids and hex need no quoting, texts only sometimes.

const PLAIN = /^[A-Za-z0-9_.:@+|/-]+$/;

/** For integers, uuids, booleans: values that never need quoting. */
export function plainArray(values: readonly (bigint | number | string)[]): string {
  return `{${values.join(",")}}`;
}

export function textArray(values: readonly (string | null)[]): string {
  let text = "{";
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ",";
    text += quoted(values[index] as string | null);
  }
  return `${text}}`;
}

export function byteaArray(values: readonly (Buffer | null)[]): string {
  return `{${values.map((value) => (value === null ? "null" : `"\\\\x${value.toString("hex")}"`)).join(",")}}`;
}

function quoted(value: string | null): string {
  if (value === null) return "null";
  if (PLAIN.test(value) && value.length !== 4) return value; // four letters could spell null
  return `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

/** Milliseconds as a timestamptz literal. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}

/** Microseconds as a timestamptz literal. */
export function timestampMicros(micros: bigint): string {
  const ms = Number(micros / 1000n) - (micros < 0n && micros % 1000n !== 0n ? 1 : 0);
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  return `${new Date(ms).toISOString().slice(0, -1)}${rest.toString().padStart(3, "0")}Z`;
}

/** A timestamptz as read (UTC session) in milliseconds. */
export function readTimestampMs(text: unknown): number {
  return Date.parse(String(text).replace(" ", "T").replace(/\+00$/, "Z"));
}
