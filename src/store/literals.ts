// Parameters as Postgres literals, for statements that are seldom run: a block's arrays are written by `arrays.ts`.

/** For integers, uuids, booleans: values that never need quoting. */
export function plainArray(values: readonly (bigint | number | string)[]): string {
  return `{${values.join(",")}}`;
}

/** Milliseconds as a timestamptz literal. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}

/** A timestamptz as read (UTC session) in milliseconds. */
export function readTimestampMs(text: unknown): number {
  return Date.parse(String(text).replace(" ", "T").replace(/\+00$/, "Z"));
}
