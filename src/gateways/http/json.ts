// JSON of providers, which may hold anything: read as unknown values, each asked for its form where it is used.

export type Json = Readonly<Record<string, unknown>>;

/** @returns the object, or null for anything that is none: no JSON, no UTF-8, a list, a text */
export function readJson(bytes: Buffer): Json | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

export function asObject(value: unknown): Json | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

/** A text of at most `max` characters, none of which controls anything, or null. */
export function asText(value: unknown, max = 256): string | null {
  return typeof value === "string" && value !== "" && value.length <= max && !/\p{Cc}/u.test(value) ? value : null;
}

/** One of the words, or null. */
export function asWord<Word extends string>(value: unknown, words: readonly Word[]): Word | null {
  return words.find((word) => word === value) ?? null;
}
