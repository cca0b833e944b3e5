// What has been read is not read again. Finding out what the shipped files say as YAML takes longer than all else that a
// short command does, so the build keeps their trees in `dist/trees`, each under the digest of its text. Any other text,
// such as that of an edited file, is not there and is read as ever. A tree is what `yaml.ts` makes of the text and nothing
// more: whatever is asked of declared files is asked of it all the same. test/unit/kept-trees.test.ts holds each kept tree
// against its file.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import type { Located, LocatedEntry, LocatedFile } from "../domain/located.ts";
import { makeFolder } from "../folders.ts";

/** The same folder for what was built and for its sources, which tests run. */
const TREES_DIR = fileURLToPath(new URL("../../dist/trees", import.meta.url));

/** A node without the name of its file, which is not part of the text: line, column, and what is there. */
type Packed = readonly [line: number, column: number, what: string | number | boolean | null | Packed[] | PackedMap];
/** key, line and column of the key, value, of one entry after the other */
type PackedMap = { readonly entries: readonly (string | number | Packed)[] };

/** @param file name to show in places
 *  @returns null when this text was not kept, or what was kept of it is damaged */
export function keptTree(file: string, text: string): Located | null {
  try {
    return unpack(JSON.parse(readFileSync(join(TREES_DIR, nameOf(text)), "utf8")) as Packed, file);
  } catch {
    return null;
  }
}

/** Keeps the trees of all YAML files of a folder and those in it, in place of those that were kept before. A file in which
 *  something is wrong is left out: its faults are found when it is read.
 *  @param read without a look at what was kept */
export function keepTrees(schemasDir: string, read: (file: string, text: string) => LocatedFile): void {
  // Put in place as a whole: a build that is cut short leaves what was there, and nobody reads half a file.
  const ownDir = `${TREES_DIR}.${process.pid}`;
  makeFolder(ownDir);
  for (const name of readdirSync(schemasDir, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".yaml")) continue;
    const text = readFileSync(join(schemasDir, name), "utf8");
    const { root, faults } = read(name, text);
    if (root === null || faults.length > 0) continue;
    const packed = JSON.stringify(pack(root));
    // JSON has no words for some numbers.
    if (isDeepStrictEqual(unpack(JSON.parse(packed), name), root)) writeFileSync(join(ownDir, nameOf(text)), packed);
  }
  rmSync(TREES_DIR, { recursive: true, force: true });
  try {
    renameSync(ownDir, TREES_DIR);
  } catch (error) {
    // Another build has just put the same there.
    rmSync(ownDir, { recursive: true });
    if (!existsSync(TREES_DIR)) throw error;
  }
}

function nameOf(text: string): string {
  return `${createHash("sha256").update(text).digest("hex").slice(0, 32)}.json`;
}

function pack({ place: { line, column }, ...node }: Located): Packed {
  if (node.kind === "scalar") return [line, column, node.value];
  if (node.kind === "list") return [line, column, node.items.map(pack)];
  const parts = ({ key, keyPlace, value }: LocatedEntry) => [key, keyPlace.line, keyPlace.column, pack(value)];
  return [line, column, { entries: node.entries.flatMap(parts) }];
}

const ENTRY_PARTS = 4;

function unpack([line, column, what]: Packed, file: string): Located {
  const place = { file, line, column };
  if (typeof what !== "object" || what === null) return { kind: "scalar", place, value: what };
  if (Array.isArray(what)) return { kind: "list", place, items: what.map((item) => unpack(item, file)) };
  const entries: LocatedEntry[] = [];
  for (let at = 0; at < what.entries.length; at += ENTRY_PARTS) {
    const [key, line, column, value] = what.entries.slice(at, at + ENTRY_PARTS) as [string, number, number, Packed];
    entries.push({ key, keyPlace: { file, line, column }, value: unpack(value, file) });
  }
  return { kind: "map", place, entries };
}
