// YAML 1.2 with the core schema, as a tree in which every value knows its place. What YAML 1.1 tools would read
// differently (`no`, `on`, 0123, 1:30) is refused unless quoted, and so is what makes two readings of one file possible:
// duplicate keys, aliases, tags, merge keys.

import { createRequire } from "node:module";
import type * as Yaml from "yaml";
import type { Fault, Located, LocatedEntry, LocatedFile, Place } from "../domain/located.ts";
import { NUL, NUL_FOUND } from "../domain/utf8.ts";
import { keptTree } from "./kept-trees.ts";

/** Loaded when there is something to read: most commands find all of it kept. */
const library = (): typeof Yaml => createRequire(import.meta.url)("yaml");

/** The tree of a file, and everything that is wrong with it as YAML.
 *  @param file name to show in places
 *  @returns `root` null when the syntax is broken; else the whole tree even if there are faults, so that what reads it
 *           can add its own. An empty file is a scalar null. Of a key given twice the first value stays. */
export function readLocatedYaml(file: string, text: string): LocatedFile {
  const kept = keptTree(file, text);
  return kept === null ? readAnew(file, text) : { root: kept, faults: [] };
}

/** The same without a look at what was kept. */
export function readAnew(file: string, text: string): LocatedFile {
  const yaml = library();
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    uniqueKeys: false, // found by the tree reader, which also says where the first one is
    prettyErrors: false,
    logLevel: "error", // with "silent", a second document would be dropped without a word
    lineCounter: lines,
  });
  const tree = new TreeReader(yaml, file, lines);
  for (const { at, message } of syntaxErrors(document, text)) tree.fault(at, message);
  if (tree.faults.length > 0) return { root: null, faults: tree.faults };
  tree.refuseDirectives(document);
  return { root: tree.read(document.contents, 0, 0), faults: tree.faults };
}

/** Far more than any file of ours has, and far less than who walks through a tree has room for. */
const NESTING_MAX = 100;
const TOO_DEEP = `is nested more than ${NESTING_MAX} deep: write it flatter`;

/** Where the library's own words speak to programmers. */
const SYNTAX_WORDS: Readonly<Record<string, string>> = { MULTIPLE_DOCS: "a file holds one document" };

/** What makes the rest unreadable is told alone. */
function syntaxErrors(
  { errors }: Yaml.Document,
  text: string,
): readonly { readonly at: number; readonly message: string }[] {
  const nul = text.indexOf(NUL);
  if (nul !== -1) return [{ at: nul, message: `found ${NUL_FOUND}: save the file as UTF-8` }];
  // The library's stack, which is as deep as the file.
  const exhausted = errors.find(({ code }) => code === "RESOURCE_EXHAUSTION");
  if (exhausted !== undefined) return [{ at: exhausted.pos[0], message: TOO_DEEP }];
  return errors.map(({ pos, code, message }) => ({ at: pos[0], message: SYNTAX_WORDS[code] ?? firstLine(message) }));
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? message;
}

const TRAPS: readonly { readonly pattern: RegExp; readonly reading: string }[] = [
  { pattern: /^(y|yes|n|no|on|off)$/i, reading: "a boolean" },
  { pattern: /^[-+]?0[0-9_]+$/, reading: "an octal number" },
  { pattern: /^[-+]?0(b[01_]+|x[0-9a-f_]+|o[0-7]+)$/i, reading: "a number" },
  { pattern: /^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$/, reading: "a number of base 60" },
  { pattern: /^[-+]?[0-9]+(_[0-9]+)+$/, reading: "a number" },
  { pattern: /^[-+]?[0-9]+(\.[0-9]*)?e[-+]?[0-9]+$/i, reading: "a number" },
  { pattern: /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s].*)?$/, reading: "a date" },
];

class TreeReader {
  readonly faults: Fault[] = [];
  readonly #yaml: typeof Yaml;
  readonly #file: string;
  readonly #lines: Yaml.LineCounter;

  constructor(yaml: typeof Yaml, file: string, lines: Yaml.LineCounter) {
    this.#yaml = yaml;
    this.#file = file;
    this.#lines = lines;
  }

  fault(offset: number, message: string): void {
    this.faults.push({ place: this.#placeOf(offset), message });
  }

  refuseDirectives(document: Yaml.Document): void {
    if (document.directives?.yaml.explicit === true)
      this.fault(0, "a %YAML directive is not allowed: files are YAML 1.2");
  }

  /** @param fallback offset to name when the node is absent (an empty value)
   *  @param depth of lists and maps around it; what lies too deep is not in the tree */
  read(node: unknown, fallback: number, depth: number): Located {
    const offset = (node as Yaml.Node | null)?.range?.[0] ?? fallback;
    const place = this.#placeOf(offset);
    const { isMap, isScalar, isSeq } = this.#yaml;
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.tag !== undefined)
      this.fault(offset, "tags (`!!str` and the like) are not allowed");
    if (depth > NESTING_MAX) {
      this.fault(offset, TOO_DEEP);
      return { kind: "scalar", place, value: null };
    }
    if (isMap(node))
      return { kind: "map", place, entries: this.#readEntries(node.items as Yaml.Pair[], offset, depth) };
    if (isSeq(node))
      return { kind: "list", place, items: node.items.map((item) => this.read(item, offset, depth + 1)) };
    if (isScalar(node)) return { kind: "scalar", place, value: this.#readScalar(node, offset) };
    if (node !== null) this.fault(offset, "aliases (`*name`) are not allowed: write the value out");
    return { kind: "scalar", place, value: null };
  }

  #readEntries(pairs: readonly Yaml.Pair[], fallback: number, depth: number): LocatedEntry[] {
    const entries = new Map<string, LocatedEntry>();
    for (const { key, value } of pairs) {
      const offset = (key as Yaml.Node | null)?.range?.[0] ?? fallback;
      const keyPlace = this.#placeOf(offset);
      const name = this.#yaml.isScalar(key) ? this.#readScalar(key, offset) : null;
      const entry = { key: String(name), keyPlace, value: this.read(value, offset, depth + 1) };
      const earlier = entries.get(entry.key);
      if (typeof name !== "string") this.fault(offset, "a key must be text: quote it");
      else if (name === "<<") this.fault(offset, "merge keys (`<<`) are not allowed: write the keys out");
      else if (earlier !== undefined) {
        this.fault(offset, `key "${name}" is given twice, first in line ${earlier.keyPlace.line}`);
      } else entries.set(name, entry);
    }
    return [...entries.values()];
  }

  #readScalar(scalar: Yaml.Scalar, offset: number): string | number | boolean | null {
    const { value } = scalar;
    const source = scalar.type === "PLAIN" ? (scalar.source ?? "") : "";
    const trap = TRAPS.find(({ pattern }) => pattern.test(source));
    if (trap !== undefined) {
      this.fault(
        offset,
        `some YAML tools read ${source} as ${trap.reading}: quote it if text is meant, or write it plainly`,
      );
    }
    if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      this.fault(offset, `${source} has more digits than a number holds exactly: quote it`);
    }
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
  }

  #placeOf(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1) };
  }
}
