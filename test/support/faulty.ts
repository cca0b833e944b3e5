// Breaks a good file at one place and says where that is, so that a test can ask for the fault at exactly that place.

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const SHIPPED_SCHEMAS = fileURLToPath(new URL("../../schemas", import.meta.url));
/** Names of the flows that are shipped, a file each. */
export const SHIPPED_FLOWS = readdirSync(join(SHIPPED_SCHEMAS, "flows"))
  .filter((name) => name.endsWith(".flow.yaml"))
  .map((name) => name.slice(0, -".flow.yaml".length))
  .sort();
/** Versions that no new case opens on. */
export const RETIRED_FLOWS = fileURLToPath(new URL("retired-flows", import.meta.url));
export const TEST_FLOWS = fileURLToPath(new URL("flows", import.meta.url));

export function textOf(path: string): string {
  return readFileSync(path, "utf8");
}

/** @throws when `old` is not in the text exactly as given: the test would break nothing */
export function replaceOnce(text: string, old: string, by: string): string {
  const at = text.indexOf(old);
  if (at === -1) throw new Error(`the text has no ${JSON.stringify(old)}`);
  return text.slice(0, at) + by + text.slice(at + old.length);
}

/** Where the `nth` occurrence of `marker` begins, as `line:column`. */
export function placeOf(text: string, marker: string, nth = 1): string {
  let at = -1;
  for (let count = 0; count < nth; count++) {
    at = text.indexOf(marker, at + 1);
    if (at === -1) throw new Error(`the text has no ${JSON.stringify(marker)} number ${count + 1}`);
  }
  const before = text.slice(0, at).split("\n");
  return `${before.length}:${(before.at(-1) ?? "").length + 1}`;
}

/** Takes all flows but these out of a copy of the schemas, and their parameters and routes: proving them all takes seconds. */
export function leaveOnly(schemas: string, ...flows: readonly string[]): void {
  for (const folder of ["flows", "parameters", "routes"])
    for (const file of readdirSync(join(schemas, folder))) {
      const isKept = flows.includes(file.replace(/\..*/, "")) || file.endsWith(".json");
      if (!isKept) rmSync(join(schemas, folder, file));
    }
}
