// A declared file as a plain tree, and how its parts are asked for. Files were checked before they were registered, so a
// part that is missing here is told as what it is: a text that no ledger could have been decided by.

import type { Located } from "../../domain/located.ts";

export type Tree = string | number | boolean | null | readonly Tree[] | TreeMap;
export type TreeMap = { readonly [name: string]: Tree };

/** A declared text says something that cannot be. */
export class Unreadable extends Error {
  override name = "Unreadable";
}

export function plainTree(located: Located): Tree {
  if (located.kind === "scalar") return located.value;
  if (located.kind === "list") return located.items.map(plainTree);
  return Object.fromEntries(located.entries.map(({ key, value }) => [key, plainTree(value)]));
}

/** What stands under the names, one below the other; undefined when a name is not there. */
export function at(tree: Tree | undefined, ...names: readonly string[]): Tree | undefined {
  let here = tree;
  for (const name of names) here = isMap(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  return here;
}

export function isMap(tree: Tree | undefined): tree is TreeMap {
  return typeof tree === "object" && tree !== null && !Array.isArray(tree);
}

/** Names with what stands under them, in the order of the file; none when it is not there. */
export function entriesOf(tree: Tree | undefined): [string, Tree][] {
  return isMap(tree) ? Object.entries(tree) : [];
}

export function itemsOf(tree: Tree | undefined): readonly Tree[] {
  return Array.isArray(tree) ? tree : [];
}

/** @throws Unreadable */
export function textOf(tree: Tree | undefined, what: string): string {
  if (typeof tree === "string") return tree;
  if (typeof tree === "number") return String(tree);
  throw new Unreadable(`${what} is missing`);
}
