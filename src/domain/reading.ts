// Reads typed values out of a located tree and gathers every fault on the way, so that a file with five errors shows all
// five. A value that cannot be read comes back as null with its fault noted; the caller goes on with the rest.

import type { Fault, Located, LocatedEntry, Place } from "./located.ts";

/** The keys of a map: which must be there, and which may. */
export type Keys = {
  readonly required: readonly string[];
  readonly optional?: readonly string[];
};

export type Fields = ReadonlyMap<string, Located>;

export class Reading {
  readonly faults: Fault[] = [];
  #extraKeys = 0;

  /** Whether everything known was read: all faults so far are keys too many. Then what is missing in the result is
   *  missing in the file too, and may be complained of. */
  get isWhole(): boolean {
    return this.faults.length === this.#extraKeys;
  }

  fault(place: Place, message: string): null {
    this.faults.push({ place, message });
    return null;
  }

  /** The entries of a map with free keys, such as names. A key given twice is the reader of the file's to refuse. */
  entries(node: Located, what: string): readonly LocatedEntry[] | null {
    if (node.kind === "map") return node.entries;
    return this.fault(node.place, `${what} must be a map of keys, found ${describe(node)}`);
  }

  /** A map with fixed keys. Unknown and missing ones are faults; what is known comes back all the same. */
  fields(node: Located, what: string, keys: Keys): Fields | null {
    const entries = this.entries(node, what);
    if (entries === null) return null;
    const known = [...keys.required, ...(keys.optional ?? [])];
    const fields = new Map<string, Located>();
    for (const { key, keyPlace, value } of entries) {
      if (known.includes(key)) fields.set(key, value);
      else this.#extraKey(keyPlace, `unknown key "${key}" in ${what}; known: ${known.join(", ")}`);
    }
    for (const key of keys.required) {
      if (!fields.has(key)) this.fault(node.place, `${what} lacks "${key}"`);
    }
    return fields;
  }

  #extraKey(place: Place, message: string): void {
    this.#extraKeys += 1;
    this.fault(place, message);
  }

  items(node: Located | undefined, what: string): readonly Located[] | null {
    if (node === undefined) return null;
    if (node.kind === "list") return node.items;
    return this.fault(node.place, `${what} must be a list, found ${describe(node)}`);
  }

  /** Text, and nothing that YAML made a number or a boolean of. An absent value is no fault here. */
  text(node: Located | undefined, what: string): string | null {
    if (node === undefined) return null;
    if (node.kind === "scalar" && typeof node.value === "string" && node.value !== "") return node.value;
    return this.fault(node.place, `${what} must be text, found ${describe(node)}`);
  }

  /** Text of a given form; `form` says it in words. */
  textLike(node: Located | undefined, what: string, pattern: RegExp, form: string): string | null {
    const text = this.text(node, what);
    if (text === null || pattern.test(text)) return text;
    return this.fault((node as Located).place, `${what} must be ${form}, found ${JSON.stringify(text)}`);
  }

  /** One of a closed set of words. */
  word<Word extends string>(node: Located | undefined, what: string, words: readonly Word[]): Word | null {
    const text = this.text(node, what);
    if (text === null) return null;
    const word = words.find((one) => one === text);
    if (word !== undefined) return word;
    return this.fault(
      (node as Located).place,
      `${what} must be one of ${words.join(", ")}; found ${JSON.stringify(text)}`,
    );
  }

  integer(node: Located | undefined, what: string, min: number, max: number): number | null {
    if (node === undefined) return null;
    const value = node.kind === "scalar" ? node.value : null;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    return this.fault(node.place, `${what} must be a whole number from ${min} to ${max}, found ${describe(node)}`);
  }

  /** Absent is false. */
  flag(node: Located | undefined, what: string): boolean {
    if (node === undefined) return false;
    if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
    this.fault(node.place, `${what} must be true or false, found ${describe(node)}`);
    return false;
  }
}

function describe(node: Located): string {
  if (node.kind !== "scalar") return `a ${node.kind}`;
  if (node.value === null) return "nothing";
  if (typeof node.value === "string")
    return node.value === "" ? "empty text" : `the text ${JSON.stringify(node.value)}`;
  return `the ${typeof node.value} ${node.value} (quote it if text is meant)`;
}
