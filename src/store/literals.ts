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

/** JSON documents as one text, for `string_to_array(…, E'\\x1f', 'null')`: a control character is written as an escape inside
 *  a document, so it can stand between two. Quoting a case's data for an array literal cost more than writing it. */
export function documentList(documents: readonly (string | null)[]): string {
  return documents.map((document) => document ?? "null").join("\u001f");
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

/** The second that was printed last: intents of one block mostly share theirs, and printing a date costs more than all
 *  the rest of a row. */
let printedSecond = { second: 0, text: "1970-01-01T00:00:00" };

/** Microseconds as a timestamptz literal. */
export function timestampMicros(micros: bigint): string {
  let second = Number(micros / 1_000_000n);
  let rest = Number(micros % 1_000_000n);
  if (rest < 0) {
    second -= 1;
    rest += 1_000_000;
  }
  if (second !== printedSecond.second) {
    printedSecond = { second, text: new Date(second * 1000).toISOString().slice(0, -5) };
  }
  return `${printedSecond.text}.${String(rest).padStart(6, "0")}Z`;
}

/** A timestamptz as read (UTC session) in milliseconds. */
export function readTimestampMs(text: unknown): number {
  return Date.parse(String(text).replace(" ", "T").replace(/\+00$/, "Z"));
}
